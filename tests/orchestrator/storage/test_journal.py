"""What the journal means, whatever folder it lies in."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import SweepError
from orchestrator.storage.bucket import Bucket
from orchestrator.storage.folder import AbstractFolder, LocalFolder, NotSharedError
from orchestrator.storage.journal import Ended, Journal, Outcome
from orchestrator.storage.mirror import MirroredFolder
from tests.orchestrator.storage.samples import CONFIG, REPORT, FailingStore
from tests.points import point
from trainers.loop.checkpoint import paths_of
from trainers.record import to_row, write_atomically

TRIAL = "0000-epr-s0"

OpenJournal = Callable[[], Journal]


@pytest.fixture
def open_journal(open_folder: Callable[[], AbstractFolder]) -> OpenJournal:
    """Opens one sweep's journal, each time as another process does."""
    return lambda: Journal(open_folder())


def train(journal: Journal, trial_id: str) -> Ended:
    """As a worker does."""
    journal.fetch(trial_id, to_resume=True)
    journal.begin(trial_id, CONFIG, {"device": "this"})
    journal.append_progress(trial_id, REPORT)
    write_atomically(journal.trial_directory(trial_id) / "point.rfz", b"a file")
    return journal.finish(trial_id, [point(trial_id=trial_id, path=f"trials/{trial_id}/point.rfz")])


def test_what_one_process_writes_another_reads(open_journal: OpenJournal) -> None:
    driver, worker, late = (open_journal() for _ in range(3))
    assert worker.instance is None
    driver.begin_sweep("name: small\n")
    driver.append_study({"ask": 0})
    driver.append_study({"tell": 0})
    assert worker.instance == driver.instance is not None
    ended = train(worker, TRIAL)
    driver.fetch(TRIAL)
    late.fetch_all()
    for journal in (driver, late):
        assert journal.ended(TRIAL) == ended
        assert journal.config(TRIAL) == CONFIG
        assert journal.environment(TRIAL) == {"device": "this"}
        assert journal.progress(TRIAL) == [REPORT]
        assert journal.trial_ids() == [TRIAL]
        assert journal.study() == [{"ask": 0}, {"tell": 0}]
        assert journal.file(ended.points[0].path).read_bytes() == b"a file"
        assert journal.file("sweep.yaml").read_text() == "name: small\n"
    assert not driver.file(f"trials/{TRIAL}/other.rfz").exists()


def test_a_sweep_has_one_instance(open_journal: OpenJournal) -> None:
    journal = open_journal()
    journal.begin_sweep("name: small\n")
    first = journal.instance
    journal.begin_sweep("name: small\n")
    assert open_journal().instance == first
    assert first is not None
    assert len(first) == 32


def test_a_trial_goes_on_elsewhere_from_what_was_stored(open_journal: OpenJournal) -> None:
    first, second = open_journal(), open_journal()
    first.begin(TRIAL, CONFIG, {})
    first.append_progress(TRIAL, REPORT)
    for path in paths_of(first.trial_directory(TRIAL) / "checkpoint.pt"):
        write_atomically(path, path.name.encode())
    first.store(TRIAL)
    second.fetch(TRIAL)
    assert not second.file(f"trials/{TRIAL}/nothing").exists()
    second.fetch(TRIAL, to_resume=True)
    for name in ("checkpoint.pt", "checkpoint-2.pt"):
        assert second.file(f"trials/{TRIAL}/{name}").read_bytes() == name.encode()
    assert len(second.progress(TRIAL)) == 1
    second.forget_checkpoint(TRIAL)
    first.fetch(TRIAL, to_resume=True)
    assert not list(first.trial_directory(TRIAL).glob("checkpoint*"))


def test_a_failure_that_is_forgotten_is_forgotten_by_all(open_journal: OpenJournal) -> None:
    driver, tracker = open_journal(), open_journal()
    driver.begin(TRIAL, CONFIG, {})
    driver.fail(TRIAL, "it broke")
    train(driver, "0001-epr-s0")
    tracker.fetch_all()
    assert tracker.ended(TRIAL) is not None
    for trial_id in (TRIAL, "0001-epr-s0"):
        driver.forget_failure(trial_id)
        tracker.fetch(trial_id)
    assert tracker.ended(TRIAL) is None
    assert tracker.is_over("0001-epr-s0")


def test_only_a_failure_is_forgotten(open_journal: OpenJournal) -> None:
    journal = open_journal()
    for kept in (journal.finish(TRIAL, [point()]), journal.stop(TRIAL, "it was last")):
        journal.record(TRIAL, kept)
        journal.forget_failure(TRIAL)
        assert journal.ended(TRIAL) == kept
        assert journal.is_over(TRIAL)
    journal.fail(TRIAL, "x")
    assert not journal.is_over(TRIAL)
    journal.forget_failure(TRIAL)
    journal.forget_failure(TRIAL)
    assert journal.ended(TRIAL) is None


def test_a_trial_finishes_fails_or_is_stopped(open_journal: OpenJournal) -> None:
    journal = open_journal()
    points = (point(point_id="a"), point(point_id="b", quality=0.1 + 0.2))
    ended = [journal.finish("a", points), journal.fail("b", "it broke", "Traceback"), journal.stop("c", "it was last")]
    assert [journal.ended(trial_id) for trial_id in "abc"] == ended
    assert [one.outcome for one in ended] == [Outcome.FINISHED, Outcome.FAILED, Outcome.STOPPED]
    assert (ended[0].points, ended[0].reason) == (points, "")
    assert (ended[1].reason, ended[1].details) == ("it broke", "Traceback")
    assert (ended[2].reason, ended[2].points) == ("it was last", ())
    earlier = Ended(outcome=Outcome.STOPPED, ended_at_s=1.5)
    assert journal.record("d", earlier) == journal.ended("d") == earlier
    with pytest.raises(ValueError, match="JSON"):
        journal.finish("e", [point(quality=math.nan)])


def test_a_trial_that_never_began_has_neither_configuration_nor_environment(open_journal: OpenJournal) -> None:
    journal = open_journal()
    assert journal.config(TRIAL) is None
    assert journal.progress(TRIAL) == []
    assert journal.trial_ids() == []
    with pytest.raises(FileNotFoundError, match=rf"No such file or directory: '{journal.location}/trials/{TRIAL}/"):
        journal.environment(TRIAL)


def test_trials_are_listed_in_order_once_they_began(open_journal: OpenJournal) -> None:
    journal = open_journal()
    for trial_id in ("0001-epr-s10", "0001-epr-s1", "0000-epr-s2"):
        journal.begin(trial_id, CONFIG, {})
    journal.fail("0002-epr-s0", "it never began")
    assert journal.trial_ids() == ["0000-epr-s2", "0001-epr-s1", "0001-epr-s10"]


def test_a_half_written_report_costs_only_itself(open_journal: OpenJournal, tmp_path: Path) -> None:
    folder = LocalFolder(tmp_path)
    journal = Journal(folder)
    journal.begin(TRIAL, CONFIG, {})
    journal.append_progress(TRIAL, {"step": 17})
    folder.append(f"trials/{TRIAL}/progress.jsonl", b'{"step": 99, "tra')
    assert [row["step"] for row in journal.progress(TRIAL)] == [17]
    journal.begin(TRIAL, CONFIG, {})
    journal.append_progress(TRIAL, {"step": 100})
    assert [row["step"] for row in journal.progress(TRIAL)] == [17, 100]


def test_steps_that_were_run_again_are_there_once(open_journal: OpenJournal) -> None:
    journal = open_journal()
    for step, loss in ((1, 3.0), (2, 2.0), (3, 1.0), (2, 2.5)):
        journal.append_progress(TRIAL, {"step": step, "train_loss": loss})
    assert journal.progress(TRIAL) == [
        {"step": step, "train_loss": loss} for step, loss in ((1, 3.0), (2, 2.5), (3, 1.0))
    ]


def test_half_a_line_of_the_study_is_cut_off(open_folder: Callable[[], AbstractFolder]) -> None:
    folder = open_folder()
    journal = Journal(folder)
    assert journal.study() == []
    journal.append_study({"ask": 0})
    whole = folder.read("study.jsonl")
    folder.append("study.jsonl", b'{"ask": 99, "conf')
    assert journal.study() == [{"ask": 0}]
    assert folder.read("study.jsonl") == whole
    journal.append_study({"ask": 1})
    assert journal.study() == [{"ask": 0}, {"ask": 1}]


def test_the_frontier_is_stored_for_others(open_journal: OpenJournal) -> None:
    mine, theirs = open_journal(), open_journal()
    mine.frontier_directory().mkdir(parents=True)
    (mine.frontier_directory() / "frontier.csv").write_bytes(b"size_bytes\n")
    mine.store_frontier()
    assert theirs.file("frontier/frontier.csv").read_bytes() == b"size_bytes\n"


def test_a_file_has_a_name_that_stays_right_when_the_folder_moves(open_journal: OpenJournal) -> None:
    journal = open_journal()
    path = journal.trial_directory(TRIAL) / "point.rfz"
    assert journal.name_of(path) == journal.name_of(str(path)) == f"trials/{TRIAL}/point.rfz"


def test_whether_one_may_write_leaves_nothing_behind(open_folder: Callable[[], AbstractFolder]) -> None:
    folder = open_folder()
    Journal(folder).check_writable()
    folder.refresh("", "*")
    assert folder.names("*") == []
    assert folder.names(".*") == []


@pytest.mark.usefixtures("quick")
def test_who_holds_a_sweep_knows_what_others_wrote(open_journal: OpenJournal) -> None:
    worker, driver = open_journal(), open_journal()
    ended = train(worker, TRIAL)
    with driver.hold() as lease:
        assert not lease.lost
        assert driver.ended(TRIAL) == ended


def test_a_folder_has_the_form_that_every_version_reads(tmp_path: Path) -> None:
    journal = Journal(LocalFolder(tmp_path))
    journal.begin_sweep("name: small\n")
    journal.append_study({"ask": 0, "memo": None})
    journal.begin(TRIAL, CONFIG, {"device": "ü"})
    journal.append_progress(TRIAL, {"step": 1, "train_loss": math.inf})
    ended = journal.record(TRIAL, Ended(outcome=Outcome.FINISHED, points=(point(),), ended_at_s=1.5))
    files = {path.relative_to(tmp_path).as_posix(): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    row = json.dumps(to_row(ended.points[0]), indent=1).replace("\n", "\n  ")
    assert files == {
        "instance": f"{journal.instance}\n",
        "sweep.yaml": "name: small\n",
        "study.jsonl": '{"ask": 0, "memo": null}\n',
        f"trials/{TRIAL}/trial.json": (
            '{\n "config": {\n  "seed": 0\n },\n "environment": {\n  "device": "\\u00fc"\n }\n}\n'
        ),
        f"trials/{TRIAL}/progress.jsonl": '{"step": 1, "train_loss": Infinity}\n',
        f"trials/{TRIAL}/ended.json": (
            f'{{\n "outcome": "finished",\n "reason": "",\n "details": "",\n "points": [\n  {row}\n ],\n'
            ' "ended_at_s": 1.5\n}\n'
        ),
    }


# a store that does not answer


def test_the_record_is_written_last(location: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stored: list[str] = []
    write = Bucket.write

    def noted(self: Bucket, name: str, content: bytes) -> None:
        stored.append(name.rpartition("/")[2])
        write(self, name, content)

    monkeypatch.setattr(Bucket, "write", noted)
    train(Journal(MirroredFolder(Bucket(location))), TRIAL)
    assert stored == ["trial.json", "progress.jsonl", "point.rfz", "ended.json"]  # each once


def test_a_report_that_is_not_stored_ends_no_training(location: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Bucket(location)
    worker, driver = Journal(MirroredFolder(bucket)), Journal(MirroredFolder(Bucket(location)))
    worker.begin(TRIAL, CONFIG, {})
    store = FailingStore(bucket, monkeypatch)
    for number in (1, 2):
        store.num_left = 3 if number == 1 else 0
        worker.append_progress(TRIAL, {**REPORT, "step": number})
    driver.fetch(TRIAL)
    assert [row["step"] for row in driver.progress(TRIAL)] == [1, 2]
    store.num_left = 100
    worker.store(TRIAL)
    with pytest.raises(OSError, match="SlowDown"):  # a record must not be missing
        worker.fail(TRIAL, "")


def test_a_report_that_cannot_be_written_here_ends_a_training(tmp_path: Path) -> None:
    journal = Journal(LocalFolder(tmp_path))
    (tmp_path / "trials").write_bytes(b"no folder")
    with pytest.raises(OSError, match="Not a directory") as caught:
        journal.append_progress(TRIAL, REPORT)
    assert not isinstance(caught.value, NotSharedError)


@pytest.mark.parametrize("lost", ["sweep.yaml", "instance"])
def test_a_sweep_of_which_a_file_is_not_stored_never_began(
    location: str, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    journal = Journal(MirroredFolder(Bucket(location)))
    write = Bucket.write

    def failing(self: Bucket, name: str, content: bytes) -> None:
        if name == lost:
            raise OSError("SlowDown")
        write(self, name, content)

    monkeypatch.setattr(Bucket, "write", failing)
    with pytest.raises(OSError, match="SlowDown"):
        journal.begin_sweep("name: small\n")
    assert journal.instance is None  # else MLflow would hear of an instance that nobody finds again


@pytest.mark.usefixtures("quick")
def test_a_store_that_does_not_answer_holds_no_sweep(location: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Bucket(location)
    journal = Journal(MirroredFolder(bucket))
    FailingStore(bucket, monkeypatch).num_left = 100
    with pytest.raises(SweepError, match=rf"^cannot use {location}: SlowDown"):
        journal.hold().__enter__()
    other = Bucket(location)
    failing = MirroredFolder(other)
    monkeypatch.setattr(other, "files", lambda under: (_ for _ in ()).throw(OSError("Slow")))
    with pytest.raises(SweepError, match=rf"^cannot use {location}: Slow"):
        Journal(failing).hold().__enter__()
    assert Bucket(location).read("lock") is None  # it was let go
