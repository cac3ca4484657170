"""Finds data files: in ``RATEFRONT_DATA`` if they are there, else by a checksummed download into a cache."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path


class DataUnavailableError(ValueError):
    """A data file is not there and could not be downloaded."""


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """One file of a data set: its name below the data folder, its SHA-256, and where it can be fetched."""

    path: str
    sha256: str
    urls: tuple[str, ...]


def locate(file: DataFile) -> Path:
    """Return the path of the verified local copy.

    Raises:
        DataUnavailableError: it is not there and no download worked, or its content is not the expected one.
    """
    local = find_local(file)
    if local is not None:
        return local
    import pooch  # files that are there need no downloads

    pooch.get_logger().setLevel("WARNING")  # our own line reports a failed mirror, once
    reasons = []
    for url in file.urls:
        try:
            fetched = pooch.retrieve(
                url,
                known_hash=f"sha256:{file.sha256}",
                fname=Path(file.path).name,
                path=pooch.os_cache("ratefront") / Path(file.path).parent,
                progressbar=False,
            )
            return Path(fetched)
        except Exception as error:  # each download library raises its own errors; the next mirror may work
            reasons.append(f"{url}: {type(error).__name__}")
    tried = "; ".join(reasons)
    folder = os.environ.get("RATEFRONT_DATA")
    where = f"not in RATEFRONT_DATA={folder}" if folder else "RATEFRONT_DATA is not set"
    raise DataUnavailableError(
        f"data file {file.path!r} is unavailable ({where}; {tried}): "
        "connect to the network, or set RATEFRONT_DATA to a folder that holds it"
    )


def find_local(file: DataFile) -> Path | None:
    """Return the path of the verified file below ``RATEFRONT_DATA``; None if that is not set or lacks the file.

    Raises:
        DataUnavailableError: its content is not the expected one.
    """
    folder = os.environ.get("RATEFRONT_DATA")
    path = Path(folder) / file.path if folder else None
    if path is None or not path.is_file():
        return None
    _verify(path, file)
    return path


def _verify(path: Path, file: DataFile) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != file.sha256:
        raise DataUnavailableError(f"{path} is not the expected file: its SHA-256 is {found}, wanted {file.sha256}")
