"""Sweeps from flags, and changes to a sweep in ``key=value``."""

from typing import Any

import pytest

from orchestrator.errors import SweepError
from orchestrator.planning.study import plan
from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.overrides import apply_overrides, document_from_flags


def document() -> dict[str, Any]:
    return {
        "task": "digits",
        "architecture": [{"name": "mlp", "hidden": [64]}, "cnn"],
        "method": [{"name": "epr", "lam": 1.0}, {"name": "ptq", "bits": 4}, "uncompressed"],
        "steps": 10,
    }


@pytest.mark.parametrize(
    ("override", "field", "value"),
    [
        ("steps=100", "steps", 100),
        ("steps=[100, 200]", "steps", [100, 200]),
        ("seeds=5", "seeds", 5),
        ("init_from=~/nets/net.pth", "init_from", "~/nets/net.pth"),
        ("init_from=resnet20_cifar10", "init_from", "resnet20_cifar10"),
        ("init_from={path: net.pth, key: ema}", "init_from", {"path": "net.pth", "key": "ema"}),
        ("init_from.path=net.pth", "init_from", {"path": "net.pth"}),
        ("name=a=b", "name", "a=b"),
        ("task=mnist", "task", "mnist"),
        ("method=epr", "method", "epr"),
        ("method={name: epr, lam: 1e-3}", "method", {"name": "epr", "lam": 0.001}),
        (
            "method.lam=0.5",
            "method",
            [{"name": "epr", "lam": 0.5}, {"name": "ptq", "bits": 4}, {"name": "uncompressed"}],
        ),
        (
            "method.epr.learning_rate=1e-2",
            "method",
            [{"name": "epr", "lam": 1.0, "learning_rate": 0.01}, {"name": "ptq", "bits": 4}, {"name": "uncompressed"}],
        ),
        (
            "method.bits=[2,4]",
            "method",
            [{"name": "epr", "lam": 1.0}, {"name": "ptq", "bits": [2, 4]}, {"name": "uncompressed"}],
        ),
        ("architecture.hidden=[32]", "architecture", [{"name": "mlp", "hidden": [32]}, {"name": "cnn"}]),
        (
            "architecture.cnn.channels=[4]",
            "architecture",
            [{"name": "mlp", "hidden": [64]}, {"name": "cnn", "channels": [4]}],
        ),
        ("search.num_values=3", "search", {"name": "grid", "num_values": 3}),
        ("search=random", "search", "random"),
        ("resources.gpu=0.5", "resources", {"gpu": 0.5}),
    ],
)
def test_an_override_changes_its_field_alone(override: str, field: str, value: Any) -> None:
    assert apply_overrides(document(), [override]) == document() | {field: value}


def test_a_field_that_several_methods_have_is_set_in_each() -> None:
    changed = apply_overrides(document(), ["method.learning_rate=0.1"])
    assert [method["learning_rate"] for method in changed["method"]] == [0.1, 0.1, 0.1]


@pytest.mark.parametrize("given", ["net.pth", {"path": "net.pth"}])
def test_what_is_taken_of_a_file_is_set_beside_its_path(given: Any) -> None:
    changed = apply_overrides(document() | {"init_from": given}, ["init_from.strict=false", "init_from.key=ema"])
    assert changed["init_from"] == {"path": "net.pth", "strict": False, "key": "ema"}


def test_overrides_apply_in_order() -> None:
    changed = apply_overrides(document(), ["search=random", "search.num_trials=5", "method=epr", "method.lam=2"])
    assert changed["search"] == {"name": "random", "num_trials": 5}
    assert changed["method"] == {"name": "epr", "lam": 2}


def test_overrides_that_say_twice_how_long_a_training_is_are_refused() -> None:
    assert apply_overrides(document(), ["steps=5", "steps=7"])["steps"] == 7
    with pytest.raises(SweepError, match=r"^epochs=3 and steps=5 say how long a training is: wanted one of them$"):
        apply_overrides(document(), ["epochs=3", "seeds=2", "steps=5"])


def test_the_given_document_is_not_changed() -> None:
    given = document()
    apply_overrides(given, ["method.lam=5", "architecture.hidden=[1]", "resources.cpu=2"])
    assert given == document()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("steps", "override 'steps': wanted key=value, such as steps=100"),
        ("steps=", "override 'steps=': wanted key=value, such as steps=100"),
        ("=5", "override '=5': wanted key=value, such as steps=100"),
        ("stesp=5", "unknown field 'stesp'; did you mean 'steps'?"),
        ("metod.lam=5", "unknown field 'metod.lam'; did you mean 'method.lam'?"),
        ("method.lma=5", "unknown field 'method.lma'; did you mean 'method.lam'?"),
        ("method.epr.lma=5", "unknown field 'method.epr.lma'; did you mean 'method.epr.lam'?"),
        ("method.ptq.lam=5", "unknown field 'method.ptq.lam'; did you mean 'method.ptq.bits'?"),
        ("method.erp.lam=5", "method.erp.lam addresses no method of this sweep; did you mean 'epr'?"),
        (
            "method.lam.path=[3.2, 1.6]",
            "'method.lam.path' is a part of lam: wanted the whole setting, as in --set 'method.lam={path: [...]}'",
        ),
        (
            "method.epr.lam.path.to=1.6",
            "'method.epr.lam.path.to' is a part of lam: wanted the whole setting, as in --set "
            "'method.epr.lam={path: [...]}'",
        ),
        (
            "architecture.hidden.0=5",
            "'architecture.hidden.0' is a part of hidden: wanted the whole setting, as in --set "
            "architecture.hidden=VALUE",
        ),
        ("architecture.hiden=[5]", "unknown field 'architecture.hiden'; did you mean 'architecture.hidden'?"),
        ("task.limit=5", "unknown field 'task.limit'; did you mean 'task.top'?"),
        ("steps=[5", "override 'steps=[5': steps:1: expected ',' or ']', but got '<stream end>'"),
    ],
)
def test_a_wrong_override_is_refused_in_one_line(override: str, message: str) -> None:
    with pytest.raises(SweepError) as error:
        apply_overrides(document(), [override])
    assert str(error.value) == message


def test_an_override_of_a_part_of_a_path_is_refused_where_there_is_a_path_and_of_the_whole_is_not() -> None:
    given = document() | {"method": {"name": "epr", "lam": {"path": [3.2, 0.8]}}}
    with pytest.raises(SweepError, match=r"^'method.lam.path' is a part of lam: wanted the whole setting"):
        apply_overrides(given, ["method.lam.path=[3.2, 1.6]"])
    changed = apply_overrides(given, ["method.lam={path: [3.2, 1.6]}"])
    assert changed["method"] == {"name": "epr", "lam": {"path": [3.2, 1.6]}}


def test_an_override_of_a_broken_section_is_refused_in_one_line() -> None:
    for given, override, message in [
        ({"method": 3}, "method.lam=1", "method is 3: wanted a name, or a mapping with a name and arguments"),
        ({"method": "erp"}, "method.lam=1", "unknown method 'erp'; did you mean 'epr'?"),
        (
            {"search": [1]},
            "search.num_trials=1",
            "search is [1]: wanted a name, or a mapping with a name and arguments",
        ),
    ]:
        with pytest.raises(SweepError) as error:
            apply_overrides(document() | given, [override])
        assert str(error.value) == f"override {override!r}: {message}"
    with pytest.raises(SweepError) as error:
        apply_overrides(document() | {"resources": 3}, ["resources.gpu=1"])
    assert str(error.value) == "resources is 3: wanted a mapping, such as {cpu: 1, gpu: 0}"


def test_three_flags_are_a_whole_sweep() -> None:
    sweep = Sweep.from_dict(document_from_flags(task="digits", architecture="mlp", method="ptq"))
    assert (sweep.name, sweep.steps, sweep.batch_size, sweep.seeds) == ("digits-mlp-ptq", 2000, 64, 1)
    assert len(plan(sweep)) > 1


@pytest.mark.parametrize("method", ["epr", "ptq", "uncompressed"])
def test_what_a_method_has_to_beat_is_beside_it_unless_unwanted(method: str) -> None:
    flags = {"task": "digits", "architecture": "mlp", "method": method}
    assert set(document_from_flags(**flags)["method"]) == {method, "ptq", "uncompressed"}
    assert document_from_flags(**flags)["method"][0] == method
    assert document_from_flags(**flags, baselines=False)["method"] == [method]


def test_a_users_own_code_gives_a_name_that_is_allowed() -> None:
    document = document_from_flags(task="digits", architecture="my_package.networks:tiny", method="epr")
    assert document["name"] == "digits-my_package.networks-tiny-epr"
