"""What the figures of a comparison show, as plain data: a line of steps for each side, its band, limits, colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.comparison.compare import Comparison, Side
from analysis.drawing.axes import SizeUnit
from analysis.drawing.published_points import fitted_in, note_on_printed, published_points
from analysis.drawing.quality_axis import QualityAxis, quality_axis
from analysis.drawing.style import COLOURS, MARKERS
from analysis.fidelity import BY_QUALITY_NAME
from analysis.fronts.attainment import Band, band, median
from analysis.fronts.pareto import Front
from analysis.signals import FITTED
from analysis.units import quality_bounds, quality_label, quality_scale

_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (5, 1.5, 1.5, 1.5)))
"""Line styles, so that lines are told apart in grey print too."""
BAND = 0.18
"""The opacity of a band: two bands over each other stay readable."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Line:
    """What a figure draws of one side."""

    side: Side
    colour: str
    symbol: str
    dashes: Any
    front: Front
    """The front that more than half of the seeds attain; the side's own front where there is no band."""
    band: Band | None
    """The range from the best seed to the worst; None unless several seeds ran the same configurations."""
    files: pd.DataFrame
    """The side's configurations on its front, as ``summarise`` gives them; each file gets a marker."""

    @property
    def best(self) -> float:
        """The best quality of the band."""
        return float((self.front.quality if self.band is None else self.band.best)[-1])


@dataclass(frozen=True, kw_only=True, eq=False)
class ComparisonPlotData:
    """What the figure on paper and the one on the page both show."""

    lines: tuple[Line, ...]
    size_limits: tuple[float, float]
    """In bytes; ``size_unit`` says what the axis counts in."""
    size_unit: SizeUnit
    axis: QualityAxis
    """The axis of quality: every point of every line, every marker and the best of every band is on it."""
    quality_label: str
    note: str
    published: pd.DataFrame
    """The curves of papers that belong beside the lines and fit on the axes, as ``published_points`` gives them."""


def comparison_plot_data(comparison: Comparison, published: pd.DataFrame | None = None) -> ComparisonPlotData:
    """Lines, bands and axes that show them, every point of every front among them.

    Args:
        comparison: what to draw.
        published: from ``read_published``; curves on the same images are drawn.
    """
    factor, _ = quality_scale(comparison.quality_name)
    lines = [_line(side, index) for index, side in enumerate(comparison.sides)]
    sizes = np.concatenate(
        [sizes for line in lines for sizes in (line.front.size_bytes, line.files["file_size_bytes"])]
    )
    quality = factor * np.concatenate(
        [quality for line in lines for quality in (line.front.quality, line.files["file_quality"])]
    )
    maximise = comparison.anchor.front.maximise
    best = factor * np.array([line.best for line in lines])  # one seed's best may lie beyond every line
    is_log = comparison.quality_name in BY_QUALITY_NAME and bool((quality > 0).all() and (best > 0).all())
    bounds = quality_bounds(comparison.quality_name)
    axis = quality_axis(quality, np.ones(len(quality), np.bool_), maximise=maximise, bounds=bounds, is_log=is_log)
    axis = axis.widened(float(best.min()), float(best.max()), with_margin=True)
    size_limits = float(sizes.min()) / 1.25, float(sizes.max()) * 1.25
    of_images = None if published is None else published[published["images"] != ""]
    free = [marker for marker in MARKERS if marker not in {line.symbol for line in lines}]
    every = published_points(of_images, _drawn(comparison), factor, {}, free)
    printed, size_limits, axis = fitted_in(every, size_limits, axis)
    return ComparisonPlotData(
        lines=tuple(lines),
        published=printed,
        size_unit=SizeUnit.of(pd.concat([side.configurations for side in comparison.sides])),
        size_limits=size_limits,
        axis=axis,
        quality_label=quality_label(comparison.quality_name, maximise=maximise, split=comparison.split),
        note="; ".join([FITTED] * comparison.is_fitted + [_note(lines, axis), *note_on_printed(every, printed)]),
    )


def _drawn(comparison: Comparison) -> pd.DataFrame:
    """The configurations of all sides, one row for each file in turn."""
    every = [
        side.configurations.merge(pd.DataFrame({"task_file": side.repeats.files or [""]}), how="cross")
        for side in comparison.sides
    ]
    return pd.concat(every, ignore_index=True)


def _line(side: Side, index: int) -> Line:
    return Line(
        side=side,
        colour=COLOURS[index % len(COLOURS)],
        symbol=MARKERS[index % len(MARKERS)],
        dashes=_DASHES[(index + index // len(COLOURS)) % len(_DASHES)],
        front=median(side.seeds) if side.seeds else side.front,
        band=band(side.seeds) if side.seeds else None,
        files=side.configurations[side.configurations["on_front"]],
    )


def _note(lines: list[Line], axis: QualityAxis) -> str:
    stretched = "; axis stretched towards the best" * axis.is_stretched
    banded = [line for line in lines if line.band is not None]
    if not banded:
        several = any(line.side.repeats.num_seeds.max() > 1 for line in lines)
        over = "the task's files" if any(line.side.repeats.files for line in lines) else "seeds"
        return f"line: {f'means over {over}' if several else 'one seed'}; markers: files of each frontier{stretched}"
    counts = " or ".join(map(str, sorted({len(line.side.seeds) for line in banded})))
    without = [line.side.name for line in lines if line.band is None]
    others = f"; too few seeds of {' and '.join(without)}" if without else ""
    return (
        f"line: median of {counts} seeds, band: best to worst; markers: files of the frontier of means"
        f"{others}{stretched}"
    )
