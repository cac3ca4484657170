"""One process holds a sweep in a bucket, and says so again and again."""

from __future__ import annotations

import json
import signal
import time
from typing import Any

import pytest

from orchestrator.errors import SweepError
from orchestrator.running.interrupts import sigterm_as_ctrl_c
from orchestrator.storage import lease
from orchestrator.storage.bucket import Bucket
from orchestrator.storage.lease import leased


def hold(location: str) -> None:
    bucket = Bucket(location)
    with leased(bucket):
        assert bucket.read("lock") is not None


@pytest.mark.usefixtures("quick")
def test_one_process_holds_a_sweep(location: str) -> None:
    with leased(Bucket(location)), pytest.raises(SweepError, match=r"is being run by process \d+ on "):
        hold(location)
    hold(location)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("changes", "is_dead"),
    [({}, False), ({"pid": 2**22 + 1}, True), ({"pid": 2**22 + 1, "host": "elsewhere"}, False)],
)
def test_only_a_process_of_this_machine_is_known_to_be_dead(
    location: str, changes: dict[str, object], is_dead: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_dead:
        monkeypatch.setattr(lease, "_DEAD_AFTER_S", 600)  # nobody waits for it
    holder = {"holder": "x", "pid": 1, **lease._here(), **changes}
    Bucket(location).write("lock", json.dumps(holder).encode())
    began_s = time.monotonic()
    hold(location)  # nobody renews it
    assert (time.monotonic() - began_s >= lease._DEAD_AFTER_S) is not is_dead


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("content", [b"", b"{", b"3", b"[]", b"{}"])
def test_a_lock_that_nobody_can_read_is_given_its_time(location: str, content: bytes) -> None:
    Bucket(location).write("lock", content)
    hold(location)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("handler", [signal.default_int_handler, signal.SIG_IGN])
def test_who_lost_a_sweep_is_interrupted_and_knows_why(location: str, handler: Any) -> None:
    """The background job of a script ignores SIGINT from its start."""
    other = json.dumps({"holder": "x", "host": "elsewhere", "pid": 1}).encode()
    found: list[lease.Lease] = []

    def work() -> None:
        with sigterm_as_ctrl_c(), leased(Bucket(location)) as held:
            found.append(held)
            for _ in range(600):
                if not held.lost:  # it may have been written over: whoever takes a sweep looks whether it still has it
                    Bucket(location).write("lock", other)
                time.sleep(0.1)

    began_s = time.monotonic()
    before = signal.signal(signal.SIGINT, handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            work()
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - began_s < 30
    assert found[0].lost
    assert Bucket(location).read("lock") == other  # it is theirs
