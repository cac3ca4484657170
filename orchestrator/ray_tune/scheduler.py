"""Ray Tune's scheduler: shows each report to the sweep's scheduler, and records the trials that it stops."""

from __future__ import annotations

from typing import Any

from ray.tune.schedulers import FIFOScheduler

from orchestrator.planning.study import Study
from orchestrator.search.schedulers.verdicts import Verdicts
from orchestrator.storage.journal import Journal, Outcome
from orchestrator.sweep.definition import Sweep
from trainers.config import TrialConfig


class EarlyStoppingScheduler(FIFOScheduler):
    """Starts trials in the order in which they are suggested, and stops those that show no promise."""

    def __init__(self, sweep: Sweep, study: Study, journal: Journal) -> None:
        """Show the sweep's scheduler what earlier processes reported."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._journal = journal
        self._verdicts = Verdicts(sweep.make_scheduler(), sweep.seed)
        for trial in study.trials:
            for progress in journal.progress(trial.trial_id):
                self._verdicts.note(trial.config, progress)
            ended = journal.ended(trial.trial_id)
            if ended is not None and ended.outcome is Outcome.STOPPED:
                self._verdicts.stop(trial.config)

    def __getstate__(self) -> dict[str, object]:
        # Tune pickles it for a restore of its own, which is never used here.
        return {}

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        reason = self._verdicts.reason_to_stop(TrialConfig.from_dict(trial.config["config"]), result)
        if reason is None:
            return FIFOScheduler.CONTINUE
        self._journal.fetch(trial.config["trial_id"])  # what it has stored already stays
        self._journal.stop(trial.config["trial_id"], reason)
        return FIFOScheduler.STOP
