"""Runs a sweep on Ray Tune: what is left of its plan, a tracker beside the store, and the frontier at the end."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from analysis.load import check_tracking
from orchestrator.frontier import WrittenFrontier, write_frontier
from orchestrator.journal import Journal, Outcome
from orchestrator.study import Study
from orchestrator.sweep import Sweep, SweepError, Trial
from orchestrator.tracking import Tracker, prepare
from orchestrator.trial import Setting, run_on_ray
from orchestrator.warm_start import earlier_outcomes

_MOST_DEATHS = 2
"""How often a trial whose worker died is tried again, from its last checkpoint."""


_LAST_WORDS_S = 10.0
"""How long a tracker may take for what workers sent last."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a sweep runs and leaves its results."""

    storage: Path
    """Folder of all sweeps; on a cluster, one that all nodes share."""
    tracking_uri: str
    import_path: Path
    """Folder of the user's own modules."""
    address: str | None = None
    """Of a running Ray cluster; without one Ray is started here and stopped at the end."""
    ui_url: str | None = None
    """Of the MLflow UI, for links in the interactive figure."""


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
    directory: Path
    """Where everything is."""
    unpublished: str = ""
    """Why MLflow does not hold everything, where that is so."""

    @property
    def interrupted(self) -> bool:
        return self.num_finished + self.num_failed + self.num_stopped < self.num_trials


def run(sweep: Sweep, place: Place, console: Console, *, resume: bool = False, new: bool = False) -> SweepResult:
    """Run every trial of the plan that has not finished; then bring MLflow up to date and publish the frontier.

    Args:
        sweep: what to run.
        place: where.
        console: where progress is shown.
        resume: go on with an unfinished sweep of the same content.
        new: start another sweep of the same content beside the old one.

    Raises:
        SweepError: the sweep exists and neither ``resume`` nor ``new`` was said, or another process runs it.
        ValueError: data is missing or a network cannot be built.
        ConnectionError: the tracking server does not answer.
    """
    check_tracking(place.tracking_uri)
    tracked = prepare(place.tracking_uri, sweep.name)
    sweep_id = _next_free(place.storage, tracked, sweep.sweep_id) if new else sweep.sweep_id
    journal = Journal((place.storage / sweep_id).resolve())
    with _only_one(journal.directory):
        study = Study(sweep, journal)
        num_over = _num_over(study, journal)
        is_left = num_over < study.most_trials
        if place.address is None and is_left:
            _check_here(study.sample)
        _check_identity(sweep_id, study.trials, journal, tracked)
        if journal.instance is not None and is_left and not resume:
            raise SweepError(
                f"sweep {sweep_id} is unfinished ({num_over} of {study.most_trials} trials): "
                "--resume goes on with it, --new starts another"
            )
        earlier = sweep.searcher.earlier_sweeps if journal.instance is None else ()
        study.begin(earlier_outcomes(place.tracking_uri, earlier, sweep.goals))
        journal.begin_sweep(sweep.to_yaml())
        try:
            if is_left:
                _run_on_ray(sweep, sweep_id, study, journal, place, console)
        finally:
            result = _conclude(sweep, sweep_id, study, journal, place)
    return result


def sync(directory: Path, place: Place) -> SweepResult:
    """Bring MLflow up to what the sweep in ``directory`` left there, whatever it has of it; and publish the frontier.

    Raises:
        SweepError: there is no sweep, or another process runs it.
        ConnectionError: the tracking server does not answer.
    """
    if not (directory / "sweep.yaml").is_file():
        raise SweepError(f"{directory} is not the folder of a sweep: wanted one with sweep.yaml and trials/")
    check_tracking(place.tracking_uri)
    journal = Journal(directory.resolve())
    sweep = Sweep.load(directory / "sweep.yaml")
    tracked = prepare(place.tracking_uri, sweep.name)
    with _only_one(journal.directory):
        study = Study(sweep, journal)
        _check_identity(journal.directory.name, study.trials, journal, tracked)
        return _conclude(sweep, journal.directory.name, study, journal, place)


def _run_on_ray(
    sweep: Sweep,
    sweep_id: str,
    study: Study,
    journal: Journal,
    place: Place,
    console: Console,
) -> None:
    for trial in study.trials:
        journal.forget_failure(trial.trial_id)
    num_done = _num_over(study, journal)
    with _ray(place.address):
        from ray import tune

        from orchestrator.progress import ProgressView
        from orchestrator.proposer import Proposer
        from orchestrator.stopper import Stopper

        # asked as late as can be; where nothing depends on what happens until then, an autoscaler sees what is to come
        is_fixed = not sweep.searcher.is_adaptive and sweep.scheduler["name"] == "none"
        os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = "200" if is_fixed else "1"

        if place.address is not None:
            _check_shared(journal.directory)
        tracker = _start_tracker(sweep, sweep_id, journal, place)
        setting = Setting(
            sweep_id=sweep_id,
            directory=str(journal.directory),
            import_path=str(place.import_path),
            num_threads=sweep.resources.cpu,
            use_gpu=sweep.resources.gpu > 0,
            time_limit_s=sweep.resources.time_s,
        )
        cpu = sweep.resources.cpu
        trainable = tune.with_resources(
            tune.with_parameters(run_on_ray, setting=setting, tracker=tracker),
            lambda suggested: tune.PlacementGroupFactory([{"CPU": cpu, "GPU": suggested["gpu"]}]),
        )
        with _drained(tracker), ProgressView(console, journal, study, num_done=num_done) as view:
            tune.Tuner(
                trainable,
                tune_config=tune.TuneConfig(
                    search_alg=Proposer(study, journal, sweep.resources.gpu),
                    scheduler=Stopper(sweep, study, journal),
                    num_samples=-1,  # the searcher says when it has finished
                    reuse_actors=True,
                    trial_dirname_creator=lambda trial: str(trial.config["trial_id"]),
                ),
                run_config=tune.RunConfig(
                    name="ray",
                    storage_path=str(journal.directory),
                    callbacks=[view],
                    # a trial records what it raises: only a worker that died is a failure to Ray, and is tried again
                    failure_config=tune.FailureConfig(max_failures=_MOST_DEATHS),
                    verbose=0,
                    log_to_file=False,
                ),
            ).fit()


def _start_tracker(sweep: Sweep, sweep_id: str, journal: Journal, place: Place) -> Any:
    """An actor on this node, beside a local store, that follows the trials while they run."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor: Any = ray.remote(Tracker).options(num_cpus=0, scheduling_strategy=here)
    return actor.remote(
        tracking_uri=place.tracking_uri, sweep_id=sweep_id, name=sweep.name, directory=str(journal.directory)
    )


@contextlib.contextmanager
def _drained(tracker: Any) -> Iterator[None]:
    """Two trackers at once could make a run twice: this one has ended before another begins."""
    import ray

    try:
        yield
    finally:
        with contextlib.suppress(Exception):  # whatever it did not log, the next one does
            ray.get(tracker.sync_all.remote(), timeout=_LAST_WORDS_S)
        ray.kill(tracker)


def _conclude(sweep: Sweep, sweep_id: str, study: Study, journal: Journal, place: Place) -> SweepResult:
    """Whatever happened before: MLflow holds what the journal holds, the frontier is published, no run is open.

    Where the server does not answer, the journal keeps everything for ``sync``.
    """
    frontier, unpublished = None, ""
    try:
        check_tracking(place.tracking_uri)
        frontier = _publish(sweep, sweep_id, study, journal, place)
    except Exception:
        unpublished = _why_unreachable(place.tracking_uri)
        if not unpublished:
            raise
    states = _count(study, journal)
    return SweepResult(
        sweep_id=sweep_id,
        num_trials=study.most_trials,
        num_finished=states[Outcome.FINISHED],
        num_failed=states[Outcome.FAILED],
        num_stopped=states[Outcome.STOPPED],
        frontier=frontier,
        directory=journal.directory,
        unpublished=unpublished,
    )


def _publish(sweep: Sweep, sweep_id: str, study: Study, journal: Journal, place: Place) -> WrittenFrontier | None:
    tracker = Tracker(
        tracking_uri=place.tracking_uri, sweep_id=sweep_id, name=sweep.name, directory=str(journal.directory)
    )
    try:
        tracker.sync_all()
        written = write_frontier(place.tracking_uri, [sweep_id], journal.directory / "frontier", ui_url=place.ui_url)
        if written is not None:
            tracker.publish(
                str(written.folder), pareto=written.pareto_run_ids, representative=written.representative_run_ids
            )
        return written
    finally:
        tracker.close(interrupted=_count(study, journal)[None] > 0)


def _why_unreachable(tracking_uri: str) -> str:
    """In one line; empty where the store answers."""
    try:
        check_tracking(tracking_uri)
    except ConnectionError as error:
        return str(error)
    return ""


def _count(study: Study, journal: Journal) -> dict[Outcome | None, int]:
    """Trials by outcome; None counts those that have not ended, and those still to come."""
    counts: dict[Outcome | None, int] = dict.fromkeys(Outcome, 0)
    for trial in study.trials:
        ended = journal.ended(trial.trial_id)
        if ended is not None:
            counts[ended.outcome] += 1
    counts[None] = study.most_trials - sum(counts.values())
    return counts


def _num_over(study: Study, journal: Journal) -> int:
    counts = _count(study, journal)
    return counts[Outcome.FINISHED] + counts[Outcome.STOPPED]


def _check_identity(sweep_id: str, trials: list[Trial], journal: Journal, tracked: dict[str, str]) -> None:
    """Refuse to mix two sweeps under one id.

    Raises:
        SweepError: MLflow has the sweep from elsewhere, or a trial on disk is not the planned one.
    """
    if sweep_id in tracked and tracked[sweep_id] != journal.instance:
        raise SweepError(
            f"MLflow already has a sweep {sweep_id} that is not the one in {journal.directory}: "
            "--new starts another, --name gives it another name"
        )
    for trial in trials:
        config = journal.config(trial.trial_id)
        if config is not None and config != trial.config.to_dict():
            raise SweepError(
                f"trial {trial.trial_id} in {journal.directory} has another configuration than planned, "
                "so another version of ratefront wrote it: --new starts another sweep"
            )


def _check_shared(directory: Path) -> None:
    """Every node of the cluster must see the sweep's folder, or its results would be lost.

    Raises:
        SweepError: one does not.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    def sees(path: str) -> bool:
        return Path(path).is_file()

    remote: Any = ray.remote(num_cpus=0)(sees)
    nodes: Any = ray.nodes()  # type: ignore[no-untyped-call]
    for node in (node for node in nodes if node["Alive"]):
        there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        if not ray.get(remote.options(scheduling_strategy=there).remote(str(directory / "instance"))):
            raise SweepError(
                f"node {node['NodeManagerAddress']} does not see {directory}: "
                "give --storage a folder that all nodes of the cluster share"
            )


def _check_here(trials: list[Trial]) -> None:
    """Find missing data, networks that cannot be built and values that do not fit once, here, before every trial fails.

    Raises:
        ValueError: in one line.
    """
    from trainers.architectures.base import build_on_meta
    from trainers.instantiate import find_architecture, make_task
    from trainers.pretrained import initial_values

    for task_spec in {str(trial.config.task): trial.config.task for trial in trials}.values():
        task = make_task(task_spec)
        specs = (trial.config.architecture for trial in trials if trial.config.task == task_spec)
        for spec in {str(spec): spec for spec in specs}.values():
            architecture, arguments = find_architecture(spec, task)
            plain = build_on_meta(spec.name, architecture, arguments)
            if trials[0].config.init_from:  # one for the whole sweep
                initial_values(trials[0].config.init_from, plain)


@contextlib.contextmanager
def _ray(address: str | None) -> Iterator[None]:
    """A running Ray that says nothing of its own; one that was started here is stopped."""
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"  # its CSV and TensorBoard files cost half the throughput
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ray

        ray.init(
            address=address or "local",
            include_dashboard=None if address else False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
        for name in ("ray", "ray.tune"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            ray.shutdown()


@contextlib.contextmanager
def _only_one(directory: Path) -> Iterator[None]:
    """Hold the sweep, so that a second process cannot run it at the same time. A kill releases it."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SweepError(f"sweep {directory.name} is being run by another process") from error
        try:
            yield
        finally:
            if [path.name for path in directory.iterdir()] == ["lock"]:  # it never began
                (directory / "lock").unlink()
                directory.rmdir()


def _next_free(storage: Path, tracked: dict[str, str], sweep_id: str) -> str:
    """``sweep_id``, or with the first number from 2 that no sweep has, on disk or in MLflow."""
    candidate, number = sweep_id, 2
    while (storage / candidate).exists() or candidate in tracked:
        candidate, number = f"{sweep_id}-{number}", number + 1
    return candidate
