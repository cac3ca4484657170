"""The batch of any training step, and the batches of a measurement: from memory, read here or by workers."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator
from typing import Self

import numpy as np
import torch

from trainers import checks
from trainers.data.examples import Batch, Chosen, Examples, InMemory
from trainers.data.loading import Loading, Wanted
from trainers.data.order import Order
from trainers.data.workers import Workers, bytes_of


class Feed:
    """The batches of a training: a function of seed and step, whoever reads them.

    What lies in memory is taken by its numbers, and nothing is drawn. Everything else is read with generators that are
    seeded for (seed, "load", step), in this process, whose own stay as they are, or in ``num_workers`` others.
    """

    def __init__(self, examples: Examples, *, batch_size: int, seed: int, num_workers: int = 0) -> None:
        checks.integer("num_workers", num_workers, low=0)
        self._examples, self._seed = examples, seed
        self._in_memory = in_memory(examples)
        self._num_workers = 0 if self._in_memory else num_workers
        device = examples.device if isinstance(examples, InMemory) else None
        self._order = Order(len(examples), batch_size=batch_size, seed=seed, device=device)
        self._loading = Loading(examples, seed, "load")
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


def passed(examples: Examples, batch_size: int, *, num_workers: int = 0) -> Iterator[Batch]:
    """Yield all examples in their order, at most ``batch_size`` at once."""
    starts = range(0, len(examples), batch_size)
    wanted = [
        Wanted(place, np.arange(start, min(start + batch_size, len(examples)))) for place, start in enumerate(starts)
    ]
    if in_memory(examples):
        for one in wanted:
            yield examples.take(torch.from_numpy(one.numbers))
        return
    loading = Loading(examples, 0, "measure")
    if not num_workers or len(wanted) < 2:
        for one in wanted:  # not by map(), which a StopIteration of a data set would end
            yield loading.here(one)
        return
    workers = _started(loading, wanted, wanted[0], min(num_workers, len(wanted)))
    try:
        yield from workers
    finally:
        workers.close()


def in_memory(examples: Examples) -> bool:
    """Whether taking examples only indexes tensors."""
    return isinstance(examples, InMemory) or (isinstance(examples, Chosen) and in_memory(examples.whole))


def _wanted(order: Order, step: int) -> Wanted:
    return Wanted(step, order.numbers(step).numpy())


def _started(loading: Loading, wanted: Iterable[Wanted], first: Wanted, num_workers: int) -> Workers:
    """Workers that read what is wanted, once one example shows how large batches are."""
    one = loading.here(Wanted(first.step, first.numbers[:1]))
    return Workers(loading, wanted, num_workers=num_workers, batch_bytes=bytes_of(one) * len(first.numbers))
