"""Where a sweep file becomes a ``Sweep``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.errors import SweepError
from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.yaml_text import parse_yaml
from trainers.echo import echo


def load_sweep(path: str | Path) -> Sweep:
    """The sweep of a YAML file.

    Raises:
        SweepError: it names the file, and the line where the YAML is broken.
    """
    return Sweep.from_dict(load_document(path), source=str(path))


def load_document(path: str | Path) -> dict[str, Any]:
    """A sweep file as plain data, not yet checked; a sweep that gives no name is named by its file's stem."""
    try:
        document = parse_yaml(Path(path).read_text(encoding="utf-8"), source=str(path))
    except UnicodeDecodeError as error:
        raise SweepError(f"cannot read {path}: it is no UTF-8 text") from error
    except OSError as error:
        raise SweepError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise SweepError(str(error)) from error
    if not isinstance(document, Mapping):
        raise SweepError(f"{path}: a sweep is {echo(document)}: wanted a mapping with task, architecture and method")
    return {"name": Path(path).stem, **document}
