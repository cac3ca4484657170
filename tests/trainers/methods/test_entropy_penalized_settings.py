"""The settings of EPR: groups, first steps and learning rates, the warm-up of the rate, and what is refused."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.trainers.methods.contexts import context_of
from tests.trainers.networks import CLUSTERS
from tests.trainers.trials import (
    attach,
    configuration,
    run,
)
from tests.zoo import NETWORKS
from trainers.coding.sections import Integers
from trainers.config import TrialConfig
from trainers.methods.base import Moment
from trainers.methods.entropy_penalized import EntropyPenalized


def grouped(groups: Any) -> list[set[str]]:
    """Names of the tensors of a convolution and two dense layers that share a table."""
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(4, 5), nn.Linear(5, 2))
    context = context_of(copy.deepcopy(model))
    method = EntropyPenalized(lam=0.1, initial_step=2.0, groups=groups)
    ((_, sections),) = method.points(method.attach(model, context), context)
    found: dict[int, set[str]] = {}
    for name, section in sections.tensors.items():
        assert isinstance(section, Integers)
        found.setdefault(section.table, set()).add(name)
    return list(found.values())


def test_groups_are_by_kind_by_layer_or_by_pattern() -> None:
    assert grouped("kind") == [{"0.weight"}, {"0.bias", "2.bias", "3.bias"}, {"2.weight", "3.weight"}]
    assert grouped("layer") == [{f"{layer}.{kind}"} for layer in (0, 2, 3) for kind in ("weight", "bias")]
    by_pattern = grouped({"3.*": "last", "*.weight": "weights"})
    assert by_pattern == [{"0.weight", "2.weight"}, {"0.bias", "2.bias"}, {"3.weight", "3.bias"}]


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({"decoder": "fft"}, "decoder is 'fft': wanted scalar or dft"),
        ({"density": "laplace"}, "density is 'laplace': wanted geometric or learned"),
        ({"groups": "kinds"}, "groups is 'kinds': wanted kind or layer"),
        ({"groups": {"*": 3}}, "groups is {'*': 3}: wanted kind, layer, or names of groups by patterns"),
        (
            {"density_learning_rate": 0.1},
            "density_learning_rate is 0.1, which has no effect where density is 'geometric': leave it out",
        ),
        ({"rate_warmup": 1.5}, "rate_warmup is 1.5: wanted a number of at least 0 and at most 1"),
    ],
    ids=str,
)
def test_a_wrong_field_is_told(field: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        EntropyPenalized(lam=0.1, **field)


def test_the_rate_warms_up() -> None:
    """At the start the loss is the task's alone; after the warm-up it is whole."""
    trial = attach(configuration("epr", "mlp", method={"name": "epr", "lam": 0.5, "rate_warmup": 0.5}))
    (phase,) = trial.method.phases(trial.context)
    task_loss = trial.context.loss(trial.model, trial.batch)
    rate = 0.5 * trial.method.rate_bits(trial.model, trial.context) / trial.context.num_parameters
    for phase_step, share in [(0, 0.0), (25, 0.5), (50, 1.0), (99, 1.0)]:
        moment = Moment(step=phase_step, phase_step=phase_step, num_phase_steps=100)
        loss = phase.loss(trial.model, trial.batch, trial.context, moment)
        torch.testing.assert_close(loss, task_loss + share * rate)


def test_steps_and_learning_rates_are_set_by_patterns() -> None:
    """They are in units of the parameters, and what a pattern fits shares steps with nothing else."""
    tensors = {"0.weight": {"step": 0.05}, "*.weight": {"learning_rate": 0.01}, "2.*": {"step": 0.25}}
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 2))
    method = EntropyPenalized(lam=0.1, initial_step=0.5, learning_rate=1e-3, tensors=tensors)
    attached: Any = method.attach(model, context_of(model))
    groups = {group.names: float(group.step()) for group in attached.latent_groups()}
    assert list(groups) == [("0.weight",), ("0.bias", "4.bias"), ("2.weight", "4.weight"), ("2.bias",)]
    assert groups["0.weight",] == pytest.approx(0.05, rel=1e-3)
    assert groups["2.bias",] == 0.25
    (optimiser,) = method._optimisers(attached, 5)
    rates = {
        names: float(group["lr"]) * step  # of latents, in units of parameters again
        for group, (names, step) in zip(optimiser.optimiser.param_groups, groups.items(), strict=False)
    }
    assert rates == {names: pytest.approx(0.01 if names == ("2.weight", "4.weight") else 1e-3) for names in groups}


@pytest.mark.parametrize("initial_step", ["auto", 2.0])
def test_a_step_by_pattern_is_in_the_file(initial_step: Any, tmp_path: Path) -> None:
    method = {"name": "epr", "lam": 0.1, "initial_step": initial_step, "tensors": {"1.*": {"step": 0.03125}}}
    method |= {"step_learning_rate": 0.0}
    trial = attach(configuration("epr", "mlp", method=method))
    ((_, sections),) = trial.method.points(trial.model, trial.context)
    steps = {name: sections.vectors[0][section.table] for name, section in sections.tensors.items()}  # type: ignore[union-attr]
    assert {name for name, step in steps.items() if step == 0.03125} == {"1.weight", "1.bias"}
    files, _ = run(configuration("epr", "mlp", method=method), tmp_path)
    assert len(files["point"])


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"encoder.*": {"step": 0.1}}, "tensors: 'encoder.*' fits none of the network's tensors: 1.weight, 1.bias, "),
        ({"*": {"step": 0.1}, "3.*": {"step": 1}}, "tensors: '3.*' never counts, because patterns before it fit all"),
        ({"*": {"steps": 0.1}}, "tensors: '*' has no setting 'steps'; did you mean 'step'?"),
        ({"*": {"step": -1}}, "tensors: '*': step is -1: wanted a number above 0"),
    ],
    ids=str,
)
def test_a_wrong_pattern_or_setting_is_refused_before_anything_trains(tensors: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        attach(configuration("epr", "mlp", method={"name": "epr", "lam": 0.1, "tensors": tensors}))


@pytest.mark.parametrize("network", ["branched", "gained", "recurrent", "siren"])
def test_no_weight_is_lost_at_the_start(network: str) -> None:
    """At two root mean squares of its group, a tensor much smaller than the others is all zero, and often stays so."""
    given = {"task": CLUSTERS, "architecture": {"name": NETWORKS[network]}, "steps": 5}
    trial = attach(TrialConfig.from_dict({**given, "method": {"name": "epr", "lam": 0.1}}))
    rounded = {name: tensor for group in trial.model.latent_groups() for name, tensor in group.rounded().items()}  # type: ignore[operator]
    for name, tensor in rounded.items():
        if trial.given[name].ndim != 1 or trial.given[name].unique().numel() == 1:
            assert tensor.any() == trial.given[name].any(), name


@pytest.mark.parametrize("given", [{}, {"initial_step": "fine"}, {"initial_step": 0}])
def test_the_first_step_is_a_number_or_found(given: dict[str, Any]) -> None:
    if not given:
        assert EntropyPenalized(lam=0.1).initial_step == "auto"
        return
    with pytest.raises(ValueError, match=r"initial_step is .*: wanted a number above 0, or auto"):
        EntropyPenalized(lam=0.1, **given)
