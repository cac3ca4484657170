"""Published rows beside the measured points: how they look, and how far axes widen for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, repeat

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.typing import ArrayLike

from analysis.points.published import belonging

_LEAST_SHARE = 0.2
"""The least share of each axis that the measured points keep."""
_LEAST_DECADES, _LEAST_QUALITY = 0.5, 0.01
"""A measured range counts as at least half a decade of bytes, and as at least one percent of the quality."""
_MARGINS = (0.1, 0.06)
"""The gap between a point and the end of an axis: decades of bytes, shares of the measured range of quality."""

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
        configurations: the measured configurations that are drawn.
        factor: what a quality is multiplied by where it is shown.
        colours: the colour of each architecture.
        markers: the free markers, one for each label of the legend.
        other_marker: the marker of labels beyond the end of ``markers``.
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
    """Which published points to show, and the axes widened for them; the nearest points are tried first.

    Args:
        size_limits, quality_limits: the axes that the measured points need; sizes are drawn as logarithms.
        size_bytes, quality: (num_points,), the published points.

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
        if (wider[:, 1] - wider[:, 0] <= spans / _LEAST_SHARE).all():
            axes, shown[index] = wider, True
    (small, large), (low, high) = axes.tolist()
    return shown, (10.0**small, 10.0**large), (low, high)
