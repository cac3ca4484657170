"""A task that has files in turn: each file is a repeat of every configuration, as a seed is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestrator.planning.study import plan
from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.trials import first_of, repeats_of, taken_apart
from tests.orchestrator.samples import document, error_of
from tests.pictures import write_picture
from trainers.config import TrialConfig


def photos(folder: Path, *names: str) -> list[str]:
    return [str(write_picture(folder / name, number)) for number, name in enumerate(names)]


def given(files: Any, **changes: Any) -> dict[str, Any]:
    task = {"name": "image", "file": files}
    architecture = {"name": "siren", "depth": 2, "width": 8}
    return document(task=task, architecture=architecture, **changes)


def test_each_configuration_has_a_trial_for_each_seed_and_file(tmp_path: Path) -> None:
    sweep = Sweep.from_dict(given({"each": photos(tmp_path, "a.png", "b.png", "c.png")}))
    trials = plan(sweep)
    first = ["0000-epr-s0-f0", "0000-epr-s0-f1", "0000-epr-s0-f2", "0001-epr-s0-f0"]
    assert [trial.trial_id for trial in trials[:4]] == first
    assert len(trials) == 3 * 2 * 3 == 3 * sweep.num_repeats
    by_hash: dict[str, list[TrialConfig]] = {}
    for trial in trials:
        by_hash.setdefault(trial.config.config_hash, []).append(trial.config)
        assert first_of(sweep, trial.trial_id) == f"{trial.trial_id.rpartition('-s')[0]}-s0-f0"
        assert TrialConfig.from_dict(trial.config.to_dict()) == trial.config
    assert len(by_hash) == 3
    for configs in by_hash.values():
        assert [(config.seed, config.task_file.partition("#")[0]) for config in configs] == [
            (seed, name) for seed in (0, 1) for name in ("a.png", "b.png", "c.png")
        ]
        assert len({str(config.task) for config in configs}) == 3
        assert len({str(config.whole_task) for config in configs}) == 1
        assert [config.is_first_file for config in configs] == [True, False, False] * 2
        apart = [taken_apart(config.to_dict()) for config in configs]
        assert [repeat for _, repeat in apart] == repeats_of(sweep)
        assert sweep.space.locate(apart[0][0]) is not None


def test_the_contents_of_all_files_are_the_identity_wherever_they_lie(tmp_path: Path) -> None:
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
    one, other = (photos(tmp_path / folder, "a.png", "b.png") for folder in ("one", "other"))
    first, second = (Sweep.from_dict(given({"each": files})) for files in (one, other))
    assert first.sweep_id == second.sweep_id
    assert plan(first)[0].config.config_hash == plan(second)[0].config.config_hash
    assert str(plan(first)[0].config.whole_task) == str(plan(second)[3].config.whole_task)
    write_picture(tmp_path / "other" / "b.png", 9)
    third = Sweep.from_dict(given({"each": other}))
    assert third.sweep_id != first.sweep_id
    assert plan(third)[0].config.config_hash != plan(first)[0].config.config_hash
    assert str(plan(third)[0].config.whole_task) != str(plan(first)[0].config.whole_task)


def test_a_sweep_file_keeps_its_files_in_turn(tmp_path: Path) -> None:
    sweep = Sweep.from_dict(given({"each": photos(tmp_path, "a.png", "b.png")}))
    assert Sweep.from_dict(sweep.to_dict()).sweep_id == sweep.sweep_id


def test_one_file_is_no_repeat_and_says_nothing_of_others(tmp_path: Path) -> None:
    [file] = photos(tmp_path, "a.png")
    [first, *_] = plan(Sweep.from_dict(given(file)))
    assert (first.trial_id, first.config.task_file, first.config.whole_task) == ("0000-epr-s0", "", first.config.task)
    assert "each" not in first.config.to_dict()


def test_wrong_files_are_one_line(tmp_path: Path) -> None:
    a, b = photos(tmp_path, "a.png", "b.png")
    again = tmp_path / "again.png"
    again.write_bytes(Path(a).read_bytes())
    for files, message in (
        ([], "file.each is []: wanted a list of at least one path"),
        (a, "wanted a list of at least one path"),
        ([a, b, str(again)], f"file.each: {again} has the content of {a}: wanted each file once"),
        ([a, str(tmp_path / "lost.png")], f"file: cannot read {tmp_path / 'lost.png'} (No such file or directory)"),
    ):
        assert message in error_of(given({"each": files}))
    assert "only file of a task may have files in turn" in error_of(
        {**given(a), "task": {"name": "image", "file": a, "shrink": {"each": [1, 2]}}}
    )
    message = error_of(document(task={"name": "digits", "top": {"each": [1]}}))
    assert "only an argument that names a file of a task may have files in turn" in message
    assert "only file of a task may have files in turn" in error_of(given({"choice": [{"each": [a]}, {"each": [b]}]}))
