"""Brings MLflow up to what a sweep left in the storage, for instance after its server was away."""

from __future__ import annotations

from orchestrator.errors import SweepError
from orchestrator.planning.checks import check_identity
from orchestrator.planning.session import Session
from orchestrator.running.interrupts import check_held, sigterm_as_ctrl_c
from orchestrator.running.place import Place
from orchestrator.running.publish import conclude
from orchestrator.running.result import SweepResult
from orchestrator.sweep.file import load_sweep


def sync_sweep(sweep_id: str, place: Place) -> SweepResult:
    """Log what MLflow does not have of a sweep, and publish the frontier.

    Raises:
        SweepError: there is no sweep, or another process runs it.
        ConnectionError: the tracking server does not answer.
    """
    journal, store = place.journal(sweep_id), place.store
    if not journal.file("sweep.yaml").is_file():
        raise SweepError(f"{journal.location} is not the folder of a sweep: wanted one with sweep.yaml and trials/")
    store.check()
    with sigterm_as_ctrl_c(), journal.hold() as lease:
        try:
            sweep = load_sweep(journal.file("sweep.yaml"))
            tracked = store.prepare(sweep.name)
            session = Session.open(sweep, sweep_id, journal)
            check_identity(sweep_id, session.study.trials, journal, tracked)
            return conclude(session, store, is_cut_off=False)
        except KeyboardInterrupt:
            check_held(lease, sweep_id)
            raise
