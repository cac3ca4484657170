"""Processes that read batches ahead: torch's ``DataLoader``, one item a step."""

from __future__ import annotations

import contextlib
import os
import signal
import warnings
from collections.abc import Iterable, Iterator
from multiprocessing import connection
from typing import Any

import torch
from torch.utils.data import DataLoader

from trainers.data.examples import Batch
from trainers.data.loading import Loading, Unread, Wanted
from trainers.data.starting import begin, check_pickled, context, main_hidden
from trainers.lookup import one_line
from trainers.trees import leaves

_AHEAD = 2
"""The batches that each worker reads ahead."""
_SHARED_MEMORY = "/dev/shm"
_NO_ROOM = "unable to allocate shared memory"
"""What torch says where a worker's batch finds no room there; older kernels send a bus error."""
_ENDING_S = 5.0
"""How long it may take until it is known how a worker ended."""
_MB = 1e6


class Workers:
    """Batches read by processes of their own, in the order in which they are wanted.

    Workers are forked from a server that has no threads, or spawned: a process of Ray has threads, with which a fork
    may hang. They end with this process, however it ends.
    """

    def __init__(self, loading: Loading, wanted: Iterable[Wanted], *, num_workers: int, batch_bytes: int) -> None:
        """Start the workers.

        Raises:
            ValueError: the examples cannot be sent to a worker, or shared memory has no room for what is read ahead.
        """
        self._short = _shared_memory_needed(num_workers, batch_bytes)
        if (room := _room()) is not None and room < (_AHEAD * num_workers + 1) * batch_bytes:
            raise ValueError(self._short)
        names_main = check_pickled(loading)
        main = contextlib.nullcontext() if names_main else main_hidden()
        with warnings.catch_warnings(), main:
            warnings.filterwarnings("ignore", message="This DataLoader will create")  # more than cores: as asked for
            loader: DataLoader[Any] = DataLoader(
                loading,
                sampler=wanted,  # any iterable will do
                batch_size=None,
                num_workers=num_workers,
                collate_fn=_as_it_is,
                worker_init_fn=begin,
                multiprocessing_context=context(),
                prefetch_factor=_AHEAD,
                generator=torch.Generator(),  # else it draws from the training's
            )
            self._batches: Any = _begun(loader)

    def __next__(self) -> Batch:
        """The next batch.

        Raises:
            ValueError: an example could not be read; one line says which and why.
            RuntimeError: a worker was killed.
        """
        try:
            found = next(self._batches)
        except (RuntimeError, OSError, EOFError) as error:  # the last two where it ended amid handing a batch over
            raise self._explained(error) from error
        if isinstance(found, Unread):
            raise ValueError(self._short) if _NO_ROOM in found.line else found.error()
        batch: Batch = found
        return batch

    def __iter__(self) -> Iterator[Batch]:
        return self

    def close(self) -> None:
        """End the workers."""
        self._batches._shutdown_workers()

    def _explained(self, error: Exception) -> Exception:
        """Why no batch came."""
        processes = self._batches._workers
        connection.wait([process.sentinel for process in processes], timeout=_ENDING_S)
        codes = [process.exitcode for process in processes]
        if -signal.SIGBUS in codes:
            return ValueError(self._short)
        if -signal.SIGKILL in codes:
            return RuntimeError("a process that loads data was killed: by hand, or as the machine has no memory left")
        return RuntimeError(f"a process that loads data ended: {one_line(error)}")


def _begun(loader: DataLoader[Any]) -> Any:
    try:
        return iter(loader)
    except RuntimeError as error:
        if _NO_ROOM not in str(error):
            raise
        raise ValueError(
            f"{_SHARED_MEMORY} has no room for the tensors that the data set itself holds, which workers share there: "
            "have more of it (docker run --shm-size=...), or set resources.data_workers to 0"
        ) from error


def bytes_of(batch: Batch) -> int:
    """The bytes of a batch's tensors."""
    return sum(leaf.nbytes for tree in batch for leaf in leaves(tree))


def _as_it_is(batch: Any) -> Any:
    return batch


def _room() -> int | None:
    """The bytes that are free in shared memory, where that is a file system."""
    try:
        found = os.statvfs(_SHARED_MEMORY)
    except (OSError, AttributeError):
        return None
    return found.f_bavail * found.f_frsize


def _shared_memory_needed(num_workers: int, batch_bytes: int) -> str:
    """The line about too little shared memory."""
    room = _room()
    num_batches = _AHEAD * num_workers + 1
    enough = max(1, round(2 * num_batches * batch_bytes / _MB))
    return (
        f"{_SHARED_MEMORY} has {(room or 0) / _MB:,.0f} MB free, and {num_workers} data_workers keep up to "
        f"{num_batches} batches of {batch_bytes / _MB:,.1f} MB there: have fewer resources.data_workers, a smaller "
        f"batch_size or more of it (docker run --shm-size={enough}m)"
    )
