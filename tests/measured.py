"""Tables in docs/ that are made from results/: `python -m tests.measured` writes them anew, a system test compares.

A page has `<!-- results/digits: 0.95 0.97 -->` before each: the folder, and the qualities at which bytes are given.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from analysis.comparison.compare import Comparison, compare
from analysis.units import format_quality, format_size
from orchestrator.reports.comparison import By, sides_of

ROOT = Path(__file__).parents[1]
PAGES = sorted(path for path in (ROOT / "docs").glob("*.md") if "<!-- results/" in path.read_text())
ANCHORS = ("ptq", "epr")
_BLOCK = re.compile(r"<!-- (?P<folder>results/\w+): (?P<levels>[\d. ]+) -->\n\n(?P<table>(?:\|.*\n)*)")


def with_tables(text: str) -> str:
    """Return a page's ``text`` with all its tables as they have to be."""

    def block(found: re.Match[str]) -> str:
        levels = [float(level) for level in found["levels"].split()]
        lines = methods_table(ROOT / found["folder"], levels)
        return f"<!-- {found['folder']}: {found['levels']} -->\n\n" + "".join(f"{line}\n" for line in lines)

    return _BLOCK.sub(block, text)


def methods_table(folder: Path, levels: list[float]) -> list[str]:
    """Lines of Markdown: the bytes of each method of an exported sweep at each quality, and its rates to ``ANCHORS``.

    Methods are in the order of bytes at the middle of ``levels``. Brackets hold a BD-rate's interval, and the overlap.
    """
    found = {anchor: compare(sides_of("", [str(folder)], by=By.METHOD, anchor=anchor)) for anchor in ANCHORS}
    name = found[ANCHORS[0]].quality_name
    heads = ["method", *(format_quality(level, name).replace(".00", "") for level in levels), "best"]
    rows = [heads + [f"BD-rate to `{anchor}`" for anchor in ANCHORS], ["---"] * (len(heads) + len(ANCHORS))]
    middle = levels[len(levels) // 2]
    sides = sorted(found[ANCHORS[0]].sides, key=lambda side: np.nan_to_num(side.front.size_at([middle])[0], nan=np.inf))
    rows += [
        [
            f"`{side.name}`",
            *(format_size(size) for size in side.front.size_at(levels)),
            format_quality(side.front.quality[-1], name),
            *(_rate(found[anchor], side.name) for anchor in ANCHORS),
        ]
        for side in sides
    ]
    return [f"| {' | '.join(row)} |" for row in rows]


def _rate(comparison: Comparison, name: str) -> str:
    found = {one.name: one for one in comparison.against}
    if name not in found:
        return ""
    rate, interval = found[name].rate, found[name].rate_interval
    if rate is None:
        return "-"
    digits = 0 if abs(rate.pchip) >= 100 else 1
    sure = "no interval" if interval is None else f"{interval.low:+.{digits}f} to {interval.high:+.{digits}f}"
    return f"{rate.pchip:+.{digits}f} % ({sure}; {100 * rate.overlap:.0f} %)"


def main() -> None:
    for page in PAGES:
        page.write_text(with_tables(page.read_text()))


if __name__ == "__main__":
    main()
