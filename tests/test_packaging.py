"""The distribution has every package, and the files that lie beside modules."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[1]
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
FOLDERS = [
    path.parent for top in ("analysis", "orchestrator", "trainers") for path in (ROOT / top).rglob("__init__.py")
]


def test_every_package_is_listed() -> None:
    assert sorted(".".join(folder.relative_to(ROOT).parts) for folder in FOLDERS) == SETUPTOOLS["packages"]


def test_every_file_beside_modules_is_listed() -> None:
    for folder in FOLDERS:
        patterns = SETUPTOOLS["package-data"].get(".".join(folder.relative_to(ROOT).parts), [])
        others = [path.name for path in folder.iterdir() if path.is_file() and path.suffix != ".py"]
        assert [name for name in others if not any(fnmatch(name, pattern) for pattern in patterns)] == []
