"""What Ctrl-C and SIGTERM do to a running sweep: both end it, and what has finished is kept."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM, as schedulers send it, ends a sweep as Ctrl-C does; Ray's own handler would just leave."""
    if threading.current_thread() is not threading.main_thread():  # signals are not its business
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        handler = signal.getsignal(signal.SIGINT)  # while trials run it is Tune's
        if not callable(handler):
            raise KeyboardInterrupt
        handler(signal.SIGINT, frame)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
