"""A judge's verdicts, applied to seeds: the first seed of a configuration is judged, the others follow it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.search.schedulers.base import AbstractScheduler, Contestant, Observation, is_judged
from trainers.config import TrialConfig


class Verdicts:
    """Shows a judge the reports of first seeds, and remembers which configurations it stopped."""

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
        if config.seed != self._first_seed:
            return "its first seed was stopped" if config.config_hash in self._stopped else None
        reason = self._judged(config, progress)
        if reason is not None:
            self.stop(config)
        return reason

    def _judged(self, config: TrialConfig, progress: Mapping[str, Any]) -> str | None:
        from trainers.methods import METHODS  # loads torch

        observation = Observation.of(progress)
        if observation is None or config.seed != self._first_seed:
            return None
        knob = METHODS[config.method.name].rate_knob
        return self._judge.stops(Contestant.of(config, knob.field if knob else None), observation)
