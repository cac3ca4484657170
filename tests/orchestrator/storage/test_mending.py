"""A damaged file of one trial costs that trial, whatever folder the sweep lies in."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.storage.damage import DamagedError
from orchestrator.storage.folder import AbstractFolder
from orchestrator.storage.journal import Journal
from orchestrator.storage.mending import mend
from tests.orchestrator.storage.samples import CONFIG, REPORT
from tests.points import point

TRIALS = ["0000-epr-s0", "0001-epr-s0"]


def damaged(content: bytes, how: str) -> bytes:
    cut = {"half": content[: len(content) // 2], "empty": b"", "zeroed": bytes(len(content)), "a list": b"[1]"}
    return cut[how]


@pytest.fixture
def folder(open_folder: Callable[[], AbstractFolder]) -> AbstractFolder:
    """Two trials that finished."""
    folder = open_folder()
    journal = Journal(folder)
    for trial_id in TRIALS:
        journal.begin(trial_id, CONFIG, {"device": "this"})
        journal.append_progress(trial_id, REPORT)
        journal.finish(trial_id, [point(trial_id=trial_id)])
    return folder


@pytest.mark.parametrize("how", ["half", "empty", "zeroed", "a list"])
@pytest.mark.parametrize("kind", ["trial.json", "ended.json"])
def test_a_damaged_file_is_named_and_then_set_aside(kind: str, how: str, folder: AbstractFolder) -> None:
    journal, name = Journal(folder), f"trials/{TRIALS[0]}/{kind}"
    content = damaged(folder.read(name) or b"", how)
    folder.write(name, content)
    read = {"trial.json": journal.config, "ended.json": journal.ended}[kind]
    with pytest.raises(
        DamagedError, match=rf"{name} is damaged \(.*--resume sets it aside and trains trial {TRIALS[0]}"
    ):
        read(TRIALS[0])
    mend(journal)
    assert journal.ended(TRIALS[0]) is None
    assert journal.is_over(TRIALS[1]), "it costs one trial"
    assert folder.read(f"{name}.damaged") == content
    (line,) = journal.damage()
    assert name in line
    assert "\n" not in line
    mend(journal)
    assert journal.damage() == [line], "it is mended"
    journal.begin(TRIALS[0], CONFIG, {})
    journal.finish(TRIALS[0], [point()])
    assert journal.is_over(TRIALS[0])


def test_a_record_of_which_nothing_says_what_it_is_of_is_set_aside(folder: AbstractFolder) -> None:
    folder.delete(f"trials/{TRIALS[0]}/trial.json")
    journal = Journal(folder)
    mend(journal)
    assert [journal.is_over(trial_id) for trial_id in TRIALS] == [False, True]
    (line,) = journal.damage()
    assert line.endswith(f"trials/{TRIALS[0]}/trial.json is not there: trial {TRIALS[0]} is trained again")


def test_damaged_reports_cost_themselves_alone(folder: AbstractFolder) -> None:
    journal, name = Journal(folder), f"trials/{TRIALS[0]}/progress.jsonl"
    whole = folder.read(name) or b""
    for damage, num_lines in ((bytes(20), 1), (b"\xff\xfe\n[]\n3\n", 3)):
        folder.write(name, damage + b"\n" + whole)
        assert journal.progress(TRIALS[0]) == [REPORT]
        mend(journal)
        assert f"{name} is damaged: {num_lines} of its lines are left out" in journal.damage()[-1]
        assert folder.read(name) == whole
    assert journal.is_over(TRIALS[0])


def test_half_a_report_is_what_a_kill_leaves_and_no_damage(folder: AbstractFolder) -> None:
    journal = Journal(folder)
    folder.append(f"trials/{TRIALS[0]}/progress.jsonl", b'{"step": 99, "tra')
    mend(journal)
    assert journal.damage() == []
    assert journal.progress(TRIALS[0]) == [REPORT]


def test_a_trial_that_left_nothing_is_not_damaged(folder: AbstractFolder) -> None:
    journal = Journal(folder)
    mend(journal, {"0002-epr-s0"})
    assert journal.damage() == []


def test_only_the_trials_that_are_asked_for_are_mended(folder: AbstractFolder) -> None:
    journal = Journal(folder)
    for trial_id in TRIALS:
        folder.write(f"trials/{trial_id}/ended.json", b"")
    mend(journal, {TRIALS[1]})
    assert journal.ended(TRIALS[1]) is None
    with pytest.raises(DamagedError):
        journal.ended(TRIALS[0])


@pytest.mark.parametrize("how", ["half", "empty", "zeroed"])
def test_a_damaged_instance_says_how_to_mend_it(how: str, folder: AbstractFolder) -> None:
    journal = Journal(folder)
    journal.begin_sweep("name: small\n")
    folder.write("instance", damaged(folder.read("instance") or b"", how))
    with pytest.raises(
        DamagedError, match=r"/instance is damaged: wanted the 32 characters that the tag ratefront\.ins"
    ):
        _ = journal.instance


def test_a_damaged_line_of_the_study_is_named(folder: AbstractFolder) -> None:
    journal = Journal(folder)
    journal.append_study({"ask": 0})
    for line in (bytes(9), b"[]x", b"3"):
        folder.write("study.jsonl", b'{"ask": 0}\n' + line + b"\n")
        with pytest.raises(DamagedError, match=r"study\.jsonl, line 2, is damaged \(.*\): --new starts another sweep"):
            journal.study()
