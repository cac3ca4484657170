"""Goals of a search: objectives and constraints, and how the measured points of a configuration score on them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Any

from trainers.nearest import nearest
from trainers.record import OperatingPoint, to_row
from trainers.sizes import parse_size

COLUMNS = ("size_bytes", "quality_val", "train_s", "macs")
"""Columns of ``OperatingPoint`` that may be an objective or a constraint. Quality is measured on validation."""
_CONSTRAINT = re.compile(r"\s*(\w+)\s*(<=|>=)\s*(.+?)\s*")


@dataclass(frozen=True, kw_only=True)
class Constraint:
    """A bound on a column, which a point must keep to be of use."""

    column: str
    at_most: bool
    """Whether the bound is an upper one; else it is a lower one."""
    bound: float

    @staticmethod
    def parse(text: Any) -> Constraint:
        """Read text such as ``size_bytes <= 20 kB`` or ``quality_val >= 0.9``.

        Raises:
            ValueError: the text has another form.
        """
        found = _CONSTRAINT.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            raise ValueError(f"constraint {text!r}: wanted a column and its bound, such as 'size_bytes <= 20 kB'")
        column, relation, bound = found.groups()
        check_column("constraint", column)
        try:
            value = float(parse_size(bound)) if column == "size_bytes" else float(bound)
        except ValueError as error:
            raise ValueError(f"constraint {text!r}: {error}") from error
        if not math.isfinite(value) or (column != "quality_val" and value <= 0):
            wanted = "finite" if column == "quality_val" else "finite and above 0"
            raise ValueError(f"constraint {text!r}: the bound must be {wanted}")
        return Constraint(column=column, at_most=relation == "<=", bound=value)

    def violation(self, value: float) -> float:
        """By how much ``value`` breaks the constraint; zero or less where it holds.

        Samplers add the violations of several constraints, so all but that of quality are in decades.
        """
        excess = value - self.bound
        if self.column != "quality_val":
            excess = math.log10(value / self.bound) if value > 0 else -math.inf
        return excess if self.at_most else -excess

    def __str__(self) -> str:
        return f"{self.column} {'<=' if self.at_most else '>='} {self.bound:.12g}"


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a searcher is told about a configuration that was measured."""

    costs: tuple[float, ...]
    """One cost for each objective, to be minimised; means over seeds.

    It is the logarithm of bytes, seconds or operations, or the quality, negated where more is better.
    """
    spreads: tuple[float, ...]
    """The costs' standard deviations over seeds."""
    violations: tuple[float, ...]
    """One violation for each constraint, as a mean over seeds; zero or less where it holds."""


@dataclass(frozen=True, kw_only=True)
class Goals:
    """The objectives and constraints of a sweep."""

    objectives: tuple[str, ...] = ("size_bytes", "quality_val")
    constraints: tuple[Constraint, ...] = ()

    def told(self, seeds: Sequence[Sequence[OperatingPoint]], known: Iterable[Told]) -> Told | None:
        """Score a configuration by the mean over seeds of one of its point ids.

        Where it has several point ids, the one is taken that adds most hypervolume to what is known, if possible among
        those that keep the constraints.

        Args:
            seeds: the points of each seed.
            known: what was told of other configurations.

        Returns:
            None where nothing was measured; then a searcher is told that the configuration failed.
        """
        by_id: dict[str, list[OperatingPoint]] = {}
        for point in (point for points in seeds for point in points):
            by_id.setdefault(point.point_id, []).append(point)
        means = (self._mean([to_row(one) for one in points], maximise=points[0].maximise) for points in by_id.values())
        candidates = [told for told in means if told is not None]
        if len(candidates) < 2:
            return candidates[0] if candidates else None
        added = _contributions([one.costs for one in candidates], [one.costs for one in known])
        is_feasible = [max(one.violations, default=0.0) <= 0 for one in candidates]
        return candidates[max(range(len(candidates)), key=lambda index: (is_feasible[index], added[index]))]

    def estimated(self, progress: Mapping[str, Any]) -> Told | None:
        """Score a training that was stopped early by the estimates of its last report.

        Args:
            progress: the last ``Progress``, as a dict.

        Returns:
            None where an objective or a constraint has no estimate.
        """
        values = {
            "size_bytes": progress["rate_bits"] / 8,
            "quality_val": progress["quality_val"],
            "train_s": progress["train_s"] * progress["total_steps"] / progress["step"],
        }
        if not {*self.objectives, *(constraint.column for constraint in self.constraints)} <= values.keys():
            return None
        return self._mean([values], maximise=progress["maximise"])

    def _mean(self, rows: Sequence[Mapping[str, float]], *, maximise: bool) -> Told | None:
        """Means and deviations over ``rows``, one for each seed; None where something is not finite."""
        costs = [[_cost(column, row[column], maximise=maximise) for row in rows] for column in self.objectives]
        broken = [[constraint.violation(row[constraint.column]) for row in rows] for constraint in self.constraints]
        if not all(math.isfinite(value) for values in (*costs, *broken) for value in values):
            return None
        return Told(
            costs=tuple(map(fmean, costs)), spreads=tuple(map(pstdev, costs)), violations=tuple(map(fmean, broken))
        )


def parse_objectives(value: Any) -> tuple[str, ...]:
    """Read a list of at least two different columns.

    Raises:
        ValueError: ``value`` is something else.
    """
    if not isinstance(value, list | tuple) or len(value) < 2 or len(set(map(str, value))) != len(value):
        raise ValueError(f"objectives is {value!r}: wanted two or more of {', '.join(COLUMNS)}")
    for column in value:
        check_column("objective", column)
    return tuple(value)


def check_column(kind: str, column: Any) -> None:
    """Refuse columns that are unknown or that no searcher may see.

    Raises:
        ValueError: the column is one of these.
    """
    if column == "quality":
        raise ValueError(f"{kind} 'quality' is measured on the test split, which only reports: wanted 'quality_val'")
    if column not in COLUMNS:
        raise ValueError(f"unknown {kind} {column!r}{nearest(str(column), COLUMNS)}")


def told_to_dict(told: Told | None) -> dict[str, Any] | None:
    """``told`` as plain data, which ``told_from_dict`` reads back."""
    return None if told is None else {key: list(getattr(told, key)) for key in ("costs", "spreads", "violations")}


def told_from_dict(value: Mapping[str, Any] | None) -> Told | None:
    return None if value is None else Told(**{key: tuple(item) for key, item in value.items()})


def _cost(column: str, value: float, *, maximise: bool) -> float:
    if column == "quality_val":
        return -value if maximise else value
    return math.log10(value) if value > 0 else math.nan


def _contributions(candidates: Sequence[Sequence[float]], known: Sequence[Sequence[float]]) -> list[float]:
    """The hypervolume that each candidate alone adds to ``known``.

    Its reference point lies a tenth of the range beyond the worst of all in each objective, so that extremes count.
    """
    import moocore
    import numpy as np

    base = np.array([*known], np.float64).reshape(len(known), len(candidates[0]))
    everything = np.vstack([base, np.array([*candidates], np.float64)])
    span = np.ptp(everything, axis=0)
    corner = everything.max(axis=0) + 0.1 * np.where(span > 0, span, 1.0)
    before = moocore.hypervolume(base, ref=corner) if len(base) else 0.0
    return [float(moocore.hypervolume(np.vstack([base, [one]]), ref=corner)) - before for one in candidates]
