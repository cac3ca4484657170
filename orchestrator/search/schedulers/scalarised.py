"""Early stopping by one score: quality, less a price for rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from orchestrator.search.schedulers.base import AbstractJudge, AbstractScheduler, Contestant, RateDistortion
from orchestrator.search.schedulers.rungs import RungJudge, check_halving, geometric_rungs
from trainers import checks


@dataclass(frozen=True, kw_only=True)
class Asha(AbstractScheduler):
    """Stops a configuration that is not among the best 1 / ``reduction`` at a rung.

    Source: Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht, Talwalkar 2020, "A system for massively parallel
    hyperparameter tuning", in the form that stops.
    """

    first: float = 0.1
    """The first rung, as a fraction of the steps."""
    reduction: int = 3
    price: float = 0.1
    """The gain in quality that makes up for ten times the rate."""

    def __post_init__(self) -> None:
        check_halving(self.first, self.reduction)
        checks.number("price", self.price, low=0)

    def start(self) -> AbstractJudge:
        rungs = geometric_rungs(self.first, self.reduction)
        return _Judge(rungs, 1 / self.reduction, self.price, num_needed=self.reduction - 1)


@dataclass(frozen=True, kw_only=True)
class Median(AbstractScheduler):
    """Stops a configuration that is worse than the median at one of ``num_rungs`` evenly spaced rungs.

    Source: Golovin, Solnik, Moitra, Kochanski, Karro, Sculley 2017, "Google Vizier: a service for black-box
    optimization", section 3.2.2.
    """

    num_rungs: int = 9
    num_needed: int = 3
    """The number of configurations that must have come to a rung before any is stopped there."""
    price: float = 0.1
    """The gain in quality that makes up for ten times the rate."""

    def __post_init__(self) -> None:
        checks.integer("num_rungs", self.num_rungs, low=1)
        checks.integer("num_needed", self.num_needed, low=1)
        checks.number("price", self.price, low=0)

    def start(self) -> AbstractJudge:
        rungs = [(index + 1) / (self.num_rungs + 1) for index in range(self.num_rungs)]
        return _Judge(rungs, None, self.price, num_needed=self.num_needed)


class _Judge(RungJudge):
    def __init__(self, rungs: Sequence[float], share: float | None, price: float, num_needed: int) -> None:
        """``share``: the best share goes on; with None, all that reach the median."""
        super().__init__(rungs)
        self._share, self._price, self._num_needed = share, price, num_needed

    def _judge(
        self, contestant: Contestant, estimate: RateDistortion, others: Sequence[tuple[Contestant, RateDistortion]]
    ) -> str | None:
        scores = sorted(self._score(seen) for _, seen in others)
        own = self._score(estimate)
        if len(scores) < self._num_needed:
            return None
        if self._share is None:
            return f"it was worse than the median of {len(scores)}" if own > median(scores) else None
        num_kept = math.ceil(self._share * (len(scores) + 1))
        place = 1 + sum(score < own for score in scores)
        return None if place <= num_kept else f"it was {place} of {len(scores) + 1}"

    def _score(self, estimate: RateDistortion) -> float:
        """Distortion plus the price of the rate; to be minimised."""
        return estimate.distortion + self._price * estimate.log_rate
