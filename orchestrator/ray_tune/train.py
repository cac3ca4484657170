"""Runs the trials of a sweep on Ray Tune."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from orchestrator.errors import SweepError
from orchestrator.planning.session import Session
from orchestrator.ray_tune.tasks import SharedTasks
from orchestrator.ray_tune.tracker import drained, start_tracker
from orchestrator.ray_tune.trainable import run_on_ray
from orchestrator.search.space import identity
from orchestrator.sweep.resources import TrialResources
from orchestrator.trial import Setting
from orchestrator.views.base import AbstractView
from orchestrator.views.board import Board, Totals
from orchestrator.views.broadcast import Broadcast, beginning_of

if TYPE_CHECKING:
    from trainers.tasks.base import Task


_MOST_DEATHS = 2
"""How often a trial whose worker died is tried again, from its last checkpoint."""


def run_trials(held: Session, view: AbstractView, at_hand: Mapping[str, Task]) -> bool:
    """Run trials on Ray; returns whether some were cut off, as by Ctrl-C."""
    from ray import tune

    from orchestrator.ray_tune.callback import BoardCallback
    from orchestrator.ray_tune.scheduler import JudgeScheduler
    from orchestrator.ray_tune.searcher import StudySearcher
    from orchestrator.views.gauges import Gauges

    sweep, journal, study, place = held.sweep, held.journal, held.study, held.place
    for trial in study.trials:
        journal.forget_failure(trial.trial_id)

    def totals() -> Totals:
        return Totals(num_trials=study.most_to_run, num_skipped=study.num_skipped, train_s=held.ledger.train_s)

    board = Board(held.sweep_id, journal.location, totals(), held.ended())
    broadcast = Broadcast(board, [view, Gauges()] if place.address else [view], totals=totals)
    # a fixed plan queues 200 trials, so that an autoscaler sees demand; any other is asked for one trial at a time
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = "200" if sweep.is_fixed else "1"
    tracker = start_tracker(sweep, held.sweep_id, journal, place.tracking_uri)
    setting = Setting(sweep_id=held.sweep_id, location=journal.location, import_path=str(place.import_path))
    tasks = {identity(trial.config.task.to_dict()): trial.config.task for trial in study.sample}
    shared = SharedTasks.load(tasks, setting.import_path, at_hand)
    trainable = tune.with_resources(
        tune.with_parameters(run_on_ray, setting=setting, tracker=tracker, shared=shared),
        lambda suggested: tune.PlacementGroupFactory([TrialResources(**suggested["resources"]).for_ray()]),
    )
    with drained(tracker), broadcast.shown(beginning_of(board)):
        tuner = tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=StudySearcher(study, journal, sweep.resources, held.ledger),
                scheduler=JudgeScheduler(sweep, study, journal),
                num_samples=-1,  # the searcher says when it has finished
                reuse_actors=True,
                trial_dirname_creator=lambda trial: str(trial.config["trial_id"]),
            ),
            run_config=tune.RunConfig(
                name="ray",
                storage_path=journal.location,
                callbacks=[BoardCallback(broadcast, journal)],
                # a trial records what it raises: only a worker that died is a failure to Ray, and is tried again
                failure_config=tune.FailureConfig(max_failures=_MOST_DEATHS),
                verbose=0,
                log_to_file=False,
            ),
        )
        try:
            tuner.fit()
        except tune.TuneError as error:  # it wraps whatever a callback raised
            why = " ".join(str(error.__cause__ or error).split())
            raise SweepError(f"Ray Tune gave up: {why}; what has finished is kept, and --resume goes on") from error
    return bool(board.running)
