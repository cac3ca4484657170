"""The pictures of a sweep on images: what each file decodes to, beside it, and the images themselves, once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.search.space import identity
from orchestrator.storage.journal import Journal
from trainers.sources import values_identity


def picture_of(point_path: str) -> str:
    """The name, in the sweep's folder, of the picture beside a point's file."""
    return str(Path(point_path).with_suffix(".png"))


def original_of(task: Mapping[str, Any]) -> str:
    """The name, in the sweep's folder, of the image that a task is of, as a trial's configuration has the task."""
    content = identity(values_identity(dict(task)))
    return f"originals/{hashlib.sha256(content.encode()).hexdigest()[:12]}.png"


def read_picture(journal: Journal, name: str) -> bytes | None:
    """The content of a picture; None where there is none: older trials and other tasks have none."""
    path = journal.file(name)
    return path.read_bytes() if path.is_file() else None
