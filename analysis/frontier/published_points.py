"""Published rows beside the measured points: how they look, and axes that widen for them, within bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, repeat

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.typing import ArrayLike

from analysis.points.published import belonging

_LEAST_SHARE = 0.2
"""Of each axis: what stays to the measured points."""
_LEAST_DECADES, _LEAST_QUALITY = 0.5, 0.01
"""A measured range that is narrower than half a decade of bytes, or than one percent of the quality, counts as this."""
_MARGINS = (0.1, 0.06)
"""Between a point and the end of the axis: decades of bytes, and shares of the measured range of quality."""

Limits = tuple[float, float]


def published_points(
    published: pd.DataFrame | None,
    configurations: pd.DataFrame,
    factor: float,
    colours: Mapping[str, str],
    markers: Sequence[str],
    other_marker: str,
) -> pd.DataFrame:
    """The published rows that belong beside ``configurations``, with ``x``, ``y``, ``colour``, ``marker``, ``label``.

    Args:
        published: from ``read_published``; None for no rows.
        configurations: what is drawn.
        factor: from a quality to what is shown.
        colours: of architectures.
        markers: one for each label, which is what a legend says; ``other_marker`` for those beyond its end.
    """
    if published is None:
        return pd.DataFrame(columns=["x", "y", "colour", "marker", "label"])
    rows = belonging(published, configurations)
    labels = [
        f"{row['source']} ({row['method']}{', payload only' if row['counted'] == 'payload' else ''})"
        for row in rows.to_dict("records")
    ]
    symbols = dict(zip(sorted(set(labels)), chain(markers, repeat(other_marker)), strict=False))
    return rows.assign(
        x=rows["size_bytes"],
        y=rows["quality"] * factor,
        colour=rows["beside"].map(colours),
        marker=[symbols[label] for label in labels],
        label=labels,
    )


def widened_axes(
    size_limits: Limits, quality_limits: Limits, size_bytes: ArrayLike, quality: ArrayLike, /
) -> tuple[npt.NDArray[np.bool_], Limits, Limits]:
    """Which of some points to show, and the axes that show them; the nearest come first.

    Args:
        size_limits, quality_limits: of the axes that the measured points need; sizes are drawn as logarithms.
        size_bytes, quality: (num_points,), of points that are not measured.

    Returns:
        (num_points,), bool, whether a point is shown; the size axis, the quality axis.
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
        if (wider[:, 1] - wider[:, 0] <= spans / _LEAST_SHARE).all():
            axes, shown[index] = wider, True
    (small, large), (low, high) = axes.tolist()
    return shown, (10.0**small, 10.0**large), (low, high)
