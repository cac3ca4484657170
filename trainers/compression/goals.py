"""Which of several files is shipped, and at which value of the knob a better one is looked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trainers.compression.candidates import Candidate

LEAST_AGREEMENT, MOST_OUTPUT_ERROR = 0.99, 0.01
"""What is shipped where nobody asked for anything: the smallest file that is as near to the given network."""
_AIM = 0.985
"""The share of the limit that is aimed at."""
_NEAR_SIZE, _NEAR_DISTANCE = 0.97, 0.9
"""The shares of the limit that are near enough: a distance, measured on some examples, is not known better."""
_SAFE_AIM = 0.9
"""Where no file keeps to the limit yet, so much of a size is aimed at, or of the step with which a distance would."""
_SIZE_POWER, _DISTANCE_POWER = -0.55, 2.5
"""The powers of the step that bytes and distances are about like, where one file says nothing of it."""
_MARGIN = 0.1
"""The least part, in logarithms, of what lies between two values that a look between them leaves out."""
_SAME = 1.01
"""Values whose ratio is less are the same."""
_MOST_FACTOR, _MOST_VALUE = 4.0, 16.0
"""How far the next value is from the others, and how large."""


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

    def next_value(self, candidates: Sequence[Candidate]) -> float | None:
        """The value at which a better file is looked for, given some; None if there is none, or no use in it.

        It lies between the last value on the side of many bytes and the first on the other or, where all are on one
        side, beyond them. Measures go about like a power of the value.
        """
        if self.is_any:
            return None
        limit, measure = self._limited()
        is_size = self.max_size_bytes is not None
        near = _NEAR_SIZE if is_size else _NEAR_DISTANCE
        if any(near * limit <= measure(one) <= limit for one in candidates):
            return None
        ordered = sorted(candidates, key=lambda one: one.value)
        is_coarse = [self.fits(one) == is_size for one in ordered]  # coarse enough, or too coarse
        if any(is_coarse) and not is_coarse[0]:
            above = is_coarse.index(True)
            fine, coarse = ordered[above - 1], ordered[above]
            ratio = coarse.value / fine.value
            wanted = _share(measure(fine), measure(coarse), _AIM * limit)
            return fine.value * ratio ** min(max(wanted, _MARGIN), 1 - _MARGIN) if ratio > _SAME else None
        end = ordered[0] if is_coarse[0] else ordered[-1]
        power = _SIZE_POWER if is_size else _DISTANCE_POWER
        aim = _AIM if any(self.fits(one) for one in ordered) else _SAFE_AIM if is_size else _SAFE_AIM**power
        factor = (aim * limit / measure(end)) ** (1 / power) if 0 < measure(end) < math.inf else math.inf
        factor = min(max(factor, 1 / factor), _MOST_FACTOR) if factor else _MOST_FACTOR
        value = min(end.value / factor if is_coarse[0] else end.value * factor, _MOST_VALUE)
        return value if value != end.value else None


def _share(fine: float, coarse: float, wanted: float) -> float:
    """How far between two values a measure is ``wanted``, if its logarithm is linear in that of the value.

    One half where that says nothing.
    """
    if min(fine, coarse, wanted) <= 0 or fine == coarse or math.isinf(coarse):
        return 0.5
    return (math.log(wanted) - math.log(fine)) / (math.log(coarse) - math.log(fine))


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
