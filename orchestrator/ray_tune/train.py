"""Runs the trials of a sweep on Ray Tune."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.errors import SweepError
from orchestrator.planning.retries import MAX_RESTARTS, forget_failures
from orchestrator.planning.session import Session
from orchestrator.ray_tune.tasks import SharedTasks
from orchestrator.ray_tune.tracker import tracking
from orchestrator.ray_tune.trainable import Surroundings, run_on_ray
from orchestrator.search.space import identity
from orchestrator.sweep.resources import TrialResources
from orchestrator.trial import Setting
from orchestrator.views.base import AbstractView
from orchestrator.views.board import Board, Totals
from orchestrator.views.broadcast import Broadcast, beginning_of
from trainers.full_disk import why_full

if TYPE_CHECKING:
    from ray import tune

    from orchestrator.storage.journal import Journal
    from trainers.record import OperatingPoint
    from trainers.tasks.base import Task


def run_trials(
    session: Session,
    view: AbstractView,
    at_hand: Mapping[str, Task],
    *,
    tracking_uri: str,
    import_path: Path,
    address: str | None,
) -> bool:
    """Run the trials that are left, on a Ray that this process has joined.

    Args:
        session: the sweep.
        view: where progress is shown.
        at_hand: tasks that this process has loaded, by the ``identity`` of their specs.
        tracking_uri: MLflow's address, after ``Store.prepare``.
        import_path: folder of the user's own modules.
        address: of a Ray cluster that was there before; None where Ray was started here.

    Returns:
        Whether trials were cut off, as by Ctrl-C.

    Raises:
        SweepError: Ray Tune gave up.
    """
    from orchestrator.ray_tune.callback import BoardCallback
    from orchestrator.views.gauges import Gauges

    journal = session.journal
    forget_failures(journal, session.study.trials)
    board = Board(session.sweep_id, journal.location, _totals(session), session.ended())
    views = [view, Gauges()] if address else [view]
    broadcast = Broadcast(board, views, totals=lambda: _totals(session), early_points=partial(_early_points, journal))
    settings = {"tracking_uri": tracking_uri, "sweep_id": session.sweep_id, "name": session.sweep.name}
    with tracking(journal.location, **settings) as tracker:
        trainable = _make_trainable(session, at_hand, tracker, import_path)
        with broadcast.shown(beginning_of(board)):
            _fit(trainable, session, BoardCallback(broadcast, journal))
    return bool(board.running)


def _early_points(journal: Journal, trial_id: str) -> tuple[OperatingPoint, ...]:
    journal.fetch(trial_id)
    return journal.points(trial_id)


def _totals(session: Session) -> Totals:
    study = session.study
    return Totals(num_trials=study.most_to_run, num_skipped=study.num_skipped, train_s=session.ledger.train_s)


def _make_trainable(session: Session, at_hand: Mapping[str, Task], tracker: Any, import_path: Path) -> Any:
    """What Ray Tune runs for each trial: ``run_on_ray``, with the tasks' data in Ray's object store."""
    from ray import tune

    setting = Setting(sweep_id=session.sweep_id, location=session.journal.location, import_path=str(import_path))
    specs = {identity(trial.config.task.to_dict()): trial.config.task for trial in session.study.sample}
    tasks = SharedTasks.load(specs, setting.import_path, at_hand)
    return tune.with_resources(
        tune.with_parameters(run_on_ray, around=Surroundings(setting=setting, tracker=tracker, tasks=tasks)),
        lambda suggested: tune.PlacementGroupFactory([TrialResources(**suggested["resources"]).for_ray()]),
    )


def _fit(trainable: Any, session: Session, callback: tune.Callback) -> None:
    """Let Ray Tune run trials until the searcher has no more, or Ctrl-C."""
    from ray import tune

    from orchestrator.ray_tune.scheduler import EarlyStoppingScheduler
    from orchestrator.ray_tune.searcher import StudySearcher
    from orchestrator.ray_tune.stopper import FullDiskStopper

    sweep, study, journal = session.sweep, session.study, session.journal
    # a fixed plan queues 200 trials, so that an autoscaler sees demand; any other is asked for one trial at a time
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = "200" if sweep.is_fixed else "1"
    tuner = tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            search_alg=StudySearcher(study, journal, sweep.resources, session.ledger),
            scheduler=EarlyStoppingScheduler(sweep, study, journal),
            num_samples=-1,  # the searcher says when it has finished
            reuse_actors=True,
            trial_dirname_creator=lambda trial: str(trial.config["trial_id"]),
        ),
        run_config=tune.RunConfig(
            name="ray",
            storage_path=journal.location,
            callbacks=[callback],
            stop=FullDiskStopper(session.ledger),
            # a trial records what it raises: only a worker that died is a failure to Ray
            failure_config=tune.FailureConfig(max_failures=MAX_RESTARTS),
            verbose=0,
            log_to_file=False,
        ),
    )
    try:
        with _ctrl_c_as_before():
            tuner.fit()
    except (tune.TuneError, OSError) as error:  # the former wraps whatever a callback raised
        session.ledger.full = why_full(error)
        if session.ledger.full:
            return
        why = " ".join(str(error.__cause__ or error.__context__ or error).split())
        raise SweepError(f"Ray Tune gave up: {why}; what has finished is kept, and --resume goes on") from error


@contextlib.contextmanager
def _ctrl_c_as_before() -> Iterator[None]:
    """Afterwards Ctrl-C does what it did before: Ray Tune would leave a handler that does nothing the first time."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, before)
