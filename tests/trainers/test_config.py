"""Configurations, checks and names: what a user types, and what they are told when it is wrong."""

from __future__ import annotations

import copy
import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from trainers import checks
from trainers.architectures import ARCHITECTURES
from trainers.architectures.base import build, complete
from trainers.config import Spec, TrialConfig
from trainers.instantiate import find_architecture, make_method, make_task
from trainers.lookup import find, import_callable, one_line, resolve
from trainers.methods import METHODS
from trainers.seeding import derive, seed_everything

PLAIN: dict[str, Any] = {
    "task": "digits",
    "architecture": {"name": "mlp", "hidden": [8]},
    "method": {"name": "epr", "lam": 0.1},
    "steps": 10,
    "batch_size": 32,
    "seed": 3,
}


def message_of(call: Callable[[], Any]) -> str:
    with pytest.raises(ValueError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_from_dict_inverts_to_dict() -> None:
    config = TrialConfig.from_dict(PLAIN)
    assert TrialConfig.from_dict(config.to_dict()) == config
    assert TrialConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert config.to_dict() == {**PLAIN, "task": {"name": "digits"}}


def test_from_dict_leaves_its_argument_alone() -> None:
    before = copy.deepcopy(PLAIN)
    TrialConfig.from_dict(PLAIN)
    assert before == PLAIN


def test_the_hash_ignores_the_seed_and_the_order_of_keys() -> None:
    config = TrialConfig.from_dict(PLAIN)
    assert TrialConfig.from_dict({**PLAIN, "seed": 4}).config_hash == config.config_hash
    assert TrialConfig.from_dict(dict(reversed(PLAIN.items()))).config_hash == config.config_hash
    assert TrialConfig.from_dict({**PLAIN, "method": {"lam": 0.1, "name": "epr"}}).config_hash == config.config_hash
    assert config.config_hash == "58daedc8669f", "golden: it is in the world's records"


@pytest.mark.parametrize(
    "change", [{"steps": 11}, {"batch_size": 33}, {"task": "mnist"}, {"method": {"name": "epr", "lam": 0.2}},
               {"architecture": {"name": "mlp", "hidden": [8, 8]}}]
)  # fmt: skip
def test_the_hash_tells_configurations_apart(change: dict[str, Any]) -> None:
    assert TrialConfig.from_dict({**PLAIN, **change}).config_hash != TrialConfig.from_dict(PLAIN).config_hash


def test_specs_are_shown_as_legends_have_them() -> None:
    assert str(Spec(name="lenet5")) == "lenet5"
    assert str(Spec(name="mlp", arguments={"hidden": [300, 100], "a": 0.123456})) == "mlp(a=0.1235, hidden=[300,100])"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"step": 3}, "a trial has no field 'step'; did you mean 'steps'?"),
        ({1: 3}, "a trial has no field 1; valid: accumulate, architecture, batch_size, clip, each, ema, epochs, "
         "init_from, method, modifiers, optimiser, precision, schedule, seed, steps, task, validate_examples"),
        ({"steps": -1}, "steps is -1: wanted a whole number of at least 0"),
        ({"steps": 1.0}, "steps is 1.0: wanted a whole number of at least 0"),
        ({"steps": True}, "steps is True: wanted a whole number of at least 0"),
        ({"batch_size": "64"}, "batch_size is '64': wanted a whole number of at least 1"),
        ({"seed": -1}, "seed is -1: wanted a whole number of at least 0"),
        ({"task": 3}, "task is 3: wanted a name, or a mapping with a name and arguments"),
        ({"method": {"lam": 1}}, "method is {'lam': 1}: wanted a name, or a mapping with a name and arguments"),
        ({"method": {"name": "epr", "lam": math.nan}},
         "a trial is plain data, as JSON has it: Out of range float values are not JSON compliant"),
        ({"method": {"name": "epr", "lam": torch.tensor(1)}},
         "a trial is plain data, as JSON has it: Object of type Tensor is not JSON serializable"),
        ({"precision": "bf16"}, "precision is 'bf16': wanted float32 or bfloat16 or float16"),
        ({"clip": -1}, "clip is -1: wanted a number of at least 0"),
        ({"ema": 1}, "ema is 1: wanted a number of at least 0 and below 1"),
        ({"epochs": 2}, "steps is 10 and epochs is 2: wanted one of them"),
        ({"epochs": math.inf}, "epochs is inf: wanted a number of at least 0"),
        ({"validate_examples": 0.5}, "validate_examples is 0.5: wanted a whole number of at least 0"),
        ({"accumulate": 0}, "accumulate is 0: wanted a whole number of at least 1"),
        ({"accumulate": 33}, "accumulate is 33 and batch_size is 32: wanted an example at l"),
        ({"optimiser": "sdg"}, "unknown optimiser 'sdg'; did you mean 'sgd'?"),
        ({"optimiser": {"name": "sgd", "momentun": 0.5}},
         "optimiser 'sgd' has no argument 'momentun'; did you mean 'momentum'?"),
        ({"optimiser": {"name": "sgd", "momentum": 1}},
         "optimiser 'sgd': momentum is 1: wanted a number of at least 0 and below 1"),
        ({"optimiser": {"name": "sgd", "momentum": 0, "nesterov": True}},
         "optimiser 'sgd': nesterov is true a"),
        ({"optimiser": {"name": "adam", "betas": [0.9]}}, "optimiser 'adam': betas is [0.9]: wanted two"),
        ({"optimiser": {"name": "adamw", "betas": [0.9, 2]}}, "optimiser 'adamw': betas[1] is 2: wanted a n"),
        ({"schedule": "cosin"}, "unknown schedule 'cosin'; did you mean 'cosine'?"),
        ({"schedule": {"name": "linear", "final": 2}}, "schedule 'linear': final is 2: wanted a number of"),
        ({"schedule": {"name": "step", "milestones": 0.5}}, "schedule 'step': milestones is 0.5: wanted a list"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named(change: dict[Any, Any], message: str) -> None:
    assert message_of(lambda: TrialConfig.from_dict({**PLAIN, **change})).startswith(message)


def test_a_missing_field_is_named() -> None:
    without = {key: value for key, value in PLAIN.items() if key != "method"}
    expected = "a trial needs 'method'; given: task, architecture, steps, batch_size, seed"
    assert message_of(lambda: TrialConfig.from_dict(without)) == expected
    assert message_of(lambda: TrialConfig.from_dict({})) == "a trial needs 'task'; given: nothing"


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("ebr", "unknown method 'ebr'; did you mean 'epr'?"),
        ("zzz", f"unknown method 'zzz'; valid: {', '.join(sorted(METHODS))}"),
        ("epr", "method 'epr' needs 'lam'"),
        ({"name": "epr", "lamb": 1}, "method 'epr' has no argument 'lamb'; did you mean 'lam'?"),
        ({"name": "epr", 1: 1}, "method 'epr' has no argument 1; valid: "),
        ({"name": "epr", "lam": -1}, "method 'epr': lam is -1: wanted a number of at least 0"),
        ({"name": "epr", "lam": 1, "learning_rate": 0},
         "method 'epr': learning_rate is 0: wanted a number above 0"),
        ({"name": "ptq", "bits": 1}, "method 'ptq': bits is 1: wanted a whole number of at least 2 and at most 16"),
    ],
)  # fmt: skip
def test_a_wrong_method_is_named(method: Any, message: str) -> None:
    assert message_of(lambda: make_method(Spec.from_dict("method", method))).startswith(message)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("digit", "unknown task 'digit'; did you mean 'digits'?"),
        ({"name": "digits", "size": 3}, "task 'digits' has no argument 'size'; valid: calibration, "),
        ("json:loads", "task 'json:loads' needs 's'"),
        ("tests.trainers.networks:parameterless", "task 'tests.trainers.networks:parameterless' returned Flatten: "
         "wanted a trainers.tasks.base.Task"),
        ("no.such:task", "task 'no.such:task': cannot import module 'no.such' (ModuleNotFoundError: No module named "
         "'no'); it must be importable from the working directory or be installed"),
    ],
)  # fmt: skip
def test_a_wrong_task_is_named(task: Any, message: str) -> None:
    assert message_of(lambda: make_task(Spec.from_dict("task", task))).startswith(message)


def test_a_task_gives_an_architecture_what_it_takes() -> None:
    task = make_task(Spec(name="tests.trainers.networks:clusters"))
    assert find_architecture(Spec(name="mlp", arguments={"hidden": (8,)}), task)[1] == {
        "hidden": [8], "input_shape": [1, 4, 4], "num_outputs": 3,
    }  # fmt: skip
    assert find_architecture(Spec(name="mlp", arguments={"hidden": [300, 100], "num_outputs": 5}), task)[1] == {
        "input_shape": [1, 4, 4], "num_outputs": 5,
    }  # fmt: skip
    assert find_architecture(Spec(name="lenet5"), task)[1] == {}


def test_an_architecture_that_takes_any_keyword_gets_those_it_names() -> None:
    def anything(*, num_outputs: int = 10, **rest: Any) -> torch.nn.Module:
        return torch.nn.Linear(rest["width"], num_outputs)

    assert complete(anything, {"width": 3}, input_shape=(1,), num_outputs=10) == {"width": 3}
    assert isinstance(build("a", anything, {"width": 3}), torch.nn.Linear)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: 3, "architecture 'a' returned int: wanted a torch.nn.Module"),
        (lambda: 1 / 0, "architecture 'a' cannot be built with {}: division by zero"),
        (lambda: torch.zeros(2) @ torch.zeros(3), "architecture 'a' cannot be built with {}: inconsistent tensor size"),
    ],
)
def test_an_architecture_that_fails_is_named(function: Any, message: str) -> None:
    assert message_of(lambda: build("a", function, {})).startswith(message)


@pytest.mark.parametrize(
    ("value", "low", "high", "above", "message"),
    [
        ("1", 0, math.inf, False, "x is '1': wanted a number of at least 0"),
        (True, 0, math.inf, False, "x is True: wanted a number of at least 0"),
        (math.nan, 0, math.inf, False, "x is nan: wanted a number of at least 0"),
        (math.inf, 0, math.inf, False, "x is inf: wanted a number of at least 0"),
        (0, 0, math.inf, True, "x is 0: wanted a number above 0"),
        (2, 0, 1, False, "x is 2: wanted a number of at least 0 and at most 1"),
        (-0.5, 0.25, 1, True, "x is -0.5: wanted a number above 0.25 and at most 1"),
        (10**400, 0, math.inf, False, f"x is 1{'0' * 198}…: wanted a number of at least 0"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_wrong_number_is_named(value: Any, low: float, high: float, above: bool, message: str) -> None:
    assert message_of(lambda: checks.number("x", value, low=low, high=high, above=above)) == message


def test_right_numbers_pass() -> None:
    checks.number("x", 0, low=0)
    checks.number("x", 1.0, low=0, high=1, above=True)
    checks.integer("x", 0, low=0, high=0)
    checks.integer("x", 10**400, low=0)
    checks.integers("x", (), low=1, high=2, max_length=0)
    checks.integers("x", (1, 2), low=1, high=2, max_length=2)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, "x is 3: wanted a list of at most 2 whole numbers"),
        ("12", "x is '12': wanted a list of at most 2 whole numbers"),
        ({1: 2}, "x is {1: 2}: wanted a list of at most 2 whole numbers"),
        ([1, 1, 1], "x is [1, 1, 1]: wanted a list of at most 2 whole numbers"),
        ([1, 0], "x[1] is 0: wanted a whole number of at least 1 and at most 9"),
        ([10], "x[0] is 10: wanted a whole number of at least 1 and at most 9"),
        ([False], "x[0] is False: wanted a whole number of at least 1 and at most 9"),
        ([None], "x[0] is None: wanted a whole number of at least 1 and at most 9"),
    ],
)
def test_a_wrong_list_is_named(value: Any, message: str) -> None:
    assert message_of(lambda: checks.integers("x", value, low=1, high=9, max_length=2)) == message


def test_a_name_that_is_not_registered_is_told_the_nearest() -> None:
    assert message_of(lambda: find("architecture", "lenet", ARCHITECTURES)) == (
        "unknown architecture 'lenet'; did you mean 'lenet5'?"
    )


def test_a_users_own_callable_is_imported_only_where_allowed() -> None:
    found = resolve("architecture", "tests.trainers.networks:normed", ARCHITECTURES, allow_import=True)
    assert found.__name__ == "normed"
    assert "is not imported because a file names it" in message_of(
        lambda: resolve("architecture", "tests.trainers.networks:normed", ARCHITECTURES, allow_import=False)
    )
    assert resolve("architecture", "mlp", ARCHITECTURES, allow_import=True) is ARCHITECTURES["mlp"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tests.trainers.networks:norm", "has no callable 'norm'; did you mean 'normed'?"),
        ("tests.trainers.networks:CLUSTERS", "has no callable 'CLUSTERS'; valid: "),
        (":x", "cannot import module '' (ValueError: Empty module name)"),
        ("broken_module:x", "cannot import module 'broken_module' (RuntimeError: first line)"),
    ],
)
def test_a_callable_that_is_not_there_is_named(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_module.py").write_text("raise RuntimeError('first line\\nsecond line')\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert message in message_of(lambda: import_callable("architecture", name))


def test_an_error_without_text_is_named_by_its_type() -> None:
    assert one_line(KeyError()) == "KeyError"
    assert one_line(ValueError("a\nb")) == "a"


def test_derived_seeds_are_stable() -> None:
    """The values are golden: a change would change every training in the world."""
    assert derive(0, "initialisation") == 5840980208439322833
    assert derive(0, "step", 1) == 1578201625287471526
    assert derive(2**40, "order", 10**9) == 4368226161603865198


def test_seeds_differ_by_seed_purpose_and_index() -> None:
    seeds = [derive(s, purpose, i) for s in range(20) for purpose in ("step", "order", "report") for i in range(50)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)
    ones = np.mean([[seed >> bit & 1 for bit in range(63)] for seed in seeds], axis=0)
    assert (abs(ones - 0.5) < 0.06).all()


def test_every_generator_is_seeded() -> None:
    def draw() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(()))  # noqa: NPY002

    seed_everything(1, "step", 5)
    first = draw()
    draw()
    seed_everything(1, "step", 5)
    assert draw() == first
    seed_everything(1, "step", 6)
    assert all(a != b for a, b in zip(draw(), first, strict=True))
