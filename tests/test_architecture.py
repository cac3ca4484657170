"""Pages name files that are there, and docs/architecture.md, the map of the house, names every folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAP = "docs/architecture.md"
FOLDERS = sorted(
    str(path.parent.relative_to(ROOT))
    for package in ("analysis", "orchestrator", "trainers")
    for path in (ROOT / package).rglob("__init__.py")
)
PAGES = ["README.md", *(str(page.relative_to(ROOT)) for page in sorted((ROOT / "docs").rglob("*.md")))]
_QUOTED_PATH = re.compile(r"`((?:[\w.-]+/)+[\w.-]*)`")
_OF_A_PACKAGE = re.compile(r"`((?:analysis|orchestrator|tests|trainers)/[\w./-]*)`")


@pytest.mark.parametrize("page", [MAP, "CONTRIBUTING.md"])
def test_every_path_that_a_page_names_exists(page: str) -> None:
    named = set(_QUOTED_PATH.findall((ROOT / page).read_text()))
    assert named, f"{page} names no path: has its form changed?"
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_file_of_the_packages_that_a_page_names_exists(page: str) -> None:
    named = set(_OF_A_PACKAGE.findall((ROOT / page).read_text()))
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_map_names_every_folder_of_the_packages(folder: str) -> None:
    assert f"`{folder}/`" in (ROOT / MAP).read_text()


def test_the_public_imports_of_the_map_are_there() -> None:
    section = (ROOT / MAP).read_text().partition("## Public imports")[2]
    imports = section.partition("```python\n")[2].partition("```")[0]
    assert imports.count("import") >= 3
    exec(imports, {})
