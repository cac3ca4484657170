"""Runs notebooks as their readers do: in a copy, in a kernel of their own, offline.

`python -m tests.notebooks` runs those in examples/ and keeps their output. Read the difference before you commit it:
the text beside it claims numbers.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
_TIMEOUT_S = 300


def executed(path: Path, folder: Path, *, steps: int | None = None) -> Any:
    """Return the notebook at ``path`` with its output, run in a copy of its surroundings.

    ``steps`` stands for the steps of its trainings, where it has some.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell fails.
    """
    import nbformat
    from nbclient import NotebookClient

    shutil.copytree(ROOT / "results", folder / "results")
    place = folder / path.parent.name
    place.mkdir()
    notebook = nbformat.read(shutil.copy(path, place), as_version=4)
    resources = {"metadata": {"path": str(place)}}
    settings = {"timeout": _TIMEOUT_S, "record_timing": False, "coalesce_streams": True}
    client = NotebookClient(notebook, resources=resources, **settings)
    with _own_folders(folder), mock.patch.dict(os.environ, {} if steps is None else {"STEPS": str(steps)}):
        client.execute()
    notebook.metadata["language_info"] = {"name": "python"}  # without the version that happened to run it
    return notebook


@contextmanager
def _own_folders(folder: Path) -> Iterator[None]:
    """Keep a user's settings from being read, and their home from being written to."""
    names = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR")
    own = {name: str(folder / name.lower()) for name in names}
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    with mock.patch.dict(os.environ, own | {"PYTHONPATH": paths}):
        yield


def main() -> None:
    import nbformat

    for path in NOTEBOOKS:
        with tempfile.TemporaryDirectory() as folder:
            nbformat.write(executed(path, Path(folder)), path)


if __name__ == "__main__":
    main()
