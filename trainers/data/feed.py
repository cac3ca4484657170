"""The batch of any training step, and the batches of a measurement: from memory, read here or by workers."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from trainers import checks
from trainers.data.examples import Batch, Chosen, Examples, InMemory
from trainers.data.loading import Loading, Wanted
from trainers.data.order import Order
from trainers.data.workers import Workers, bytes_of
from trainers.trees import mapped

_MEASURE = "measure"


@dataclass(frozen=True)
class Read:
    """Examples that are not in memory, and how many workers read their batches; 0 where this process does.

    What is drawn while examples are read depends on the seed and the step, or in a measurement on the batch's number.
    """

    examples: Examples
    num_workers: int = 0

    def __post_init__(self) -> None:
        checks.integer("num_workers", self.num_workers, low=0)

    def __len__(self) -> int:
        return len(self.examples)

    def take(self, numbers: Tensor, /) -> Batch:
        return Loading(self.examples, 0, _MEASURE).here(Wanted(0, numbers.numpy()))


def read_by(examples: Examples, num_workers: int) -> Examples:
    """The examples, read by so many workers where they are not in memory."""
    return examples if in_memory(examples) else Read(examples, num_workers)


def in_memory(examples: Examples) -> bool:
    """Whether taking examples only indexes tensors."""
    return isinstance(examples, InMemory) or (isinstance(examples, Chosen) and in_memory(examples.whole))


class Feed:
    """The batches of a training: a function of seed and step, whoever reads them.

    What lies in memory is taken by its numbers, and nothing is drawn. Everything else is read with generators that are
    seeded for (seed, "load", step), in this process, whose own stay as they are, or in workers.
    """

    def __init__(self, examples: Examples, *, batch_size: int, seed: int) -> None:
        self._examples = examples
        self._in_memory = in_memory(examples)
        bare, self._num_workers = _taken_apart(examples)
        device = examples.device if isinstance(examples, InMemory) else None
        self._order = Order(len(examples), batch_size=batch_size, seed=seed, device=device)
        self._loading = Loading(bare, seed, "load")
        self._workers: Workers | None = None
        self._next_step = -1

    def batch(self, step: int) -> Batch:
        """The batch of ``step``. Workers read ahead: steps that follow each other are the fast ones.

        Raises:
            ValueError: an example cannot be read; one line says which and why.
            RuntimeError: a worker was killed.
        """
        if self._in_memory:
            return self._examples.take(self._order.numbers(step))
        if not self._num_workers:
            return self._loading.here(_wanted(self._order, step))
        if step != self._next_step:
            self.close()
        if self._workers is None:
            wanted = map(functools.partial(_wanted, self._order), itertools.count(step))
            self._workers = _started(self._loading, wanted, _wanted(self._order, step), self._num_workers)
        found = next(self._workers)
        self._next_step = step + 1
        return found

    def close(self) -> None:
        """End the workers, if there are any."""
        if self._workers is not None:
            self._workers.close()
            self._workers = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


def passed(examples: Examples, batch_size: int, device: torch.device | None = None) -> Iterator[Batch]:
    """Yield all examples in their order, at most ``batch_size`` at once, on ``device``."""
    for batch in _passed(examples, batch_size):
        yield batch if device is None else mapped(lambda leaf: leaf.to(device), batch)


def _passed(examples: Examples, batch_size: int) -> Iterator[Batch]:
    starts = range(0, len(examples), batch_size)
    if in_memory(examples):
        for start in starts:
            yield examples.take(torch.arange(start, min(start + batch_size, len(examples))))
        return
    wanted = [
        Wanted(place, np.arange(start, min(start + batch_size, len(examples)))) for place, start in enumerate(starts)
    ]
    bare, num_workers = _taken_apart(examples)
    loading = Loading(bare, 0, _MEASURE)
    if not num_workers or len(wanted) < 2:
        yield from map(loading.here, wanted)
        return
    workers = _started(loading, wanted, wanted[0], min(num_workers, len(wanted)))
    try:
        yield from workers
    finally:
        workers.close()


def _taken_apart(examples: Examples) -> tuple[Examples, int]:
    """The examples without who reads them, and how many workers do."""
    if isinstance(examples, Read):
        return examples.examples, examples.num_workers
    if isinstance(examples, Chosen):
        bare, num_workers = _taken_apart(examples.whole)
        return Chosen(whole=bare, numbers=examples.numbers), num_workers
    return examples, 0


def _wanted(order: Order, step: int) -> Wanted:
    return Wanted(step, order.numbers(step).numpy())


def _started(loading: Loading, wanted: Iterable[Wanted], first: Wanted, num_workers: int) -> Workers:
    """Workers that read what is wanted, once one example shows how large batches are."""
    one = loading.here(Wanted(first.step, first.numbers[:1]))
    return Workers(loading, wanted, num_workers=num_workers, batch_bytes=bytes_of(one) * len(first.numbers))
