"""Published rows beside the measured points: how they look, and how far axes widen for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.typing import ArrayLike

from analysis.drawing.legend import curve
from analysis.drawing.quality_axis import QualityAxis
from analysis.drawing.style import GREY, OTHER_MARKER
from analysis.points.published import belonging

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEAST_SHARE, _LEAST_BESIDE_CURVES = 0.2, 0.5
"""The least share of each axis that the measured points keep: a curve need not be seen to its ends."""
_LEAST_DECADES, _LEAST_QUALITY = 0.5, 0.01
"""A measured range counts as at least half a decade of bytes, and as at least one percent of the quality."""
_MARGINS = (0.1, 0.06)
"""The gap between a point and the end of an axis: decades of bytes, shares of the measured range of quality."""
_ODD_BYTES = {"payload": "payload only", "computed": "no file"}
"""What a legend says of the bytes that are not those of files."""

Limits = tuple[float, float]


def published_points(
    published: pd.DataFrame | None,
    drawn: pd.DataFrame,
    factor: float,
    colours: Mapping[str, str],
    markers: Sequence[str],
) -> pd.DataFrame:
    """The published rows that belong beside ``drawn``, with ``x``, ``y``, ``colour``, ``marker``, ``label``.

    Args:
        published: from ``read_published``; None for no rows.
        drawn: the measured points that are drawn.
        factor: what a quality is multiplied by where it is shown.
        colours: the colour of each architecture; what belongs to none is grey.
        markers: the free markers, one for each label of the legend; labels beyond the end share one.
    """
    if published is None:
        return pd.DataFrame(columns=["x", "y", "colour", "marker", "label", "images"])
    rows = belonging(published, drawn)
    labels = [_label(row) for row in rows.to_dict("records")]
    symbols = dict(zip(sorted(set(labels)), chain(markers, repeat(OTHER_MARKER)), strict=False))
    return rows.assign(
        x=rows["size_bytes"],
        y=rows["quality"] * factor,
        colour=[colours.get(name, GREY) for name in rows["beside"]],
        marker=[symbols[label] for label in labels],
        label=labels,
    )


def _label(row: Mapping[Any, Any]) -> str:
    """The text of the legend: who, what, and what is odd about it."""
    odd = _ODD_BYTES.get(row["counted"], ""), "other images" if row["apart"] else ""
    return f"{row['source']} ({', '.join([row['method'], *filter(None, odd)])})"


def curves(printed: pd.DataFrame) -> list[pd.DataFrame]:
    """The rows of each curve from left to right: those of images that share a label."""
    of_images = printed[printed["images"] != ""]
    return [rows.sort_values("x") for _, rows in of_images.groupby("label")]


def draw_curves(axes: Axes, printed: pd.DataFrame, scale: float) -> None:
    """Draw the curves of ``published_points``, below what is measured."""
    for rows in curves(printed):
        style = curve(str(rows["marker"].iloc[0]), scale)
        axes.plot(rows["x"], rows["y"], zorder=1.5, gid="published", **style)


def note_on_printed(every: pd.DataFrame, shown: pd.DataFrame) -> list[str]:
    """What a figure's note says of ``published_points``: which images others are, and how many are not shown."""
    others, num_hidden = sorted({*shown.get("apart", [])} - {""}), len(every) - len(shown)
    words = [f"other images: {', '.join(others)}"] if others else []
    return words + [f"{num_hidden} printed point{'s' * (num_hidden > 1)} beyond the axes"] * (num_hidden > 0)


def fitted_in(
    printed: pd.DataFrame, size_limits: Limits, axis: QualityAxis, /
) -> tuple[pd.DataFrame, Limits, QualityAxis]:
    """The rows of ``published_points`` that are shown, and the axes widened for them.

    Args:
        printed: from ``published_points``.
        size_limits, axis: the axes that the measured points need.
    """
    if printed.empty:
        return printed, size_limits, axis
    low, high = axis.place(axis.limits).tolist()
    least_share = _LEAST_BESIDE_CURVES if (printed["images"] != "").any() else _LEAST_SHARE
    shown, size_limits, places = widened_axes(
        size_limits, (low, high), printed["x"], axis.place(printed["y"]), least_share=least_share
    )
    return printed[shown], size_limits, axis.widened(*axis.quality(places).tolist())


def widened_axes(
    size_limits: Limits,
    quality_limits: Limits,
    size_bytes: ArrayLike,
    quality: ArrayLike,
    /,
    *,
    least_share: float = _LEAST_SHARE,
) -> tuple[npt.NDArray[np.bool_], Limits, Limits]:
    """Which published points to show, and the axes widened for them; the nearest points are tried first.

    Args:
        size_limits, quality_limits: the axes that the measured points need; sizes are drawn as logarithms.
        size_bytes, quality: (num_points,), the published points.
        least_share: of each axis, which the measured range keeps.

    Returns:
        Whether each point is shown, (num_points,); the limits of the size axis; those of the quality axis.
    """
    axes = np.array([np.log10(size_limits), quality_limits])  # (2 axes, 2 ends)
    points = np.column_stack([np.log10(np.asarray(size_bytes, dtype=np.float64)), quality])  # (num_points, 2 axes)
    spans = np.maximum(axes[:, 1] - axes[:, 0], (_LEAST_DECADES, _LEAST_QUALITY * np.abs(axes[1]).max()))
    margins = _MARGINS * np.array([1.0, spans[1]])
    distances = np.maximum(axes[:, 0] - points, points - axes[:, 1]).clip(0) / spans
    shown = np.zeros(len(points), dtype=np.bool_)
    for index in np.argsort(distances.max(axis=1), kind="stable"):
        wider = np.column_stack(
            [np.minimum(axes[:, 0], points[index] - margins), np.maximum(axes[:, 1], points[index] + margins)]
        )
        if (wider[:, 1] - wider[:, 0] <= spans / least_share).all():
            axes, shown[index] = wider, True
    (small, large), (low, high) = axes.tolist()
    return shown, (10.0**small, 10.0**large), (low, high)
