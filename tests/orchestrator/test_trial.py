"""A trial without Ray: what it leaves on disk, whatever happens to it."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from orchestrator.storage.folder import LocalFolder
from orchestrator.storage.journal import Ended, Journal, Outcome
from orchestrator.sweep.resources import TrialResources
from orchestrator.trial import Request, Setting, execute
from tests.full_disk import files_of_at_most
from trainers.loop.progress import Progress
from trainers.train import train

CONFIG: dict[str, Any] = {
    "task": {"name": "digits"},
    "architecture": {"name": "mlp", "hidden": [4]},
    "method": {"name": "epr", "lam": 0.5},
    "steps": 17,
    "batch_size": 64,
    "seed": 0,
}


def request_in(folder: Path, **changes: Any) -> Request:
    setting = Setting(sweep_id="small-1", location=str(folder), import_path=str(folder))
    return Request(
        **{"setting": setting, "trial_id": "0000-epr-s0", "config": CONFIG, "resources": TrialResources(), **changes}
    )


@pytest.fixture
def only_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """No trial runs for so long that tracking hears of its beginning."""
    monkeypatch.setattr("orchestrator.trial._TRACKED_AFTER_S", 1e6)


def run(request: Request) -> tuple[Ended, list[str]]:
    tracked: list[str] = []
    return execute(request, report=lambda progress: None, track=tracked.append), tracked


def test_a_finished_trial_leaves_its_file_its_sections_and_no_checkpoint(tmp_path: Path) -> None:
    ended, tracked = run(request_in(tmp_path))
    (point,) = ended.points
    assert point.path == "trials/0000-epr-s0/point.rfz"
    assert (tmp_path / point.path).stat().st_size == point.size_bytes
    left = sorted(path.name for path in (tmp_path / "trials" / "0000-epr-s0").iterdir())
    assert left == ["ended.json", "point.rfz", "point.sections.csv", "progress.jsonl", "trial.json"]
    assert Journal(LocalFolder(tmp_path)).ended("0000-epr-s0") == ended
    assert Journal(LocalFolder(tmp_path)).config("0000-epr-s0") == CONFIG
    assert set(tracked) == {"0000-epr-s0"}


def test_a_short_trial_is_told_of_once_when_it_has_ended(tmp_path: Path, only_at_the_end: None) -> None:
    assert run(request_in(tmp_path))[1] == ["0000-epr-s0"]


def test_a_trial_that_runs_for_long_is_told_of_with_its_reports_and_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.trial._TRACKED_AFTER_S", 0.0)
    assert run(request_in(tmp_path / "reports"))[1] == ["0000-epr-s0"] * 2, "with the first report, and at the end"
    monkeypatch.setattr("orchestrator.trial._TRACKING_INTERVAL_S", 0.0)
    reports = len(run(request_in(tmp_path / "each"))[1]) - 1
    assert reports == len(Journal(LocalFolder(tmp_path / "each")).progress("0000-epr-s0"))
    monkeypatch.setattr("trainers.train.train", functools.partial(train, checkpoint_interval_s=0.0))
    assert len(run(request_in(tmp_path / "checkpoints"))[1]) > 1 + reports


def test_the_checkpoint_that_a_training_left_is_forgotten_after_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[list[str]] = []
    forget = Journal.forget_checkpoint

    def noted(self: Journal, trial_id: str) -> None:
        for _ in range(2):
            left.append([path.name for path in self.trial_directory(trial_id).glob("[ce]*")])
            forget(self, trial_id)

    monkeypatch.setattr(Journal, "forget_checkpoint", noted)
    monkeypatch.setattr("trainers.train.train", functools.partial(train, checkpoint_interval_s=0.0))
    run(request_in(tmp_path))
    assert [sorted(names) for names in left] == [["checkpoint-2.pt", "checkpoint.pt", "ended.json"], ["ended.json"]]


def test_a_checkpoint_that_was_set_aside_is_said_of_the_trial(tmp_path: Path) -> None:
    folder = tmp_path / "trials" / "0000-epr-s0"
    folder.mkdir(parents=True)
    (folder / "checkpoint.pt").write_bytes(b"PK, but no more")
    ended, _ = run(request_in(tmp_path))
    assert ended.outcome is Outcome.FINISHED
    (line,) = Journal(LocalFolder(tmp_path)).damage()
    assert line.startswith(f"{folder}/checkpoint.pt is damaged (")
    assert (folder / "checkpoint.pt.damaged").exists()


def test_whoever_watches_sees_what_is_stored_where_that_takes_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.trial._STORING_INTERVAL_S", 0.0)
    reports: list[Progress] = []
    execute(request_in(tmp_path), report=reports.append, track=lambda trial_id: None)
    shown = [report for report in reports if report.phase != "train"]
    assert shown, "but the first, which begins the interval"
    assert shown[0].phase.startswith("writing point, ")
    assert shown[-1].phase == "reading point, 100%"
    assert {(report.step, report.is_judged) for report in shown} == {(17, False)}
    recorded = Journal(LocalFolder(tmp_path)).progress("0000-epr-s0")
    assert [row["phase"] for row in recorded] == ["train"] * (len(reports) - len(shown)), "the training alone"


PATH_CONFIG = {**CONFIG, "method": {"name": "epr", "lam": {"path": [3.2, 0.8, 0.2]}}, "steps": 40}


def interrupted(request: Request, step: int) -> list[str]:
    """Run until the report after ``step``, as a kill would leave it; returns what was tracked."""
    tracked: list[str] = []

    def report(progress: Progress) -> None:
        if progress.step >= step:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trainers.train.train", functools.partial(train, checkpoint_interval_s=0.0))
        with pytest.raises(KeyboardInterrupt):
            execute(request, report=report, track=tracked.append)
    return tracked


def test_the_points_of_a_path_are_kept_while_the_training_goes_on(tmp_path: Path, only_at_the_end: None) -> None:
    request, journal = request_in(tmp_path, config=PATH_CONFIG), Journal(LocalFolder(tmp_path))
    assert len(interrupted(request, 30)) == 2, "its two points"
    early = journal.points("0000-epr-s0")
    assert [point.path for point in early] == [f"trials/0000-epr-s0/lam{lam}.rfz" for lam in (3.2, 0.8)]
    ended, _ = run(request)
    assert ended.points[:2] == early
    assert [point.point_id for point in ended.points] == ["lam3.2", "lam0.8", "lam0.2"]
    assert not (tmp_path / "trials" / "0000-epr-s0" / "points.json").exists()


def test_what_a_path_stored_stays_where_the_trial_is_stopped_or_fails(tmp_path: Path) -> None:
    request, journal = request_in(tmp_path, config=PATH_CONFIG), Journal(LocalFolder(tmp_path))
    interrupted(request, 30)
    early = journal.points("0000-epr-s0")
    assert len(early) == 2
    assert journal.stop("0000-epr-s0", "no promise").points == early
    assert journal.fail("0000-epr-s0", "it died").points == early
    journal.forget_failure("0000-epr-s0")
    ended, _ = run(request)
    assert ended.points[:2] == early


@pytest.mark.parametrize("file", ["lam3.2.rfz", "points.json"])
def test_a_path_whose_files_are_damaged_begins_anew(file: str, tmp_path: Path) -> None:
    request, journal = request_in(tmp_path, config=PATH_CONFIG), Journal(LocalFolder(tmp_path))
    interrupted(request, 30)
    early = journal.points("0000-epr-s0")
    (tmp_path / "trials" / "0000-epr-s0" / file).write_bytes(b"?")
    ended, _ = run(request)
    assert [(point.point_id, point.sha256) for point in ended.points[:2]] == [(p.point_id, p.sha256) for p in early]
    (line,) = journal.damage("0000-epr-s0")
    assert file in line
    assert "the training beg" in line


def test_a_finished_trial_is_never_run_again(tmp_path: Path) -> None:
    first, _ = run(request_in(tmp_path))
    again, tracked = run(request_in(tmp_path))
    assert again == first
    assert tracked == []


def test_what_a_trial_raises_is_its_outcome(tmp_path: Path) -> None:
    method = {"name": "uncompressed", "learning_rate": 1e30}
    ended, _ = run(request_in(tmp_path, config={**CONFIG, "method": method, "steps": 60}))
    assert ended.outcome is Outcome.FAILED
    assert ended.reason.startswith("diverged: the training loss became")
    assert "Traceback" in ended.details
    assert Journal(LocalFolder(tmp_path)).ended("0000-epr-s0") == ended


def test_a_trial_that_trains_too_long_failed(tmp_path: Path) -> None:
    ended, _ = run(request_in(tmp_path, resources=TrialResources(time_s=1e-6)))
    assert ended.outcome is Outcome.FAILED
    assert re.fullmatch(r"TimeoutError: it trained for \d+\.\d s, more than resources\.time_s = 1e-06", ended.reason)
    later, _ = run(request_in(tmp_path / "again", resources=TrialResources(time_s=3600.0)))
    assert later.outcome is Outcome.FINISHED


def test_the_limit_of_a_trial_is_looked_at_with_every_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first report of a long training may come hours after its limit."""

    def slow(*arguments: object, saved: Callable[[float], None], **options: object) -> None:
        saved(2.0)
        saved(4.0)
        raise AssertionError("it was not stopped")

    monkeypatch.setattr("trainers.train.train", slow)
    ended, _ = run(request_in(tmp_path, resources=TrialResources(time_s=3.0)))
    assert ended.reason == "TimeoutError: it trained for 4.0 s, more than resources.time_s = 3"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "out of memory: "),
        (torch.OutOfMemoryError("CUDA out of memory.\nTried 2 GiB"), "out of memory: CUDA out of memory. Tried 2 GiB"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"),
         "out of memory: DefaultCPUAllocator: can't allocate memory"),
        (RuntimeError("out of luck"), "RuntimeError: out of luck"),
    ],
)  # fmt: skip
def test_a_trial_that_finds_no_memory_says_so(
    error: Exception, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def starve(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr("trainers.train.train", starve)
    ended, _ = run(request_in(tmp_path))
    assert (ended.outcome, ended.reason) == (Outcome.FAILED, reason)


def test_a_gpu_that_is_not_there_is_no_silent_cpu(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    ended, _ = run(request_in(tmp_path, resources=TrialResources(gpu=1.0)))
    assert ended.outcome is Outcome.FAILED
    assert ended.reason.startswith("resources.gpu asks for a GPU and torch sees none")


def run_and_fill(request: Request, *, at_step: int, most_bytes: int) -> Ended:
    """Run the trial on a disk that is full from its report at ``at_step`` on."""
    with contextlib.ExitStack() as stack:

        def fill(progress: Progress) -> None:
            if progress.step >= at_step:
                stack.enter_context(files_of_at_most(most_bytes))

        return execute(request, report=fill, track=lambda trial_id: None)


def test_a_trial_that_finds_the_disk_full_failed_and_leaves_nothing_by_halves(tmp_path: Path) -> None:
    request = request_in(tmp_path, config={**CONFIG, "method": {"name": "uncompressed"}})
    ended = run_and_fill(request, at_step=17, most_bytes=1000)
    folder = tmp_path / "trials" / "0000-epr-s0"
    assert (ended.outcome, ended.reason[:30]) == (Outcome.FAILED, "disk full: file too large for ")
    assert ended.reason.endswith(f"bytes: {folder}/point.rfz")
    assert Journal(LocalFolder(tmp_path)).ended("0000-epr-s0") == ended
    assert sorted(path.name for path in folder.iterdir()) == ["ended.json", "progress.jsonl", "trial.json"]


@pytest.mark.parametrize("has_begun", [False, True])
def test_a_trial_whose_record_finds_no_space_ends_without_one(has_begun: bool, tmp_path: Path) -> None:
    """It neither raises, after which Ray would start it again, nor hangs; the next attempt is exact."""
    if has_begun:
        ended = run_and_fill(request_in(tmp_path / "full"), at_step=1, most_bytes=50)
    else:
        with files_of_at_most(50):
            ended, _ = run(request_in(tmp_path / "full"))
    assert (ended.outcome, ended.reason[:30]) == (Outcome.FAILED, "disk full: file too large for ")
    assert list((tmp_path / "full").rglob(".*")) == []
    journal = Journal(LocalFolder(tmp_path / "full"))
    assert (journal.ended("0000-epr-s0"), journal.trial_ids()) == (None, ["0000-epr-s0"] * has_begun)
    again, _ = run(request_in(tmp_path / "full"))
    quiet, _ = run(request_in(tmp_path / "quiet"))
    assert [point.sha256 for point in again.points] == [point.sha256 for point in quiet.points]
    assert len(journal.progress("0000-epr-s0")) == len(Journal(LocalFolder(tmp_path / "quiet")).progress("0000-epr-s0"))


def test_a_reason_has_no_control_characters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ValueError("tensor a\x1b]0;owned\x07.weight\nis wrong")

    monkeypatch.setattr("trainers.train.train", fail)
    ended, _ = run(request_in(tmp_path))
    assert ended.reason == "tensor a\\x1b]0;owned\\x07.weight is wrong"
