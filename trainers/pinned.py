"""Files that a setting names, held to their content by a digest: ``/home/me/net.pth#sha256=...``."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

_PINNED = re.compile(r"(?P<path>.+)#(?P<digest>sha256=[0-9a-f]{64})")
_VARIABLE = re.compile(r"\$\{?(?P<name>[A-Za-z_]\w*)\}?")


def path_of(source: str) -> Path:
    """The absolute path, without the digest, and with variables of the environment such as ``$HOME`` replaced."""
    return Path(os.path.expandvars(text_of(source))).expanduser().absolute()


def short(source: str) -> str:
    """What people are shown of a pinned file: its name and the first digits of its digest; empty for other text."""
    found = _PINNED.fullmatch(source)
    return f"{Path(found['path']).name}#{found['digest'].removeprefix('sha256=')[:6]}" if found else ""


def read(source: str, *, field: str, wanted: str) -> tuple[Path, bytes]:
    """Return the absolute path and the content, checked if ``source`` is pinned.

    Args:
        source: a path, perhaps with a digest.
        field: the name of the setting in errors.
        wanted: what the file is to be, in errors.

    Raises:
        ValueError: there is no such file, or its content is not the pinned one.
    """
    path = path_of(source)
    try:
        content = path.read_bytes()
    except OSError as error:
        if unset := _VARIABLE.search(str(path)):
            raise ValueError(
                f"{field}: {text_of(source)} names a variable of the environment that is not set: set "
                f"{unset['name']}, or name {wanted} without it"
            ) from error
        raise ValueError(
            f"{field}: cannot read {path} ({error.strerror}): wanted {wanted}; "
            "a relative path begins at the working directory"
        ) from error
    check(source, path, content, field=field)
    return path, content


def check(source: str, path: Path, content: bytes, *, field: str) -> None:
    """Refuse content that is not the pinned one; arguments are as in ``read``."""
    found = _PINNED.fullmatch(source)
    if found and found["digest"] != (now := digest(content)):
        raise ValueError(
            f"{field}: {path} has changed: its content is {now}, wanted {found['digest']}: "
            "restore it, or give the path alone to take what it holds now"
        )


def pin(source: str, *, field: str, wanted: str) -> str:
    """The path with the digest of its content: absolute, or as it is given where variables say where it lies.

    Arguments and errors are as in ``read``.
    """
    path, content = read(source, field=field, wanted=wanted)
    return f"{text_of(source) if '$' in source else path}#{digest(content)}"


def text_of(source: str) -> str:
    """The path as it is given, without the digest."""
    found = _PINNED.fullmatch(source)
    return found["path"] if found else source


def digest(content: bytes) -> str:
    return f"sha256={hashlib.sha256(content).hexdigest()}"
