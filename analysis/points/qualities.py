"""The qualities of a task beside its objective: their columns, and one of them in place of the objective.

Points hold them as one text (``trainers/record.py``); tables of configurations have columns of numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from trainers.nearest import nearest
from trainers.record import OtherQuality, others_of, others_text

if TYPE_CHECKING:
    import pandas as pd

TEST, VALIDATION = "quality.", "quality_val."
"""What the names of columns begin with; the name of the quality follows."""


def directions(texts: Iterable[str]) -> dict[str, bool]:
    """The other qualities that any of these texts has, and whether more of each is better."""
    return {name: one.maximise for text in dict.fromkeys(texts) for name, one in others_of(text).items()}


def columns_of(points: pd.DataFrame) -> list[str]:
    """The columns that ``with_columns`` added."""
    return [name for name in points.columns if name.startswith((TEST, VALIDATION))]


def with_columns(points: pd.DataFrame) -> pd.DataFrame:
    """The points with two numbers for each other quality, NaN where a point has none."""
    parsed = [others_of(text) for text in points["others"]]
    columns: dict[str, list[float]] = {}
    for name in dict.fromkeys(name for found in parsed for name in found):
        columns[f"{TEST}{name}"] = [found[name].quality if name in found else math.nan for found in parsed]
        columns[f"{VALIDATION}{name}"] = [found[name].quality_val if name in found else math.nan for found in parsed]
    return points.assign(**columns)


def judged_by_quality(points: pd.DataFrame, name: str) -> tuple[pd.DataFrame, str]:
    """The points with another quality of their task in place of the objective, which becomes one of the others.

    Args:
        points: as ``load_points`` gives them.
        name: the quality's name.

    Returns:
        The points that have it, and a line that says of how many others there are; empty where all have it.

    Raises:
        ValueError: none has it.
    """
    rows = [_judged(row, name) for row in points[_CHANGED].to_dict("records")]
    has_it = [bool(row) for row in rows]
    if len(points) and not any(has_it):
        known = [*points["quality_name"].unique(), *directions(points["others"])]
        raise ValueError(f"no point has a quality {name!r}{nearest(name, known, in_order=True)}")
    having = points[has_it]
    num_others = len(points) - len(having)
    said = f"{num_others} of {len(points)} points have no {name} and are left out: it was not measured of them"
    kept = {column: [row[column] for row in rows if row] for column in _CHANGED}
    return having.assign(**kept), said if num_others else ""


_CHANGED = ["quality", "quality_val", "quality_name", "maximise", "others"]


def _judged(row: Mapping[Any, Any], name: str) -> Mapping[Any, Any]:
    """What changes in a point; nothing where it lacks the quality."""
    if row["quality_name"] == name:
        return row
    others = others_of(row["others"])
    if name not in others:
        return {}
    chosen = others.pop(name)
    own = OtherQuality(maximise=bool(row["maximise"]), quality=row["quality"], quality_val=row["quality_val"])
    is_whole = math.isfinite(own.quality) and math.isfinite(own.quality_val)
    first = {row["quality_name"]: own} if is_whole else {}
    return {**vars(chosen), "quality_name": name, "others": others_text({**first, **others})}
