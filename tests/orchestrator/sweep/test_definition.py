"""Sweeps: reading, writing and identity."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.planning.study import plan
from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.yaml_text import parse_yaml
from tests.orchestrator.samples import document, error_of
from trainers.methods import METHODS


@pytest.mark.parametrize(
    ("changes", "is_fixed"),
    [
        ({"search": "grid"}, True),
        ({"search": {"name": "sobol", "num_trials": 4}}, True),
        ({"search": {"name": "tpe", "num_trials": 4}}, False),
        ({"search": "grid", "scheduler": "mo_asha"}, False),
        ({"search": "grid", "budget": {"trials": 3}}, False),
    ],
)
def test_a_plan_is_fixed_where_which_trials_run_depends_on_no_result(changes: dict[str, Any], is_fixed: bool) -> None:
    assert Sweep.from_dict(document(**changes)).is_fixed is is_fixed


def test_trials_start_from_the_values_that_the_sweep_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.pth").write_bytes(b"any")
    sweep = Sweep.from_dict(document(init_from="net.pth"))
    found = {trial.config.init_from for trial in plan(sweep)}
    assert found == {f"{tmp_path / 'net.pth'}#sha256={hashlib.sha256(b'any').hexdigest()}"}, "as workers find it"
    assert Sweep.from_dict(sweep.to_dict()) == sweep
    drawn = document(init_from="net.pth", search={"name": "random", "num_trials": 3})
    assert {trial.config.init_from for trial in plan(Sweep.from_dict(drawn))} == found
    known = plan(Sweep.from_dict(document(init_from="resnet20_cifar10")))
    assert {trial.config.init_from for trial in known} == {"resnet20_cifar10"}, "a name stays a name"


def test_the_id_changes_with_the_initial_values_and_not_with_their_folder(tmp_path: Path) -> None:
    def id_of(folder: str, content: bytes) -> str:
        path = tmp_path / folder / "net.pth"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return Sweep.from_dict(document(init_from=str(path))).sweep_id

    assert id_of("a", b"one") == id_of("b", b"one")
    ids = {id_of("a", b"one"), id_of("a", b"two"), Sweep.from_dict(document()).sweep_id}
    ids |= {Sweep.from_dict(document(init_from=name)).sweep_id for name in ("resnet20_cifar10", "resnet32_cifar10")}
    assert len(ids) == 5
    assert Sweep.from_dict(document(init_from="")).sweep_id == Sweep.from_dict(document()).sweep_id


def test_a_fusion_is_pinned_part_by_part_and_its_folders_are_no_part_of_the_id(tmp_path: Path) -> None:
    def sweep_of(folder: str, first: bytes, second: bytes) -> Sweep:
        (tmp_path / folder).mkdir(exist_ok=True)
        for name, content in (("a.rfz", first), ("b.pth", second)):
            (tmp_path / folder / name).write_bytes(content)
        return Sweep.from_dict(document(init_from=f"fusion({tmp_path}/{folder}/a.rfz, {tmp_path}/{folder}/b.pth)"))

    sweep = sweep_of("x", b"one", b"two")
    digests = [hashlib.sha256(content).hexdigest() for content in (b"one", b"two")]
    wanted = f"fusion({tmp_path}/x/a.rfz#sha256={digests[0]}, {tmp_path}/x/b.pth#sha256={digests[1]})"
    assert {trial.config.init_from for trial in plan(sweep)} == {wanted}
    assert Sweep.from_dict(sweep.to_dict()) == sweep
    assert sweep_of("y", b"one", b"two").sweep_id == sweep.sweep_id
    assert len({sweep.sweep_id, sweep_of("z", b"one", b"1").sweep_id, sweep_of("z", b"two", b"one").sweep_id}) == 3
    message = "init_from is 'fusion(a.pth)': wanted fusion(A, B), of two or more files or trained networks' names, "
    assert error_of(document(init_from="fusion(a.pth)")).startswith(message)


def test_what_is_taken_of_a_file_is_part_of_a_sweep_and_its_folder_is_not(tmp_path: Path) -> None:
    def sweep_of(folder: str, **options: Any) -> Sweep:
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "net.pth").write_bytes(b"any")
        return Sweep.from_dict(document(init_from={"path": f"{tmp_path}/{folder}/net.pth", **options}))

    sweep = sweep_of("a", strict=False)
    wanted = {"path": f"{tmp_path}/a/net.pth#sha256={hashlib.sha256(b'any').hexdigest()}", "strict": False}
    assert sweep.init_from == sweep.to_dict()["init_from"] == wanted
    assert all(trial.config.init_from == wanted for trial in plan(sweep))
    assert Sweep.from_dict(sweep.to_dict()) == Sweep.from_dict(yaml.safe_load(sweep.to_yaml())) == sweep
    assert sweep_of("b", strict=False).sweep_id == sweep.sweep_id
    plain = Sweep.from_dict(document(init_from=f"{tmp_path}/a/net.pth"))
    assert sweep_of("a", strict=True) == sweep_of("a", key="") == plain
    ids = {one.sweep_id for one in (plain, sweep, sweep_of("a", key="ema"), sweep_of("a", key="ema", strict=False))}
    assert len(ids) == 4


def test_a_sweep_from_scratch_says_nothing_of_initial_values() -> None:
    sweep = Sweep.from_dict(document())
    assert "init_from" not in sweep.to_dict()
    assert all("init_from" not in trial.config.to_dict() for trial in plan(sweep))


def test_initial_values_that_changed_since_a_sweep_was_written_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(b"one")
    written = Sweep.from_dict(document(init_from=str(path))).to_dict()
    path.write_bytes(b"two")
    assert error_of(written).startswith(f"init_from: {path} has changed: its content is sha256=3fc4ccfe")


def test_more_seeds_keep_the_earlier_trials() -> None:
    assert plan(Sweep.from_dict(document(seeds=1))) == plan(Sweep.from_dict(document(seeds=3)))[:6]


def test_reading_inverts_writing() -> None:
    sweep = Sweep.from_dict(
        document(
            method=["epr", "ptq"],
            steps={"integers": [1, 5]},
            batch_size=[16, 32],
            search={"name": "random", "num_trials": 3},
            resources={"cpu": 2, "gpu": 0.5},
        )
    )
    assert Sweep.from_dict(sweep.to_dict()) == sweep
    assert Sweep.from_dict(json.loads(json.dumps(sweep.to_dict()))).sweep_id == sweep.sweep_id


def test_the_id_is_the_name_and_a_hash_that_stays() -> None:
    assert Sweep.from_dict(document()).sweep_id == "small-ffffcc01"
    for initial_step in (2.0, 2):  # what was the default; a file that says so is the sweep that it was
        method = [{"name": "epr", "lam": [0.1, 1.0], "initial_step": initial_step}, "uncompressed"]
        assert Sweep.from_dict(document(method=method)).sweep_id == "small-e4f9ee77"


@pytest.mark.parametrize(
    "same",
    [
        document(resources={"cpu": 4, "gpu": 1}),
        dict(reversed(document().items())),
        document(search={"name": "grid", "num_values": 6}),
        document(batch_size=64),
        document(method=[{"name": "epr", "lam": [0.1, 1], "learning_rate": 0.002}, "uncompressed"]),
        document(task={"name": "digits"}),
        document(method=[{"lam": {"choice": [0.1, 1.0]}, "name": "epr"}, "uncompressed"]),
    ],
    ids=[
        "resources",
        "key order",
        "search default",
        "batch_size default",
        "spelt-out default",
        "spelt-out task",
        "spelt-out choice",
    ],
)
def test_the_id_ignores_what_does_not_change_results(same: dict[str, Any]) -> None:
    assert Sweep.from_dict(same).sweep_id == Sweep.from_dict(document()).sweep_id


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": 3},
        {"seed": 1},
        {"steps": 6},
        {"batch_size": 32},
        {"method": "uncompressed"},
        {"architecture": "cnn"},
        {"search": {"name": "random", "num_trials": 3}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_id_changes_with_what_changes_results(change: dict[str, Any]) -> None:
    assert Sweep.from_dict(document(**change)).sweep_id != Sweep.from_dict(document()).sweep_id


def test_the_name_is_in_the_id_and_not_in_its_hash() -> None:
    other = Sweep.from_dict(document(name="other")).sweep_id
    assert other == Sweep.from_dict(document()).sweep_id.replace("small", "other")


@pytest.mark.parametrize("method", METHODS)
def test_a_sweep_of_any_method_is_read_back_as_it_was_written(method: str) -> None:
    sweep = Sweep.from_dict(document(method=method))
    again = Sweep.from_dict(sweep.to_dict())
    assert again == sweep
    assert again.sweep_id == sweep.sweep_id
    assert [trial.config for trial in plan(again)] == [trial.config for trial in plan(sweep)]


def test_a_grid_of_steps_is_one_choice() -> None:
    sweep = Sweep.from_dict(document(method={"name": "ecq", "steps": [[0.25, 0.5]]}, architecture="mlp"))
    assert {str(trial.config.method.arguments["steps"]) for trial in plan(sweep)} == {"[0.25, 0.5]"}
    assert "in a sweep, where lists are choices, [[0.25, 0.5]]" in error_of(
        document(method={"name": "ecq", "steps": [0.25, 0.5]})
    )


def test_importing_sweeps_loads_no_torch() -> None:
    code = "import orchestrator.sweep.overrides, sys; assert not {'torch', 'ray', 'mlflow'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_precision_is_every_trials_and_part_of_the_sweep() -> None:
    sweep = Sweep.from_dict(document(precision="bfloat16"))
    assert {trial.config.precision for trial in plan(sweep)} == {"bfloat16"}
    assert Sweep.from_dict(sweep.to_dict()) == sweep
    assert Sweep.from_dict(document(precision="float32")).sweep_id == Sweep.from_dict(document()).sweep_id
    assert sweep.sweep_id != Sweep.from_dict(document()).sweep_id
    assert error_of(document(precision="bf16")) == "precision is 'bf16': wanted float32 or bfloat16 or float16"


def test_a_mapping_is_one_value_of_a_choice() -> None:
    groups = {"3.*": "last"}
    sweep = Sweep.from_dict(document(method={"name": "epr", "lam": 1.0, "groups": {"choice": [groups]}}))
    assert plan(sweep)[0].config.method.arguments["groups"] == groups


def with_tensors(tensors: Any) -> Sweep:
    return Sweep.from_dict(document(method={"name": "epr", "lam": 1.0, "tensors": tensors}))


def test_settings_by_patterns_of_tensor_names_stand_in_a_sweep_as_they_are() -> None:
    tensors = {"3.*": {"learning_rate": 0.01, "step": 0.05}, "*.bias": {"step": 0.1}}
    sweep = Sweep.from_dict(parse_yaml(with_tensors(tensors).to_yaml(), source="x"))
    assert [trial.config.method.arguments["tensors"] for trial in plan(sweep)] == [tensors] * 4
    assert list(plan(sweep)[0].config.method.arguments["tensors"]) == list(tensors), "their order counts"


def test_a_setting_of_a_pattern_may_be_a_domain_and_so_may_all_of_them() -> None:
    varied = with_tensors({"3.*": {"step": [0.05, 0.1]}, "*.bias": {"step": {"loguniform": [0.01, 1.0]}}})
    assert Sweep.from_dict(varied.to_dict()) == varied
    grid = [config["method"]["tensors"] for config in varied.space.grid(2)][:4]
    assert grid == [{"3.*": {"step": own}, "*.bias": {"step": rest}} for own in (0.05, 0.1) for rest in (0.01, 1.0)]
    assert varied.space.locate(next(iter(varied.space.grid(2)))) is not None
    alternatives = [{"3.*": {"step": 0.05}}, {"*.bias": {"step": 0.1}}]
    chosen = with_tensors(alternatives)
    assert [config["method"]["tensors"] for config in chosen.space.grid(2)][:2] == alternatives
    assert error_of(document(method={"name": "epr", "lam": 1.0, "tensors": {"3.*": {"step": {"log": [1, 2]}}}})) == (
        "method 'epr': tensors: '3.*': step is {'log': [1, 2]}: unknown domain 'log'; "
        "valid: choice, integers, loguniform, uniform"
    )


def test_another_order_of_patterns_is_another_sweep_and_another_configuration() -> None:
    one, other = {"3.*": {"step": 0.05}, "*": {"step": 0.1}}, {"*": {"step": 0.1}, "3.*": {"step": 0.05}}
    assert with_tensors(one).sweep_id != with_tensors(other).sweep_id
    assert with_tensors([one, other]).sweep_id != with_tensors([other, one]).sweep_id
    hashes = {plan(with_tensors(tensors))[0].config.config_hash for tensors in (one, other)}
    assert len(hashes) == 2
    given = {"3.*": {"step": 0.05, "learning_rate": 1}}, {"3.*": {"learning_rate": 1, "step": 0.05}}
    assert len({with_tensors(tensors).sweep_id for tensors in given}) == 1, "that of settings means nothing"
