"""The scheduler as Ray calls it, and after a kill."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from orchestrator.planning.study import Study
from orchestrator.ray_tune.scheduler import EarlyStoppingScheduler
from orchestrator.storage.folder import LocalFolder
from orchestrator.storage.journal import Journal, Outcome
from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.trials import Trial
from tests.points import point

SWEEP = Sweep.from_dict(
    {
        "task": "digits",
        "architecture": "mlp",
        "method": {"name": "epr", "lam": [0.5, 0.6, 0.7, 0.8]},
        "seeds": 2,
        "scheduler": "mo_asha",
    }
)


def progress(rate_bits: float, quality_val: float, step: int = 10) -> dict[str, Any]:
    return {
        "step": step, "total_steps": 100, "phase": "train", "rate_bits": rate_bits, "rate_comparable": True,
        "quality_val": quality_val, "maximise": True, "train_s": 1.0,
    }  # fmt: skip


def decide(scheduler: EarlyStoppingScheduler, trial: Trial, result: dict[str, Any]) -> str:
    suggested = {"trial_id": trial.trial_id, "config": trial.config.to_dict()}
    return scheduler.on_trial_result(None, SimpleNamespace(config=suggested), result)


def scheduler_in(folder: Path) -> tuple[EarlyStoppingScheduler, Journal, dict[str, Trial]]:
    journal = Journal(LocalFolder(folder))
    study = Study(SWEEP, journal)
    return EarlyStoppingScheduler(SWEEP, study, journal), journal, {trial.trial_id: trial for trial in study.trials}


def test_the_first_seed_is_judged_and_the_others_follow(tmp_path: Path) -> None:
    scheduler, journal, trials = scheduler_in(tmp_path)
    for number, rate in enumerate((1000, 1100, 1200)):
        assert decide(scheduler, trials[f"000{number}-epr-s0"], progress(rate, 0.9 + number / 100)) == "CONTINUE"
    assert decide(scheduler, trials["0003-epr-s1"], progress(9000, 0.1)) == "CONTINUE", "another seed is not judged"
    assert decide(scheduler, trials["0003-epr-s0"], progress(9000, 0.1)) == "STOP"
    between = progress(9000, 0.1, step=15) | {"is_judged": False}
    assert decide(scheduler, trials["0003-epr-s1"], between) == "CONTINUE", "short trainings report more often"
    assert decide(scheduler, trials["0003-epr-s1"], progress(9000, 0.1, step=20)) == "STOP"
    assert decide(scheduler, trials["0003-epr-s1"], progress(9000, 0.1, step=100)) == "CONTINUE", "nothing left to save"
    ended = [journal.ended(f"0003-epr-s{seed}") for seed in (0, 1)]
    assert [one and one.outcome for one in ended] == [Outcome.STOPPED] * 2
    assert ended[1] is not None
    assert ended[1].reason == "its first seed was stopped"


def test_a_resumed_sweep_stops_nothing_that_went_on_and_forgets_nothing_that_was_stopped(tmp_path: Path) -> None:
    _, journal, trials = scheduler_in(tmp_path)
    # 0002 was at the rung first, when nobody was better; the others came later
    for trial_id, rate, quality in (
        ("0000-epr-s0", 1000, 0.9), ("0001-epr-s0", 1100, 0.91), ("0002-epr-s0", 9000, 0.1), ("0003-epr-s0", 9500, 0.1)
    ):  # fmt: skip
        journal.begin(trial_id, trials[trial_id].config.to_dict(), {})
        text = json.dumps(progress(rate, quality)) + "\n"
        (journal.trial_directory(trial_id) / "progress.jsonl").write_text(text)
    journal.finish("0002-epr-s0", [point()])
    journal.stop("0003-epr-s0", "it was last")
    resumed = EarlyStoppingScheduler(SWEEP, Study(SWEEP, journal), journal)
    assert decide(resumed, trials["0002-epr-s1"], progress(9000, 0.1)) == "CONTINUE"
    assert decide(resumed, trials["0003-epr-s1"], progress(9000, 0.1)) == "STOP"
    assert decide(resumed, trials["0001-epr-s0"], progress(9900, 0.1)) == "CONTINUE", "it was judged at this rung"
