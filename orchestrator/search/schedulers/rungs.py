"""Rungs: fractions of the steps, at which a training is compared with those that came there before it."""

from __future__ import annotations

import abc
import collections
from collections.abc import Sequence

from orchestrator.search.schedulers.base import AbstractJudge, Contestant, Observation, RateDistortion
from trainers import checks

_TOLERANCE = 1e-9


class RungJudge(AbstractJudge):
    """Judges a configuration at its first report at or beyond each rung, against those that reported at that fraction.

    Each phase has rungs of its own.
    """

    def __init__(self, rungs: Sequence[float]) -> None:
        """``rungs``: fractions of the steps, ascending, each above 0 and below 1."""
        self._rungs = tuple(rungs)
        self._reached: collections.defaultdict[tuple[object, ...], dict[str, tuple[Contestant, RateDistortion]]]
        self._reached = collections.defaultdict(dict)
        self._arrived: set[tuple[tuple[object, ...], str]] = set()

    def stops(self, contestant: Contestant, observation: Observation) -> str | None:
        for rung in self._rungs:
            arrival = (*contestant.peers, observation.phase, rung)
            if observation.fraction < rung - _TOLERANCE or (arrival, contestant.config_hash) in self._arrived:
                continue
            self._arrived.add((arrival, contestant.config_hash))
            here = self._reached[(*arrival, round(observation.fraction, 2))]
            here[contestant.config_hash] = (contestant, observation.estimate)
            others = [seen for other, seen in here.items() if other != contestant.config_hash]
            reason = self._judge(contestant, observation.estimate, others)
            if reason is not None:
                return f"at {rung:.0%} of its steps {reason}"
        return None

    @abc.abstractmethod
    def _judge(
        self, contestant: Contestant, estimate: RateDistortion, others: Sequence[tuple[Contestant, RateDistortion]]
    ) -> str | None:
        """Why to stop, in one line, or None; ``others`` came to this rung before."""


def geometric_rungs(first: float, reduction: int) -> list[float]:
    """The rungs first, first x reduction, ... up to 1 / reduction.

    A training that is stopped later costs hardly less than a whole one.
    """
    rungs = []
    rung = first
    while rung * reduction < 1 + _TOLERANCE:
        rungs.append(rung)
        rung *= reduction
    return rungs


def check_halving(first: float, reduction: int) -> None:
    """Refuse settings that leave no rung.

    Raises:
        ValueError: they leave none, or one is out of its range.
    """
    checks.integer("reduction", reduction, low=2)
    checks.number("first", first, low=0, above=True)
    if first * reduction > 1 + _TOLERANCE:
        raise ValueError(f"first is {first!r}: wanted at most 1 / reduction = {1 / reduction:.3g}")
