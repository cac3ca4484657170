"""The conversation with a searcher: nothing is asked or told twice, and a resumed sweep goes on with it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import SweepError
from orchestrator.planning.study import Study, plan
from orchestrator.search.goals import Told
from orchestrator.search.searchers import grid
from orchestrator.storage.damage import DamagedError
from orchestrator.storage.folder import LocalFolder
from orchestrator.storage.journal import Journal, Outcome
from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.trials import Trial
from tests.pictures import write_picture
from tests.points import point


def sweep(**changes: Any) -> Sweep:
    return Sweep.from_dict(
        {
            "task": "digits",
            "architecture": "mlp",
            "method": {"name": "epr", "lam": {"loguniform": [0.1, 3.0]}},
            "search": {"name": "tpe", "num_trials": 8, "num_random": 2},
            "seeds": 2,
            **changes,
        }
    )


def finish(journal: Journal, trial: Trial) -> None:
    """As a worker does; the larger lam, the smaller the file and the worse the network."""
    lam, seed = trial.config.method.arguments["lam"], trial.config.seed
    measured = point(size_bytes=int(1000 / lam) + seed, quality_val=0.9 - lam / 10)
    journal.finish(trial.trial_id, [measured])


def fail(journal: Journal, trial: Trial) -> None:
    journal.fail(trial.trial_id, "it must")


def run(study: Study, journal: Journal, most: int = 10**9, end: Callable[[Journal, Trial], None] = finish) -> list[str]:
    """Two trials at once, the older one ends first; stops short after ``most`` have ended, as a kill does."""
    ended: list[str] = []
    running: list[Trial] = []
    while len(ended) < most:
        while len(running) < 2 and (trial := study.next()) is not None:
            running.append(trial)
        if not running:
            break
        end(journal, running[0])
        study.tell(running[0].trial_id)
        ended.append(running.pop(0).trial_id)
    return ended


def lines(journal: Journal, kind: str) -> list[dict[str, Any]]:
    text = journal.file("study.jsonl").read_text()
    return [line for line in map(json.loads, text.splitlines()) if kind in line]


def test_all_seeds_of_a_configuration_come_together_and_are_told_once(tmp_path: Path) -> None:
    journal = Journal(LocalFolder(tmp_path))
    study = Study(sweep(), journal)
    assert study.most_trials == 16
    ended = run(study, journal)
    assert ended == [f"{number:04d}-epr-s{seed}" for number in range(8) for seed in (0, 1)]
    assert [line["tell"] for line in lines(journal, "tell")] == list(range(8))
    assert all(line["told"]["spreads"][0] > 0 for line in lines(journal, "tell"))


@pytest.mark.parametrize("most", [0, 1, 2, 3, 7, 12, 15])
def test_a_killed_study_goes_on_as_the_uninterrupted_one(most: int, tmp_path: Path) -> None:
    """Its last trials were running: they come first, then what would have come."""
    whole = Journal(LocalFolder(tmp_path / "whole"))
    run(Study(sweep(), whole), whole)
    cut = Journal(LocalFolder(tmp_path / "cut"))
    first = run(Study(sweep(), cut), cut, most)
    second = run(Study(sweep(), cut), cut)
    assert sorted(first + second) == [f"{number:04d}-epr-s{seed}" for number in range(8) for seed in (0, 1)]
    assert lines(cut, "ask") == lines(whole, "ask")
    assert lines(cut, "tell") == lines(whole, "tell")
    assert Study(sweep(), cut).next() is None


def test_a_kill_between_an_end_and_its_tell_loses_nothing(tmp_path: Path) -> None:
    journal = Journal(LocalFolder(tmp_path))
    study = Study(sweep(seeds=1), journal)
    trial = study.next()
    assert trial is not None
    finish(journal, trial)
    assert lines(journal, "tell") == [], "who only looks writes nothing"
    Study(sweep(seeds=1), journal).begin([])
    assert [line["tell"] for line in lines(journal, "tell")] == [0]
    Study(sweep(seeds=1), journal).tell(trial.trial_id)
    assert [line["tell"] for line in lines(journal, "tell")] == [0]


def test_half_a_line_at_the_end_is_cut_off(tmp_path: Path) -> None:
    journal = Journal(LocalFolder(tmp_path))
    run(Study(sweep(), journal), journal, 3)
    path = tmp_path / "study.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"ask": 99, "conf')
    Study(sweep(), journal)
    assert path.read_bytes() == whole
    path.write_bytes(whole + b'{"ask": 99}\n')
    with pytest.raises(SweepError, match=r"is damaged at \{'ask': 99\}: --new starts another sweep"):
        Study(sweep(), journal)


def test_a_configuration_whose_every_seed_failed_is_told_as_failed(tmp_path: Path) -> None:
    journal = Journal(LocalFolder(tmp_path))
    run(Study(sweep(), journal), journal, end=fail)
    assert [line["told"] for line in lines(journal, "tell")] == [None] * 8


def stop(journal: Journal, trial: Trial) -> None:
    """As the scheduler does, after a report."""
    lam = trial.config.method.arguments["lam"]
    rate = {"rate_bits": 8000 / lam, "quality_val": 0.8 - lam / 10, "train_s": 1.0, "maximise": True, "step": 10}
    rate["total_steps"] = 100
    folder = journal.trial_directory(trial.trial_id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "progress.jsonl").write_text(json.dumps(rate) + "\n")
    journal.stop(trial.trial_id, "it was last")


@pytest.mark.parametrize("search", ["tpe", "sobol"])
def test_the_first_seed_that_is_stopped_stops_the_others(search: str, tmp_path: Path) -> None:
    journal = Journal(LocalFolder(tmp_path))
    given = sweep(search={"name": search, "num_trials": 4})
    study = Study(given, journal)
    ended = []
    while (trial := study.next()) is not None:
        (stop if trial.trial_id == "0001-epr-s0" else finish)(journal, trial)
        study.tell(trial.trial_id)
        ended.append(trial.trial_id)
    assert len(ended) == 7
    assert study.num_skipped == 1
    skipped = journal.ended("0001-epr-s1")
    assert skipped is not None
    assert (skipped.outcome, skipped.reason) == (Outcome.STOPPED, "its first seed was stopped")
    assert Study(given, journal).next() is None, "a stopped trial is over"


def two_seeds(journal: Journal) -> tuple[Study, Trial, Trial]:
    """A study, and the trials of its first configuration."""
    study = Study(sweep(), journal)
    first, second = study.next(), study.next()
    assert first is not None
    assert second is not None
    return study, first, second


def test_what_was_stopped_is_told_by_its_last_estimates(tmp_path: Path) -> None:
    journal = Journal(LocalFolder(tmp_path))
    study, first, second = two_seeds(journal)
    stop(journal, first)
    study.tell(first.trial_id)
    assert lines(journal, "tell") == [], "its other seed may still run"
    journal.stop(second.trial_id, "its first seed was stopped")
    study.tell(second.trial_id)
    lam = first.config.method.arguments["lam"]
    (line,) = lines(journal, "tell")
    assert line["told"]["costs"] == pytest.approx([math.log10(1000 / lam), lam / 10 - 0.8])


def test_a_stopped_path_is_told_by_what_its_first_seed_stored(tmp_path: Path) -> None:
    """Points that were measured tell more than an estimate of the last one."""
    journal = Journal(LocalFolder(tmp_path))
    study, first, second = two_seeds(journal)
    journal.keep_points(second.trial_id, [point(point_id="lam3", size_bytes=10, quality_val=0.99)])  # lucky
    journal.keep_points(first.trial_id, [point(point_id="lam3", size_bytes=500, quality_val=0.7)])
    stop(journal, first)
    journal.stop(second.trial_id, "its first seed was stopped")
    study.tell(first.trial_id)
    assert lines(journal, "tell")[0]["told"]["costs"] == pytest.approx([math.log10(500), -0.7])


def test_seconds_are_those_of_a_whole_training(tmp_path: Path) -> None:
    """Else what was stopped would look fast."""
    journal = Journal(LocalFolder(tmp_path))
    study = Study(sweep(objectives=["train_s", "quality_val"], seeds=1), journal)
    first = study.next()
    assert first is not None
    stop(journal, first)
    study.tell(first.trial_id)
    assert lines(journal, "tell")[0]["told"]["costs"][0] == pytest.approx(1.0)


def test_a_stopped_first_seed_outweighs_another_that_had_finished(tmp_path: Path) -> None:
    journal = Journal(LocalFolder(tmp_path))
    study, first, second = two_seeds(journal)
    finish(journal, second)
    stop(journal, first)
    study.tell(first.trial_id)
    lam = first.config.method.arguments["lam"]
    assert lines(journal, "tell")[0]["told"]["costs"][1] == pytest.approx(lam / 10 - 0.8)


def test_what_cannot_be_estimated_failed(tmp_path: Path) -> None:
    journal = Journal(LocalFolder(tmp_path))
    study = Study(sweep(objectives=["macs", "quality_val"], seeds=1), journal)
    first = study.next()
    assert first is not None
    stop(journal, first)
    study.tell(first.trial_id)
    assert [line["told"] for line in lines(journal, "tell")] == [None]


def test_a_resumed_study_tries_again_what_failed_and_tells_it_once(tmp_path: Path) -> None:
    journal = Journal(LocalFolder(tmp_path))
    run(Study(sweep(seeds=1), journal), journal, 4, end=fail)
    resumed = Study(sweep(seeds=1), journal)
    for trial in resumed.trials:
        journal.forget_failure(trial.trial_id)
    assert len(run(resumed, journal)) == 8
    assert sorted(line["tell"] for line in lines(journal, "tell")) == list(range(8))


def test_a_searcher_may_find_its_space_exhausted(tmp_path: Path) -> None:
    journal = Journal(LocalFolder(tmp_path))
    few = sweep(method={"name": "epr", "lam": [0.1, 1.0, 2.0]})
    study = Study(few, journal)
    assert study.most_trials == 16
    assert len(run(study, journal)) == study.most_trials == 6
    assert Study(few, journal).most_trials == 6


def test_outcomes_of_earlier_sweeps_are_heard_once(tmp_path: Path) -> None:
    journal = Journal(LocalFolder(tmp_path))
    configuration = {
        key: item for key, item in plan(sweep(search="grid", seeds=1))[2].config.to_dict().items() if key != "seed"
    }
    told = Told(costs=(2.0, -0.9), spreads=(0.0, 0.0), violations=())
    foreign = [(configuration, told), ({**configuration, "steps": 3}, told)]
    study = Study(sweep(), journal)
    study.begin(foreign)
    (line,) = lines(journal, "foreign")
    assert [heard for heard, _ in line["foreign"]] == [configuration], "the other is not in the space"
    first = study.next()
    again = Study(sweep(), journal)
    again.begin(foreign)
    assert len(lines(journal, "foreign")) == 1
    assert again.next() == first


def test_a_fixed_plan_needs_no_record(tmp_path: Path) -> None:
    fixed = sweep(search={"name": "sobol", "num_trials": 3})
    journal = Journal(LocalFolder(tmp_path / "never"))
    study = Study(fixed, journal)
    assert [trial.trial_id for trial in study.trials] == [
        f"{number:04d}-epr-s{seed}" for seed in (0, 1) for number in range(3)
    ]
    assert study.trials == plan(fixed)
    assert study.most_trials == 6
    assert not journal.file("").exists()


def test_a_method_that_cannot_be_made_is_found_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(SweepError, match="lam"):
        Study(sweep(method={"name": "epr", "lam": {"uniform": [-1.0, 1.0]}}), Journal(LocalFolder(tmp_path)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": 1000, "steps": list(range(1, 30))},
         "the sweep has 21 configurations or more with 1000 seeds each: wanted 20000 trials at most"),
        ({"seeds": 1000, "search": {"name": "tpe", "num_trials": 21}, "steps": {"integers": [1, 10**6]}},
         "the sweep has 21 configurations or more with 1000 seeds each: wanted 20000 trials at most"),
    ],
)  # fmt: skip
def test_a_sweep_of_too_many_trials_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SweepError) as caught:
        plan(Sweep.from_dict({"task": "digits", "architecture": "mlp", "method": "uncompressed", **changes}))
    assert str(caught.value) == message


def test_a_grid_of_too_many_combinations_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid, "_MOST_COMBINATIONS", 8)
    document = {"task": "digits", "architecture": "mlp", "method": "uncompressed", "steps": [7] * 9}
    with pytest.raises(SweepError, match="the grid has more than 8 combinations: wanted fewer values, or search"):
        plan(Sweep.from_dict(document))


@pytest.mark.parametrize(
    "line",
    [b'{"tell": 0, "told": {"costs": 3}}', b'{"tell": 0, "told": {"price": [3]}}', b'{"ask": 3}',
     b'{"ask": 3, "configuration": 7, "memo": {}}', b'{"foreign": [[{}, null]]}', b'{"foreign": 7}', b"[1]", b"{}",
     b"{" + bytes(40)],
)  # fmt: skip
def test_a_damaged_line_is_named_with_its_file_and_its_number(line: bytes, tmp_path: Path) -> None:
    journal = Journal(LocalFolder(tmp_path))
    run(Study(sweep(), journal), journal, 3)
    path = tmp_path / "study.jsonl"
    asked = [one for one in path.read_bytes().splitlines(keepends=True) if one.startswith(b'{"ask"')][:3]
    path.write_bytes(b"".join(asked) + line + b"\n")
    with pytest.raises(DamagedError, match=rf"^{re.escape(str(path))}, line {len(asked) + 1}, is damaged") as raised:
        Study(sweep(), journal)
    assert "--new starts another sweep" in str(raised.value)
    assert len(str(raised.value)) < 600


def with_files(folder: Path) -> Sweep:
    files = [str(write_picture(folder / f"{number}.png", number)) for number in range(2)]
    task = {"name": "image", "file": {"each": files}}
    return sweep(task=task, architecture="siren", method={"name": "epr", "lam": {"loguniform": [1e-4, 1e-2]}})


def test_a_searcher_hears_of_a_configuration_once_it_has_every_file(tmp_path: Path) -> None:
    journal = Journal(LocalFolder(tmp_path / "sweep"))
    study = Study(with_files(tmp_path), journal)
    trials = [study.next() for _ in range(4)]
    for number, trial in enumerate(trials):
        assert trial is not None
        assert not any("tell" in line for line in journal.study())
        quality = 40.0 - number
        journal.finish(trial.trial_id, [point(size_bytes=1000, quality_val=quality, task_file=trial.config.task_file)])
        study.tell(trial.trial_id)
    [told] = [line["told"] for line in journal.study() if "tell" in line]
    assert told["costs"] == pytest.approx([3.0, -38.5])


def test_a_configuration_that_was_stopped_on_its_first_file_is_heard_of_as_failed(tmp_path: Path) -> None:
    journal = Journal(LocalFolder(tmp_path / "sweep"))
    study = Study(with_files(tmp_path), journal)
    first = study.next()
    assert first is not None
    stop(journal, first)
    study.tell(first.trial_id)
    following = study.next()
    assert following is not None
    assert following.trial_id == "0001-epr-s0-f0"
    assert study.num_skipped == 3
    assert [line["told"] for line in journal.study() if "tell" in line] == [None]
