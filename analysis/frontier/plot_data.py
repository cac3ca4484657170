"""What the figure and the page of a frontier show, as plain data: positions, bars, limits, colours and markers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.drawing.axes import quality_limits
from analysis.drawing.style import MARKERS, OTHER_MARKER, REFERENCE_MARKER, architecture_colours, assign
from analysis.frontier.published_points import published_points, widened_axes
from analysis.keys import KEY, REFERENCE_METHOD
from analysis.points.labels import method_variants
from analysis.units import format_quality, quality_scale

_SMALL_RANGE = 0.005


@dataclass(frozen=True, kw_only=True)
class FrontierPlotData:
    """The contents of both figures."""

    rows: pd.DataFrame
    """The configurations, with ``x`` (bytes) and ``y`` (quality as shown), the seeds' ranges ``x_low``, ``x_high``,
    ``y_low``, ``y_high``, the method's ``variant``, ``colour`` and ``marker``, and ``outside``: whether they lie beyond
    the quality axis."""
    published: pd.DataFrame
    """The rows of papers that fit on the axes, with ``x``, ``y``, ``colour``, ``marker`` and the legend's ``label``.
    They are on no front and have no bars."""
    colours: dict[str, str]
    """The colour of each architecture."""
    markers: dict[str, str]
    """The marker of each method variant."""
    size_limits: tuple[float, float]
    quality_limits: tuple[float, float]
    quality_label: str
    maximise: bool
    note: str

    @property
    def edge(self) -> float:
        """The height at which points outside are drawn: just inside the bad end of the quality axis."""
        low, high = self.quality_limits
        return low + 0.02 * (high - low) if self.maximise else high - 0.02 * (high - low)

    @property
    def front(self) -> pd.DataFrame:
        """The frontier's rows from left to right; the last is repeated at the right edge of the figure."""
        front = self.rows[self.rows["on_front"]].sort_values(["x", *KEY])
        return pd.concat([front, front.tail(1).assign(x=self.size_limits[1])])

    @property
    def papers(self) -> dict[str, str]:
        """The label and marker of every paper that has a row drawn."""
        return dict(sorted(zip(self.published["label"], self.published["marker"], strict=True)))


def frontier_plot_data(
    configurations: pd.DataFrame, points: pd.DataFrame, published: pd.DataFrame | None = None
) -> FrontierPlotData:
    """The contents of both figures.

    Configurations without a finite quality are left out. Every other one is drawn at its representative's own size and
    test quality; bars show the range over seeds.

    Args:
        configurations: from ``summarise``.
        points: what ``summarise`` was given.
        published: from ``read_published``; rows that belong beside the others and fit on the axes are drawn.
    """
    configurations = configurations[np.isfinite(configurations["file_quality"].astype("float64"))]
    if configurations.empty:
        raise ValueError(
            f"no points to draw: of {len(points)} none has a finite quality on test"
            if len(points)
            else "no points to draw: no run has finished yet"
        )
    name, maximise = str(configurations["quality_name"].iloc[0]), bool(configurations["maximise"].iloc[0])
    factor, unit = quality_scale(name)
    groups = points.groupby(KEY)
    ranges = pd.concat(
        [
            groups["size_bytes"].agg(x_low="min", x_high="max"),
            groups["quality"].agg(y_low="min", y_high="max") * factor,
        ],
        axis=1,
    )
    variants = pd.Series(
        method_variants(list(configurations["method"]), list(configurations["config"])), configurations.index
    )
    others = sorted(set(variants[configurations["method"] != REFERENCE_METHOD]))
    colours = architecture_colours(configurations)
    markers = assign(others, MARKERS, OTHER_MARKER)
    if REFERENCE_METHOD in set(configurations["method"]):
        variants = variants.mask(configurations["method"] == REFERENCE_METHOD, REFERENCE_METHOD)
        markers[REFERENCE_METHOD] = REFERENCE_MARKER
    rows = configurations.join(ranges, on=KEY).assign(
        x=configurations["file_size_bytes"],
        y=configurations["file_quality"] * factor,
        colour=configurations["architecture"].map(colours),
        variant=variants,
        marker=variants.map(markers),
    )
    limits, worst = quality_limits(rows["y"], rows["on_front"], maximise=maximise)
    rows["outside"] = rows["y"] < worst if maximise else rows["y"] > worst
    limits = _with_bars(limits, rows[~rows["outside"]])
    size_limits = (rows["x_low"].min() / 1.25, rows["x_high"].max() * 1.25)
    free_markers = [marker for marker in MARKERS if marker not in markers.values()]
    printed = published_points(published, configurations, factor, colours, free_markers, OTHER_MARKER)
    num_hidden = 0
    if len(printed):
        shown, size_limits, limits = widened_axes(size_limits, limits, printed["x"], printed["y"])
        rows["outside"] &= ~rows["y"].between(*limits)
        printed, num_hidden = printed[shown], int((~shown).sum())
    return FrontierPlotData(
        rows=rows,
        published=printed,
        colours=colours,
        markers=markers,
        size_limits=size_limits,
        quality_limits=limits,
        quality_label=f"Test {name.replace('_', ' ')}{f' ({unit.strip()})' if unit else ''}",
        maximise=maximise,
        note=_note(rows, name, num_hidden, maximise=maximise),
    )


def _with_bars(limits: tuple[float, float], inside: pd.DataFrame) -> tuple[float, float]:
    """``limits`` widened for the bars of points in place, but not so far that points become hard to tell apart."""
    low, high = limits
    most = max(high - low, _SMALL_RANGE * max(abs(low), abs(high)))
    margin = 0.06 * (inside["y_high"].max() - inside["y_low"].min())
    return (
        min(low, max(inside["y_low"].min() - margin, low - most)),
        max(high, min(inside["y_high"].max() + margin, high + most)),
    )


def _note(rows: pd.DataFrame, name: str, num_hidden: int, *, maximise: bool) -> str:
    low, high = rows["num_seeds"].min(), rows["num_seeds"].max()
    seeds = f"{low}" if low == high else f"{low} to {high}"
    words = [f"bars: range over {seeds} seeds"] if high > 1 else []
    outside = rows.loc[rows["outside"], "file_quality"]
    if not outside.empty:
        arrow, farthest = ("▼", outside.min()) if maximise else ("▲", outside.max())
        where = "at" if len(outside) == 1 else "down to" if maximise else "up to"
        words.append(f"{arrow} {len(outside)} off the axis, {where} {format_quality(farthest, name)}")
    if num_hidden:
        words.append(f"{num_hidden} printed point{'s' if num_hidden > 1 else ''} beyond the axes")
    return "    ".join(words)
