"""Starts Ray here, or joins a running cluster."""

from __future__ import annotations

import contextlib
import datetime
import functools
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from orchestrator.ray_tune import watcher
from orchestrator.ray_tune.access import joining, starting

_LAST_WORD_S = 5.0
_is_starting = False


@contextlib.contextmanager
def _processes_in_groups_of_their_own() -> Iterator[None]:
    """Start Ray's processes outside of this process's group.

    A supervisor such as ``timeout`` signals the whole group. Ray's processes would end at once, and this process would
    wait for them for a minute instead of ending the sweep. They end with this process whatever happens to it: most by
    themselves, the others by ``_watched``.
    """
    global _is_starting
    _leave_group_after_fork()
    _is_starting = True
    try:
        yield
    finally:
        _is_starting = False


@functools.cache
def _leave_group_after_fork() -> None:
    def leave() -> None:  # in the child, between fork and exec; a hook cannot be removed
        if _is_starting:
            os.setpgid(0, 0)

    os.register_at_fork(after_in_child=leave)


@contextlib.contextmanager
def _watched() -> Iterator[None]:
    """Have a process that ends the Ray which is started in the block, where this process is killed in it."""
    if not sys.platform.startswith("linux"):
        yield
        return
    began = datetime.datetime.now().strftime(watcher.BEGAN)  # local time, as Ray's
    watching = subprocess.Popen(
        [sys.executable, "-I", "-S", watcher.__file__, str(os.getpid()), began],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )
    try:
        yield
    finally:
        try:
            watching.communicate(b"ended", timeout=_LAST_WORD_S)
        except subprocess.TimeoutExpired:
            watching.kill()
            watching.communicate()


@contextlib.contextmanager
def joined(address: str | None) -> Iterator[None]:
    """Have a running Ray that prints nothing; one that was started here is stopped at the end.

    Ray would print a line for each worker that died, so that ``sys.stdout`` leads nowhere meanwhile: whoever has
    something to say keeps that stream from before.

    Args:
        address: of a running cluster; None starts Ray here.

    Raises:
        SweepError: the cluster cannot be joined, or Ray does not start.
    """
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"  # its CSV and TensorBoard files cost half the throughput
    # its snapshots take longer with each trial, and the journal makes them needless
    os.environ["TUNE_GLOBAL_CHECKPOINT_S"] = str(10**6)
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    # a driver would wait for Ray's first workers, and for ever if one is killed before it has said that it is there
    os.environ.setdefault("RAY_prestart_worker_first_driver", "0")
    with contextlib.ExitStack() as stack, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ray

        stack.enter_context(contextlib.nullcontext() if address else _watched())
        with _processes_in_groups_of_their_own(), joining(address) if address else starting():
            ray.init(
                address=address or "local",
                include_dashboard=None if address else False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        for name in ("ray", "ray.tune"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
                yield
        finally:
            ray.shutdown()
