"""The configuration to ship: the best within a budget of bytes, or the smallest that is good enough.

Validation chooses, test reports: nothing here reads ``quality``, only ``quality_val``.
"""

from __future__ import annotations

import pandas as pd

from analysis.keys import KEY
from analysis.units import format_quality, quality_scale, quality_words


def best(
    configurations: pd.DataFrame, *, max_size_bytes: float | None = None, min_quality: float | None = None
) -> pd.Series:
    """The configuration to ship: the best within a budget, or the smallest that is good enough.

    Limits hold for the file that ships, the representative, as the frontier's table lists it. Of the files that fit,
    that of the best mean quality over seeds is chosen, which one lucky seed does not decide. A configuration with a
    failed seed is never chosen.

    Args:
        configurations: those of one task, from ``summarise``.
        max_size_bytes: choose the best mean validation quality among files that are no larger.
        min_quality: choose the smallest file among those whose validation quality is no worse: at least this where the
            task maximises, at most this where it minimises.

    Raises:
        ValueError: nothing qualifies, the call does not set exactly one limit, or ``min_quality`` is no quality.
    """
    if (max_size_bytes is None) == (min_quality is None):
        raise ValueError(f"got {max_size_bytes=}, {min_quality=}: wanted exactly one of the two")
    sign = 1.0 if configurations["maximise"].all() else -1.0
    measured = configurations.assign(
        gain=sign * configurations["quality_val_mean"], file_gain=sign * configurations["file_quality_val"]
    ).dropna(subset=["gain"])
    if measured.empty:
        raise ValueError("no measured configuration to choose from: run a sweep first")
    measured = measured[measured["num_failed"] == 0]
    if measured.empty:
        raise ValueError("no configuration to choose from: of each, a seed failed; run the failed trials again")
    if max_size_bytes is not None:
        chosen = measured[measured["file_size_bytes"] <= max_size_bytes].sort_values(
            ["gain", "file_size_bytes", *KEY], ascending=[False, True, True, True, True]
        )
        smallest = int(measured["file_size_bytes"].min())
        complaint = f"nothing fits in {max_size_bytes:,.0f} B: the smallest file has {smallest:,} B"
    else:
        assert min_quality is not None
        name, most = str(measured["quality_name"].iloc[0]), float(measured["file_gain"].max())
        _check_quality(name, min_quality)
        chosen = measured[measured["file_gain"] >= sign * min_quality].sort_values(
            ["file_size_bytes", "gain", *KEY], ascending=[True, False, True, True, True]
        )
        wanted = f"{format_quality(min_quality, name)} or {'more' if sign > 0 else 'less'}"
        best_there_is = format_quality(sign * most, name)
        complaint = f"no file has {quality_words(name)} {wanted} on validation: the best has {best_there_is}"
    if chosen.empty:
        raise ValueError(complaint)
    row: pd.Series = configurations.loc[chosen.index[0]]
    return row


def _check_quality(name: str, quality: float) -> None:
    if quality_scale(name)[0] == 100 and not 0 <= quality <= 1:
        example = quality / 100 if 1 < quality <= 100 else 0.97
        raise ValueError(f"{name} is a fraction in 0..1: got {quality:g}, wanted such as {example:g}")
