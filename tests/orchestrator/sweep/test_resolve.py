"""Names in a sweep become registered objects, and open arguments their defaults."""

from __future__ import annotations

import dataclasses
import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from orchestrator.planning.study import plan
from orchestrator.search.domains import Choice, RealRange
from orchestrator.search.space import SpecSpace
from orchestrator.sweep import resolve
from orchestrator.sweep.definition import Sweep
from tests.orchestrator.samples import document, error_of
from trainers.methods import METHODS
from trainers.methods.base import RateKnob
from trainers.tasks import TASKS


def test_an_open_rate_knob_becomes_a_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Ranged:
        lam: float
        rate_knob: ClassVar[Any] = RateKnob(field="lam", low=0.1, high=3.0, log=True)

    @dataclass(frozen=True, kw_only=True)
    class Listed:
        bits: int
        rate_knob: ClassVar[Any] = RateKnob(field="bits", values=(2, 4))

    @dataclass(frozen=True, kw_only=True)
    class Fixed:
        rate_knob: ClassVar[Any] = None

    known = {"ranged": Ranged, "listed": Listed, "fixed": Fixed}
    monkeypatch.setattr(resolve, "registry", lambda kind: known if kind == "method" else {"any": lambda: None})
    sweep = Sweep.from_dict({"task": "any", "architecture": "any", "method": [*known, {"name": "ranged", "lam": 0.5}]})
    assert [spec.arguments for spec in sweep.method] == [
        {"lam": RealRange(0.1, 3.0, log=True)},
        {"bits": Choice([2, 4])},
        {},
        {"lam": 0.5},
    ]


def test_a_users_own_architecture_and_task_are_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_sweep_code.py").write_text("def net(*, input_shape, num_outputs, width=3): ...\ndef task(): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    own = document(architecture={"name": "my_sweep_code:net", "width": 4}, task="my_sweep_code:task")
    assert str(plan(Sweep.from_dict(own))[0].config.architecture) == "my_sweep_code:net(width=4)"
    assert error_of(document(architecture={"name": "my_sweep_code:net", "widht": 4})) == (
        "architecture 'my_sweep_code:net' has no argument 'widht'; did you mean 'width'?"
    )
    assert error_of(document(task="my_sweep_code:tsk")) == (
        "task 'my_sweep_code:tsk': module 'my_sweep_code' has no callable 'tsk'; did you mean 'task'?"
    )


def test_a_network_of_fixed_shape_needs_nothing_from_its_task() -> None:
    assert len(plan(Sweep.from_dict(document(architecture="lenet300_100")))) == 6


def test_a_changed_module_of_the_users_is_another_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    module = tmp_path / "my_changing_code.py"
    ids = []
    for body in ("def net(*, width=4): pass\n", "def net(*, width=4): ...\n"):
        module.write_text(body)
        ids.append(Sweep.from_dict(document(architecture="my_changing_code:net")).sweep_id)
    assert ids[0] != ids[1]


def test_a_sweep_holds_every_default_so_that_a_later_default_changes_nothing() -> None:
    method, architecture = (
        Sweep.from_dict(document(architecture="mlp")).to_dict()[key] for key in ("method", "architecture")
    )
    assert {"lam", "initial_step", "learning_rate", "step_learning_rate", "density_learning_rate"} < set(method[0])
    assert architecture == [{"name": "mlp", "hidden": [300, 100]}]  # what the task gives is not its to say


def test_an_argument_without_a_default_must_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = {"digits": lambda *, root: None}
    registry = resolve.registry
    monkeypatch.setattr(resolve, "registry", lambda kind: tasks if kind == "task" else registry(kind))
    assert error_of(document()) == "task 'digits' needs 'root'"


@pytest.mark.parametrize("declared", ["width=3", "width: int", "width: int | None = None", "width: 'float' = 1.0"])
def test_a_list_where_an_architecture_takes_one_value_says_how_choices_are_written(
    declared: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = f"one_value_{abs(hash(declared))}"
    (tmp_path / f"{module}.py").write_text(f"def net(*, input_shape, num_outputs, {declared}): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    own = f"{module}:net"
    said = error_of(document(architecture={"name": own, "width": [16, 32]}))
    assert said == (
        f"architecture {own!r}: width is [16, 32], and wanted is one value: a list is handed over whole here, and is "
        "not choices as under a method; width: {choice: [16, 32]} tries each"
    )
    tried = Sweep.from_dict(document(architecture={"name": own, "width": {"choice": [16, 32]}}))
    assert tried.architecture[0].arguments["width"] == Choice([16, 32])


@pytest.mark.parametrize("declared", ["width=(3,)", "width", "width: list[int] | int = 3", "width: object = 3"])
def test_a_list_is_the_value_where_an_architecture_may_take_it(
    declared: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = f"several_values_{abs(hash(declared))}"
    (tmp_path / f"{module}.py").write_text(f"def net(*, input_shape, num_outputs, {declared}): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    sweep = Sweep.from_dict(document(architecture={"name": f"{module}:net", "width": [16, 32]}))
    assert sweep.architecture[0].arguments["width"] == [16, 32]


def test_the_defaults_of_a_path_are_written_out() -> None:
    path, whole = {"path": [3.2, 0.8]}, {"path": [3.2, 0.8], "first": 0.4, "learning_rate": 1.0}
    assert resolve.resolve_spec("method", SpecSpace(name="epr", arguments={"lam": path})).arguments["lam"] == whole
    several = SpecSpace(name="epr", arguments={"lam": Choice([path, 1])})
    assert resolve.resolve_spec("method", several).arguments["lam"] == Choice([whole, 1.0])
    ends = SpecSpace(name="epr", arguments={"lam": {"path": {"from": 3, "to": 1, "points": 4}}})
    (path_of_ends,) = [resolve.resolve_spec("method", ends).arguments["lam"]["path"]]
    assert path_of_ends == {"from": 3.0, "to": 1.0, "points": 4}
    assert type(path_of_ends["from"]) is float, "3 and 3.0 are one sweep"


def test_a_key_of_that_name_elsewhere_is_no_path() -> None:
    spec = SpecSpace(name="epr", arguments={"lam": 0.5, "groups": {"path": "last"}})
    assert resolve.resolve_spec("method", spec).arguments["groups"] == {"path": "last"}


def test_a_path_with_fewer_steps_than_values_is_refused() -> None:
    method = {"name": "epr", "lam": {"path": [3.2, 1.6, 0.8, 0.4, 0.2]}}
    assert error_of(document(method=method, steps=5)) == (
        "method 'epr': lam has a path with a value for which none of 5 steps is left: wanted more steps, fewer "
        "values, or a single one"
    )


def test_a_field_that_came_later_changes_no_sweep_unless_it_is_set() -> None:
    resolved = resolve.resolve_spec("method", SpecSpace(name="ptq", arguments={"bits": 4}))
    assert "recalibrate" not in resolved.arguments
    changed = resolve.resolve_spec("method", SpecSpace(name="ptq", arguments={"bits": 4, "recalibrate": True}))
    assert changed.arguments["recalibrate"] is True
    for name, kind in METHODS.items():
        fields = {one.name for one in dataclasses.fields(kind) if one.default is not dataclasses.MISSING}
        assert set(kind.later_fields) <= fields, name
    assert resolve.resolve_spec("task", SpecSpace(name="mnist", arguments={})).arguments == {"shift": 0}
    for name in ("cifar10", "digits", "fashion_mnist", "mnist"):
        later = vars(TASKS[name])["later_fields"]
        assert set(later) <= set(inspect.signature(TASKS[name]).parameters), name
        arguments = {"calibration": True, "label_smoothing": 0, "top": [5]}
        found = resolve.resolve_spec("task", SpecSpace(name=name, arguments=arguments)).arguments
        assert {key: found[key] for key in arguments} == arguments
