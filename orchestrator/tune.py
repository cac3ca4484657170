"""Runs a sweep on Ray Tune: what is left of its plan, a tracker beside the store, and the frontier at the end."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.addresses import without_credentials
from analysis.load import check_tracking
from orchestrator import environment
from orchestrator.board import Board
from orchestrator.budget import Ledger
from orchestrator.cluster import check_nodes, drained, joined, start_tracker
from orchestrator.frontier import WrittenFrontier, write_frontier
from orchestrator.guards import check_here, check_identity
from orchestrator.journal import Ended, Journal, Outcome
from orchestrator.publishing import Presentation
from orchestrator.report import log_report
from orchestrator.resources import Share
from orchestrator.shared_data import SharedTasks
from orchestrator.space import identity
from orchestrator.storage import holding, location_of, next_free, open_journal
from orchestrator.study import Study
from orchestrator.sweep import Sweep, SweepError, Trial
from orchestrator.tracking import Tracker, prepare
from orchestrator.trial import Setting, run_on_ray
from orchestrator.ui.links import pages as pages_of
from orchestrator.ui.links import ui_command
from orchestrator.ui.note import Ending
from orchestrator.ui.presentation import presentation_of
from orchestrator.views.base import AbstractView
from orchestrator.warm_start import earlier_outcomes

if TYPE_CHECKING:
    from trainers.tasks.base import Task

_MOST_DEATHS = 2
"""How often a trial whose worker died is tried again, from its last checkpoint."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a sweep runs and leaves its results."""

    storage: str
    """Folder of all sweeps, on a cluster one that all nodes share; or an address such as ``s3://bucket/sweeps``."""
    tracking_uri: str
    import_path: Path
    """Folder of the user's own modules."""
    address: str | None = None
    """Of a running Ray cluster; without one Ray is started here and stopped at the end."""
    ui_url: str | None = None
    """Of the MLflow UI, where it is not the tracking server's."""

    @property
    def ui(self) -> str | None:
        """Of the MLflow UI, for links."""
        is_server = self.tracking_uri.startswith(("http://", "https://"))
        return self.ui_url or (without_credentials(self.tracking_uri) if is_server else None)


@dataclass(frozen=True, kw_only=True)
class SweepResult:
    """How a sweep stands after a run."""

    sweep_id: str
    num_trials: int
    num_finished: int
    num_failed: int
    num_stopped: int
    """By the scheduler."""
    frontier: WrittenFrontier | None
    """None where no trial finished, or MLflow did not answer."""
    directory: str
    """Where everything is; an address where the storage is one."""
    spent: str = ""
    """Which limit of the budget kept trials from starting."""
    unpublished: str = ""
    """Why MLflow does not hold everything, where that is so."""
    unreported: str = ""
    """Why it holds no report, where that is so and it holds the rest."""
    pages: Mapping[str, str] = field(default_factory=dict)
    """Of MLflow's UI, by what they show; none where its address is not known."""
    ui_command: str = ""
    """What opens them where it is not."""

    @property
    def interrupted(self) -> bool:
        return self.num_finished + self.num_failed + self.num_stopped < self.num_trials and not self.spent

    @property
    def summary(self) -> str:
        """One line."""
        stopped = f", {self.num_stopped} stopped early" if self.num_stopped else ""
        failed = f", {self.num_failed} failed" if self.num_failed else ""
        return f"sweep {self.sweep_id}: {self.num_finished} of {self.num_trials} trials finished{stopped}{failed}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data; ``frontier`` has a row for each configuration on the front."""
        front: list[dict[str, Any]] = []
        if self.frontier is not None:
            configurations = self.frontier.configurations
            front = json.loads(configurations[configurations["on_front"]].to_json(orient="records"))
        own = {item.name: getattr(self, item.name) for item in fields(self)}
        said = {"summary": self.summary, "interrupted": self.interrupted}
        return {**own, "frontier": front, **said}


@dataclass(frozen=True, kw_only=True)
class _Held:
    """A sweep that this process holds."""

    sweep: Sweep
    sweep_id: str
    journal: Journal
    study: Study
    ledger: Ledger
    place: Place

    @staticmethod
    def of(sweep: Sweep, sweep_id: str, journal: Journal, place: Place) -> _Held:
        study, ledger = Study(sweep, journal), Ledger(sweep.budget)
        for trial in study.trials:
            ledger.read(trial.trial_id, journal)
        return _Held(sweep=sweep, sweep_id=sweep_id, journal=journal, study=study, ledger=ledger, place=place)

    @property
    def num_trials(self) -> int:
        return self.study.most_to_run

    @property
    def num_skipped(self) -> int:
        return self.study.num_skipped

    @property
    def train_s(self) -> float:
        return self.ledger.train_s

    def ended(self) -> dict[str, Ended]:
        """Trials that have, by trial id."""
        found = {trial.trial_id: self.journal.ended(trial.trial_id) for trial in self.study.trials}
        return {trial_id: ended for trial_id, ended in found.items() if ended is not None}

    def count(self) -> dict[Outcome | None, int]:
        """Trials by outcome; None counts those that have not ended, and those still to come."""
        counts: dict[Outcome | None, int] = dict.fromkeys(Outcome, 0)
        for ended in self.ended().values():
            counts[ended.outcome] += 1
        counts[None] = self.study.most_trials - sum(counts.values())
        return counts

    def num_over(self) -> int:
        """Trials with nothing left to do."""
        counts = self.count()
        return counts[Outcome.FINISHED] + counts[Outcome.STOPPED]


def run(
    sweep: Sweep,
    place: Place,
    view: AbstractView,
    *,
    resume: bool = False,
    new: bool = False,
    announce: Callable[[Study, Sequence[Trial]], None] | None = None,
) -> SweepResult:
    """Run every trial that has not finished, as far as the budget goes; then bring MLflow up to date and publish the
    frontier.

    Args:
        sweep: what to run.
        place: where.
        view: where progress is shown.
        resume: go on with an unfinished sweep of the same content.
        new: start another sweep of the same content beside the old one.
        announce: is told, before anything runs, the study and which of its known trials are left; may raise.

    Raises:
        SweepError: the sweep exists and neither ``resume`` nor ``new`` was said, or another process runs it.
        ValueError: data is missing or a network cannot be built.
        ConnectionError: the tracking server does not answer.
    """
    check_tracking(place.tracking_uri)
    tracked = prepare(place.tracking_uri, sweep.name)
    sweep_id = next_free(place.storage, tracked, sweep.sweep_id) if new else sweep.sweep_id
    journal = open_journal(location_of(place.storage, sweep_id))
    with holding(journal) as lease:
        held = _Held.of(sweep, sweep_id, journal, place)
        study, num_over = held.study, held.num_over()
        is_left = num_over < study.most_trials and not held.ledger.spent()
        at_hand = check_here(study.sample) if place.address is None and is_left else {}
        check_identity(sweep_id, study.trials, journal, tracked)
        if journal.instance is not None and is_left and not resume:
            raise SweepError(
                f"sweep {sweep_id} is unfinished ({num_over} of {study.most_trials} trials): "
                "--resume goes on with it, --new starts another"
            )
        if is_left and announce is not None:
            announce(study, [trial for trial in study.trials if not journal.is_over(trial.trial_id)])
        is_cut_off = is_left
        try:
            if is_left:
                with joined(place.address):
                    check_nodes(sweep, study.sample, journal, is_local=place.address is None)
                    _begin(held)
                    is_cut_off = _train(held, view, at_hand)
            else:
                _begin(held)
        finally:
            if lease.lost:
                raise SweepError(f"another process took sweep {sweep_id} while this one stood still: that one goes on")
            if journal.instance is not None:
                result = _conclude(held, is_cut_off=is_cut_off)
    return result


def sync(sweep_id: str, place: Place) -> SweepResult:
    """Bring MLflow up to what a sweep left in the storage, whatever it has of it; and publish the frontier.

    Raises:
        SweepError: there is no sweep, or another process runs it.
        ConnectionError: the tracking server does not answer.
    """
    journal = open_journal(location_of(place.storage, sweep_id))
    if not journal.file("sweep.yaml").is_file():
        raise SweepError(f"{journal.location} is not the folder of a sweep: wanted one with sweep.yaml and trials/")
    check_tracking(place.tracking_uri)
    with holding(journal):
        sweep = Sweep.load(journal.directory / "sweep.yaml")
        tracked = prepare(place.tracking_uri, sweep.name)
        held = _Held.of(sweep, sweep_id, journal, place)
        check_identity(held.sweep_id, held.study.trials, journal, tracked)
        return _conclude(held, is_cut_off=False)


def _begin(held: _Held) -> None:
    """From here on there is a sweep."""
    sweep, journal = held.sweep, held.journal
    earlier = sweep.searcher.earlier_sweeps if journal.instance is None else ()
    held.study.begin(earlier_outcomes(held.place.tracking_uri, earlier, sweep.goals))
    journal.begin_sweep(sweep.to_yaml())


def _train(held: _Held, view: AbstractView, at_hand: Mapping[str, Task]) -> bool:
    """Run trials on Ray; returns whether some were cut off, as by Ctrl-C."""
    from ray import tune

    from orchestrator.follower import Follower
    from orchestrator.proposer import Proposer
    from orchestrator.stopper import Stopper
    from orchestrator.views.gauges import Gauges

    sweep, journal, study, place = held.sweep, held.journal, held.study, held.place
    for trial in study.trials:
        journal.forget_failure(trial.trial_id)
    board = Board(held.sweep_id, journal.location, held, held.ended())
    # asked as late as can be; where nothing depends on what happens until then, an autoscaler sees what is to come
    is_fixed = not (sweep.searcher.is_adaptive or sweep.budget.is_set) and sweep.scheduler["name"] == "none"
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = "200" if is_fixed else "1"
    tracker = start_tracker(sweep, held.sweep_id, journal, place.tracking_uri)
    setting = Setting(sweep_id=held.sweep_id, location=journal.location, import_path=str(place.import_path))
    tasks = {identity(trial.config.task.to_dict()): trial.config.task for trial in study.sample}
    shared = SharedTasks.load(tasks, setting.import_path, at_hand)
    trainable = tune.with_resources(
        tune.with_parameters(run_on_ray, setting=setting, tracker=tracker, shared=shared),
        lambda suggested: tune.PlacementGroupFactory([Share(**suggested["share"]).for_ray()]),
    )
    views = [view, Gauges()] if place.address else [view]
    with drained(tracker), contextlib.ExitStack() as shown:
        for one in views:
            shown.enter_context(one.shown(board))
        tuner = tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=Proposer(study, journal, sweep.resources, held.ledger),
                scheduler=Stopper(sweep, study, journal),
                num_samples=-1,  # the searcher says when it has finished
                reuse_actors=True,
                trial_dirname_creator=lambda trial: str(trial.config["trial_id"]),
            ),
            run_config=tune.RunConfig(
                name="ray",
                storage_path=journal.location,
                callbacks=[Follower(board, views, journal)],
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


def _conclude(held: _Held, *, is_cut_off: bool) -> SweepResult:
    """Whatever happened before: MLflow holds what the journal holds, the frontier is published, no run is open.

    Where the server does not answer, the journal keeps everything for ``sync``.
    """
    frontier, unpublished, unreported, pages, command = None, "", "", {}, ""
    held.journal.fetch_all()
    states = held.count()
    spent = held.ledger.spent() if states[None] and not is_cut_off else ""
    try:
        check_tracking(held.place.tracking_uri)
        frontier, run_id, unreported = _publish(held, interrupted=states[None] > 0 and not spent)
        if frontier is not None:
            pages, command = _pages(held, frontier, run_id), ui_command(held.place.tracking_uri, held.sweep_id)
    except Exception:
        unpublished = _why_unreachable(held.place.tracking_uri)
        if not unpublished:
            raise
    return SweepResult(
        sweep_id=held.sweep_id,
        num_trials=held.study.most_trials,
        num_finished=states[Outcome.FINISHED],
        num_failed=states[Outcome.FAILED],
        num_stopped=states[Outcome.STOPPED],
        frontier=frontier,
        directory=held.journal.location,
        spent=spent,
        unpublished=unpublished,
        unreported=unreported,
        pages=pages,
        ui_command="" if pages else command,
    )


def _publish(held: _Held, *, interrupted: bool) -> tuple[WrittenFrontier | None, str, str]:
    """The frontier, the id of the sweep's own run, and why there is no report, where that is so."""
    unreported = ""
    uri, directory = held.place.tracking_uri, held.journal.directory
    tracker = Tracker(tracking_uri=uri, sweep_id=held.sweep_id, name=held.sweep.name, directory=held.journal.location)
    try:
        tracker.sync_all()
        written = write_frontier(uri, [held.sweep_id], directory / "frontier", ui_url=held.place.ui)
        if written is not None:
            tracker.publish(
                str(written.folder), pareto=written.pareto_run_ids, representative=written.representative_run_ids
            )
            tracker.present(_presentation(held, written, tracker.run_id))
            held.journal.store_frontier()
            unreported = log_report(tracker, held.journal, written.points, ui_url=held.place.ui)
        return written, tracker.run_id, unreported
    finally:
        tracker.close(interrupted=interrupted)


def _pages(held: _Held, written: WrittenFrontier, run_id: str) -> dict[str, str]:
    """Of MLflow's UI, where its address is known."""
    if held.place.ui is None:
        return {}
    experiment_id = str(written.configurations["experiment_id"].iloc[0])
    return pages_of(held.place.ui, experiment_id, run_id, held.sweep_id, len(written.points))


def _presentation(held: _Held, written: WrittenFrontier, run_id: str) -> Presentation:
    ended = held.ended().values()
    num = Counter(one.outcome for one in ended)
    ending = Ending(
        experiment_id=str(written.configurations["experiment_id"].iloc[0]),
        run_id=run_id,
        num_trials=held.study.most_trials,
        num_finished=num[Outcome.FINISHED],
        num_stopped=num[Outcome.STOPPED],
        failures=[one.reason for one in ended if one.outcome is Outcome.FAILED],
        versions=environment.versions(),
        commit=environment.commit(),
    )
    now_ms = int(time.time() * 1000)
    return presentation_of(held.sweep.to_dict(), written.configurations, written.points, ending, now_ms=now_ms)


def _why_unreachable(tracking_uri: str) -> str:
    """In one line; empty where the store answers."""
    try:
        check_tracking(tracking_uri)
    except ConnectionError as error:
        return str(error)
    return ""
