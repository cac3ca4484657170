"""Fidelity as a quality: distances from the network that was given, by which files are judged in place of a task's own.

Only validation measures them. To add one, add an entry to ``DISTANCES``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("kl", "agreement", "output_error")
"""The columns of points that hold them, NaN where a trial was given no network."""


@dataclass(frozen=True, kw_only=True)
class Distance:
    """How far a decoded network is from the network that was given: lower is better, and 0 is the same."""

    quality_name: str
    """Its name where it stands for a task's quality, of which none is called so."""
    words: str
    short: str
    """The words where there is no room."""
    factor: float
    """From its values to what is shown, and the unit of that."""
    unit: str
    column: str
    """The column of points that it comes from."""
    is_rest: bool = False
    """Whether it is what that column lacks to 1."""


DISTANCES: Mapping[str, Distance] = MappingProxyType(
    {
        "kl": Distance(
            quality_name="kl_from_given",
            words="KL from the given network",
            short="KL",
            factor=1.0,
            unit=" nats",
            column="kl",
        ),
        "disagreement": Distance(
            quality_name="disagreement_with_given",
            words="disagreement with the given network",
            short="disagreement",
            factor=100.0,
            unit=" %",
            column="agreement",
            is_rest=True,
        ),
        "output_error": Distance(
            quality_name="output_error_from_given",
            words="output error against the given network",
            short="output error",
            factor=1.0,
            unit="",
            column="output_error",
        ),
    }
)
"""The distances by the names that options have for them."""

BY_QUALITY_NAME: Mapping[str, Distance] = MappingProxyType({one.quality_name: one for one in DISTANCES.values()})


def judged_by(points: pd.DataFrame, name: str) -> tuple[pd.DataFrame, str]:
    """The points with a distance in place of their task's quality: it is what chooses, and what figures draw.

    Args:
        points: as ``load_points`` gives them.
        name: a key of ``DISTANCES``.

    Returns:
        The points that have it, and a line that says of how many others there are; empty where all have it.

    Raises:
        ValueError: none has it.
    """
    distance = DISTANCES[name]
    having = points[points[distance.column].notna()]
    why = "only trials that start from one whole network (init_from) record how far they are from it"
    if having.empty and len(points):
        others = [key for key, other in DISTANCES.items() if points[other.column].notna().any()]
        if others:
            kind = "no classes" if others == ["output_error"] else "classes"
            why = f"the networks' outputs are {kind}, so there is {' and '.join(others)}"
        raise ValueError(f"no point has {name}: {why}")
    num_others = len(points) - len(having)
    said = f"{num_others} of {len(points)} points have no {name} and are left out: {why}" if num_others else ""
    values = having[distance.column].astype("float64")
    values = 1.0 - values if distance.is_rest else values
    return having.assign(quality=values, quality_val=values, quality_name=distance.quality_name, maximise=False), said
