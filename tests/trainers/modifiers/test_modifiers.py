"""What every modifier promises, with every method that it goes with."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainers.networks import CLUSTERS
from tests.trainers.trials import configuration, run, without_time
from trainers.config import TrialConfig
from trainers.loop.progress import Progress
from trainers.methods import METHODS
from trainers.modifiers import MODIFIERS, make_modifiers
from trainers.preparation import prepare
from trainers.tasks.supervised import SupervisedLoss, cross_entropy
from trainers.train import train


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = tmp_path_factory.mktemp("teacher")
    run(configuration("uncompressed", "cnn", steps=30), directory)
    return str(directory / "point.rfz")


@pytest.fixture(params=MODIFIERS)
def modifiers(request: pytest.FixtureRequest, teacher: str) -> dict[str, dict[str, Any]]:
    settings = {"distillation": {"teacher": teacher, "weight": 0.7}}
    return {request.param: settings.get(request.param, {})}


@pytest.mark.parametrize("name", METHODS)
def test_it_acts_with_every_method_or_says_why_not(
    name: str, modifiers: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    if "unit_sphere" in modifiers and not METHODS[name].trains_weights:
        with pytest.raises(ValueError, match=rf"^modifier 'unit_sphere' acts on weights, and method '{name}' trains "):
            prepare(configuration(name, modifiers=modifiers), torch.device("cpu"))
        return
    plain, plainly = run(configuration(name), tmp_path / "plain")
    files, history = run(configuration(name, modifiers=modifiers), tmp_path / "modified")
    assert list(files) == list(plain)
    assert len(history) == len(plainly)
    assert all(one.train_loss != other.train_loss for one, other in zip(history, plainly, strict=True))


@pytest.mark.parametrize("name", ["ptq", "espn", "qat"])
def test_a_resumed_training_ends_in_the_same_file_and_history(
    name: str, modifiers: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    config = configuration(name, modifiers=modifiers)
    wanted, history = run(config, tmp_path / "whole")
    for kill_at in (2, 4):

        def report(progress: Progress, kill_at: int = kill_at) -> None:
            assert without_time(progress) in history
            if progress.step == kill_at:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train(config, report, tmp_path / "parts", checkpoint_interval_s=0)
    assert run(config, tmp_path / "parts")[0] == wanted


def test_all_act_together_in_one_order(teacher: str, tmp_path: Path) -> None:
    settings: dict[str, dict[str, Any]] = {"unit_sphere": {}, "distillation": {"teacher": teacher}, "disout": {}}
    config = configuration("ptq", modifiers=settings)
    turned = configuration("ptq", modifiers=dict(reversed(settings.items())))
    assert config.to_json() == turned.to_json()
    assert run(config, tmp_path / "one")[0] == run(turned, tmp_path / "other")[0]
    assert [type(one) for one in make_modifiers(settings, method="ptq")] == list(MODIFIERS.values())


def test_true_is_a_modifier_with_its_defaults() -> None:
    config = configuration("ptq", modifiers={"disout": True})
    assert config.modifiers == {"disout": {}}
    assert TrialConfig.from_dict(config.to_dict()) == config
    assert config.config_hash != configuration("ptq").config_hash
    assert "modifiers" not in configuration("ptq", modifiers={}).to_dict()
    assert configuration("ptq", modifiers={}).config_hash == configuration("ptq").config_hash


def test_a_pinned_file_is_known_by_its_content_wherever_it_lies() -> None:
    def of(teacher: str) -> str:
        return configuration("ptq", modifiers={"distillation": {"teacher": teacher}}).config_hash

    digest = "#sha256=" + "0" * 64
    assert of(f"/here/t.rfz{digest}") == of(f"/there/u.rfz{digest}")
    assert of(f"/here/t.rfz{digest}") != of("/here/t.rfz#sha256=" + "1" * 64)


@pytest.mark.parametrize(
    ("modifiers", "message"),
    [
        ("disout", "modifiers is 'disout': wanted a mapping from names to settings, such as {disout: true}"),
        (["disout"], "modifiers is ['disout']: wanted a mapping from names to settings, such as {disout: true}"),
        (
            {"disout": 3},
            "modifiers has 'disout': 3: wanted a name and its settings, such as disout: {alpha: 2}, or true",
        ),
        ({"distil": True}, "unknown modifier 'distil'; did you mean 'distillation'?"),
        ({"disout": {"alpa": 2}}, "modifier 'disout' has no argument 'alpa'; did you mean 'alpha'?"),
        ({"disout": {"alpha": -1}}, "modifier 'disout': alpha is -1: wanted a number of at least 0"),
        ({"distillation": True}, "modifier 'distillation' needs 'teacher'"),
    ],
)
def test_a_mistake_is_told_in_one_line(modifiers: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError) as caught:
        run(configuration("ptq", modifiers=modifiers), tmp_path)
    assert str(caught.value) == message


def test_without_modifiers_nothing_is_wrapped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The method gets the task's own loss, not a stand-in."""
    seen: list[Any] = []
    phases = METHODS["ptq"].phases

    def spied(self: Any, context: Any) -> Any:
        (phase,) = phases(self, context)
        return (dataclasses.replace(phase, loss=lambda m, b, c, t: (seen.append(c), phase.loss(m, b, c, t))[1]),)

    monkeypatch.setattr(METHODS["ptq"], "phases", spied)
    run(configuration("ptq", task=CLUSTERS), tmp_path)
    assert {id(context.loss) for context in seen} == {id(seen[0].loss)}
    assert seen[0].loss == SupervisedLoss(cross_entropy)


def test_activations_may_be_bfloat16(modifiers: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    files, reports = run(configuration("ptq", "cnn", modifiers=modifiers, precision="bfloat16"), tmp_path)
    assert files
    assert reports[-1].train_loss < 5
