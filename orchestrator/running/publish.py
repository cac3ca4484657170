"""The end of a sweep: MLflow comes to hold what the journal holds, the frontier and the report are published."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from dataclasses import dataclass

from orchestrator import environment
from orchestrator.planning.session import Session
from orchestrator.reports.frontier import WrittenFrontier, write_frontier
from orchestrator.reports.page import log_report
from orchestrator.running.result import SweepResult
from orchestrator.storage.journal import Outcome
from orchestrator.tracking.publishing import Presentation
from orchestrator.tracking.store import Store, is_stores
from orchestrator.tracking.tracker import Tracker
from orchestrator.tracking.ui.links import pages as pages_of
from orchestrator.tracking.ui.links import ui_command
from orchestrator.tracking.ui.note import Ending
from orchestrator.tracking.ui.presentation import presentation_of
from trainers.full_disk import why_full
from trainers.lookup import one_line

_MOST_ATTEMPTS = 3


def conclude(session: Session, store: Store, *, is_cut_off: bool) -> SweepResult:
    """Log what MLflow does not have yet, publish the frontier and the report, and close every run.

    Whatever happened before, it may be called, and called again. Where the server does not answer, the journal keeps
    everything for ``sync``.

    Args:
        session: the sweep.
        store: where to publish, after ``prepare``.
        is_cut_off: whether trials were cut off, as by Ctrl-C; else what is left was left by the budget.
    """
    session.journal.fetch_all()
    states = session.count()
    spent = session.ledger.spent() if states[None] and not is_cut_off else ""
    published, unpublished = _patiently(session, store, interrupted=states[None] > 0 and not spent)
    frontier = published.frontier
    pages = _pages(session, store, frontier, published.run_id) if frontier is not None else {}
    command = ui_command(store.tracking_uri, session.sweep_id) if frontier is not None else ""
    return SweepResult(
        sweep_id=session.sweep_id,
        num_trials=session.study.most_trials,
        num_finished=states[Outcome.FINISHED],
        num_failed=states[Outcome.FAILED],
        num_stopped=states[Outcome.STOPPED],
        frontier=frontier,
        directory=session.journal.location,
        spent=spent,
        full=session.ledger.full,
        unpublished=unpublished,
        unreported=published.unreported,
        damage=[*session.new_damage(), *published.damage],
        num_unlogged=published.num_unlogged,
        pages=pages,
        ui_command="" if pages else command,
    )


@dataclass(frozen=True, kw_only=True)
class _Published:
    """What MLflow was told."""

    frontier: WrittenFrontier | None = None
    run_id: str = ""
    """The id of the sweep's own run."""
    unreported: str = ""
    """Why there is no report, where that is so."""
    num_unlogged: int = 0
    """Finished trials that it could not be told of, as their files are missing or changed."""
    damage: tuple[str, ...] = ()
    """What was wrong with files, in a line for each."""


def _patiently(session: Session, store: Store, *, interrupted: bool) -> tuple[_Published, str]:
    """Publish, and where requests were lost publish what is left, as long as the store answers.

    Returns:
        What was published; why not, where that is so.
    """
    why = ""
    for _ in range(_MOST_ATTEMPTS):
        try:
            store.check()
            return _publish(session, store, interrupted=interrupted), ""
        except Exception as error:
            why = store.why_unreachable()
            if why:
                break
            why = why_full(error)
            if why:
                break
            if not is_stores(error):
                raise
            why = one_line(error)
    return _Published(), why


def _publish(session: Session, store: Store, *, interrupted: bool) -> _Published:
    unreported, journal = "", session.journal
    tracker = Tracker(journal, tracking_uri=store.tracking_uri, sweep_id=session.sweep_id, name=session.sweep.name)
    try:
        tracker.sync_all()
        folder = journal.frontier_directory()
        written = write_frontier(store.tracking_uri, [session.sweep_id], folder, ui_url=store.ui)
        if written is not None:
            tracker.publish(str(written.folder))
            tracker.present(_presentation(session, written, tracker.run_id))
            journal.store_frontier()
            unreported = log_report(tracker, journal, written.points, ui_url=store.ui)
        return _Published(
            frontier=written,
            run_id=tracker.run_id,
            unreported=unreported,
            num_unlogged=len(tracker.unlogged),
            damage=(*tracker.unlogged.values(), *tracker.left_out),
        )
    finally:
        tracker.close(interrupted=interrupted)


def _pages(session: Session, store: Store, written: WrittenFrontier, run_id: str) -> dict[str, str]:
    """Pages of MLflow's UI, by what they show; none where its address is not known."""
    if store.ui is None:
        return {}
    experiment_id = str(written.configurations["experiment_id"].iloc[0])
    return pages_of(store.ui, experiment_id, run_id, session.sweep_id, len(written.points))


def _presentation(session: Session, written: WrittenFrontier, run_id: str) -> Presentation:
    records = session.ended().values()
    num = Counter(ended.outcome for ended in records)
    ending = Ending(
        experiment_id=str(written.configurations["experiment_id"].iloc[0]),
        run_id=run_id,
        num_trials=session.study.most_trials,
        num_finished=num[Outcome.FINISHED],
        num_stopped=num[Outcome.STOPPED],
        failures=[ended.reason for ended in records if ended.outcome is Outcome.FAILED],
        versions=environment.versions(),
        commit=environment.commit(),
    )
    now_ms = int(time.time() * 1000)
    shown = presentation_of(session.sweep.to_dict(), written.configurations, written.points, ending, now_ms=now_ms)
    return dataclasses.replace(shown, pareto=written.pareto_run_ids, representative=written.representative_run_ids)
