"""Ray is started or joined, keeps quiet, and is stopped; Ray itself is not needed to say so."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.ray_tune import runtime, watcher
from orchestrator.ray_tune.runtime import joined
from tests.processes import below, is_alive


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """What is asked of Ray."""
    asked: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(runtime, "joining", lambda address: contextlib.nullcontext())  # it has tests of its own
    monkeypatch.setattr("ray.init", lambda **settings: asked.append(("init", settings)))
    monkeypatch.setattr("ray.shutdown", lambda: asked.append(("shutdown", {})))
    for name in ("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "TUNE_GLOBAL_CHECKPOINT_S", "RAY_AIR_NEW_OUTPUT"):
        monkeypatch.delenv(name, raising=False)
    levels = {name: logging.getLogger(name).level for name in ("ray", "ray.tune")}
    yield asked
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize(
    ("address", "init"),
    [
        (None, {"address": "local", "include_dashboard": False}),
        ("auto", {"address": "auto", "include_dashboard": None}),
    ],
)
def test_ray_is_started_here_or_a_cluster_is_joined(
    address: str | None, init: dict[str, Any], calls: list[tuple[str, dict[str, Any]]]
) -> None:
    with joined(address):
        ((verb, settings),) = calls
        assert verb == "init"
        assert settings == {**init, "log_to_driver": False, "logging_level": logging.ERROR}
    assert [verb for verb, _ in calls] == ["init", "shutdown"]


def watchers() -> list[int]:
    """The processes that wait for this one to be killed."""
    lines = {pid: Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") for pid in below(os.getpid())}
    return [pid for pid, line in lines.items() if watcher.__file__.encode() in line and is_alive(pid)]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it reads /proc")
def test_a_ray_that_is_started_here_is_watched_to_its_end_and_one_that_is_joined_is_left_alone(
    calls: list[tuple[str, dict[str, Any]]],
) -> None:
    with joined("auto"):
        assert watchers() == []
    with joined(None):
        assert len(watchers()) == 1
    assert watchers() == []


def test_whatever_happens_ray_is_stopped(calls: list[tuple[str, dict[str, Any]]]) -> None:
    with pytest.raises(KeyboardInterrupt), joined(None):
        raise KeyboardInterrupt
    assert [verb for verb, _ in calls] == ["init", "shutdown"]


def test_ray_prints_nothing_and_afterwards_printing_works(
    calls: list[tuple[str, dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    with joined(None):
        print("a worker died")
    print("the end")
    assert capsys.readouterr().out == "the end\n"


def test_tune_writes_no_files_of_its_own(calls: list[tuple[str, dict[str, Any]]]) -> None:
    with joined(None):
        assert os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] == "1"
        assert int(os.environ["TUNE_GLOBAL_CHECKPOINT_S"]) > 10_000
