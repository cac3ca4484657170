"""What a scheduler is: settings, and a judge that is shown reports and says which configurations to stop."""

from __future__ import annotations

import abc
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from trainers.config import TrialConfig


class RateDistortion(NamedTuple):
    """How a training does at one moment, as estimates: both are to be minimised."""

    log_rate: float
    """log10 of the estimated bits."""
    distortion: float
    """Quality on validation, negated where more is better."""


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A configuration, as a scheduler sees it."""

    config_hash: str
    peers: tuple[str, ...]
    """Task and method: only configurations that share both are compared."""
    knob: float | None
    """Of the method's setting that trades bytes for quality, where it is a positive number."""

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
    """What a scheduler sees of a trial's progress."""

    phase: str
    fraction: float
    """Of the trial's steps, 0 < fraction <= 1."""
    estimate: RateDistortion

    @staticmethod
    def of(progress: Mapping[str, Any]) -> Observation | None:
        """From a ``Progress`` as a dict; None where the phase's rate means nothing, or nothing was measured."""
        rate, quality = progress["rate_bits"], progress["quality_val"]
        if not progress["rate_comparable"] or not math.isfinite(quality) or not 0 < rate < math.inf:
            return None
        return Observation(
            phase=progress["phase"],
            fraction=progress["step"] / progress["total_steps"],
            estimate=RateDistortion(math.log10(rate), -quality if progress["maximise"] else quality),
        )


class AbstractJudge(abc.ABC):
    """A scheduler at work. Of each configuration only the first seed is judged: it decides for the others."""

    @abc.abstractmethod
    def stops(self, contestant: Contestant, observation: Observation) -> str | None:
        """Whether to stop the configuration, and then why, in one line. Every report is shown once, in order."""


@dataclass(frozen=True, kw_only=True)
class AbstractScheduler(abc.ABC):
    """The settings of a scheduler: its fields are what ``scheduler:`` of a sweep may say."""

    @abc.abstractmethod
    def start(self) -> AbstractJudge:
        """A judge that has seen nothing."""
