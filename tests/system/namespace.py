"""A network namespace for clusters that tests start: unreachable from outside, and nothing in it outlives it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

ADDRESS = "192.0.2.1"
"""The address of its one machine, as a cluster sees it: one for documentation (RFC 5737), on loopback."""


class Namespace:
    """A network whose processes see only each other."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.started: list[subprocess.Popen[bytes]] = []

    def command(self, *arguments: str) -> list[str]:
        return ["nsenter", f"--net=/run/netns/{self.name}", *arguments]  # unlike ip, it leaves /sys as it is

    def start(
        self, *arguments: str, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a process in a session of its own, which can be ended with all that it started."""
        with log.open("ab") as stream:
            process = subprocess.Popen(
                self.command(*arguments), env=env, cwd=cwd, stdout=stream, stderr=stream, start_new_session=True
            )
        self.started.append(process)
        return process

    def run(self, *arguments: str, **settings: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False, **settings)

    def pids(self) -> list[int]:
        """The pids of all processes in it."""
        shown = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=True)
        return [int(pid) for pid in shown.stdout.split()]


@contextlib.contextmanager
def namespace() -> Iterator[Namespace]:
    """Make a namespace; at the end every process in it is killed."""
    if os.geteuid() != 0:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("a network namespace needs root")
    name = f"ratefront-{uuid.uuid4().hex[:6]}"
    made = Namespace(name)
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        for command in (
            "ip link set lo up",
            f"ip address add {ADDRESS}/32 dev lo",
            "ip route add default dev lo",
        ):
            subprocess.run(made.command(*command.split()), check=True)
        yield made
    finally:
        deadline = time.monotonic() + 30
        while (pids := made.pids()) and time.monotonic() < deadline:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)
        for process in made.started:
            process.wait(timeout=600)
        subprocess.run(["ip", "netns", "delete", name], check=True)


def session(leader: int) -> list[int]:
    """The pids of a session."""
    shown = subprocess.run(["ps", "-s", str(leader), "-o", "pid="], capture_output=True, text=True, check=False)
    return [int(pid) for pid in shown.stdout.split()]


def send(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
