"""A judge's verdicts, applied to repeats: the first of a configuration is judged, the others follow it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.search.schedulers.base import AbstractScheduler, Contestant, Observation, is_judged
from trainers.config import TrialConfig

FOLLOWS = "its first seed was stopped"
"""Why a trial is stopped whose configuration was judged by another, the first repeat: its reason in the journal."""


class Verdicts:
    """Shows a judge the reports of first repeats, and remembers which configurations it stopped.

    The first repeat has the first seed and, where the task has files in turn, the first file: so the judge compares
    trainings on one file alone.
    """

    def __init__(self, scheduler: AbstractScheduler, first_seed: int) -> None:
        self._judge, self._first_seed = scheduler.start(), first_seed
        self._stopped: set[str] = set()  # hashes of configurations

    def note(self, config: TrialConfig, progress: Mapping[str, Any]) -> None:
        """Show the judge a report that an earlier process has decided on."""
        self._judged(config, progress)

    def stop(self, config: TrialConfig) -> None:
        """Remember a configuration that was stopped, such as by an earlier process."""
        self._stopped.add(config.config_hash)

    def reason_to_stop(self, config: TrialConfig, progress: Mapping[str, Any]) -> str | None:
        """Why to stop the trial that reported ``progress``, in one line, or None."""
        if progress["step"] == progress["total_steps"]:
            return None  # there is nothing left to save
        if not is_judged(progress):
            return None
        if not self._is_first(config):
            return FOLLOWS if config.config_hash in self._stopped else None
        reason = self._judged(config, progress)
        if reason is not None:
            self.stop(config)
        return reason

    def _judged(self, config: TrialConfig, progress: Mapping[str, Any]) -> str | None:
        from trainers.methods import METHODS  # loads torch

        observation = Observation.of(progress)
        if observation is None or not self._is_first(config):
            return None
        knob = METHODS[config.method.name].rate_knob
        return self._judge.stops(Contestant.of(config, knob.field if knob else None), observation)

    def _is_first(self, config: TrialConfig) -> bool:
        return config.seed == self._first_seed and config.is_first_file
