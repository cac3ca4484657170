"""From runs to rate-accuracy frontiers: loading, choosing, figures and tables.

The names in ``__all__`` are public and stay: ``from analysis import summarise``. Everything else may move. A name's
module is loaded when the name is first used, so ``import analysis`` alone costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.comparison.compare import compare
    from analysis.comparison.difference_figure import difference_figure
    from analysis.comparison.figure import comparison_figure
    from analysis.comparison.page import comparison_html
    from analysis.comparison.tables import comparison_tables
    from analysis.comparison.verdict import verdicts
    from analysis.configurations.best import best
    from analysis.configurations.recommended import baseline, optimism, recommended, sizes_within
    from analysis.configurations.summary import summarise
    from analysis.fidelity import judged_by
    from analysis.frontier.figure import frontier_figure
    from analysis.frontier.page import frontier_html
    from analysis.frontier.table import frontier_table
    from analysis.fronts.attainment import band, difference, vorobev
    from analysis.points.exported import read_points
    from analysis.points.mlflow import load_points
    from analysis.points.published import SHIPPED, belonging, read_published
    from analysis.points.qualities import judged_by_quality
    from analysis.units import format_quality, format_size

__all__ = [
    "SHIPPED",
    "band",
    "baseline",
    "belonging",
    "best",
    "compare",
    "comparison_figure",
    "comparison_html",
    "comparison_tables",
    "difference",
    "difference_figure",
    "format_quality",
    "format_size",
    "frontier_figure",
    "frontier_html",
    "frontier_table",
    "judged_by",
    "judged_by_quality",
    "load_points",
    "optimism",
    "read_points",
    "read_published",
    "recommended",
    "sizes_within",
    "summarise",
    "verdicts",
    "vorobev",
]

_MODULES = {
    # points
    "load_points": "points.mlflow",
    "read_points": "points.exported",
    "read_published": "points.published",
    "belonging": "points.published",
    "SHIPPED": "points.published",
    "judged_by": "fidelity",
    "judged_by_quality": "points.qualities",
    # configurations
    "summarise": "configurations.summary",
    "best": "configurations.best",
    "baseline": "configurations.recommended",
    "optimism": "configurations.recommended",
    "recommended": "configurations.recommended",
    "sizes_within": "configurations.recommended",
    # what seeds attain
    "band": "fronts.attainment",
    "difference": "fronts.attainment",
    "vorobev": "fronts.attainment",
    # showing the frontier
    "frontier_figure": "frontier.figure",
    "frontier_html": "frontier.page",
    "frontier_table": "frontier.table",
    # comparing, and showing a comparison
    "compare": "comparison.compare",
    "comparison_figure": "comparison.figure",
    "comparison_html": "comparison.page",
    "comparison_tables": "comparison.tables",
    "difference_figure": "comparison.difference_figure",
    "verdicts": "comparison.verdict",
    # numbers as people read them
    "format_quality": "units",
    "format_size": "units",
}
"""The module of each public name."""

if not TYPE_CHECKING:  # a type checker would accept any name

    def __getattr__(name: str) -> object:
        """Import what is public when it is first used (PEP 562)."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
