"""A folder in a bucket: each process has a copy of what it needs, and asks for no more."""

from __future__ import annotations

from collections import Counter

import pytest

from orchestrator.storage.bucket import Bucket
from orchestrator.storage.folder import NotSharedError
from orchestrator.storage.journal import Journal
from orchestrator.storage.mirror import MirroredFolder
from tests.orchestrator.storage.samples import CONFIG, REPORT, FailingStore
from tests.points import point
from trainers.record import write_atomically

TRIAL = "0000-epr-s0"


def folder_at(location: str) -> MirroredFolder:
    return MirroredFolder(Bucket(location))


def test_a_copy_goes_with_its_folder(location: str) -> None:
    folder = folder_at(location)
    path = folder.path()
    folder.write("sweep.yaml", b"name: small\n")
    assert path.is_dir()
    assert path.name == "small-01234567"
    del folder
    assert not path.parent.exists()


def test_a_copy_goes_when_its_folder_is_closed(location: str) -> None:
    folder = folder_at(location)
    path = folder.path()
    folder.close()
    assert not path.parent.exists()


def test_what_others_wrote_is_read_once_it_is_asked_for(location: str) -> None:
    mine, theirs = folder_at(location), folder_at(location)
    mine.write("trials/a/ended.json", b"{}")
    mine.write("trials/a/point.rfz", b"a file")
    assert theirs.read("trials/a/ended.json") is None
    theirs.refresh("trials/a", "ended.json")
    assert theirs.read("trials/a/ended.json") == b"{}"
    assert theirs.read("trials/a/point.rfz") is None
    assert not (theirs.path() / "trials" / "a" / "point.rfz").exists()
    assert theirs.path("trials/a/point.rfz").read_bytes() == b"a file"


def test_a_file_that_goes_from_the_store_goes_from_the_copy(location: str) -> None:
    mine, theirs = folder_at(location), folder_at(location)
    for name in ("a", "b"):
        mine.write(name, b"x")
    theirs.refresh("", "a", "b")
    for name in ("a", "b"):
        mine.delete(name)
    theirs.refresh("", "a")
    assert theirs.names("*") == ["b"], "nobody asked for it"


def test_what_cannot_be_stored_is_not_here_either(location: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Bucket(location)
    folder = MirroredFolder(bucket)
    folder.write("a", b"old")
    store = FailingStore(bucket, monkeypatch)
    for change in (lambda: folder.write("a", b"new"), lambda: folder.delete("a")):
        store.num_left = 3
        with pytest.raises(OSError, match="SlowDown"):
            change()
        assert folder.read("a") == b"old"


def test_what_was_appended_goes_with_the_next(location: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Bucket(location)
    folder, other = MirroredFolder(bucket), folder_at(location)
    folder.append("a", b"1")
    FailingStore(bucket, monkeypatch).num_left = 3
    with pytest.raises(NotSharedError, match="SlowDown"):
        folder.append("a", b"2")
    assert folder.read("a") == b"12"
    folder.append("a", b"3")
    other.refresh("", "a")
    assert other.read("a") == b"123"


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each verb of a bucket was called."""
    counts: Counter[str] = Counter()
    for verb in ("files", "folders", "stamp", "read", "write", "delete"):

        def counted(*arguments: object, verb: str = verb, original: object = getattr(Bucket, verb)) -> object:
            counts[verb] += 1
            return original(*arguments)  # type: ignore[operator]

        monkeypatch.setattr(Bucket, verb, counted)
    return counts


def test_only_what_changed_is_sent_and_asked_for(location: str, requests: Counter[str]) -> None:
    mine, theirs = folder_at(location), folder_at(location)
    for name in ("a", "b"):
        write_atomically(mine.path() / "frontier" / name, b"x")
    for _ in range(2):
        mine.share("frontier")
    assert requests == {"write": 2}
    for _ in range(2):
        theirs.refresh("frontier", "a", "b")
        theirs.share("frontier")
    assert requests == {"write": 2, "files": 2, "read": 2}
    mine.write("frontier/b", b"changed")
    theirs.refresh("", "frontier/*")
    assert requests == {"write": 3, "files": 3, "read": 3}
    for name in ("a", "b", "c"):
        theirs.read(f"frontier/{name}")
        theirs.names(f"*/{name}")
    assert requests == {"write": 3, "files": 3, "read": 3}, "the copy knows"


def test_a_trial_costs_few_requests(location: str, requests: Counter[str]) -> None:
    driver, worker = Journal(folder_at(location)), Journal(folder_at(location))
    driver.begin_sweep("name: small\n")
    assert requests == {"read": 1, "write": 2}, "is there an instance; then that and the sweep file"
    requests.clear()
    worker.fetch(TRIAL, to_resume=True)
    worker.begin(TRIAL, CONFIG, {})
    for step in (1, 2):
        worker.append_progress(TRIAL, {**REPORT, "step": step})
        (worker.trial_directory(TRIAL) / "checkpoint.pt").write_bytes(b"state" * step)
        worker.store(TRIAL)
    (worker.trial_directory(TRIAL) / "point.rfz").write_bytes(b"a file")
    worker.finish(TRIAL, [point()])
    worker.forget_checkpoint(TRIAL)
    assert requests == {"files": 1, "write": 1 + 2 * 2 + 2, "delete": 2}
    requests.clear()
    for _ in range(3):
        driver.fetch(TRIAL)
        assert driver.is_over(TRIAL)
        driver.forget_failure(TRIAL)
    assert requests == {"files": 3, "read": 3}, "three small records, once"
    requests.clear()
    driver.fetch_all()
    assert requests == {"files": 1, "read": 2}, "the instance and the sweep file, as the store has them"
