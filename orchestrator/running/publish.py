"""The end of a sweep: MLflow holds what the journal holds, the frontier and the report are published."""

from __future__ import annotations

import time
from collections import Counter

from analysis.points.mlflow import check_tracking
from orchestrator import environment
from orchestrator.planning.session import Session
from orchestrator.reports.frontier import WrittenFrontier, write_frontier
from orchestrator.reports.page import log_report
from orchestrator.running.result import SweepResult
from orchestrator.storage.outcomes import Outcome
from orchestrator.tracking.publishing import Presentation
from orchestrator.tracking.tracker import Tracker
from orchestrator.tracking.ui.links import pages as pages_of
from orchestrator.tracking.ui.links import ui_command
from orchestrator.tracking.ui.note import Ending
from orchestrator.tracking.ui.presentation import presentation_of


def conclude(held: Session, *, is_cut_off: bool) -> SweepResult:
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


def _publish(held: Session, *, interrupted: bool) -> tuple[WrittenFrontier | None, str, str]:
    """The frontier, the id of the sweep's own run, and why there is no report, where that is so."""
    unreported = ""
    uri = held.place.tracking_uri
    tracker = Tracker(tracking_uri=uri, sweep_id=held.sweep_id, name=held.sweep.name, directory=held.journal.location)
    try:
        tracker.sync_all()
        written = write_frontier(uri, [held.sweep_id], held.journal.frontier_directory(), ui_url=held.place.ui)
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


def _pages(held: Session, written: WrittenFrontier, run_id: str) -> dict[str, str]:
    """Of MLflow's UI, where its address is known."""
    if held.place.ui is None:
        return {}
    experiment_id = str(written.configurations["experiment_id"].iloc[0])
    return pages_of(held.place.ui, experiment_id, run_id, held.sweep_id, len(written.points))


def _presentation(held: Session, written: WrittenFrontier, run_id: str) -> Presentation:
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
