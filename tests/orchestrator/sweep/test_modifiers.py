"""Modifiers in a sweep: alternative sets, their domains, the sweep's identity, and what is logged about them."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from analysis.points.labels import config_labels, config_text
from orchestrator.errors import SweepError
from orchestrator.planning.checks import check_here
from orchestrator.planning.study import plan
from orchestrator.search.space import Configuration
from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.overrides import apply_overrides
from orchestrator.tracking.names import configuration_of, params_of
from tests.trainers.networks import CLUSTERS
from tests.trainers.trials import configuration, run
from trainers.config import TrialConfig

DISOUT = {"disout": {"alpha": {"uniform": [0.5, 5.0]}, "block": [3, 6]}, "unit_sphere": True}


def document(modifiers: Any, **changes: Any) -> dict[str, Any]:
    return {
        "name": "small", "task": CLUSTERS, "architecture": {"name": "mlp", "hidden": [8]},
        "method": {"name": "ptq", "bits": [4]}, "steps": 3, "batch_size": 96, "modifiers": modifiers, **changes,
    }  # fmt: skip


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("teacher")
    run(configuration("uncompressed", "cnn"), directory)
    return directory / "point.rfz"


def test_a_grid_goes_through_alternatives_and_their_domains() -> None:
    sweep = Sweep.from_dict(document([{}, DISOUT], search={"name": "grid", "num_values": 2}))
    found = [trial.config.modifiers for trial in plan(sweep)]
    assert found == [{}] + [
        {"disout": {"alpha": alpha, "block": block, "probability": 0.1}, "unit_sphere": {}}
        for alpha in (0.5, 5.0)
        for block in (3, 6)
    ]


@pytest.mark.parametrize("modifiers", [DISOUT, [{}, DISOUT], [DISOUT, {"disout": {"alpha": [1, 2]}}], {}])
def test_what_was_chosen_is_found_again_from_what_mlflow_has(modifiers: Any) -> None:
    space = Sweep.from_dict(document(modifiers)).space
    for seed in range(20):
        drawn = space.at(iter(Random(seed).random, None))
        config = TrialConfig.from_dict({**drawn, "seed": 0})
        logged: Configuration = configuration_of(params_of(config.to_dict()))
        assert TrialConfig.from_dict({**logged, "seed": 0}) == config
        located = space.locate(logged)
        assert located is not None
        assert space.choose(lambda name, domain, located=located: located[name]) == drawn


def test_a_sweep_without_modifiers_is_the_sweep_that_it_was() -> None:
    plain = {key: item for key, item in document({}).items() if key != "modifiers"}
    assert Sweep.from_dict(plain).sweep_id == Sweep.from_dict(document({})).sweep_id
    assert "modifiers" not in Sweep.from_dict(plain).to_dict()
    space = Sweep.from_dict(plain).space
    assert space.num_fractions == 3  # architecture, method, bits: random and Sobol draws stay


@pytest.mark.parametrize("modifiers", [DISOUT, [{}, {"unit_sphere": True}]])
def test_writing_a_sweep_inverts_reading_it(modifiers: Any) -> None:
    sweep = Sweep.from_dict(document(modifiers))
    again = Sweep.from_dict(sweep.to_dict())
    assert again == sweep
    assert again.sweep_id == sweep.sweep_id
    assert sweep.sweep_id != Sweep.from_dict(document({})).sweep_id


def test_a_teacher_is_known_by_its_content(teacher: Path, tmp_path: Path) -> None:
    def sweep_of(path: Path) -> Sweep:
        settings = {"teacher": [str(path)], "architecture": {"name": "cnn", "channels": [3]}, "weight": [0.3, 0.7]}
        return Sweep.from_dict(document({"distillation": settings}))

    moved, other = tmp_path / "moved.rfz", tmp_path / "other.rfz"
    moved.write_bytes(teacher.read_bytes())
    other.write_bytes(teacher.read_bytes()[:-1] + b"?")
    here, there = sweep_of(teacher), sweep_of(moved)
    assert here.sweep_id == there.sweep_id != sweep_of(other).sweep_id
    assert Sweep.from_dict(here.to_dict()).sweep_id == here.sweep_id
    hashes = [[trial.config.config_hash for trial in plan(sweep)] for sweep in (here, there)]
    assert hashes[0] == hashes[1]
    assert len(set(hashes[0])) == 2
    assert plan(here)[0].config.modifiers["distillation"]["teacher"].startswith(f"{teacher}#sha256=")
    check_here(plan(here))


def test_what_does_not_fit_is_found_before_anything_runs(teacher: Path) -> None:
    other = {"name": "tests.trainers.networks:clusters", "seed": 1}
    trials = plan(Sweep.from_dict(document({"distillation": {"teacher": str(teacher)}}, task="digits")))
    with pytest.raises(ValueError, match=r"does not take the task's inputs of shape \(1, 8, 8\)"):
        check_here(trials)
    trials = plan(Sweep.from_dict(document([{}, {"unit_sphere": True}], architecture="tests.trainers.networks:normed")))
    with pytest.raises(ValueError, match=r"^unit_sphere: this network has no hidden units"):
        check_here(trials)
    check_here(plan(Sweep.from_dict(document({"distillation": {"teacher": str(teacher)}}, task=other))))


def test_a_method_that_a_modifier_does_not_go_with_is_found_before_anything_runs() -> None:
    methods = [{"name": "ptq", "bits": [4]}, {"name": "low_rank", "ratio": [0.3]}]
    with pytest.raises(SweepError, match=r"^modifier 'unit_sphere' acts on weights, and method 'low_rank' trains some"):
        plan(Sweep.from_dict(document([{}, {"unit_sphere": True}], method=methods)))
    assert len(plan(Sweep.from_dict(document([{}, {"disout": True}], method=methods)))) == 4


@pytest.mark.parametrize(
    ("override", "wanted"),
    [
        ("modifiers.disout=true", {"disout": True}),
        ("modifiers.disout.alpha=5", {"disout": {"alpha": 5}}),
        ("modifiers={unit_sphere: true}", {"unit_sphere": True}),
        ("modifiers.disout.alpha=[1, 5]", {"disout": {"alpha": [1, 5]}}),
    ],
)
def test_the_command_line_sets_them(override: str, wanted: Any) -> None:
    given = {key: item for key, item in document({}).items() if key != "modifiers"}
    changed = apply_overrides(given, [override])
    assert changed["modifiers"] == wanted
    Sweep.from_dict(changed)


def test_the_command_line_changes_a_field_of_what_a_file_has() -> None:
    changed = apply_overrides(document([{"disout": {"block": 3}}, {}]), ["modifiers.disout.alpha=5"])
    assert changed["modifiers"] == [{"disout": {"block": 3, "alpha": 5}}, {"disout": {"alpha": 5}}]


@pytest.mark.parametrize(
    ("modifiers", "message"),
    [
        ([], "modifiers is []: wanted a mapping from names to settings, or a list of at least one"),
        ("disout", "modifiers is 'disout': wanted a mapping from names to settings, such as {disout: true}"),
        ({"dizout": True}, "unknown modifier 'dizout'; did you mean 'disout'?"),
        ({"disout": {"alpa": 1}}, "modifier 'disout' has no argument 'alpa'; did you mean 'alpha'?"),
        ({"disout": {"alpha": [-1]}}, "modifier 'disout': alpha is -1.0: wanted a number of at least 0"),
        ({"disout": {"alpha": {"normal": [0, 1]}}}, "modifier 'disout': alpha is {'normal': [0, 1]}: unknown domain"),
        ({"distillation": {"teacher": "/no.rfz"}}, "teacher: cannot read /no.rfz (No such file or directory): wanted"),
        ({"distillation": {}}, "modifier 'distillation' needs 'teacher'"),
    ],
)
def test_a_mistake_is_told_in_one_line(modifiers: Any, message: str) -> None:
    with pytest.raises(SweepError) as caught:
        plan(Sweep.from_dict(document(modifiers)))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_labels_tell_alternatives_apart() -> None:
    sweep = Sweep.from_dict(document([{}, {"disout": {"alpha": [1, 2]}}, {"unit_sphere": True}]))
    trials = plan(sweep)
    params = [params_of(trial.config.to_dict()) for trial in trials]
    rows = [{"task": "t", "architecture": "a", "method": "ptq", "sweep_id": "s", "trial_id": trial.trial_id,
             "point_id": "point"} for trial in trials]  # fmt: skip
    labels = config_labels(rows, params)
    assert len(set(labels)) == len(set(map(config_text, params))) == 4
    assert labels[0] == ""
    assert labels[3] == "unit_sphere=true"
    assert "disout.alpha=2" in labels[2]
