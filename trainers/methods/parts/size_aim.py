"""Steers a training to a file of a given size: a controller of log lambda, and a last cut by real codings."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from trainers.methods.base import Moment

LAST = 0.9
"""The share of a training after which lambda stays: the learning rate is too small for it to matter."""
GAIN = 30.0
"""The change of log lambda over an error of the logarithm of the size, at most."""
GAIN_FOR_EACH = 0.4
"""Its share for each time that lambda moves, over the logarithm of the fall: where it moves seldom and the size falls
far, it would swing with more."""
START = 0.15
"""The first lambda where the size has to fall e times, to one bit for each parameter; it goes with the inverse of the
bits, and with the logarithm of the fall."""
LEAST_FALL, LEAST_FALL_OF_GAIN = 0.05, 0.25
LEAST, MOST = 1e-3, 1e2
"""Lambda stays between these, times the scale of the loss."""
LEAST_FIRST = 1.1
"""The bytes of the first file over those of the last, at least: the first steps of latents are finer until they are."""
FINER, MOST_FINER = 2**-0.25, 24
NUM_CODINGS = 16
"""The files that are written in memory while a training goes on, at most."""
LEAST_BETWEEN = 50
"""The steps between two of them, at least."""
CUT = 0.995
"""A file of this share of the most bytes needs no further cut."""
_FIRST_CUT = 2.0**-10
_MOST_CUT = 2.0**12
_NUM_HALVINGS = 8
ROUNDED = 0.5
"""The least magnitude that is rounded away from zero, as it is trained."""


class SizeAim(nn.Module):
    """The weight of a rate, moved until the file has a size. Its state is in buffers, so checkpoints have it.

    With a lambda that is fixed, the logarithm of the size falls as learning rates add up. So does the course that is
    steered here, from the first size to the last: then lambda hardly moves, and the training is much like one with
    that lambda. The estimated rate says how large the file is, times a factor that is measured now and then: a file is
    written in memory.
    """

    log_lam: Tensor
    last_error: Tensor
    first_size: Tensor
    factor: Tensor

    def __init__(self, max_bytes: int, num_weighed: int, *, scale: float = 1.0) -> None:
        """Nothing is measured yet.

        Args:
            max_bytes: what the file may have.
            num_weighed: what lambda weighs one bit of the rate by.
            scale: that of lambdas, where 1 is that of a classifier.
        """
        super().__init__()
        self.max_bytes = max_bytes
        self._bounds = math.log(LEAST * scale), math.log(MOST * scale)
        first = math.log(START * scale * num_weighed / (8 * max_bytes))
        self.register_buffer("log_lam", torch.tensor(first).clamp(*self._bounds))
        self.register_buffer("last_error", torch.zeros(()))
        self.register_buffer("first_size", torch.zeros(()))
        """The bytes of the first file that was written."""
        self.register_buffer("factor", torch.zeros(()))
        """The bytes of the last file that was written, over the rate in bits at that time."""

    @property
    def lam(self) -> Tensor:
        """The weight of the rate now, scalar."""
        return self.log_lam.exp()

    def is_measured(self, moment: Moment) -> bool:
        """Whether a file is to be written after this step."""
        every = max(LEAST_BETWEEN, moment.num_phase_steps // NUM_CODINGS)
        return (moment.phase_step + 1) % every == 0 and moment.progress < LAST

    @torch.no_grad()
    def measure(self, bits: Tensor, size_bytes: int) -> None:
        """Learn that the file has ``size_bytes`` where the rate is ``bits``."""
        self.factor.copy_(size_bytes / bits.clamp(min=1))

    @torch.no_grad()
    def begin(self, bits: Tensor, size_bytes: int) -> None:
        """Learn from the first file."""
        self.measure(bits, size_bytes)
        self.first_size.fill_(size_bytes)
        fall = max(math.log(size_bytes / self.max_bytes), LEAST_FALL)
        self.log_lam.add_(math.log(fall)).clamp_(*self._bounds)

    @torch.no_grad()
    def steer(self, bits: Tensor, moment: Moment, num_steps: int) -> None:
        """Move lambda for the next ``num_steps``, now that the rate is ``bits``."""
        if moment.progress >= LAST:
            return
        wanted = math.log(self.max_bytes)
        left = _left(moment.progress)
        course = wanted + (self.first_size.log() - wanted) * left
        error = ((bits * self.factor).clamp(min=1).log() - course).clamp(-1, 1)
        passed = left - _left(min(moment.progress + num_steps / moment.num_phase_steps, 1.0))
        fall = (self.first_size / self.max_bytes).log().clamp(min=LEAST_FALL_OF_GAIN)
        gain = (GAIN_FOR_EACH * moment.num_phase_steps / num_steps / fall).clamp(max=GAIN)
        moved = gain * (error - self.last_error) + gain**2 / 3 * passed * error  # damped, as a mass on a spring
        self.log_lam.add_(moved).clamp_(*self._bounds)
        self.last_error.copy_(error)


def _left(progress: float) -> float:
    """The share of all learning rates of a cosine schedule that is still to come."""
    return 1 - progress - math.sin(math.pi * progress) / math.pi


def cut(size_at: Callable[[float], int], max_bytes: int) -> float:
    """The least magnitude to keep, in steps, at which the file has ``max_bytes`` at most.

    Magnitudes just above a half are those that training holds for least worth their bits: they go first.

    Args:
        size_at: the bytes of the file without magnitudes below its argument; it writes that file.
        max_bytes: the most that it may have.

    Raises:
        ValueError: it has more without any.
    """
    low = high = ROUNDED
    size_bytes = size_at(high)
    more = _FIRST_CUT
    while size_bytes > max_bytes:
        if math.isinf(high):
            raise ValueError(too_small(max_bytes, size_bytes))
        low, high = high, ROUNDED + more if more < _MOST_CUT else math.inf
        more *= 2
        size_bytes = size_at(high)
    for _ in range(_NUM_HALVINGS if low < high < math.inf else 0):
        if size_bytes >= CUT * max_bytes:
            break
        middle = (low + high) / 2
        size_bytes_there = size_at(middle)
        if size_bytes_there > max_bytes:
            low = middle
        else:
            high, size_bytes = middle, size_bytes_there
    return high


def too_small(max_bytes: int, smallest: int) -> str:
    """What is wrong with a size that no file of the network has."""
    return f"no file of this network has {max_bytes:,} bytes: the smallest has {smallest:,}, with all weights zero"
