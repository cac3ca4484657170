"""Runs a part of a sweep without Ray, one trial after the other in this process: one job of a batch scheduler's array.

``ratefront sync`` tells MLflow when all parts are done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import SweepError
from orchestrator.planning.checks import check_here, check_identity
from orchestrator.planning.retries import forget_failures
from orchestrator.planning.study import Study
from orchestrator.search.space import identity
from orchestrator.storage.bucket import is_remote
from orchestrator.storage.damage import new_lines
from orchestrator.storage.journal import FULL, Ended, Journal
from orchestrator.storage.locations import location_of, open_journal
from orchestrator.storage.locks import sharing
from orchestrator.storage.mending import mend
from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.trials import Trial
from orchestrator.trial import Request, Setting, execute
from orchestrator.views.board import Board, Totals
from orchestrator.views.broadcast import Broadcast, beginning_of

if TYPE_CHECKING:
    from orchestrator.views.base import AbstractView
    from trainers.config import Spec
    from trainers.loop.progress import Progress
    from trainers.tasks.base import Task


def run_part(
    sweep: Sweep,
    number: int,
    of: int,
    *,
    storage: str,
    import_path: Path,
    view: AbstractView,
    say: Callable[[str], None],
) -> Board:
    """Run every ``of``-th trial of a sweep, from the ``number``-th on, as far as it is not over.

    Args:
        sweep: its plan is fixed.
        number: which part, from 0.
        of: how many parts there are; all together are the sweep.
        storage: folder of all sweeps.
        import_path: folder of the user's own modules.
        view: where progress is shown.
        say: is told at the end what was found damaged, in a line for each file.

    Returns:
        The board of this part, as it stands at the end.

    Raises:
        SweepError: the sweep's plan is not fixed, one process runs it as a whole, or the disk is full.
        ValueError: data is missing or a network cannot be built.
    """
    if not 0 <= number < of:
        raise SweepError(f"part {number} of {of}: wanted 0 to {of - 1}")
    if not sweep.is_fixed:
        raise SweepError(
            "parts know nothing of each other: wanted a search that is fixed in advance, such as --set search=grid, "
            "no scheduler and no budget"
        )
    if is_remote(storage):
        raise SweepError(f"--storage is {storage}: wanted a folder that all parts share, since parts hold it by locks")
    location = location_of(storage, sweep.sweep_id)
    journal = open_journal(location)
    with sharing(Path(location)):
        trials = Study(sweep, journal).trials[number::of]
        known_damage = _damage(journal, trials)
        mend(journal, {trial.trial_id for trial in trials})
        check_identity(sweep.sweep_id, trials, journal, {})
        tasks = check_here(trials) if trials else {}
        journal.begin_sweep(sweep.to_yaml())
        ended = {trial.trial_id: journal.ended(trial.trial_id) for trial in trials if journal.is_over(trial.trial_id)}
        board = Board(
            sweep.sweep_id,
            journal.location,
            Totals(num_trials=len(trials)),
            {trial_id: record for trial_id, record in ended.items() if record is not None},
        )
        setting = Setting(sweep_id=sweep.sweep_id, location=journal.location, import_path=str(import_path))
        broadcast = Broadcast(board, [view], early_points=journal.points)
        with broadcast.shown(beginning_of(board)):
            for trial in (trial for trial in trials if trial.trial_id not in ended):
                forget_failures(journal, [trial])
                resources = sweep.resources.of(trial.config)
                request = Request(
                    setting=setting, trial_id=trial.trial_id, config=trial.config.to_dict(), resources=resources
                )
                ended_now = _run(request, tasks, broadcast)
                if ended_now.reason.startswith(FULL):  # so would all others fail
                    raise SweepError(f"{ended_now.reason}; free some space, and the same command goes on")
        for line in new_lines(_damage(journal, trials), known_damage):
            say(line)
    return board


def _damage(journal: Journal, trials: Sequence[Trial]) -> list[str]:
    return [line for trial in trials for line in journal.damage(trial.trial_id)]


def _run(request: Request, tasks: Mapping[str, Task], broadcast: Broadcast) -> Ended:
    trial_id = request.trial_id

    def find_task(spec: Spec) -> Task:
        return tasks[identity(spec.to_dict())]

    def report(progress: Progress) -> None:
        broadcast.report(trial_id, asdict(progress))

    broadcast.start(trial_id, request.config)
    ended = execute(request, report=report, track=lambda trial_id: None, find_task=find_task)
    broadcast.end(trial_id, ended)
    return ended
