"""Every kind of folder does what a journal needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import SweepError
from orchestrator.storage.folder import AbstractFolder, LocalFolder, MemoryFolder, matching
from tests.full_disk import files_of_at_most
from trainers.record import write_atomically

OpenFolder = Callable[[], AbstractFolder]


def test_what_one_writes_others_read(open_folder: OpenFolder) -> None:
    mine, theirs = open_folder(), open_folder()
    for content in (b"old", b"newer", b""):
        mine.write("trials/a/file", content)
        theirs.refresh("", "trials/*/file")
        assert mine.read("trials/a/file") == theirs.read("trials/a/file") == content


def test_what_one_appends_others_read(open_folder: OpenFolder) -> None:
    mine, theirs = open_folder(), open_folder()
    for number, whole in enumerate((b"0", b"01", b"012")):
        mine.append("trials/a/lines", str(number).encode(), durable=number == 1)
        theirs.refresh("trials/a", "lines")
        assert mine.read("trials/a/lines") == theirs.read("trials/a/lines") == whole


def test_others_go_on_where_one_stopped(open_folder: OpenFolder) -> None:
    mine, theirs = open_folder(), open_folder()
    mine.append("a", b"1")
    theirs.refresh("", "a")
    theirs.append("a", b"2")
    mine.refresh("", "a")
    assert mine.read("a") == b"12"


def test_what_one_deletes_is_gone_for_others(open_folder: OpenFolder) -> None:
    mine, theirs = open_folder(), open_folder()
    mine.write("trials/a/file", b"x")
    theirs.refresh("", "trials/*/file")
    mine.delete("trials/a/file")
    theirs.refresh("", "trials/*/file")
    assert mine.read("trials/a/file") is None
    assert theirs.read("trials/a/file") is None
    mine.write("trials/a/file", b"y")
    theirs.refresh("trials/a", "file")
    assert theirs.read("trials/a/file") == b"y"


def test_a_file_that_is_not_there_is_none(open_folder: OpenFolder) -> None:
    folder = open_folder()
    folder.delete("a")
    folder.refresh("trials/none", "a")
    assert folder.read("a") is None
    assert folder.names("*") == []
    assert not folder.path("a").exists()
    folder.write("a", b"x")
    assert folder.read("a/b") is None


def test_names_are_listed_by_their_parts(open_folder: OpenFolder) -> None:
    folder = open_folder()
    for name in ("trials/b/record", "trials/a/record", "trials/a/b/record", "trials/a/recorded", "other/a/record", "x"):
        folder.write(name, b"")
    assert folder.names("trials/*/record") == ["trials/a/record", "trials/b/record"]
    assert folder.names("*/a/record*") == ["other/a/record", "trials/a/record", "trials/a/recorded"]
    assert folder.names("x") == ["x"]
    assert folder.names("y") == []


def test_a_file_written_at_a_path_is_seen_by_others_once_it_is_shared(open_folder: OpenFolder) -> None:
    mine, theirs = open_folder(), open_folder()
    mine.write("trials/a/trial.json", b"{}")
    write_atomically(mine.path() / "trials" / "a" / "point.rfz", b"a file")
    mine.share("trials/a", without=("trial.json",))
    assert theirs.path("trials/a/point.rfz").read_bytes() == b"a file"
    theirs.refresh("trials/a", "*")
    assert theirs.read("trials/a/point.rfz") == b"a file"
    mine.share("nothing there")


def test_what_is_written_has_a_path(open_folder: OpenFolder) -> None:
    folder = open_folder()
    for content in (b"old", b"new"):
        folder.write("frontier/a", content)
        assert folder.path("frontier/a").read_bytes() == content
    assert folder.path("frontier/a") == folder.path() / "frontier" / "a"


def test_nothing_half_written_is_left(open_folder: OpenFolder) -> None:
    folder = open_folder()
    for _ in range(2):
        folder.write("a", b"x")
        folder.append("a", b"y")
    folder.path("a")
    assert [path.name for path in folder.path().iterdir()] == ["a"]


@pytest.mark.usefixtures("quick")
def test_one_process_holds_a_folder(open_folder: OpenFolder) -> None:
    mine, theirs = open_folder(), open_folder()
    if mine is theirs:
        pytest.skip("no other process has what is in memory")
    with mine.hold() as lease:
        assert not lease.lost
        with pytest.raises(SweepError, match=r"^sweep .* is being run by"):
            theirs.hold().__enter__()
    with theirs.hold():
        pass


@pytest.mark.usefixtures("quick")
def test_a_folder_is_let_go_where_its_holder_raises(open_folder: OpenFolder) -> None:
    folder = open_folder()
    for _ in range(2):
        with pytest.raises(KeyError), folder.hold():
            raise KeyError


def test_closing_takes_nothing_from_others(open_folder: OpenFolder) -> None:
    mine, theirs = open_folder(), open_folder()
    mine.write("a", b"x")
    mine.close()
    theirs.refresh("", "a")
    assert theirs.read("a") == b"x"


def test_every_process_has_the_same_location(open_folder: OpenFolder) -> None:
    assert open_folder().location == open_folder().location != ""


def test_a_folder_on_a_disk_is_its_own_working_copy(tmp_path: Path) -> None:
    folder = LocalFolder(tmp_path)
    folder.write("trials/a/file", b"x")
    assert folder.path("trials/a/file") == tmp_path / "trials" / "a" / "file"
    folder.close()
    assert folder.location == str(tmp_path)
    assert (tmp_path / "trials" / "a" / "file").read_bytes() == b"x"


def test_what_is_in_memory_has_a_working_copy_once_a_path_is_asked_for() -> None:
    folder = MemoryFolder()
    folder.write("a", b"x")
    path = folder.path()
    assert list(path.iterdir()) == []
    del folder
    assert not path.exists()


def test_a_pattern_fits_whole_names() -> None:
    names = ["trials/a/record", "ray/trials/a/record", "trials/a/record.old", "trials/a+b/record", "trials/a/b/record"]
    assert matching(names, "trials/*/record") == ["trials/a+b/record", "trials/a/record"]
    assert matching(names, "trials/a+b/record", "ray/*/*/*") == ["ray/trials/a/record", "trials/a+b/record"]
    assert matching(names) == []


def test_what_a_full_disk_does_not_take_whole_it_does_not_take(tmp_path: Path) -> None:
    folder = LocalFolder(tmp_path)
    folder.append("study.jsonl", bytes(900))
    for durable in (False, True):
        with files_of_at_most(1000), pytest.raises(OSError, match=r"for 200 bytes: .*study\.jsonl"):
            folder.append("study.jsonl", bytes(200), durable=durable)
        assert folder.read("study.jsonl") == bytes(900)
    folder.append("study.jsonl", b"x")
    assert folder.read("study.jsonl") == bytes(900) + b"x"
