"""A journal in a bucket is to other processes what one on a shared disk is."""

from __future__ import annotations

import dataclasses
import itertools
import json
import time
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import SweepError
from orchestrator.storage import lease
from orchestrator.storage.bucket import RemoteFolder, join
from orchestrator.storage.journal import Journal
from orchestrator.storage.locations import holding, ids_in, location_of, next_free, open_journal
from orchestrator.storage.mirror import MirroredJournal
from orchestrator.storage.outcomes import Ended, Outcome
from tests import bucket
from tests.points import point
from trainers.loop.progress import Progress

_numbers = itertools.count()
CONFIG = {"seed": 0}
PROGRESS = Progress(
    step=1,
    total_steps=2,
    epoch=0.5,
    phase="train",
    train_s=0.1,
    train_loss=1.0,
    rate_bits=8.0,
    rate_comparable=True,
    quality_val=0.5,
    quality_name="accuracy",
    maximise=True,
)


@pytest.fixture
def storage(store: dict[str, str]) -> str:
    return f"s3://{bucket.NAME}/{next(_numbers)}"


@pytest.fixture
def location(storage: str) -> str:
    return location_of(storage, "small-01234567")


def finish(journal: Journal, trial_id: str) -> Ended:
    journal.fetch(trial_id, to_resume=True)
    journal.begin(trial_id, CONFIG, {"device": "this"})
    journal.append_progress(trial_id, PROGRESS)
    (journal.trial_directory(trial_id) / "point.rfz").write_bytes(b"a file")
    ended = Ended(outcome=Outcome.FINISHED, points=(point(trial_id=trial_id, path=f"trials/{trial_id}/point.rfz"),))
    journal.end(trial_id, ended)
    return ended


def test_what_one_process_writes_another_reads(location: str) -> None:
    driver, worker, late = (open_journal(location) for _ in range(3))
    assert worker.instance is None
    driver.begin_sweep("name: small\n")
    driver.append_study({"ask": 0})
    driver.append_study({"tell": 0})
    assert worker.instance == driver.instance is not None
    ended = finish(worker, "0000-epr-s0")
    assert driver.ended("0000-epr-s0") is None
    driver.fetch("0000-epr-s0")
    late.fetch_all()
    for journal in (driver, late):
        assert journal.ended("0000-epr-s0") == ended
        assert journal.config("0000-epr-s0") == CONFIG
        assert journal.environment("0000-epr-s0") == {"device": "this"}
        assert [row["step"] for row in journal.progress("0000-epr-s0")] == [1]
        assert list(journal.trial_ids()) == ["0000-epr-s0"]
        assert journal.study() == [{"ask": 0}, {"tell": 0}]
        assert not (journal.directory / ended.points[0].path).exists()  # a file is had when it is asked for
        assert journal.file(ended.points[0].path).read_bytes() == b"a file"
    assert not driver.file("trials/0000-epr-s0/other.rfz").exists()


def test_a_trial_goes_on_elsewhere_from_what_was_stored(location: str) -> None:
    first, second = open_journal(location), open_journal(location)
    first.begin("0000-epr-s0", CONFIG, {})
    first.append_progress("0000-epr-s0", PROGRESS)
    checkpoint = first.trial_directory("0000-epr-s0") / "checkpoint.pt"
    checkpoint.write_bytes(b"state")
    first.store("0000-epr-s0")
    second.fetch("0000-epr-s0")
    assert not second.file("trials/0000-epr-s0/nothing").exists()
    assert not (second.trial_directory("0000-epr-s0") / "checkpoint.pt").exists()
    second.fetch("0000-epr-s0", to_resume=True)
    assert (second.trial_directory("0000-epr-s0") / "checkpoint.pt").read_bytes() == b"state"
    assert len(second.progress("0000-epr-s0")) == 1
    second.forget_checkpoint("0000-epr-s0")
    first.fetch("0000-epr-s0", to_resume=True)
    assert not checkpoint.exists()


def test_a_failure_that_is_forgotten_is_forgotten_by_all(location: str) -> None:
    driver, tracker = open_journal(location), open_journal(location)
    driver.begin("0000-epr-s0", CONFIG, {})
    driver.end("0000-epr-s0", Ended(outcome=Outcome.FAILED, reason="it broke"))
    finish(driver, "0001-epr-s0")
    tracker.fetch_all()
    assert tracker.ended("0000-epr-s0") is not None
    for trial_id in ("0000-epr-s0", "0001-epr-s0"):
        driver.forget_failure(trial_id)
        tracker.fetch(trial_id)
    assert tracker.ended("0000-epr-s0") is None
    assert tracker.is_over("0001-epr-s0")


def test_the_record_is_written_last(location: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    write = RemoteFolder.write

    def noted(self: RemoteFolder, name: str, content: bytes) -> None:
        written.append(name.rpartition("/")[2])
        write(self, name, content)

    monkeypatch.setattr(RemoteFolder, "write", noted)
    finish(open_journal(location), "0000-epr-s0")
    assert written == ["trial.json", "progress.jsonl", "point.rfz", "ended.json"]  # each once


def test_a_copy_goes_with_its_journal(location: str) -> None:
    journal = open_journal(location)
    folder = journal.directory
    journal.begin_sweep("name: small\n")
    assert folder.is_dir()
    del journal
    assert not folder.exists()


def test_storage_knows_its_sweeps(storage: str) -> None:
    assert ids_in(storage) == []
    open_journal(location_of(storage, "small-01234567")).begin_sweep("name: small\n")
    assert ids_in(storage) == ["small-01234567"]
    assert next_free(storage, {"small-01234567-2": ""}, "small-01234567") == "small-01234567-3"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease that settles, and is renewed, in no time."""
    for name, value in {
        "_SETTLED_AFTER_S": 0.01,
        "_RENEWED_EVERY_S": 0.05,
        "_POLL_S": 0.2,
        "_DEAD_AFTER_S": 0.6,
    }.items():
        monkeypatch.setattr(lease, name, value)


def hold(location: str) -> None:
    journal = open_journal(location)
    with holding(journal):
        assert journal.file("lock").exists()


@pytest.mark.usefixtures("quick")
def test_one_process_holds_a_sweep(location: str) -> None:
    with holding(open_journal(location)), pytest.raises(SweepError, match=r"is being run by process \d+ on "):
        hold(location)
    hold(location)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("changes", "is_dead"),
    [({}, False), ({"pid": 2**22 + 1}, True), ({"pid": 2**22 + 1, "host": "elsewhere"}, False)],
)
def test_only_a_process_of_this_machine_is_known_to_be_dead(
    location: str, changes: dict[str, object], is_dead: bool
) -> None:
    holder = {"holder": "x", "pid": 1, **lease._here(), **changes}
    RemoteFolder(location).write("lock", json.dumps(holder).encode())
    began_s = time.monotonic()
    hold(location)  # nobody renews it
    assert (time.monotonic() - began_s < 0.6) is is_dead


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("content", [b"", b"{", b"3", b"[]", b"{}"])
def test_a_lock_that_nobody_can_read_is_given_its_time(location: str, content: bytes) -> None:
    RemoteFolder(location).write("lock", content)
    hold(location)


@pytest.mark.usefixtures("quick")
def test_who_lost_a_sweep_is_interrupted_and_knows_why(location: str) -> None:
    other = json.dumps({"holder": "x", "host": "elsewhere", "pid": 1}).encode()
    found: list[lease.Lease] = []

    def work() -> None:
        with holding(open_journal(location)) as held:
            found.append(held)
            for _ in range(600):
                if not held.lost:  # it may have been written over: whoever takes a sweep looks whether it still has it
                    RemoteFolder(location).write("lock", other)
                time.sleep(0.1)

    began_s = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        work()
    assert time.monotonic() - began_s < 30
    assert found[0].lost
    assert RemoteFolder(location).read("lock") == other  # it is theirs


class _Failing:
    """A store that fails for a while."""

    def __init__(self, remote: RemoteFolder, monkeypatch: pytest.MonkeyPatch) -> None:
        self.num_left, self._files = 0, remote._files
        monkeypatch.setattr(remote, "_files", self)
        monkeypatch.setattr("orchestrator.storage.bucket._PAUSES_S", (0.01, 0.01))

    def __getattr__(self, name: str) -> Any:
        if self.num_left:
            self.num_left -= 1
            raise OSError("SlowDown")
        return getattr(self._files, name)


def test_a_store_that_has_answered_is_given_time(location: str, monkeypatch: pytest.MonkeyPatch) -> None:
    remote = RemoteFolder(location)
    store = _Failing(remote, monkeypatch)
    store.num_left = 1
    with pytest.raises(OSError, match="SlowDown"):
        remote.write("a", b"1")  # it never answered
    remote.write("a", b"1")
    store.num_left = 2
    assert remote.read("a") == b"1"
    store.num_left = 3
    with pytest.raises(OSError, match="SlowDown"):
        remote.read("a")


def test_a_report_that_is_not_stored_ends_no_training(location: str, monkeypatch: pytest.MonkeyPatch) -> None:
    worker, driver = open_journal(location), open_journal(location)
    assert isinstance(worker, MirroredJournal)
    worker.begin("0000-epr-s0", CONFIG, {})
    store = _Failing(worker.remote, monkeypatch)
    for number in (1, 2):
        store.num_left = 3 if number == 1 else 0
        worker.append_progress("0000-epr-s0", dataclasses.replace(PROGRESS, step=number))
    driver.fetch("0000-epr-s0")
    assert [row["step"] for row in driver.progress("0000-epr-s0")] == [1, 2]
    store.num_left = 100
    worker.store("0000-epr-s0")
    with pytest.raises(OSError, match="SlowDown"):  # a record must not be missing
        worker.end("0000-epr-s0", Ended(outcome=Outcome.FAILED))


def test_a_write_that_is_interrupted_is_whole(location: str, monkeypatch: pytest.MonkeyPatch) -> None:
    remote = RemoteFolder(location)
    submit = remote._writing.submit

    def interrupted(*arguments: Any) -> Any:
        future = submit(*arguments)
        monkeypatch.setattr(future, "result", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
        return future

    monkeypatch.setattr(remote._writing, "submit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        remote.write("a", b"all of it")
    remote._writing.shutdown(wait=True)
    assert remote.read("a") == b"all of it"


def test_a_sweep_that_never_began_is_none(storage: str) -> None:
    journal = open_journal(location_of(storage, "small-01234567"))
    assert isinstance(journal, MirroredJournal)
    journal.remote.write("lock", b"{}")
    journal.remote.delete("lock")
    assert ids_in(storage) == []


@pytest.mark.parametrize(
    ("uri", "complaint"),
    [
        ("ftp://host/sweeps", "wanted a folder, or a bucket such as s3://bucket/sweeps"),
        ("s3://", "wanted a folder, or a bucket"),
        ("s3://key:hidden@bucket/sweeps", r"^storage s3://\.\.\.@bucket/sweeps came with a key"),
        ("s3a://key:hid/den@bucket/sweeps", "came with a key"),
        ("abfs://me:hidden@host/sweeps", "came with a key"),
        ("s3://bucket/a#b", "wanted an address without spaces"),
        ("s3://bucket/a b", "wanted an address without spaces"),
        ("s3://bucket/a?secret_key=hidden", "has the setting 'secret_key' after '\\?': wanted region"),
    ],
)
def test_addresses_are_checked(uri: str, complaint: str) -> None:
    for refuse in (lambda: location_of(uri, "x"), lambda: RemoteFolder(uri)):
        with pytest.raises(ValueError, match=complaint) as caught:
            refuse()
        assert "hid" not in str(caught.value).replace("'secret_key'", "")


def test_names_go_before_the_query() -> None:
    assert join("s3://bucket/sweeps/?region=eu-west-1", "x") == "s3://bucket/sweeps/x?region=eu-west-1"


def test_a_path_is_a_folder(tmp_path: Path) -> None:
    journal = open_journal(location_of(str(tmp_path / "sweeps"), "small-01234567"))
    assert not isinstance(journal, MirroredJournal)
    assert journal.location == str(tmp_path / "sweeps" / "small-01234567")
