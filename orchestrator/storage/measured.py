"""Measured files, read for others: each is the one that its record speaks of, or an error says what is wrong."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path

from orchestrator.storage.bucket import join
from orchestrator.storage.damage import DamagedError
from orchestrator.storage.journal import Journal
from trainers.record import OperatingPoint


def measured(journal: Journal, point: OperatingPoint) -> bytes:
    """The content of a point's file; raises what ``read_measured`` raises."""
    return read_measured(journal, point.path, point.sha256)


def read_measured(journal: Journal, name: str, sha256: str) -> bytes:
    """The content of a measured file, whose path ``name`` is relative to the sweep's folder.

    Raises:
        DamagedError: the file is missing, or has changed since it was measured.
    """
    content, shown = _read(journal, name), join(journal.location, name)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DamagedError(f"{shown} has changed: its sha256 is {found}, measured was {sha256}")
    return content


def sections_of(point: OperatingPoint) -> str:
    """The name, in the sweep's folder, of the table beside a point's file."""
    return str(Path(point.path).with_suffix(".sections.csv"))


def sections(journal: Journal, point: OperatingPoint) -> bytes:
    """The table beside a point's file that says where its bytes go.

    Raises:
        DamagedError: it is missing, or does not add up to the length of the file.
    """
    name = sections_of(point)
    content, shown = _read(journal, name), join(journal.location, name)
    try:
        sizes = [float(row["size_bytes"]) for row in csv.DictReader(io.StringIO(content.decode()))]
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise DamagedError(f"{shown} is damaged: it is no table with a column size_bytes") from error
    if abs(sum(sizes) - point.size_bytes) > 0.01 * (len(sizes) + 1):  # each is rounded
        raise DamagedError(f"{shown} is damaged: its rows do not add up to the {point.size_bytes} bytes of the file")
    return content


def _read(journal: Journal, name: str) -> bytes:
    path, shown = journal.file(name), join(journal.location, name)
    if not path.is_file():
        raise DamagedError(f"{shown} is not there: it has moved, or lies on another machine")
    return path.read_bytes()
