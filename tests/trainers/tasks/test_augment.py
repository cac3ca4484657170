"""Random shifts and flips: exact copies, uniform, repeatable."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import Tensor

from trainers.tasks.augment import random_flip, random_shift


def distinct(batch: int, channels: int, height: int = 5, width: int = 7) -> Tensor:
    """Images whose pixels all differ, and none is 0."""
    count = batch * channels * height * width
    return torch.arange(1, count + 1, dtype=torch.float32).view(batch, channels, height, width)


def shifted(image: Tensor, down: int, right: int, fill: float) -> Tensor:
    """Shift an image pixel by pixel, the plain way."""
    _, height, width = image.shape
    output = torch.full_like(image, fill)
    for row in range(height):
        for column in range(width):
            if 0 <= row - down < height and 0 <= column - right < width:
                output[:, row, column] = image[:, row - down, column - right]
    return output


def which_shift(image: Tensor, output: Tensor, most: int, fill: float) -> tuple[int, int]:
    steps = range(-most, most + 1)
    found = [(down, right) for down in steps for right in steps if output.equal(shifted(image, down, right, fill))]
    assert len(found) == 1, "exactly one of the shifts, in every channel the same"
    return found[0]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("most", "fill"), [(0, 0.0), (1, 0.0), (2, -0.5), (4, 0.0)])
def test_each_image_is_shifted_exactly(channels: int, most: int, fill: float) -> None:
    torch.manual_seed(0)
    inputs = distinct(12, channels)
    before = inputs.clone()
    outputs = random_shift(inputs, most=most, fill=fill)
    assert outputs.shape == inputs.shape
    assert outputs.dtype == inputs.dtype
    found = {which_shift(image, output, most, fill) for image, output in zip(inputs, outputs, strict=True)}
    assert len(found) > 1 or most == 0, "each image has its own"
    assert inputs.equal(before)


@pytest.mark.parametrize("channels", [1, 3])
def test_each_image_is_mirrored_or_not(channels: int) -> None:
    torch.manual_seed(0)
    inputs = distinct(400, channels)
    outputs = random_flip(inputs)
    is_flipped = [output.equal(image.flip(-1)) for image, output in zip(inputs, outputs, strict=True)]
    for image, output, flipped in zip(inputs, outputs, is_flipped, strict=True):
        assert flipped or output.equal(image)
    assert abs(sum(is_flipped) - 200) < 5 * 10  # five standard deviations


def test_every_shift_is_equally_likely() -> None:
    torch.manual_seed(0)
    most, expected = 2, 400
    image = torch.zeros(1, 9, 9)
    image[0, 4, 4] = 1  # the place of the one tells the shift
    outputs = random_shift(image.expand(25 * expected, -1, -1, -1), most=most)
    counts = Counter(outputs.flatten(1).argmax(1).tolist())
    assert set(counts) == {9 * row + column for row in range(2, 7) for column in range(2, 7)}
    assert all(abs(count - expected) < 5 * expected**0.5 for count in counts.values())


def test_a_seed_fixes_what_is_drawn() -> None:
    inputs = distinct(64, 3)

    def draw(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return random_flip(random_shift(inputs, most=2))

    assert draw(1).equal(draw(1))
    assert not draw(1).equal(draw(2))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_it_runs_where_the_batch_is() -> None:
    inputs = distinct(12, 3).cuda()
    outputs = random_flip(random_shift(inputs, most=2))
    assert outputs.device == inputs.device
    for image, output in zip(inputs.cpu(), outputs.cpu(), strict=True):
        candidates = [shifted(image, down, right, 0.0) for down in range(-2, 3) for right in range(-2, 3)]
        assert any(output.equal(each) or output.equal(each.flip(-1)) for each in candidates)
