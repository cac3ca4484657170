"""The image tasks turn their files' bytes into splits, normalised and augmented; on small made-up data."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from trainers.data.examples import few
from trainers.datasets import cifar10 as cifar10_files
from trainers.datasets import idx
from trainers.tasks.base import Task
from trainers.tasks.cifar10 import cifar10, end_of_cifar10, some_of_cifar10
from trainers.tasks.mnist import fashion_mnist, mnist

Bytes = npt.NDArray[np.uint8]


def made(count: int, *shape: int) -> tuple[Bytes, Bytes]:
    generator = np.random.default_rng(count)
    return generator.integers(256, size=(count, *shape), dtype=np.uint8), np.arange(count).astype(np.uint8) % 10


@pytest.fixture(autouse=True)
def _made_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar10_files, "load", lambda: (made(50, 3, 32, 32), made(10, 3, 32, 32)))
    monkeypatch.setattr(idx, "load", lambda data_set, part: made({"train": 60, "t10k": 10}[part], 28, 28))
    # by name, since the package's attributes of these names are the functions
    monkeypatch.setattr(importlib.import_module("trainers.tasks.cifar10"), "_NUM_TRAIN", 45)
    monkeypatch.setattr(importlib.import_module("trainers.tasks.mnist"), "_NUM_TRAIN", 55)


def test_cifar10_is_split_in_order_and_normalised_per_channel() -> None:
    task = cifar10()
    assert task.input_shape == (3, 32, 32)
    assert task.offers == {"num_outputs": 10}
    (images, labels), (test_images, test_labels) = cifar10_files.load()
    expected_images = {"train": images[:45], "validation": images[45:], "test": test_images}
    expected_labels = {"train": labels[:45], "validation": labels[45:], "test": test_labels}
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    for name, expected in expected_images.items():
        split = getattr(task, name)
        wanted = (expected.transpose(0, 2, 3, 1) / 255 - mean) / deviation
        np.testing.assert_allclose(split.inputs.numpy().transpose(0, 2, 3, 1), wanted, atol=1e-6)
        assert split.targets.tolist() == expected_labels[name].tolist()


def test_an_excerpt_of_cifar10_is_a_tenth_of_it_and_says_how_much_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("trainers.tasks.cifar10"), "_NUM_TRAIN", 45_000)
    monkeypatch.setattr(cifar10_files, "load_some", lambda *numbers: tuple(made(n, 3, 32, 32) for n in numbers))
    found = some_of_cifar10(augment=False)
    assert (found.num_train, found.num_validation, found.num_test) == (45_000, 5_000, 10_000)
    splits = (found.task.train, found.task.validation, found.task.test)
    assert [len(split) for split in splits] == [4_500, 500, 1_000]
    assert found.task.augment is None
    assert [one.name for one in some_of_cifar10(top=[5]).task.others] == ["top-5 accuracy"]


def test_the_end_of_cifar10_measures_as_all_of_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = made(50, 3, 32, 32)
    monkeypatch.setattr(cifar10_files, "load_last", lambda: ((images[-10:], labels[-10:]), made(10, 3, 32, 32)))
    monkeypatch.setattr(importlib.import_module("trainers.tasks.cifar10"), "_NUM_VALIDATION", 5)
    whole, end = cifar10(), end_of_cifar10()
    for split in ("validation", "test"):
        assert getattr(end, split).inputs.equal(getattr(whole, split).inputs)
        assert getattr(end, split).targets.equal(getattr(whole, split).targets)
    assert end.train.inputs.equal(whole.train.inputs[-5:])
    assert (end.input_shape, end.offers, end.augment) == (whole.input_shape, whole.offers, whole.augment)
    several = {"top": [5], "calibration": True}
    assert end_of_cifar10(**several).others == cifar10(**several).others != ()


def shifts(image: Tensor, most: int, fill: float) -> list[Tensor]:
    """All shifted images, cut from the padded image."""
    _, height, width = image.shape
    padded = torch.nn.functional.pad(image, (most, most, most, most), value=fill)
    steps = range(2 * most + 1)
    return [padded[:, row : row + height, column : column + width] for row in steps for column in steps]


def test_cifar10_shifts_by_up_to_four_and_mirrors() -> None:
    torch.manual_seed(0)
    task = cifar10()
    assert task.augment is not None
    inputs = task.train.inputs
    outputs = task.augment(few(task.train, len(task.train)), torch.default_generator).inputs
    found = []
    for image, output in zip(inputs, outputs, strict=True):
        candidates = shifts(image, 4, 0.0)
        candidates += [each.flip(-1) for each in candidates]
        found += [index for index, each in enumerate(candidates) if each.equal(output)]
    assert len(found) == len(inputs)
    assert len(set(found)) > 30
    assert cifar10(augment=False).augment is None


@pytest.mark.parametrize("value", [0, 1, "no", None])
def test_cifar10_refuses_what_is_neither_true_nor_false(value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^augment is {value!r}: wanted true or false$"):
        cifar10(augment=value)
    with pytest.raises(ValueError, match=rf"^augment is {value!r}: wanted true or false$"):
        some_of_cifar10(augment=value)


@pytest.mark.parametrize("task", [mnist, fashion_mnist])
def test_grey_images_are_shifted_in_black(task: Callable[..., Task], monkeypatch: pytest.MonkeyPatch) -> None:
    black = np.zeros((60, 28, 28), np.uint8)
    monkeypatch.setattr(idx, "load", lambda data_set, part: (black, np.zeros(60, np.uint8)))
    loaded = task(shift=3)
    assert loaded.augment is not None
    outputs = loaded.augment(few(loaded.train, 60), torch.default_generator).inputs
    torch.testing.assert_close(outputs, loaded.train.inputs)


@pytest.mark.parametrize("task", [mnist, fashion_mnist])
def test_grey_images_are_shifted_by_up_to_shift(task: Callable[..., Task]) -> None:
    torch.manual_seed(0)
    assert task().augment is None
    loaded = task(shift=2)
    assert loaded.augment is not None
    inside = slice(2, -2)  # another test looks at what comes in at the border
    found = []
    outputs = loaded.augment(few(loaded.train, len(loaded.train)), torch.default_generator).inputs
    for image, output in zip(loaded.train.inputs, outputs, strict=True):
        candidates = shifts(image, 2, 0.0)
        found += [i for i, each in enumerate(candidates) if each[:, inside, inside].equal(output[:, inside, inside])]
    assert len(found) == len(loaded.train)
    assert len(set(found)) > 10
    assert task(shift=2).train.inputs.equal(task().train.inputs)


@pytest.mark.parametrize("value", [-1, 28, 1.5, True, "2", None])
@pytest.mark.parametrize("task", [mnist, fashion_mnist])
def test_a_wrong_shift_is_one_line(task: Callable[..., Task], value: Any) -> None:
    with pytest.raises(ValueError) as caught:
        task(shift=value)
    assert str(caught.value) == f"shift is {value!r}: wanted a whole number of at least 0 and at most 27"


@pytest.mark.parametrize("task", [mnist, fashion_mnist])
def test_grey_images_have_several_qualities_where_they_are_asked_for(task: Callable[..., Task]) -> None:
    assert task().others == ()
    assert [one.name for one in task(top=[3, 5]).others] == ["top-3 accuracy", "top-5 accuracy"]
    assert len(task(calibration=True).others) == 2
