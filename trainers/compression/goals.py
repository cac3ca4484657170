"""Which of several files is shipped, and at which further values of the knob a better one is looked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trainers.compression.candidates import Candidate

LEAST_AGREEMENT, MOST_OUTPUT_ERROR = 0.99, 0.01
"""What is shipped where nobody asked for anything: the smallest file that is as near to the given network."""
_NUM_REFINED = 3
_INSIDE = (0.975, 0.985, 0.995)
"""The shares of the limit that refined values aim at: how a measure goes between two values is not quite known."""
_BEYOND = (1.3, 1.7, 2.2)
"""How much coarser, or finer, values beyond the ends of the grid are."""
_MOST_STEP = 16.0


class UnreachableError(ValueError):
    """No file is as asked for; the message says what is nearest."""


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What is asked of the file to ship: at most one of the three."""

    max_size_bytes: int | None = None
    max_loss: float | None = None
    max_kl: float | None = None

    @property
    def is_any(self) -> bool:
        return self == Goal()

    def _limited(self) -> tuple[float, Callable[[Candidate], float]]:
        """The limit, and what must not be above it."""
        if self.max_size_bytes is not None:
            return self.max_size_bytes, lambda one: one.size_bytes
        if self.max_kl is not None:
            return self.max_kl, lambda one: _known(one.fidelity.kl)
        if self.max_loss is not None:
            return self.max_loss, lambda one: _known(one.loss)
        return 1.0, lambda one: _default_share(one)

    def fits(self, candidate: Candidate) -> bool:
        limit, measure = self._limited()
        return measure(candidate) <= limit

    def chosen(self, candidates: Sequence[Candidate]) -> Candidate:
        """Return the file to ship.

        With a size it is the one nearest to the given network, else the smallest. Where nothing is asked for, and
        nothing is measured or near enough, it is the one of most bytes.

        Raises:
            UnreachableError: none is as asked for; one line says what is nearest.
        """
        fitting = [one for one in candidates if self.fits(one)]
        if fitting:
            nearest = self.max_size_bytes is not None
            return min(fitting, key=_by_distance if nearest else lambda one: one.size_bytes)
        if self.is_any:
            return max(candidates, key=lambda one: one.size_bytes)
        raise UnreachableError(self._nearest(candidates))

    def _nearest(self, candidates: Sequence[Candidate]) -> str:
        if self.max_size_bytes is not None:
            least = min(candidates, key=lambda one: one.size_bytes)
            asked = f"{self.max_size_bytes:,} bytes cannot be reached: the smallest is {least.size_bytes:,} bytes"
        else:
            _, measure = self._limited()
            least = min(candidates, key=measure)
            word, limit = ("KL", self.max_kl) if self.max_kl is not None else ("a loss", self.max_loss)
            asked = f"{word} of {limit:g} is not reached: the least is {measure(least):.4g}"
            asked += f" in {least.size_bytes:,} bytes"
        return f"{asked} at {least.called}"

    def further(self, candidates: Sequence[Candidate]) -> list[float]:
        """The values at which a better file is looked for, given files at values from fine to coarse; none if no use.

        They lie between the last value on the side of many bytes and the first on the other, or beyond the grid.
        """
        if self.is_any:
            return []
        limit, measure = self._limited()
        ordered = sorted(candidates, key=lambda one: one.value)
        is_size = self.max_size_bytes is not None
        is_coarse = [self.fits(one) == is_size for one in ordered]  # too coarse, or coarse enough
        if not any(is_coarse):
            return [value for share in _BEYOND if (value := ordered[-1].value * share) <= _MOST_STEP]
        if is_coarse[0]:
            return [] if is_size else [ordered[0].value / share for share in _BEYOND]
        above = is_coarse.index(True)
        fine, coarse = ordered[above - 1], ordered[above]
        aimed = [_between(fine, coarse, measure, limit * share) for share in _INSIDE]
        inside = [value for value in aimed if fine.value < value < coarse.value]
        if len({f"{value:g}" for value in inside}) == _NUM_REFINED:
            return inside
        ratio = coarse.value / fine.value
        return [fine.value * ratio ** (index / (_NUM_REFINED + 1)) for index in range(1, _NUM_REFINED + 1)]


def _between(fine: Candidate, coarse: Candidate, measure: Callable[[Candidate], float], wanted: float) -> float:
    """Where the measure would be ``wanted`` if its logarithm were linear in that of the value; NaN if it has none."""
    ends = [measure(fine), measure(coarse), wanted]
    if min(ends) <= 0 or ends[0] == ends[1]:
        return math.nan
    share = (math.log(wanted) - math.log(ends[0])) / (math.log(ends[1]) - math.log(ends[0]))
    return math.exp(math.log(fine.value) + share * math.log(coarse.value / fine.value))


def _known(value: float | None) -> float:
    return math.inf if value is None else value


def _by_distance(candidate: Candidate) -> tuple[float, int]:
    """The nearest first; where nothing is known, the one of most bytes."""
    return _known(candidate.distance), -candidate.size_bytes


def _default_share(candidate: Candidate) -> float:
    """How far from the given network, in units of the most that is shipped where nobody asks for anything."""
    near = candidate.fidelity
    if near.agreement is not None:
        return (1 - near.agreement) / (1 - LEAST_AGREEMENT)
    return _known(near.output_error) / MOST_OUTPUT_ERROR
