"""A Ray cluster for tests: its nodes are processes of one machine, in a network of their own, with their own token."""

from __future__ import annotations

import contextlib
import secrets
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.console import PROGRAM, clean_environment
from tests.system.namespace import Namespace, namespace, send, session
from tests.system.serving import wait_for

_HEALTH = {  # as infra/ ships them, with more patience: all nodes share two cores
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "10",
}
ADDRESS = "127.0.0.1:6379"


class Node:
    """One node: a session of processes."""

    def __init__(self, leader: int) -> None:
        self._leader = leader

    @property
    def is_training(self) -> bool:
        """Whether a trial of Ray Tune is at work on it."""
        return any(b"ray::ImplicitFunc.train" in _command(pid) for pid in session(self._leader))

    def kill(self) -> None:
        send(session(self._leader), signal.SIGKILL)

    def hang(self) -> None:
        """Stop all its processes, so that it is there and does not answer."""
        send(session(self._leader), signal.SIGSTOP)


class Cluster:
    """A head that trains nothing, and nodes that are added."""

    def __init__(self, folder: Path, network: Namespace, environment: Mapping[str, str]) -> None:
        self.folder, self.network = folder, network
        token = folder / "token"
        token.touch(mode=0o600)
        token.write_text(secrets.token_hex(32))
        scripts = str(Path(PROGRAM).parent)
        given = {**clean_environment(), **environment, **_HEALTH}
        given.pop("PYTHONPATH", None)
        self.anonymous = {**given, "PATH": f"{scripts}:{given['PATH']}", "XDG_STATE_HOME": str(folder)}
        self.environment = {**self.anonymous, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
        self._num_nodes = 0
        self.added: list[Node] = []
        self._start("--head", "--port=6379", "--dashboard-port=8265", "--num-cpus=0")
        wait_for(lambda: self._ray("health-check", "--address", ADDRESS))
        connect = "import socket; socket.create_connection(('127.0.0.1', 8265)).close()"
        wait_for(lambda: network.run(sys.executable, "-c", connect).returncode == 0)

    def add(self, *, num_cpus: int = 1, num_gpus: int = 0) -> Node:
        """Add a node and wait until it has joined. Ray believes what a node says it has."""
        before = self._num_alive()
        node = self._start(f"--address={ADDRESS}", f"--num-cpus={num_cpus}", f"--num-gpus={num_gpus}")
        wait_for(lambda: self._num_alive() > before)
        self.added.append(node)
        return node

    def _start(self, *arguments: str) -> Node:
        self._num_nodes += 1
        process = self.network.start(
            "ray",
            "start",
            "--block",
            "--node-ip-address=127.0.0.1",
            f"--temp-dir={self.folder}/{self._num_nodes}",  # a shared one loses folders of jobs
            "--min-worker-port=0",
            "--max-worker-port=0",
            "--dashboard-agent-listen-port=0",
            "--disable-usage-stats",
            *arguments,
            log=self.folder / f"node{self._num_nodes}.log",
            env=self.environment,
            cwd=self.folder,
        )
        return Node(process.pid)

    def _num_alive(self) -> int:
        listed = self.network.run("ray", "status", "--address", ADDRESS, env=self.environment)
        return listed.stdout.partition("Pending:")[0].count(" node_")

    def _ray(self, *arguments: str) -> bool:
        return self.network.run("ray", *arguments, env=self.environment).returncode == 0


@contextlib.contextmanager
def ray_cluster(folder: Path, environment: Mapping[str, str]) -> Iterator[Cluster]:
    """Start a cluster; yields it, and ends it.

    Args:
        folder: has a short name, because sockets lie below it.
        environment: the environment of all nodes and clients.
    """
    with namespace() as network:
        yield Cluster(folder, network, environment)


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
