"""Brings MLflow up to what a sweep left in the storage, for instance after its server was away."""

from __future__ import annotations

from orchestrator.errors import SweepError
from orchestrator.planning.checks import check_identity
from orchestrator.planning.session import Session
from orchestrator.running.interrupts import check_held, sigterm_as_ctrl_c
from orchestrator.running.place import Place
from orchestrator.running.publish import conclude
from orchestrator.running.result import SweepResult
from orchestrator.storage.bucket import join
from orchestrator.storage.damage import DamagedError
from orchestrator.storage.journal import Journal
from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.file import load_sweep
from orchestrator.tracking.store import Store


def sync_sweep(sweep_id: str, place: Place) -> SweepResult:
    """Log what MLflow does not have of a sweep, and publish the frontier.

    Trials whose files are damaged lose these; the others are logged.

    Raises:
        SweepError: there is no sweep, or another process runs it.
        DamagedError: its ``sweep.yaml`` cannot be read.
        ConnectionError: the tracking server does not answer.
    """
    journal, store = place.journal(sweep_id), place.store
    if not journal.file("sweep.yaml").is_file():
        raise SweepError(f"{journal.location} is not the folder of a sweep: wanted one with sweep.yaml and trials/")
    store.check()
    with sigterm_as_ctrl_c(), journal.hold() as lease:
        try:
            return _synced(sweep_id, journal, store)
        except KeyboardInterrupt:
            check_held(lease, sweep_id)
            raise


def _synced(sweep_id: str, journal: Journal, store: Store) -> SweepResult:
    sweep = _sweep_of(journal)
    tracked = store.prepare(sweep.name)
    session = Session.open(sweep, sweep_id, journal, mend=True)
    unplanned = sorted(set(journal.trial_ids()).difference(trial.trial_id for trial in session.study.trials))
    if unplanned:
        raise _damaged(journal, f"trial {unplanned[0]} is not one of those that it plans")
    check_identity(sweep_id, session.study.trials, journal, tracked)
    return conclude(session, store, is_cut_off=False)


def _sweep_of(journal: Journal) -> Sweep:
    try:
        return load_sweep(journal.file("sweep.yaml"))
    except SweepError as error:
        raise _damaged(journal, str(error)) from error


def _damaged(journal: Journal, why: str) -> DamagedError:
    return DamagedError(
        f"{join(journal.location, 'sweep.yaml')} is damaged ({why}): 'ratefront sweep FILE --resume', with the file "
        "that the sweep began with, writes it again"
    )
