"""Windows of a long text of tokens: at every place, to train on; and such that each token is predicted once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainers.data.examples import Batch
from trainers.data.mapped import ArrayFile

IGNORED = -100
"""The target of a place that is not predicted, as ``cross_entropy`` has it."""

Text = NDArray[Any] | ArrayFile
"""All tokens (n,), in memory or mapped: uint8 or uint16."""


@dataclass(frozen=True, kw_only=True)
class Windows:
    """The windows that begin at each place: ``length`` tokens, and as targets those one place later.

    Both are int64 (batch, length).
    """

    text: Text
    length: int
    start: int
    """The first token that is used."""
    stop: int
    """The first token that is not used any more."""

    def __post_init__(self) -> None:
        if len(self) < 1:
            raise ValueError(f"{self.stop - self.start} tokens are no window: wanted {self.length + 1} at least")

    def __len__(self) -> int:
        return self.stop - self.start - self.length

    def take(self, numbers: Tensor, /) -> Batch:
        return _windows(self.text, self.start + numbers, self.length)


@dataclass(frozen=True, kw_only=True)
class Passage:
    """A passage, each token of which is predicted in one window, from the tokens before it.

    A window ends ``stride`` tokens after the one before, and only its last ``stride`` tokens are predicted: the other
    targets are ``IGNORED``. So each token is predicted from ``length - stride + 1`` to ``length`` tokens, or all there
    are. What stands before the passage is read, and not predicted.
    """

    text: Text
    length: int
    stride: int
    start: int
    """The first token that is predicted, 1 at least."""
    stop: int
    """The first token after the passage."""

    def __post_init__(self) -> None:
        if not 1 <= self.start < self.stop or len(self.text) <= self.length:
            raise ValueError(
                f"a text of {len(self.text)} tokens from {self.start} to {self.stop}: wanted {self.length + 1} tokens "
                "at least, and one to predict"
            )

    def __len__(self) -> int:
        return -(-(self.stop - self.start) // self.stride)

    def take(self, numbers: Tensor, /) -> Batch:
        first = self.start + numbers * self.stride
        stop = (first + self.stride).clamp(max=self.stop)
        begin = (stop - 1 - self.length).clamp(min=0)
        inputs, targets = _windows(self.text, begin, self.length)
        places = begin[:, None] + torch.arange(1, self.length + 1)
        is_predicted = (places >= first[:, None]) & (places < stop[:, None])
        return Batch(inputs, targets.where(is_predicted, IGNORED))


def _windows(text: Text, begin: Tensor, length: int) -> Batch:
    places = (begin[:, None] + torch.arange(length + 1)).numpy()
    array = text.array if isinstance(text, ArrayFile) else text
    tokens = torch.from_numpy(array[places].astype(np.int64))
    return Batch(tokens[:, :-1].clone(), tokens[:, 1:].clone())
