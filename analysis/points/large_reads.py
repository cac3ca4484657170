"""Pauses garbage collection while a large read makes objects that all stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection() -> Iterator[None]:
    """Collect no garbage in the block.

    MLflow makes dozens of objects for each run. Scanning them, and all that the process has besides, again and again
    takes twice as long as the read itself.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
