"""Short labels of configurations: the settings that tell one from another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

_SCHEDULE = ("steps", "batch_size")


def config_labels(rows: Sequence[Mapping[str, Any]], params: Sequence[Mapping[str, str]]) -> list[str]:
    """One label for each row, such as ``lam=0.3`` or ``bits=4``; empty for a method without settings.

    Shown are a method's settings that differ between its rows (all of them when none does), the number of steps and
    the batch size where they differ, and the point where one trial yields several.

    Args:
        rows: (num_rows,), with ``method``, ``trial_id`` and ``point_id``.
        params: (num_rows,), as MLflow has them: ``method.<field>``, ``steps``, ``batch_size``.
    """
    by_method: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    point_ids: dict[str, set[str]] = defaultdict(set)
    for row, given in zip(rows, params, strict=True):
        by_method[row["method"]].append(given)
        point_ids[row["trial_id"]].add(row["point_id"])
    shown = {method: _shown(group) for method, group in by_method.items()}

    labels = []
    for row, given in zip(rows, params, strict=True):
        words = [f"{key.removeprefix('method.')}={_short(given[key])}" for key in shown[row["method"]] if key in given]
        if len(point_ids[row["trial_id"]]) > 1:
            words.append(f"point={row['point_id']}")
        labels.append(" ".join(words))
    return labels


def _shown(group: Sequence[Mapping[str, str]]) -> list[str]:
    """The parameters that appear in the labels of one method's rows."""

    def differ(keys: Sequence[str]) -> list[str]:
        return [key for key in keys if len({given.get(key) for given in group}) > 1]

    settings = sorted({key for given in group for key in given if key.startswith("method.")})
    return (differ(settings) or settings) + differ(_SCHEDULE)


def _short(value: str) -> str:
    """A number drawn from a range at three digits, ``0.2913857`` as ``0.291``; anything else as it is."""
    try:
        return value if value.lstrip("-").isdigit() else f"{float(value):.3g}"
    except ValueError:
        return value
