"""Between Ray Tune and the judge: shows it reports, records what it stops."""

from __future__ import annotations

from typing import Any

from ray.tune.schedulers import FIFOScheduler

from orchestrator.journal import Ended, Journal, Outcome
from orchestrator.schedulers.base import Contestant, Report
from orchestrator.study import Study
from orchestrator.sweep import Sweep
from trainers.config import TrialConfig
from trainers.methods import METHODS


class Stopper(FIFOScheduler):
    """Ray Tune's scheduler. The first seed of a configuration is judged; the others share its fate."""

    def __init__(self, sweep: Sweep, study: Study, journal: Journal) -> None:
        """A judge that has seen what earlier processes reported."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._journal, self._first_seed = journal, sweep.seed
        self._judge = sweep.stopper.start()
        self._stopped: set[str] = set()  # hashes of configurations
        for trial in study.trials:
            for progress in journal.progress(trial.trial_id):
                self._reason(trial.config, progress)

    def __getstate__(self) -> dict[str, object]:
        # Tune pickles it for a restore of its own, which is never used here.
        return {}

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        config = TrialConfig.from_dict(trial.config["config"])
        reason = self._reason(config, result)
        if reason is None:
            return FIFOScheduler.CONTINUE
        self._stopped.add(config.config_hash)
        self._journal.end(trial.config["trial_id"], Ended(outcome=Outcome.STOPPED, reason=reason))
        return FIFOScheduler.STOP

    def _reason(self, config: TrialConfig, progress: dict[str, Any]) -> str | None:
        if progress["step"] == progress["total_steps"]:
            return None  # there is nothing left to save
        if config.seed != self._first_seed:
            return "its first seed was stopped" if config.config_hash in self._stopped else None
        report = Report.of(progress)
        return None if report is None else self._judge.stops(Contestant.of(config, _rate_knob(config)), report)


def _rate_knob(config: TrialConfig) -> str | None:
    knob = METHODS[config.method.name].rate_knob
    return knob.field if knob else None
