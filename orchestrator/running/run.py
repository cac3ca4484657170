"""Runs a sweep on Ray Tune: what is left of its plan, a tracker beside the store, and the frontier at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from analysis.points.mlflow import check_tracking
from orchestrator.errors import SweepError
from orchestrator.planning.checks import check_here, check_identity
from orchestrator.planning.session import Place, Session
from orchestrator.planning.study import Study
from orchestrator.ray_tune.nodes import check_nodes
from orchestrator.ray_tune.runtime import joined
from orchestrator.ray_tune.train import run_trials
from orchestrator.running.interrupts import terminated_as_interrupted
from orchestrator.running.publish import conclude
from orchestrator.running.result import SweepResult
from orchestrator.storage.locations import location_of, next_free, open_journal
from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.file import load_sweep
from orchestrator.sweep.trials import Trial
from orchestrator.tracking.store import prepare
from orchestrator.tracking.warm_start import earlier_outcomes
from orchestrator.views.base import AbstractView


def run_sweep(
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
    with journal.hold() as lease:
        held = Session.of(sweep, sweep_id, journal, place)
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
                with joined(place.address), terminated_as_interrupted():
                    check_nodes(sweep, study.sample, journal, is_local=place.address is None)
                    _begin(held)
                    is_cut_off = run_trials(held, view, at_hand)
            else:
                _begin(held)
        finally:
            if lease.lost:
                raise SweepError(f"another process took sweep {sweep_id} while this one stood still: that one goes on")
            if journal.instance is not None:
                result = conclude(held, is_cut_off=is_cut_off)
    return result


def sync_sweep(sweep_id: str, place: Place) -> SweepResult:
    """Bring MLflow up to what a sweep left in the storage, whatever it has of it; and publish the frontier.

    Raises:
        SweepError: there is no sweep, or another process runs it.
        ConnectionError: the tracking server does not answer.
    """
    journal = open_journal(location_of(place.storage, sweep_id))
    if not journal.file("sweep.yaml").is_file():
        raise SweepError(f"{journal.location} is not the folder of a sweep: wanted one with sweep.yaml and trials/")
    check_tracking(place.tracking_uri)
    with journal.hold():
        sweep = load_sweep(journal.file("sweep.yaml"))
        tracked = prepare(place.tracking_uri, sweep.name)
        held = Session.of(sweep, sweep_id, journal, place)
        check_identity(held.sweep_id, held.study.trials, journal, tracked)
        return conclude(held, is_cut_off=False)


def _begin(held: Session) -> None:
    """From here on there is a sweep."""
    sweep, journal = held.sweep, held.journal
    earlier = sweep.make_searcher().earlier_sweeps if journal.instance is None else ()
    held.study.begin(earlier_outcomes(held.place.tracking_uri, earlier, sweep.goals))
    journal.begin_sweep(sweep.to_yaml())
