"""Links between files of the repository lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    *ROOT.glob("*.md"),
    *(
        page
        for folder in ("benchmarks", "docs", "examples", "infra", "results")
        for page in (ROOT / folder).rglob("*.md")
    ),
]
LINK = re.compile(r"\]\(([^)\s#]*)(?:#([^)\s]+))?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for path, anchor in LINK.findall(page.read_text()):
        if path.startswith(("http://", "https://")):
            continue
        target = page.parent / path if path else page
        assert target.exists(), f"{page}: {path}"
        if anchor:
            assert anchor in anchors(target), f"{page}: {path}#{anchor}"


def anchors(page: Path) -> set[str]:
    """The anchors that a forge makes from the headings of ``page``."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
