"""SIGTERM while trials run."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from orchestrator.running.interrupts import sigterm_as_ctrl_c


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Whatever a test does to signals ends with it."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_sigterm_does_what_ctrl_c_does_at_that_moment() -> None:
    """Ray Tune sets a handler of its own while trials run."""
    told: list[int] = []
    with sigterm_as_ctrl_c():
        signal.signal(signal.SIGINT, lambda number, frame: told.append(number))
        terminate()
    assert told == [signal.SIGINT]


@pytest.mark.parametrize("handler", [signal.default_int_handler, signal.SIG_IGN, signal.SIG_DFL])
def test_where_nobody_handles_ctrl_c_sigterm_interrupts(handler: signal.Handlers) -> None:
    signal.signal(signal.SIGINT, handler)
    with sigterm_as_ctrl_c(), pytest.raises(KeyboardInterrupt):
        terminate()


def test_afterwards_sigterm_is_what_it_was() -> None:
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: told.append(number))
    with pytest.raises(RuntimeError), sigterm_as_ctrl_c():
        raise RuntimeError
    terminate()
    assert told == [signal.SIGTERM]


def test_outside_of_the_main_thread_signals_are_left_alone() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen: list[object] = []

    def look() -> None:
        with sigterm_as_ctrl_c():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [before]
