"""Which examples a step sees: a function of seed and step, so that a checkpoint knows no place in the data."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainers.seeding import derive
from trainers.training_settings import steps_per_epoch

MOST_SHUFFLED = 1 << 24
"""The most examples whose order is a list in memory: drawing one of more takes seconds and 8 bytes an example."""
_NUM_ROUNDS = 6


class Order:
    """The numbers of the examples of each step. Each epoch has an order of its own, and sees no example twice."""

    def __init__(self, num_examples: int, *, batch_size: int, seed: int, device: torch.device | None = None) -> None:
        """``device`` is where numbers are wanted: that of the examples."""
        self._num_examples, self._batch_size, self._seed = num_examples, batch_size, seed
        self._device = device or torch.device("cpu")
        self._steps_per_epoch = steps_per_epoch(num_examples, batch_size)
        self._epoch, self._shuffled = -1, torch.empty(0, dtype=torch.int64)

    def numbers(self, step: int) -> Tensor:
        """The numbers (batch,), int64, of the examples of ``step``."""
        epoch, position = divmod(step, self._steps_per_epoch)
        start, stop = position * self._batch_size, min((position + 1) * self._batch_size, self._num_examples)
        if self._num_examples > MOST_SHUFFLED:
            key = derive(self._seed, "order", epoch)
            found = permuted(np.arange(start, stop, dtype=np.uint64), self._num_examples, key)
            return torch.from_numpy(found.astype(np.int64)).to(self._device)
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(derive(self._seed, "order", epoch))
            self._epoch = epoch
            self._shuffled = torch.randperm(self._num_examples, generator=generator).to(self._device)
        return self._shuffled[start:stop]


def permuted(places: NDArray[np.uint64], num: int, key: int) -> NDArray[np.uint64]:
    """The numbers at ``places`` of a pseudo-random order of ``num`` numbers, without memory whatever ``num`` is.

    A Feistel network permutes the numbers below the next power of four. One that leaves the range is permuted again
    until it is below ``num`` ("cycle walking"), which is a permutation of the range.

    Args:
        places: each below ``num``.
        num: 2 at least, below 2^62.
        key: 63 bits, which choose the order.

    References:
        Black, Rogaway 2002, "Ciphers with Arbitrary Finite Domains", CT-RSA, method 3.
        Steele, Lea, Flood 2014, "Fast Splittable Pseudorandom Number Generators", the mixing of the rounds.
    """
    half = np.uint64(-(-(num - 1).bit_length() // 2))
    low = np.uint64((1 << int(half)) - 1)
    keys = [np.uint64(derive(key, "order's round", index)) for index in range(_NUM_ROUNDS)]

    def once(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
        left, right = numbers >> half, numbers & low
        for round_key in keys:
            left, right = right, left ^ (_mixed(right ^ round_key) & low)
        return (left << half) | right

    found = once(places)
    while len(beyond := np.flatnonzero(found >= num)):
        found[beyond] = once(found[beyond])
    return found


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The output function of SplitMix64; products wrap around."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
