"""One image, which a network is fitted to: it is asked for the colours at places."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from trainers import checks, pinned
from trainers.data.examples import Batch, InMemory
from trainers.datasets import still
from trainers.networks.calling import Network, call
from trainers.networks.coordinates import grid
from trainers.tasks.marks import came_later, in_form_alone, is_signal, names_file
from trainers.tasks.similarity import LEAST_SIDE, ms_ssim
from trainers.tasks.supervised import SupervisedLoss
from trainers.tasks.task import Quality, Score, Signal, Task

_PEAK = 255
_AT_ONCE = 1 << 16


@is_signal
@came_later("shrink", "whole")
@in_form_alone("whole")
@names_file("file")
def image(*, file: str, shrink: int = 1, whole: bool = False) -> Task:
    """Fit a network to an image: an example is a pixel, its place (2,) and its colour (channels,) in 0..1.

    The loss is the mean squared error. The quality is the PSNR in dB of the decoded picture, whose colours are
    rounded to 8 bits: 10 log10(255^2 / mean squared error over all pixels and channels). Where both sides have 161
    pixels, its MS-SSIM is measured as well.

    Args:
        file: a PNG, JPEG, WebP or whatever Pillow reads: grey, or red, green and blue, of 8 bits, opaque, still.
        shrink: the image's sides are divided by this, each pixel the mean of a box.
        whole: the image is one example, places (height, width, 2) and colours (height, width, channels), for networks
            that compute all pixels together.
    """
    checks.integer("shrink", shrink, low=1)
    checks.boolean("whole", whole)
    path, content = pinned.read(file, field="file", wanted="an image")
    pixels = torch.from_numpy(still.shrunk(still.pixels_of(content, str(path)), shrink))
    height, width, num_channels = pixels.shape
    places, colours = grid(height, width), pixels.float() / _PEAK
    if whole:
        split = InMemory(inputs=places[None], targets=colours[None])
    else:
        split = InMemory(inputs=places.reshape(-1, 2), targets=colours.reshape(-1, num_channels))
    is_large = min(height, width) >= LEAST_SIDE
    return Task(
        train=split,
        validation=split,
        test=split,
        loss=SupervisedLoss(F.mse_loss),
        score=_Score(height=height, width=width, has_similarity=is_large),
        quality_name="psnr_db",
        maximise=True,
        quality_of=psnr_db,
        others=(Quality(name="ms_ssim", maximise=True),) if is_large else (),
        offers={"num_outputs": num_channels, "size": [height, width]},
        evaluation_batch_size=len(split),  # a picture is scored as a whole
        signal=Signal(unit="pixel", count=height * width),
    )


@dataclass(frozen=True, kw_only=True)
class _Score:
    """Scores a picture of colours in 8 bits, as they are drawn.

    Of some of its pixels there is no similarity, which is NaN.
    """

    height: int
    width: int
    has_similarity: bool

    def __call__(self, network: Network, batch: Batch) -> Score:
        inputs, targets = batch
        parts = [inputs] if targets.ndim == 4 else inputs.split(_AT_ONCE)  # pixels are asked for some at a time
        outputs = torch.cat([call(network, part) for part in parts])
        drawn, given = ((colours.float().clamp(0, 1) * _PEAK).round() for colours in (outputs, targets))
        error = (drawn - given).square().flatten(1).mean(dim=1).double().sum()
        if not self.has_similarity:
            return Score(error, len(targets))
        sides = (self.height, self.width, targets.shape[-1])
        is_whole = targets.numel() == math.prod(sides)
        similarity = ms_ssim(drawn.reshape(sides), given.reshape(sides)) if is_whole else math.nan
        return Score((error, error.new_tensor(similarity * len(targets))), len(targets))


def psnr_db(mean_squared_error: float) -> float:
    """The PSNR of 8-bit pixels; 100 dB where there is no error."""
    return 10 * math.log10(_PEAK**2 / mean_squared_error) if mean_squared_error > 0 else 100.0
