"""The unit sphere: functions stay, norms are one, and unsuitable networks and methods are refused."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.trainers.tracing import unit_groups
from tests.trainers.trials import attach, configuration, run, spec
from trainers.architectures.cnn import cnn
from trainers.architectures.mlp import mlp
from trainers.compressed import load_compressed
from trainers.modifiers.unit_sphere import UnitSphere, project_group

SHAPE = (1, 8, 8)


def project(network: nn.Module) -> None:
    with torch.no_grad():
        for group in unit_groups(copy.deepcopy(network).to("meta"), SHAPE):
            project_group(group, dict(network.named_parameters()))


def rows(network: nn.Module) -> list[torch.Tensor]:
    """The norms of the units of each layer."""
    return [layer.weight.flatten(1).norm(dim=1) for layer in network.modules() if hasattr(layer, "weight")]


@pytest.mark.parametrize(
    "network",
    [
        mlp(input_shape=SHAPE, num_outputs=3, hidden=(7, 5, 6)),
        cnn(input_shape=SHAPE, num_outputs=3, channels=(4, 5)),
    ],
)
def test_the_network_computes_what_it_did_and_all_hidden_units_have_norm_one(network: nn.Module) -> None:
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    inputs = torch.randn(9, *SHAPE)
    before = network(inputs)
    project(network)
    torch.testing.assert_close(network(inputs), before, rtol=1e-4, atol=1e-4)
    *hidden, last = rows(network)
    for norms in hidden:
        torch.testing.assert_close(norms, torch.ones_like(norms))
    assert float(last.detach().mean()) > 1.5, "the last layer carries all scales"


def test_a_unit_without_weights_stays_without() -> None:
    network = mlp(input_shape=SHAPE, num_outputs=3, hidden=(7,))
    with torch.no_grad():
        network[1].weight[2] = 0
        network[1].bias[2] = 0.3
    inputs = torch.randn(9, *SHAPE)
    before = network(inputs)
    project(network)
    torch.testing.assert_close(network(inputs), before, rtol=1e-4, atol=1e-5)
    assert not network[1].weight[2].any()
    assert network[1].bias[2].item() == pytest.approx(0.3)


@pytest.mark.parametrize("method", ["uncompressed", "magnitude", "espn"])
def test_the_trained_network_lies_on_it(method: str, tmp_path: Path) -> None:
    config = configuration(method, modifiers={"unit_sphere": {}}, steps=30)
    files, _ = run(config, tmp_path)
    finest = load_compressed(tmp_path / f"{next(iter(files))}.rfz")
    norms = rows(finest)[0]
    torch.testing.assert_close(norms[norms > 0], torch.ones(int((norms > 0).sum())), rtol=0.05, atol=0.02)


@pytest.mark.parametrize("architecture", ["normed", "odd"])
def test_a_network_that_is_not_homogeneous_is_refused(architecture: str) -> None:
    trial = attach(configuration("ptq", architecture))
    with pytest.raises(ValueError, match=r"^unit_sphere: this network has no hidden units whose scale another layer"):
        UnitSphere().check(trial.context.plain, trial.task, spec(architecture))


@pytest.mark.parametrize("activation", [nn.Tanh, nn.GELU, nn.ReLU6, nn.Sigmoid, nn.SiLU])
@pytest.mark.parametrize("after", [True, False])
def test_a_saturating_activation_is_not_homogeneous_even_behind_a_rectifier(
    activation: type[nn.Module], after: bool
) -> None:
    between = [nn.ReLU(), activation()] if after else [activation()]
    network = nn.Sequential(nn.Linear(4, 5), *between, nn.Linear(5, 2)).to("meta")
    assert [group.homogeneous for group in unit_groups(network, (4,))] == [False]


@pytest.mark.parametrize("activation", [nn.ReLU, nn.LeakyReLU, nn.Identity, nn.Dropout])
def test_what_keeps_positive_scales_is_homogeneous(activation: type[nn.Module]) -> None:
    network = nn.Sequential(nn.Linear(4, 5), activation(), nn.Linear(5, 2)).to("meta")
    assert [group.homogeneous for group in unit_groups(network, (4,))] == [True]
