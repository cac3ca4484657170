"""What a judge's verdicts mean for the seeds of a configuration: the first is judged, the others share its fate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.search.schedulers.base import AbstractScheduler, Contestant, Observation
from trainers.config import TrialConfig
from trainers.methods import METHODS


class Verdicts:
    """Shows a judge the reports of first seeds."""

    def __init__(self, scheduler: AbstractScheduler, first_seed: int) -> None:
        self._judge, self._first_seed = scheduler.start(), first_seed
        self._stopped: set[str] = set()  # hashes of configurations

    def note(self, config: TrialConfig, progress: Mapping[str, Any]) -> None:
        """What an earlier process was shown, and decided on."""
        self._judged(config, progress)

    def stop(self, config: TrialConfig) -> None:
        """A configuration that an earlier process stopped."""
        self._stopped.add(config.config_hash)

    def reason_to_stop(self, config: TrialConfig, progress: Mapping[str, Any]) -> str | None:
        """Why the trial that reported ``progress`` is to be stopped, in one line, or None."""
        if progress["step"] == progress["total_steps"]:
            return None  # there is nothing left to save
        if config.seed != self._first_seed:
            return "its first seed was stopped" if config.config_hash in self._stopped else None
        reason = self._judged(config, progress)
        if reason is not None:
            self.stop(config)
        return reason

    def _judged(self, config: TrialConfig, progress: Mapping[str, Any]) -> str | None:
        observation = Observation.of(progress)
        if observation is None or config.seed != self._first_seed:
            return None
        knob = METHODS[config.method.name].rate_knob
        return self._judge.stops(Contestant.of(config, knob.field if knob else None), observation)
