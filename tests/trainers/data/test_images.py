"""Folders of images, and how an image becomes a tensor."""

import io
import pickle
import random

import numpy as np
import pytest
import torch
from PIL import Image

from trainers.data.images import ImageFolder, split_folder
from trainers.data.pictures import Pictures

ALL = torch.arange


def paint(path, size=(8, 6), colour=(255, 0, 0), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)


@pytest.fixture
def folder(tmp_path):
    for name in ("b2.png", "b1.png", "deep/er/b3.JPG"):
        paint(tmp_path / "dogs" / name)
    paint(tmp_path / "cats" / "a.png", colour=(0, 0, 255))
    (tmp_path / "cats" / "notes.txt").write_text("no image")
    (tmp_path / "cats" / "._a.png").write_text("no image")
    return tmp_path


def test_a_folder_for_each_class_is_numbered_in_sorted_order(folder):
    images = ImageFolder(folder, size=4)
    assert images.classes == ("cats", "dogs")
    inputs, targets = images.take(ALL(4))
    assert targets.tolist() == [0, 1, 1, 1]
    assert (inputs.shape, inputs.dtype) == ((4, 3, 4, 4), torch.float32)
    assert inputs[0, :, 0, 0].tolist() == [0, 0, 1]
    assert [images.names[number] for number in range(4)] == [
        "cats/a.png", "dogs/b1.png", "dogs/b2.png", "dogs/deep/er/b3.JPG",
    ]  # fmt: skip


def test_a_list_of_files_keeps_its_order_and_may_have_values(folder):
    images = ImageFolder(folder, [("dogs/b1.png", 0.5), ("cats/a.png", 2.0)], size=4)
    assert images.take(torch.tensor([1, 0])).targets.tolist() == [2.0, 0.5]
    assert images.classes == ()


def test_values_are_normalised_or_bytes_and_channels_one_or_three(folder):
    one = torch.tensor([0])
    normalised = ImageFolder(folder, size=4, mean=(0.5, 0.5, 0.5), deviation=0.25).take(one).inputs
    assert normalised[0, :, 0, 0].tolist() == [-2, -2, 2]
    kept = ImageFolder(folder, size=(2, 4), as_bytes=True).take(one).inputs
    assert (kept.dtype, kept.shape, kept.max().item()) == (torch.uint8, (1, 3, 2, 4), 255)
    assert ImageFolder(folder, grey=True).take(one).inputs.shape == (1, 1, 6, 8)


def test_images_of_all_modes_of_eight_bits(tmp_path):
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK"):
        paint(tmp_path / f"{mode}{'.tif' if mode == 'CMYK' else '.png'}", colour=0, mode=mode)
    names = sorted(path.name for path in tmp_path.iterdir())
    images = ImageFolder(tmp_path, [(name, 0) for name in names])
    assert images.take(ALL(7)).inputs.shape == (7, 3, 6, 8)
    paint(tmp_path / "deep.png", colour=60_000, mode="I;16")
    with pytest.raises(ValueError, match=r"deep.png cannot be decoded: pixels are I;16"):
        ImageFolder(tmp_path, [("deep.png", 0)]).take(ALL(1))


def ramp(width, height, quality=95):
    """A JPEG whose red grows to the right and green to the bottom."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.linspace(0, 255, width)[None]
    pixels[..., 1] = np.linspace(0, 255, height)[:, None]
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return file.getvalue()


def pictured(contents, **settings):
    pictures = Pictures(**settings)
    return pictures.batch([contents], ["it"], pictures.shape_of(contents, "it"))[0]


def test_the_centre_is_scaled_as_if_the_shorter_side_were_resized_first():
    image = pictured(ramp(800, 400), size=32)  # the middle half of the width
    assert image[0].mean(0)[[0, -1]].tolist() == pytest.approx([0.258, 0.742], abs=0.01)
    assert image[1].mean(1)[[0, -1]].tolist() == pytest.approx([0.016, 0.984], abs=0.01)
    image = pictured(ramp(800, 400), size=32, resize=64)  # the middle quarter of the width, and half of the height
    assert image[0].mean(0)[[0, -1]].tolist() == pytest.approx([0.379, 0.621], abs=0.01)
    assert image[1].mean(1)[[0, -1]].tolist() == pytest.approx([0.258, 0.742], abs=0.01)


def test_small_images_are_scaled_up_and_long_ones_cropped():
    assert pictured(ramp(5, 3), size=16).shape == (3, 16, 16)
    wide = pictured(ramp(40, 400), size=(8, 16))
    assert wide[0].mean(0)[[0, -1]].tolist() == pytest.approx([0.03, 0.97], abs=0.03)
    assert wide[1].std() < 0.03


def test_a_jpeg_decoded_at_a_fraction_is_near_the_whole_one():
    contents = ramp(900, 700)
    with Image.open(io.BytesIO(contents)) as image:
        whole = image.convert("RGB").resize((40, 40), Image.Resampling.BILINEAR, (100, 0, 800, 700))
    difference = (
        pictured(contents, size=40, as_bytes=True).permute(1, 2, 0).int() - torch.tensor(np.asarray(whole)).int()
    )
    assert difference.abs().max() <= 3


def test_crops_and_flips_are_drawn_from_the_global_generator(folder):
    contents = ramp(60, 40)
    random.seed(1)
    several = [pictured(contents, size=8, random_crop=True, flip=True) for _ in range(40)]
    random.seed(1)
    assert torch.equal(pictured(contents, size=8, random_crop=True, flip=True), several[0])
    widths = torch.stack([(image[0, :, -1] - image[0, :, 0]).mean() for image in several])
    assert 10 <= (widths < 0).sum() <= 30  # mirrored
    assert widths.abs().min() < 0.5 < widths.abs().max()
    assert pictured(ramp(400, 4), size=8, random_crop=True).shape == (3, 8, 8)  # no such part: the middle


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"size": 0}, "size is 0"),
        ({"size": (1, 2, 3)}, "wanted a whole number or two"),
        ({"resize": 8}, "resize is 8: it goes with size"),
        ({"size": 8, "resize": 7}, "resize is 7: wanted a whole number of at least 8"),
        ({"size": 8, "resize": 9, "random_crop": True}, "resize is 9: it goes with size, and without random_crop"),
        ({"random_crop": True}, "random_crop has no size"),
        ({"mean": (0.5, 0.5)}, "mean has 2 values: wanted one, or 3"),
        ({"grey": True, "deviation": (0.1, 0.2, 0.3)}, "deviation has 3 values: wanted one, or 1"),
        ({"deviation": 0.0}, "deviation is 0.0"),
        ({"as_bytes": True, "mean": 0.5}, "as_bytes gives values as they are stored"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        Pictures(**settings)


def test_what_cannot_be_read_is_named(folder):
    images = ImageFolder(folder)
    jpeg = folder / "dogs" / "deep" / "er" / "b3.JPG"
    jpeg.write_bytes(ramp(200, 200)[:-1000])
    with pytest.raises(ValueError, match=r"deep/er/b3.JPG cannot be decoded: image file is truncated"):
        images.take(torch.tensor([3]))
    jpeg.write_bytes(b"text")
    with pytest.raises(ValueError, match=r"deep/er/b3.JPG cannot be decoded: no image that Pillow knows"):
        images.take(torch.tensor([3]))
    jpeg.unlink()
    with pytest.raises(ValueError, match=r"deep/er/b3.JPG is not there any more"):
        images.take(torch.tensor([3]))
    paint(folder / "dogs" / "b2.png", size=(9, 6))
    with pytest.raises(ValueError, match=r"b2.png has 9x6 pixels where others have 8x6: give a size"):
        images.take(torch.tensor([0, 2]))


def test_folders_without_images_or_classes_are_named(tmp_path):
    for part, said in (
        ("none", "none cannot be listed: No such file"),
        ("empty", "empty has no folders: wanted a folder for each class"),
        ("flat", r"flat has images and no folders: .* or a list of files with labels"),
        ("hollow", "hollow/a has no images: wanted files that end in"),
    ):
        (tmp_path / "empty").mkdir(exist_ok=True)
        paint(tmp_path / "flat" / "a.png")
        (tmp_path / "hollow" / "a").mkdir(parents=True, exist_ok=True)
        with pytest.raises(ValueError, match=said):
            ImageFolder(tmp_path / part)
    with pytest.raises(ValueError, match="has no images"):
        ImageFolder(tmp_path, [])


def names_of(images):
    return {images.names[number] for number in range(len(images))}


def test_hidden_folders_and_links_back_hold_no_images(folder):
    (folder / "cats" / ".thumbnails").mkdir()
    (folder / "cats" / ".thumbnails" / "a.png").write_bytes((folder / "cats" / "a.png").read_bytes())
    (folder / "cats" / "again").symlink_to(folder / "cats")
    (folder / "cats" / "old").symlink_to(folder / "dogs" / "deep")
    images = ImageFolder(folder, size=4)
    assert [images.names[number] for number in range(2)] == ["cats/a.png", "cats/old/er/b3.JPG"]
    assert images.take(ALL(len(images))).targets.tolist() == [0, 0, 1, 1, 1]


def test_a_split_of_a_folder_stays_when_files_come(tmp_path):
    for number in range(60):
        paint(tmp_path / "ab"[number % 2] / f"{number}.png", size=(1, 1))
    before = split_folder(tmp_path, validation=0.2, test=0.3, size=1, random_crop=True, flip=True)
    assert all(len(split) >= 5 for split in before)
    assert set.union(*map(names_of, before)) == {f"{'ab'[n % 2]}/{n}.png" for n in range(60)}
    assert before.train.pictures.random_crop
    assert not before.validation.pictures.flip
    paint(tmp_path / "a" / "60.png", size=(1, 1))
    after = split_folder(tmp_path, validation=0.2, test=0.3, size=1)
    assert all(names_of(old) <= names_of(new) for old, new in zip(before, after, strict=True))


def test_splits_may_be_folders(tmp_path):
    for number in range(40):
        paint(tmp_path / "train" / "ab"[number % 2] / f"{number}.png", size=(1, 1))
    paint(tmp_path / "val" / "b" / "0.png", size=(1, 1))
    splits = split_folder(tmp_path, test=0.4)
    assert splits.validation.classes == ("a", "b")
    assert splits.validation.take(ALL(1)).targets.tolist() == [1]
    assert len(splits.train) + len(splits.test) == 40
    paint(tmp_path / "test" / "c" / "0.png", size=(1, 1))
    with pytest.raises(ValueError, match=r"test has a folder 'c', which is none of the classes a, b"):
        split_folder(tmp_path)
    paint(tmp_path / "validation" / "a" / "0.png", size=(1, 1))
    with pytest.raises(ValueError, match="has test and train and val and validation: two of them are one split"):
        split_folder(tmp_path)


def test_a_split_without_images_is_refused(folder):
    with pytest.raises(
        ValueError, match=r"gives no images to (train|validation): it has 4; give more, or another share"
    ):
        split_folder(folder, validation=1e-9, test=0.5)


def test_a_million_names_are_small_and_travel(folder):
    images = ImageFolder(folder, size=4)
    again = pickle.loads(pickle.dumps(images))
    assert torch.equal(again.take(ALL(4)).inputs, images.take(ALL(4)).inputs)
    assert len(pickle.dumps(ImageFolder(folder, [("dogs/b1.png", 0)] * 10_000))) < 300_000
