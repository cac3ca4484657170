"""A task: examples for training, validation and test, a loss, and qualities, the first of which is the objective."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from trainers import checks
from trainers.data.examples import Batch, Examples, InMemory, few
from trainers.data.map_style import as_examples
from trainers.echo import echo
from trainers.networks.calling import Network
from trainers.trees import first

Split = InMemory
"""The older name of ``InMemory``."""
Augment = Callable[[Batch, torch.Generator], Batch]
"""(batch, generator) -> the batch, changed at random. It may change targets too: a mask is flipped with its image."""


_MOST_OTHERS = 20
_LONGEST_NAME = 60
_UNIT = re.compile(r"[a-z][a-z_]{0,29}")
"""So that all qualities of a point fit into a tag of MLflow."""


class Score(NamedTuple):
    """What a task measures of a batch: sums over it."""

    total: Tensor | tuple[Tensor, ...]
    """The sum of the scores: a scalar, or a tensor of sums; a tuple where there are several qualities, one for each."""
    num: int
    """How many scores that are: of examples, tokens or pixels."""


def mean_of(mean_score: Any) -> float:
    """The quality that is the mean score itself."""
    return float(mean_score)


@dataclass(frozen=True, kw_only=True)
class Quality:
    """A number that is measured beside the objective, recorded and shown."""

    name: str
    maximise: bool
    of: Callable[[Any], float] = mean_of
    """The quality from the mean score: a number, or a tensor where the score has a tensor of sums."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not 0 < len(self.name) <= _LONGEST_NAME or not self.name.isprintable():
            raise ValueError(
                f"a quality is called {echo(self.name)}: wanted a line of text of at most {_LONGEST_NAME} characters"
            )
        checks.boolean("maximise", self.maximise)


@dataclass(frozen=True, kw_only=True)
class Signal:
    """What a task is fitted to, where that is one signal: an image, a video, a scene.

    Each of its splits is the signal itself: quality is that of the fit, and nothing is generalised.
    """

    unit: str
    """What it is made of, such as ``pixel``."""
    count: int
    """How many of these it has. A rate's weight is in loss for one bit for each of them, so that one value means the
    same for every network and every size."""

    def __post_init__(self) -> None:
        if not isinstance(self.unit, str) or not _UNIT.fullmatch(self.unit):
            raise ValueError(f"a signal's unit is {echo(self.unit)}: wanted a word such as pixel, in small letters")
        checks.integer("count", self.count, low=1)


@dataclass(frozen=True, kw_only=True)
class Task:
    """Everything that is fixed about a problem; what varies between trials is in ``TrialConfig``.

    ``loss`` and ``score`` are given the network, not its outputs, so that they call it as the problem wants: with two
    inputs, several times, token by token. They only call it: some methods have something else in its place, without its
    parameters and methods. ``supervised`` makes a task of a loss and a score of outputs.

    A split is ``Examples``, or a map-style ``torch.utils.data.Dataset`` of pairs (inputs, targets).
    """

    train: Examples
    validation: Examples
    test: Examples
    loss: Callable[[Network, Batch], Tensor]
    """(network, batch) -> scalar, in nats for a classifier: the mean over the batch."""
    score: Callable[[Network, Batch], Score]
    """(network, batch) -> sums over the batch, from which a quality is made: ``quality_of(total / num)``."""
    quality_name: str
    maximise: bool
    quality_of: Callable[[Any], float] = mean_of
    others: tuple[Quality, ...] = ()
    """The qualities beside the first, which is the objective; ``score`` then has as many totals more."""
    offers: Mapping[str, Any] = field(default_factory=dict)
    """What an architecture may ask for by the name of a parameter, beside ``input_shape``: plain data."""
    kept: tuple[str, ...] = ()
    """What of it an architecture must ask for, so that a file says what its network's inputs mean."""
    augment: Augment | None = None
    """Applied to a training batch, on the device of the network; the generator is seeded for each step."""
    evaluation_batch_size: int = 250
    """The most examples that are measured at once: fewer where an example, or what a network makes of it, is large.

    More are no faster: what a network makes of a thousand images takes so much memory that a CPU spends half of the
    time on getting and clearing it.
    """

    signal: Signal | None = None
    """What the task is fitted to, where all splits are one signal."""
    data_workers: int = 0
    """The processes that read examples which are not in memory, ahead of the training; no result depends on it."""

    def __post_init__(self) -> None:
        for name in ("train", "validation", "test"):
            object.__setattr__(self, name, as_examples(getattr(self, name), name))
        checks.integer("evaluation_batch_size", self.evaluation_batch_size, low=1)
        names = [self.quality_name, *(quality.name for quality in self.others)]
        if len({*names}) < len(names):
            raise ValueError(f"a task has two qualities of one name: {', '.join(names)}")
        if len(self.others) > _MOST_OTHERS:
            raise ValueError(f"a task has {len(names)} qualities: wanted at most {_MOST_OTHERS} beside the objective")

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example's input, or of the first of its inputs."""
        return tuple(first(few(self.train, 1).inputs).shape[1:])

    @property
    def num_bytes(self) -> int:
        """The bytes of the splits that are in memory."""
        splits = (self.train, self.validation, self.test)
        return sum(split.num_bytes for split in splits if isinstance(split, InMemory))

    def to(self, device: torch.device) -> Task:
        """Return the task with those of its splits on ``device`` that are in memory."""
        return self.with_splits(lambda split: split.to(device) if isinstance(split, InMemory) else split)

    def with_splits(self, change: Callable[[Examples], Examples]) -> Task:
        """The task with ``change`` of each of its splits."""
        return replace(self, train=change(self.train), validation=change(self.validation), test=change(self.test))

    def quality(self, totals: Sequence[Any], num: int) -> tuple[float, dict[str, float]]:
        """The objective, and the other qualities by name, from sums over a whole split."""
        if len(totals) != 1 + len(self.others):
            names = ", ".join((self.quality_name, *(one.name for one in self.others)))
            raise ValueError(f"score has {len(totals)} totals: wanted one for each quality of the task, {names}")
        objective, *others = (total / num for total in totals)
        measured = zip(self.others, others, strict=True)
        return float(self.quality_of(objective)), {one.name: float(one.of(mean)) for one, mean in measured}


@dataclass(frozen=True, kw_only=True)
class Excerpt:
    """Some examples of a task, or all, and how many there are of each split: enough to plan with."""

    task: Task
    """Its splits hold the examples at hand."""
    num_train: int
    num_validation: int
    num_test: int

    @staticmethod
    def whole(task: Task) -> Excerpt:
        """The excerpt that leaves nothing out."""
        return Excerpt(
            task=task, num_train=len(task.train), num_validation=len(task.validation), num_test=len(task.test)
        )
