"""What a scheduler is: settings that start a judge, which sees reports of trainings and decides which to stop."""

from __future__ import annotations

import abc
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from trainers.config import TrialConfig


class RateDistortion(NamedTuple):
    """Estimates of a training's rate and distortion at one moment; both are to be minimised."""

    log_rate: float
    """log10 of the estimated size in bits."""
    distortion: float
    """The quality on validation, negated where more is better."""


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A configuration, as a scheduler sees it."""

    config_hash: str
    peers: tuple[str, ...]
    """The task and the method; only configurations that share both are compared."""
    knob: float | None
    """The method's rate knob, where it is a positive number."""

    @staticmethod
    def of(config: TrialConfig, rate_knob: str | None) -> Contestant:
        knob = config.method.arguments.get(rate_knob) if rate_knob else None
        is_number = isinstance(knob, int | float) and not isinstance(knob, bool) and knob > 0
        return Contestant(
            config_hash=config.config_hash,
            peers=(str(config.task), config.method.name),
            knob=float(knob) if is_number and knob is not None else None,
        )


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What a scheduler sees of one report of a trial."""

    phase: str
    fraction: float
    """The share of the trial's steps that are done, 0 < fraction <= 1."""
    estimate: RateDistortion

    @staticmethod
    def of(progress: Mapping[str, Any]) -> Observation | None:
        """Read a ``Progress`` as a dict; None where it is not judged, or its rate means nothing."""
        rate, quality = progress["rate_bits"], progress["quality_val"]
        if (
            not is_judged(progress)
            or not progress["rate_comparable"]
            or not math.isfinite(quality)
            or not 0 < rate < math.inf
        ):
            return None
        return Observation(
            phase=progress["phase"],
            fraction=progress["step"] / progress["total_steps"],
            estimate=RateDistortion(math.log10(rate), -quality if progress["maximise"] else quality),
        )


def is_judged(progress: Mapping[str, Any]) -> bool:
    """Whether a report may stop its trial; older journals do not say, and all of theirs may."""
    return bool(progress.get("is_judged", True))


class AbstractJudge(abc.ABC):
    """A scheduler at work. It judges the first repeat of each configuration, which decides for the others."""

    @abc.abstractmethod
    def stops(self, contestant: Contestant, observation: Observation) -> str | None:
        """Why to stop the configuration, in one line, or None to go on. Each observation is shown once, in order."""


@dataclass(frozen=True, kw_only=True)
class AbstractScheduler(abc.ABC):
    """The settings of a scheduler; its fields are what a sweep's ``scheduler:`` may say."""

    @abc.abstractmethod
    def start(self) -> AbstractJudge:
        """A judge that has seen nothing yet."""
