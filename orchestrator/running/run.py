"""Runs a sweep: checks that it can run, runs the trials that are left on Ray Tune, and publishes its frontier."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from orchestrator.errors import SweepError
from orchestrator.planning.checks import check_here, check_identity
from orchestrator.planning.session import Session
from orchestrator.planning.study import Study
from orchestrator.ray_tune.nodes import check_nodes
from orchestrator.ray_tune.runtime import joined
from orchestrator.ray_tune.train import run_trials
from orchestrator.running.interrupts import check_held, sigterm_as_ctrl_c
from orchestrator.running.place import Place
from orchestrator.running.publish import conclude
from orchestrator.running.result import SweepResult
from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.trials import Trial
from orchestrator.tracking.store import Store
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
    """Run every trial that is not over, as far as the budget goes; then publish the frontier.

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
    with sigterm_as_ctrl_c():
        return _run(sweep, place, view, resume=resume, new=new, announce=announce)


def _run(
    sweep: Sweep,
    place: Place,
    view: AbstractView,
    *,
    resume: bool,
    new: bool,
    announce: Callable[[Study, Sequence[Trial]], None] | None,
) -> SweepResult:
    store = place.store
    store.check()
    tracked = store.prepare(sweep.name)
    sweep_id = place.next_free(sweep.sweep_id, tracked) if new else sweep.sweep_id
    journal = place.journal(sweep_id)
    with journal.hold() as lease:
        session = Session.open(sweep, sweep_id, journal, mend=resume)
        has_more = session.has_more()
        at_hand = check_here(session.study.sample) if has_more and place.address is None else {}
        check_identity(sweep_id, session.study.trials, journal, tracked)
        if has_more:
            _check_wanted(session, resume=resume)
            if announce is not None:
                announce(session.study, session.left())
        is_cut_off = has_more
        try:
            if has_more:
                with joined(place.address), sigterm_as_ctrl_c():  # again: Ray has a handler of its own
                    check_nodes(sweep, session.study.sample, journal, is_local=place.address is None)
                    _begin(session, store)
                    is_cut_off = run_trials(
                        session,
                        view,
                        at_hand,
                        tracking_uri=store.tracking_uri,
                        import_path=place.import_path,
                        address=place.address,
                    )
            else:
                _begin(session, store)
        finally:
            check_held(lease, sweep_id)
            if journal.instance is not None:  # it has begun
                with sigterm_as_ctrl_c():
                    result = conclude(session, store, is_cut_off=is_cut_off)
    return result


def _check_wanted(session: Session, *, resume: bool) -> None:
    """Refuse to go on with a sweep that began earlier where nobody said so.

    Raises:
        SweepError: it began, and ``resume`` is false.
    """
    if session.journal.instance is not None and not resume:
        raise SweepError(
            f"sweep {session.sweep_id} is unfinished ({session.num_over()} of {session.study.most_trials} trials): "
            "--resume goes on with it, --new starts another"
        )


def _begin(session: Session, store: Store) -> None:
    """Let the searcher hear of earlier sweeps, and write the sweep file: from here on the sweep is there."""
    sweep, journal = session.sweep, session.journal
    earlier = sweep.make_searcher().earlier_sweeps if journal.instance is None else ()
    session.study.begin(earlier_outcomes(store.tracking_uri, earlier, sweep.goals, sweep.task))
    journal.begin_sweep(sweep.to_yaml())
