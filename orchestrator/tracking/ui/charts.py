"""Charts and columns as MLflow's UI keeps them in a saved view. Undocumented: read from the UI of MLflow 3.17."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrator.tracking.ui.links import MAX_ROWS

Card = dict[str, Any]

_FEW_AXES = 12
"""More axes of parallel coordinates cannot be told apart on a card."""


def metric(name: str) -> str:
    """A metric as the UI names it in columns and sorting."""
    return f"metrics.`{name}`"


def param(name: str) -> str:
    """A parameter as the UI names it in columns."""
    return f"params.`{name}`"


def scatter(x: str, y: str) -> Card:
    """A card that shows each run as a point over two metrics. The UI has no logarithmic axis here."""
    return {
        "type": "SCATTER",
        "xaxis": {"key": x, "type": "METRIC"},
        "yaxis": {"key": y, "type": "METRIC"},
        "runsCountToCompare": MAX_ROWS,
    }


def parallel(params: Sequence[str], metrics: Sequence[str]) -> Card:
    """A card that shows each run that has all of these as a line, coloured by the last metric."""
    axes = list(params)[: _FEW_AXES - len(metrics)]
    return {"type": "PARALLEL", "selectedParams": axes, "selectedMetrics": list(metrics), "showAllRuns": True}


def line(name: str, *, logarithmic: bool = False) -> Card:
    """A card that shows a metric over training steps, each run as a line."""
    return {
        "type": "LINE",
        "metricKey": name,
        "selectedMetricKeys": [name],
        "xAxisKey": "step",
        "xAxisScaleType": "linear",
        "scaleType": "log" if logarithmic else "linear",
        "yAxisKey": "metric",
        "yAxisExpressions": [],
        "selectedXAxisMetricKey": "",
        "lineSmoothness": 0,
        "range": {},
        "ignoreOutliers": False,
        "useGlobalXaxisKey": False,
        "useGlobalLineSmoothing": False,
        "runsCountToCompare": MAX_ROWS,
    }


def section(title: str, cards: Sequence[Card], *, without: Sequence[str]) -> dict[str, Any]:
    """A section of the UI's page with these charts and no others.

    Args:
        title: the section's title.
        cards: its charts, from the functions above.
        without: metrics for which the UI would add a bar chart of its own: all that the shown runs have.
    """
    section_id = "ratefront"
    shared = {"metricSectionId": section_id, "deleted": False, "isGenerated": False}
    own = [{"uuid": f"ratefront-{number}", **card, **shared} for number, card in enumerate(cards)]
    bars = [
        {
            "uuid": f"ratefront-no-{name}",
            "type": "BAR",
            "metricKey": name,
            **shared,
            "deleted": True,
            "isGenerated": True,
        }
        for name in without
    ]
    shown = {"uuid": section_id, "name": title, "display": True, "columns": 2, "cardHeight": 420}
    sections = [{**shown, "isReordered": False, "deleted": False, "isGenerated": False}]
    return {"compareRunCharts": own + bars, "compareRunSections": sections, "isAccordionReordered": True}
