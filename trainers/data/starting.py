"""How processes that load data start, what can be sent to them, and how they end with the one they work for."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import pickle
import sys
import threading
import types
from collections.abc import Iterator
from multiprocessing import connection
from typing import Any

import numpy as np
from torch import Tensor

from trainers.data.loading import Loading
from trainers.lookup import one_line


def begin(worker: int) -> None:
    """Have this worker end as soon as the process that it works for has ended, whatever it is doing."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def context() -> Any:
    """How workers start."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload([Loading.__module__])  # torch among others: each worker has it at once
    return found


@contextlib.contextmanager
def main_hidden() -> Iterator[None]:
    """Start processes that do not run the main module again: it is Ray's or the command's, and imports much."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


class _Scan(pickle.Pickler):
    """Pickles to nowhere, without arrays."""

    names_main = False
    """Whether something that was pickled is defined in the main module."""

    def persistent_id(self, part: Any) -> str | None:
        if isinstance(part, Tensor | np.ndarray):
            return "array"
        self.names_main |= getattr(part, "__module__", None) == "__main__"
        return None


def check_pickled(loading: Loading) -> bool:
    """Refuse examples that cannot be sent to another process; returns whether they need the main module there."""
    scan = _Scan(io.BytesIO())
    try:
        scan.dump(loading)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise ValueError(
            f"examples cannot be sent to workers ({one_line(error)}): define what they are made of in a module, "
            "without lambdas and open files, or set resources.data_workers to 0"
        ) from error
    return scan.names_main
