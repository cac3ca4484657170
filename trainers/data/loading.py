"""The batch of one step, read in whichever process: what is random in it depends on seed and step alone."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from trainers.data.examples import Batch, Examples, TaskError
from trainers.determinism import denormals_flushed
from trainers.lookup import one_line
from trainers.seeding import seed_everything, undisturbed
from trainers.trees import leaves


class Wanted(NamedTuple):
    """The examples of one step."""

    step: int
    numbers: NDArray[np.int64]


@dataclass(frozen=True)
class Unread:
    """What a worker gives where it could not read a batch."""

    line: str
    details: str
    """The traceback, for the trial's record."""
    is_memory: bool

    def error(self) -> Exception:
        """What the training process raises for it."""
        error = MemoryError(self.line) if self.is_memory else TaskError(self.line)
        error.add_note(self.details)
        return error


@dataclass(frozen=True)
class Loading(Dataset[Any]):
    """Reads the batches of a training or of a measurement."""

    examples: Examples
    seed: int
    purpose: str
    """What random numbers are derived for, with seed and step."""

    def here(self, wanted: Wanted) -> Batch:
        """Read a batch in this process, whose generators stay as they are.

        Raises:
            TaskError: an example cannot be read; one line says why.
        """
        num_threads = torch.get_num_threads()
        if num_threads > 1:  # sums of several threads differ from a worker's, which has one
            torch.set_num_threads(1)
        try:
            with undisturbed():
                return self._read(wanted)
        except MemoryError:
            raise
        except (Exception, SystemExit) as error:
            raise TaskError(_line(error)) from error
        finally:
            if num_threads > 1:
                torch.set_num_threads(num_threads)

    def __getitem__(self, wanted: Wanted) -> Batch | Unread:
        """Read a batch in a worker, to memory that it shares with the training process."""
        try:
            batch = self._read(wanted)
            for tree in batch:
                for leaf in leaves(tree):
                    leaf.share_memory_()
            return batch
        except (Exception, SystemExit) as error:
            return Unread(_line(error), traceback.format_exc(), isinstance(error, MemoryError))

    def _read(self, wanted: Wanted) -> Batch:
        seed_everything(self.seed, self.purpose, wanted.step)
        with denormals_flushed():
            return self.examples.take(torch.from_numpy(wanted.numbers))


def _line(error: BaseException) -> str:
    """Why an example cannot be read."""
    if isinstance(error, SystemExit):
        return f"reading an example called sys.exit({error.code!r}): wanted an error that says what is wrong"
    kind = "" if isinstance(error, ValueError | MemoryError) else f"{type(error).__name__}: "
    return kind + one_line(error)
