"""An image as a task, its network as a file, and the file as a picture again."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.console import call
from tests.trainers.trials import run
from trainers import pinned
from trainers.compressed import open_compressed
from trainers.config import Spec, TrialConfig
from trainers.datasets.still import pixels_of, shrunk
from trainers.instantiate import make_task, task_text
from trainers.networks.coordinates import grid
from trainers.rendering import original, picture_of
from trainers.tasks.image import psnr_db
from trainers.train import train


def content_of(image: Any, format_: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=format_, **options)
    return buffer.getvalue()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A gradient of 12 x 16 pixels."""
    rows, columns = np.mgrid[0:12, 0:16]
    pixels = np.stack([rows * 20, columns * 15, 255 - rows * 10], axis=-1).astype(np.uint8)
    path = tmp_path / "gradient.png"
    path.write_bytes(content_of(Image.fromarray(pixels)))
    return path


def config_of(picture: Path, **changes: Any) -> TrialConfig:
    return TrialConfig.from_dict(
        {
            "task": {"name": "image", "file": str(picture)},
            "architecture": {"name": "siren", "depth": 2, "width": 8},
            "method": {"name": "epr", "lam": 1e-4, "learning_rate": 0.01},
            "steps": 200,
            "batch_size": 64,
            **changes,
        }
    )


def test_places_reach_from_edge_to_edge() -> None:
    assert grid(2, 3).tolist() == [[[-1, -1], [-1, 0], [-1, 1]], [[1, -1], [1, 0], [1, 1]]]
    assert grid(1, 1).tolist() == [[[0, 0]]]


def test_psnr_is_that_of_eight_bits() -> None:
    assert psnr_db(255**2) == 0
    assert psnr_db(1.0) == pytest.approx(20 * math.log10(255))
    assert psnr_db(0.0) == 100


def test_the_quality_is_that_of_the_picture_that_the_file_is_drawn_as(picture: Path, tmp_path: Path) -> None:
    config = config_of(picture)
    (point,) = train(config, lambda progress: None, tmp_path / "trial")
    opened = open_compressed(Path(point.path))
    drawn = picture_of(opened.network(), opened.header.architecture, opened.header.arguments)
    given = pixels_of(picture.read_bytes(), "it")
    error = float(np.square(drawn.astype(float) - given).mean())
    assert point.quality == point.quality_val == pytest.approx(10 * math.log10(255**2 / error), abs=0.01)
    assert point.quality > 20


def test_pixels_one_by_one_and_all_together_are_the_same_examples(picture: Path) -> None:
    one_by_one, together = (
        make_task(config_of(picture, task={"name": "image", "file": str(picture), "whole": whole}).task)
        for whole in (False, True)
    )
    assert one_by_one.signal == together.signal
    assert (one_by_one.signal.unit, one_by_one.signal.count) == ("pixel", 192)
    for one, other in zip(one_by_one.train.take(torch.arange(192)), together.train.take(torch.arange(1)), strict=True):
        assert torch.equal(one, other.flatten(0, 2))


def test_the_weight_of_the_rate_counts_pixels_not_parameters(picture: Path, tmp_path: Path) -> None:
    from tests.trainers.trials import attach

    trial = attach(config_of(picture))
    assert trial.context.num_weighed == 192
    assert trial.context.num_parameters != 192


def test_a_sweep_holds_the_image_to_its_content(picture: Path) -> None:
    from orchestrator.sweep.definition import Sweep

    def sweep(path: Path) -> Sweep:
        document = {**config_of(path).to_dict(), "name": "one"}
        return Sweep.from_dict({key: item for key, item in document.items() if key != "seed"})

    moved = picture.with_name("moved.png")
    moved.write_bytes(picture.read_bytes())
    assert sweep(picture).sweep_id == sweep(moved).sweep_id
    pinned = sweep(picture).to_dict()["task"]["file"]
    assert config_of(Path(pinned)).config_hash == config_of(Path(sweep(moved).to_dict()["task"]["file"])).config_hash
    picture.write_bytes(content_of(Image.new("RGB", (3, 3))))
    with pytest.raises(ValueError, match=r"^file: \S+gradient.png has changed: its content is sha256="):
        make_task(config_of(Path(pinned)).task)


def test_points_of_pixels_and_of_whole_images_are_of_one_task(picture: Path) -> None:
    one_by_one, together, smaller = (
        task_text(config_of(picture, task={"name": "image", "file": str(picture), **more}).task)
        for more in ({}, {"whole": True}, {"shrink": 2})
    )
    assert one_by_one == together != smaller


def test_a_path_may_begin_at_a_variable_of_the_environment(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PICTURES", str(picture.parent))
    source = pinned.pin("$PICTURES/gradient.png", field="file", wanted="an image")
    assert source.startswith("$PICTURES/gradient.png#sha256="), "where the files lie is left to each machine"
    assert pinned.path_of(source) == picture
    assert pinned.short(source).startswith("gradient.png#")


def test_a_variable_that_is_not_set_is_named() -> None:
    wanted = "file: $NOWHERE/x.png names a variable of the environment that is not set: set NOWHERE, or name an image"
    with pytest.raises(ValueError) as caught:
        pinned.pin("$NOWHERE/x.png", field="file", wanted="an image")
    assert str(caught.value) == f"{wanted} without it"


def test_boxes_are_averaged() -> None:
    pixels = np.array([[0, 1, 9], [2, 3, 9]], np.uint8)[:, :, None]
    assert shrunk(pixels, 2).tolist() == [[[2]]]
    with pytest.raises(ValueError, match=r"^shrink is 3: wanted at most 2 for"):
        shrunk(pixels, 3)


def rotated() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    return content_of(Image.new("L", (4, 2)), "JPEG", exif=exif)


@pytest.mark.parametrize(
    ("content", "shape"),
    [
        (content_of(Image.new("L", (4, 2))), (2, 4, 1)),
        (content_of(Image.new("1", (4, 2))), (2, 4, 1)),
        (content_of(Image.new("P", (4, 2))), (2, 4, 3)),
        (content_of(Image.new("RGBA", (4, 2), (1, 2, 3, 255))), (2, 4, 3)),
        (content_of(Image.new("RGB", (4, 2)), "WEBP"), (2, 4, 3)),
        (rotated(), (4, 2, 1)),
    ],
)
def test_images_of_eight_bits_are_read(content: bytes, shape: tuple[int, ...]) -> None:
    assert pixels_of(content, "it").shape == shape


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (content_of(Image.new("RGBA", (4, 2), (1, 2, 3, 9))), "it has transparent pixels: wanted an opaque image"),
        (content_of(Image.new("I;16", (4, 2))), "it has pixels of mode 'I;16': wanted 8 bits"),
        (content_of(Image.new("CMYK", (4, 2)), "JPEG"), "it has pixels of mode 'CMYK': wanted 8 bits"),
        (content_of(Image.effect_noise((64, 64), 50))[:-200], "it cannot be decoded: image file is truncated"),
        (b"no image", "it cannot be decoded: cannot identify image file"),
        (
            content_of(Image.new("L", (4, 2)), "GIF", save_all=True, append_images=[Image.new("L", (4, 2), 9)]),
            "it has 2 frames: wanted a still image",
        ),
    ],
)
def test_anything_else_is_refused_in_one_line(content: bytes, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        pixels_of(content, "it")
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_a_file_is_drawn_by_command_and_a_large_one_only_if_asked(picture: Path, tmp_path: Path) -> None:
    run(config_of(picture, steps=3), tmp_path / "trial")
    file = str(tmp_path / "trial/point.rfz")
    drawn = call(tmp_path, "decode", file, "--out", "x.png")
    assert drawn.stdout == "x.png: 16 x 12 pixels\n", drawn.stderr
    assert np.asarray(Image.open(tmp_path / "x.png")).shape == (12, 16, 3)
    refused = call(tmp_path, "decode", file, "--out", "y.png", "--max-pixels", "100")
    assert refused.returncode == 2
    assert "the file says that its image has 12 x 16 pixels: wanted 100 at most; --max-pixels" in refused.stderr
    assert not (tmp_path / "y.png").exists()


def test_the_picture_beside_a_point_is_the_decoded_one(picture: Path, tmp_path: Path) -> None:
    config = config_of(picture, steps=20)
    [point] = train(config, lambda progress: None, tmp_path / "trial")
    opened = open_compressed(point.path)
    drawn = picture_of(opened.network(), "siren", opened.header.arguments)
    with Image.open(Path(point.path).with_suffix(".png")) as stored:
        assert np.array_equal(np.asarray(stored), drawn)
    error = np.square(drawn.astype(float) - np.asarray(Image.open(picture)).astype(float)).mean()
    assert point.quality == pytest.approx(psnr_db(float(error)), abs=1e-4)
    given = original(make_task(config.task))
    assert given is not None
    assert np.array_equal(given, np.asarray(Image.open(picture)))


def test_tasks_that_are_no_image_have_no_original() -> None:
    assert original(make_task(Spec(name="digits"))) is None
