"""What keeps this process from Ray, in one line: a cluster does not answer or wants a token, or Ray does not start."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from orchestrator.errors import SweepError
from trainers.lookup import one_line

_ANSWER_S = 10.0
_LAST_LINES_S = 1.0
_REFUSAL = b"Unauthenticated"
_AT_HOME = Path("~/.ray/auth_token")
"""Where Ray keeps a token that it made. `ray start` uses it unasked; a process that joins by an address does not."""


def has_token() -> bool:
    """Whether a token of Ray's is in the environment."""
    return bool(os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH"))


def check_token() -> None:
    """Refuse a token that Ray would not use or not find.

    Raises:
        SweepError: one line says which.
    """
    path = os.environ.get("RAY_AUTH_TOKEN_PATH")
    if has_token() and os.environ.get("RAY_AUTH_MODE") != "token":
        raise SweepError("a token of Ray's is given and RAY_AUTH_MODE is not 'token': set it, or Ray will not use it")
    if path and not os.environ.get("RAY_AUTH_TOKEN") and not os.access(path, os.R_OK):
        raise SweepError(f"RAY_AUTH_TOKEN_PATH is {path!r}, which cannot be read: wanted a file that holds the token")


def check_answers(address: str) -> None:
    """Refuse an address where nothing listens: Ray would try it for ever.

    Args:
        address: ``host:port``; any other is left to Ray.

    Raises:
        SweepError: nothing listens there.
    """
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_S).close()
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise SweepError(
            f"no Ray cluster answers at {address} ({why}): wanted the address that 'ray start --head' printed, "
            "such as host:6379"
        ) from error


def token_wanted(address: str) -> str:
    """What is said where the cluster at ``address`` did not take this process's token, or it has none."""
    is_used = os.environ.get("RAY_AUTH_MODE") == "token"
    given = (
        "it does not take this one"
        if is_used and (has_token() or _AT_HOME.expanduser().is_file())
        else "none was given"
    )
    return (
        f"the Ray cluster at {address} wants a token and {given}: set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH to "
        f"a file that holds the cluster's, where that is not {_AT_HOME}"
    )


def _found_by_auto() -> str:
    """The address that Ray takes for ``auto``: it is that of the last ``ray start`` here, which may have ended since.

    Raises:
        SweepError: no cluster runs here, nor did one.
    """
    from ray._private.services import canonicalize_bootstrap_address  # ray.init asks it too

    given = os.environ.get("RAY_ADDRESS")
    if given and given != "auto":
        return given
    try:
        return canonicalize_bootstrap_address("auto") or "auto"
    except ConnectionError as error:
        raise SweepError(
            "no Ray cluster runs on this machine: wanted the address that 'ray start --head' printed, such as host:6379"
        ) from error


@contextlib.contextmanager
def joining(address: str) -> Iterator[None]:
    """Have one line for what keeps this process from joining the cluster at ``address`` in the block.

    Ray tries a token that is refused twenty times, with a line on the standard error for each, and raises an error that
    does not say so. Those lines are left out here; all others are passed on.

    Raises:
        SweepError: the cluster is not joined; one line says why, and what to set.
    """
    from ray.exceptions import AuthenticationError, RayError

    check_token()
    address = _found_by_auto() if address == "auto" else address
    check_answers(address)
    refusals: list[bytes] = []
    try:
        with _stderr_without(_REFUSAL, refusals):
            yield
    except AuthenticationError as error:
        raise SweepError(token_wanted(address)) from error
    except (ConnectionError, RuntimeError, RayError) as error:
        if refusals:
            raise SweepError(token_wanted(address)) from error
        raise SweepError(f"cannot join the Ray cluster at {address}: {' '.join(str(error).split())}") from error


@contextlib.contextmanager
def starting() -> Iterator[None]:
    """Have one line for what keeps Ray from starting here in the block, as a full disk does.

    Raises:
        SweepError: it did not start; one line says why, and where it keeps its files.
    """
    from ray._common.utils import get_default_ray_temp_dir  # ray.init asks it too

    try:
        yield
    except (RuntimeError, OSError) as error:
        folder = str(get_default_ray_temp_dir())  # type: ignore[no-untyped-call]
        place = next(path for path in (Path(folder), *Path(folder).parents) if path.exists())
        free_mb = shutil.disk_usage(place).free / 1e6
        raise SweepError(
            f"Ray did not start ({one_line(error)}): it keeps its files in {folder}, whose disk has {free_mb:.0f} MB "
            "left; RAY_TMPDIR names another folder"
        ) from error


@contextlib.contextmanager
def _stderr_without(marker: bytes, dropped: list[bytes]) -> Iterator[None]:
    """Pass on what is written to the standard error in the block, by C++ too, but for the lines with ``marker``.

    Args:
        marker: what the lines hold that go to ``dropped``.
        dropped: is filled.
    """
    kept = os.dup(2)
    reader, writer = os.pipe()

    def sort() -> None:
        with open(reader, "rb") as lines:
            for line in lines:
                if marker in line:
                    dropped.append(line)
                else:
                    os.write(kept, line)

    sorting = threading.Thread(target=sort, daemon=True)
    sorting.start()
    os.dup2(writer, 2)
    os.close(writer)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        sorting.join(_LAST_LINES_S)
        if not sorting.is_alive():  # a process that was started meanwhile may still hold the pipe
            os.close(kept)
