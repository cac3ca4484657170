"""What the figure and the page of a frontier show, as plain data: positions, bars, limits, colours and markers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.drawing.axes import SizeUnit
from analysis.drawing.beyond import ARROW
from analysis.drawing.published_points import fitted_in, note_on_printed, published_points
from analysis.drawing.quality_axis import QualityAxis, quality_axis
from analysis.drawing.style import MARKERS, OTHER_MARKER, REFERENCE_MARKER, architecture_colours, assign
from analysis.fidelity import BY_QUALITY_NAME
from analysis.fronts.over_files import over_files
from analysis.keys import KEY, REFERENCE_METHOD
from analysis.points.labels import method_variants
from analysis.signals import FITTED, is_fitted, split_of
from analysis.units import quality_bounds, quality_label, quality_scale

_SMALL_RANGE = 0.005
_MOST_NAMED = 4
_ROUNDING = 1e-9


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
    """In bytes, as ``x`` is; ``size_unit`` says what the axis counts in."""
    size_unit: SizeUnit
    axis: QualityAxis
    """The axis of quality: every configuration on the front is in place, and what is ``outside`` in the strip."""
    quality_label: str
    maximise: bool
    note: str

    @property
    def front(self) -> pd.DataFrame:
        """The frontier's rows from left to right; the last is repeated at the right edge of the figure."""
        front = self.rows[self.rows["on_front"]].sort_values(["x", *KEY])
        return pd.concat([front, front.tail(1).assign(x=self.size_limits[1])])

    @property
    def falls(self) -> NDArray[np.bool_]:
        """Which rows of ``front`` a smaller file on it beats as drawn: there the line runs below what was reached."""
        gain = (1.0 if self.maximise else -1.0) * self.front["y"].to_numpy(np.float64)
        reached = np.maximum.accumulate(gain)
        found: NDArray[np.bool_] = gain < reached - _ROUNDING * np.abs(reached)
        return found

    @property
    def on_test(self) -> str:
        """Where the line is drawn, in the legend: ``" on test"``, or nothing where validation draws it as well."""
        name = str(self.rows["quality_name"].iloc[0])
        return " on test" if split_of(name, fitted=is_fitted(self.rows)) == "test" else ""

    @property
    def risen(self) -> tuple[list[float], list[float]]:
        """The parts of the frontier's line that no smaller file beats, corner by corner, with NaN between parts."""
        x, y, falls = self.front["x"].tolist(), self.front["y"].tolist(), self.falls.tolist()
        corners: list[tuple[float, float]] = []
        for index in range(len(x) - 1):
            if falls[index]:
                corners.append((np.nan, np.nan))
                continue
            corners += [(x[index], y[index]), (x[index + 1], y[index])]
        return [place for place, _ in corners], [height for _, height in corners]

    @property
    def papers(self) -> dict[str, str]:
        """The label and marker of every paper that has a row drawn."""
        return dict(sorted(zip(self.published["label"], self.published["marker"], strict=True)))


def frontier_plot_data(
    configurations: pd.DataFrame, points: pd.DataFrame, published: pd.DataFrame | None = None
) -> FrontierPlotData:
    """The contents of both figures.

    Configurations without a finite quality are left out. Every other one is drawn at its representative's own size and
    test quality; bars show the range over seeds. Where a distance stands for the quality, its axis is logarithmic if
    all are positive; uncompressed networks that are the given one lie at 0, and the note counts them.

    Args:
        configurations: from ``summarise``.
        points: what ``summarise`` was given.
        published: from ``read_published``; rows that belong beside the others and fit on the axes are drawn.
    """
    configurations = configurations[np.isfinite(configurations["file_quality"].astype("float64"))]
    is_distance = bool(configurations["quality_name"].isin(BY_QUALITY_NAME).any())
    is_copy = is_distance & (configurations["method"] == REFERENCE_METHOD) & (configurations["file_quality"] == 0)
    num_copies = int(is_copy.sum()) if not is_copy.all() else 0
    configurations = configurations[~is_copy] if num_copies else configurations
    if configurations.empty:
        raise ValueError(
            f"no points to draw: of {len(points)} none has a finite quality"
            if len(points)
            else "no points to draw: no run has finished yet"
        )
    name, maximise = str(configurations["quality_name"].iloc[0]), bool(configurations["maximise"].iloc[0])
    fitted = is_fitted(configurations)
    factor, _ = quality_scale(name)
    groups = over_files(points).groupby(KEY)
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
    colours = architecture_colours(configurations)
    markers = _markers(variants[configurations["method"] != REFERENCE_METHOD], configurations["on_front"])
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
    is_log = is_distance and bool((rows["y_low"] > 0).all())
    axis = quality_axis(rows["y"], rows["on_front"], maximise=maximise, bounds=quality_bounds(name), is_log=is_log)
    axis = _with_bars(axis, rows[axis.inside(rows["y"])])
    size_limits = (rows["x_low"].min() / 1.25, rows["x_high"].max() * 1.25)
    free_markers = [marker for marker in MARKERS if marker not in markers.values()]
    is_drawn = points.set_index(KEY).index.isin(configurations.set_index(KEY).index)
    every = published_points(published, points[is_drawn], factor, colours, free_markers)
    printed, size_limits, axis = fitted_in(every, size_limits, axis)
    rows["outside"] = ~axis.inside(rows["y"])
    (low, high), ends = axis.limits, ["y_low", "y_high"]
    rows[ends] = rows[ends].clip(low, high)  # a bar does not reach into the strip
    plot = FrontierPlotData(
        rows=rows,
        published=printed,
        colours=colours,
        markers=markers,
        size_limits=size_limits,
        size_unit=SizeUnit.of(configurations),
        axis=replace(axis, has_strip=bool(rows["outside"].any())),
        quality_label=quality_label(name, maximise=maximise, split=split_of(name, fitted=fitted)),
        maximise=maximise,
        note="",
    )
    return replace(
        plot, note=_note(plot, note_on_printed(every, printed), num_copies, is_distance=is_distance, fitted=fitted)
    )


def _markers(variants: pd.Series, on_front: pd.Series) -> dict[str, str]:
    """The marker of each variant. Where there are too few, those off the front share one."""
    names = sorted(set(variants))
    if len(names) <= len(MARKERS):
        return assign(names, MARKERS, OTHER_MARKER)
    first = set(variants[on_front[variants.index]])
    found = assign(sorted(names, key=lambda name: (name not in first, name)), MARKERS, OTHER_MARKER)
    return {name: found[name] for name in names}


def _with_bars(axis: QualityAxis, inside: pd.DataFrame) -> QualityAxis:
    """``axis`` widened for the bars of points in place, but not so far that points become hard to tell apart."""
    low, high = axis.limits
    most = max(high - low, _SMALL_RANGE * max(abs(low), abs(high)))
    lowest, highest = max(inside["y_low"].min(), low - most), min(inside["y_high"].max(), high + most)
    if axis.is_log:
        lowest, highest = max(inside["y_low"].min(), low * low / high), min(inside["y_high"].max(), high * high / low)
    return axis.widened(lowest, highest, with_margin=True)


def _note(plot: FrontierPlotData, on_printed: list[str], num_copies: int, *, is_distance: bool, fitted: bool) -> str:
    rows, num_falls = plot.rows, int(plot.falls[:-1].sum())
    low, high = rows["num_seeds"].min(), rows["num_seeds"].max()
    words = [FITTED] if fitted else []
    words += [f"bars: range over {low if low == high else f'{low} to {high}'} seeds"] if high > 1 else []
    if num_falls:
        drawn = (
            "by means over seeds, drawn at one file each" if is_distance or fitted else "on validation, drawn on test"
        )
        words.append(
            f"frontier: chosen {drawn}, where {num_falls} of its {len(plot.falls) - 1} files "
            f"{'are' if num_falls > 1 else 'is'} worse than a smaller one (dotted)"
        )
    num_alike = list(plot.markers.values()).count(OTHER_MARKER)
    if num_alike > 1:
        words.append(f"{num_alike} methods share a marker: there are too few")
    if plot.axis.is_stretched:
        words.append("axis stretched towards the best")
    counts = rows.loc[rows["outside"], "method"].value_counts()
    if len(counts):
        named = [f"{count} {method}" for method, count in counts.items()]
        owners = named if len(named) <= _MOST_NAMED else [f"{counts.sum()} files of {len(named)} methods"]
        words.append(f"{ARROW[plot.maximise]} beyond the axis, with their values: {', '.join(owners)}")
    if num_copies:
        words.append(f"{num_copies} uncompressed, the given network itself, at 0")
    return "; ".join(words + on_printed)
