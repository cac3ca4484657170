"""The frontier: an interactive figure for the screen, a static one for paper and without scripts, and its table."""

from __future__ import annotations

from analysis.frontier.columns import IN_REPORT, shown
from analysis.frontier.figure import frontier_figure
from analysis.frontier.page import frontier_part
from analysis.report.charts import chart
from analysis.report.markup import Html, element, folded, note, section, table
from analysis.report.material import Material
from analysis.signals import SENTENCE

_HEIGHT_PX = 560
_PAPER_IN = 7.0
"""The width of a sheet's text, so that letters print at their size."""
_MOST_ROWS = 25
"""A table with more rows is folded."""


def frontier(material: Material) -> Html:
    """The two figures, one of which is seen, and the table."""
    given = (material.configurations, material.points)
    plot = frontier_part(*given, height_px=_HEIGHT_PX, ui_url=material.ui_url, published=material.published)
    figure = frontier_figure(*given, title="", width_in=_PAPER_IN, published=material.published)
    rows = frontier_table(material)
    clicks = ", click to open its run in MLflow" if material.ui_url else ""
    return section(
        "frontier",
        "The frontier",
        element("div", Html(plot), class_="interactive"),
        element("div", chart(figure, "frontier", "Quality over file size, with the frontier"), class_="static"),
        note(
            f"{_drawn(material)} Bars are the range over seeds. On screen hover for all numbers{clicks}; "
            "the legend hides and shows."
        ),
        rows if len(material.front) <= _MOST_ROWS else folded(f"All {len(material.front)} rows as a table", rows),
        note(
            f"Size and {material.split} quality of a row are those of its file; means and standard deviations are over "
            "seeds. The same numbers of all configurations are in frontier/frontier.csv, beside this page in MLflow."
        ),
    )


def _drawn(material: Material) -> str:
    """What the axes and the line are."""
    if material.is_fitted:
        return (
            f"{SENTENCE} Smaller is left, and sizes are logarithmic. The line "
            "goes through the configurations that no other beats in both mean size and mean quality."
        )
    return (
        "Test quality over file size; smaller is left, and sizes are logarithmic. The line goes through the "
        "configurations that no other beats in both mean size and mean validation quality, and may fall where "
        "validation and test disagree."
    )


def frontier_table(material: Material) -> Html:
    """Every configuration on the frontier, smallest first."""
    columns = shown(IN_REPORT, material.configurations)
    headings = [column.title(material.quality_name) for column in columns]
    rows = [[column.format(row) for column in columns] for row in material.front.to_dict("records")]
    return table(headings, rows, numbers=[place for place, column in enumerate(columns) if column.is_number])
