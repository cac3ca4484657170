"""Asynchronous successive halving under two objectives: rate and quality."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.search.schedulers.base import AbstractJudge, AbstractScheduler, Contestant, RateDistortion
from orchestrator.search.schedulers.rungs import RungJudge, check_halving, geometric_rungs
from trainers import checks


@dataclass(frozen=True, kw_only=True)
class MoAsha(AbstractScheduler):
    """Stops a configuration that is dominated at a rung and not among the best 1 / ``reduction`` there.

    Nothing is stopped before ``reduction`` configurations that are compared have come to a rung.

    Configurations are ranked by non-dominated sorting, and within a front by an epsilon-net, which takes next what is
    farthest from all that it has taken. Two deviations from the source keep a front whole. A configuration that none
    dominates is never stopped. And a configuration is compared only with those whose rate knob is within a factor of
    ``reach`` of its own: early in training, before rates have come apart, a large entropy penalty looks worse than a
    small one, though it will end elsewhere on the front.

    Source: Schmucker, Donini, Zafar, Salinas, Archambeau 2021, "Multi-objective asynchronous successive halving",
    algorithms 1 and 2.
    """

    first: float = 0.1
    """The first rung, as a fraction of the steps."""
    reduction: int = 3
    reach: float = 4.0

    def __post_init__(self) -> None:
        check_halving(self.first, self.reduction)
        checks.number("reach", self.reach, low=1)

    def start(self) -> AbstractJudge:
        return _Judge(geometric_rungs(self.first, self.reduction), self.reduction, self.reach)


class _Judge(RungJudge):
    def __init__(self, rungs: Sequence[float], reduction: int, reach: float) -> None:
        super().__init__(rungs)
        self._reduction, self._reach = reduction, reach

    def _judge(
        self, contestant: Contestant, estimate: RateDistortion, others: Sequence[tuple[Contestant, RateDistortion]]
    ) -> str | None:
        near = [seen for other, seen in others if self._are_near(contestant, other)]
        num_better = sum(dominates(seen, estimate) for seen in near)
        if not num_better or len(near) + 1 < self._reduction:
            return None
        ranked = ranking([estimate, *near])
        num_kept = math.ceil(len(ranked) / self._reduction)
        place = ranked.index(0) + 1
        if place <= num_kept:
            return None
        return f"it was {place} of {len(ranked)}, and {num_better} had a lower rate and a better quality"

    def _are_near(self, one: Contestant, other: Contestant) -> bool:
        if one.knob is None or other.knob is None:
            return one.knob is other.knob
        return max(one.knob, other.knob) <= self._reach * min(one.knob, other.knob)


def dominates(one: RateDistortion, other: RateDistortion) -> bool:
    """Whether ``one`` is at least as good in both objectives and better in one."""
    return one.log_rate <= other.log_rate and one.distortion <= other.distortion and one != other


def ranking(estimates: Sequence[RateDistortion]) -> list[int]:
    """The indices of ``estimates`` from best to worst: front by front, within a front by epsilon-net."""
    left = list(range(len(estimates)))
    ranked: list[int] = []
    while left:
        front = [index for index in left if not any(dominates(estimates[other], estimates[index]) for other in left)]
        ranked += _epsilon_net(estimates, front)
        left = [index for index in left if index not in front]
    return ranked


def _epsilon_net(estimates: Sequence[RateDistortion], front: list[int]) -> list[int]:
    """The indices in ``front``, the smallest rate first, then always the one farthest from those before it.

    Distances are in objectives scaled to the front's range.
    """
    low = [min(estimates[index][axis] for index in front) for axis in (0, 1)]
    span = [max(estimates[index][axis] for index in front) - low[axis] or 1.0 for axis in (0, 1)]
    places = {index: [(estimates[index][axis] - low[axis]) / span[axis] for axis in (0, 1)] for index in front}
    left = sorted(front, key=lambda index: (places[index], index))
    taken = [left.pop(0)]
    while left:
        farthest = max(left, key=lambda index: min(math.dist(places[index], places[other]) for other in taken))
        left.remove(farthest)
        taken.append(farthest)
    return taken
