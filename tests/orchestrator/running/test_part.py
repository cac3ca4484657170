"""Parts of a sweep, each in a process without Ray."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import SweepError
from orchestrator.running.part import run_part
from orchestrator.storage.journal import Journal, Outcome
from orchestrator.storage.locations import open_journal
from orchestrator.storage.locks import only_one
from orchestrator.sweep.definition import Sweep
from orchestrator.views.board import Board
from orchestrator.views.events import AbstractEvent, TrialEnded, TrialStarted
from tests.full_disk import files_of_at_most
from tests.orchestrator.trained import NoView

PARTED = Sweep.from_dict(
    {
        "name": "parted",
        "task": "digits",
        "architecture": {"name": "mlp", "hidden": [4]},
        "method": {"name": "ptq", "bits": [3, 4, 5]},
        "steps": 2,
        "search": "grid",
    }
)
TRIALS = [f"{number:04d}-ptq-s0" for number in range(3)]


class Notes(NoView):
    """Keeps what it is shown."""

    def __init__(self) -> None:
        self.events: list[AbstractEvent] = []

    def show(self, event: AbstractEvent, board: Board) -> None:
        self.events.append(event)

    def started(self) -> list[str]:
        return [event.trial_id for event in self.events if isinstance(event, TrialStarted)]


def part(folder: Path, number: int, of: int, *, sweep: Sweep = PARTED) -> tuple[Board, Notes]:
    view = Notes()
    return run_part(sweep, number, of, storage=str(folder), import_path=folder, view=view, say=print), view


def journal_in(folder: Path) -> Journal:
    return open_journal(str(folder / PARTED.sweep_id))


def test_all_parts_together_are_the_sweep(tmp_path: Path) -> None:
    first, shown = part(tmp_path, 0, 2)
    assert shown.started() == [TRIALS[0], TRIALS[2]]
    assert [event.outcome for event in shown.events if isinstance(event, TrialEnded)] == [Outcome.FINISHED] * 2
    assert (first.num_trials, first.num(Outcome.FINISHED)) == (2, 2)
    assert part(tmp_path, 1, 2)[1].started() == [TRIALS[1]]
    journal = journal_in(tmp_path)
    assert [trial_id for trial_id in journal.trial_ids() if journal.is_over(trial_id)] == TRIALS
    assert journal.instance is not None


def test_the_same_part_again_tries_only_what_failed(tmp_path: Path) -> None:
    part(tmp_path, 0, 2)
    journal = journal_in(tmp_path)
    journal.fail(TRIALS[2], "its node was lost")
    records: list[object] = []

    class Look(Notes):
        """Sees what a kill would leave while the trial runs."""

        def show(self, event: AbstractEvent, board: Board) -> None:
            super().show(event, board)
            if isinstance(event, TrialStarted):
                records.append(journal.ended(event.trial_id))

    shown = Look()
    board = run_part(PARTED, 0, 2, storage=str(tmp_path), import_path=tmp_path, view=shown, say=print)
    assert shown.started() == [TRIALS[2]]
    assert records == [None], "the failure is forgotten"
    assert board.num(Outcome.FINISHED) == 2
    assert journal.is_over(TRIALS[2])


@pytest.mark.parametrize("content", [b"", bytes(40), b'{"outcome": "fini'])
def test_a_trial_whose_record_is_damaged_is_trained_again_to_the_same_file(content: bytes, tmp_path: Path) -> None:
    part(tmp_path, 0, 3)
    journal = journal_in(tmp_path)
    said: list[str] = []
    first = journal.ended(TRIALS[0])
    assert first is not None
    (journal.trial_directory(TRIALS[0]) / "ended.json").write_bytes(content)
    run_part(PARTED, 0, 3, storage=str(tmp_path), import_path=tmp_path, view=NoView(), say=said.append)
    again = journal.ended(TRIALS[0])
    assert again is not None
    assert [point.sha256 for point in again.points] == [point.sha256 for point in first.points]
    assert [f"trials/{TRIALS[0]}/ended.json is damaged" in line for line in said] == [True]


@pytest.mark.parametrize(
    ("number", "of", "message"), [(2, 2, "part 2 of 2: wanted 0 to 1"), (-1, 4, "part -1 of 4: wanted 0 to 3")]
)
def test_a_part_that_there_is_not_is_refused(number: int, of: int, message: str, tmp_path: Path) -> None:
    with pytest.raises(SweepError, match=message):
        part(tmp_path, number, of)


@pytest.mark.parametrize(
    "changes", [{"scheduler": "mo_asha"}, {"budget": {"trials": 2}}, {"search": {"name": "tpe", "num_trials": 3}}]
)
def test_a_plan_that_is_not_fixed_has_no_parts(changes: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(
        SweepError, match="wanted a search that is fixed in advance, such as --set search=grid, no sche"
    ):
        part(tmp_path, 0, 2, sweep=Sweep.from_dict({**PARTED.to_dict(), **changes}))
    assert list(tmp_path.iterdir()) == []


def test_parts_share_a_folder_and_no_bucket(tmp_path: Path) -> None:
    with pytest.raises(SweepError, match="wanted a folder that all parts share, since parts hold it by locks"):
        run_part(PARTED, 0, 2, storage="s3://bucket/sweeps", import_path=tmp_path, view=NoView(), say=print)


def test_a_sweep_that_a_process_runs_as_a_whole_has_no_parts_meanwhile(tmp_path: Path) -> None:
    with (
        only_one(tmp_path / PARTED.sweep_id),
        pytest.raises(SweepError, match=f"sweep {PARTED.sweep_id} is being run by another process"),
    ):
        part(tmp_path, 0, 2)


def test_a_full_disk_ends_a_part_and_the_same_again_goes_on(tmp_path: Path) -> None:
    part(tmp_path, 0, 3)
    with (
        files_of_at_most(400),
        pytest.raises(SweepError, match=r"^disk full: file too large for .*; free some space, "),
    ):
        part(tmp_path, 0, 1)
    assert journal_in(tmp_path).trial_ids() == TRIALS[:1]
    board, shown = part(tmp_path, 0, 1)
    assert shown.started() == TRIALS[1:]
    assert board.num(Outcome.FINISHED) == 3
