"""Computing a network with other tensors in place of its own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from trainers.networks.substitution import Substitution


class Shared(nn.Module):
    """A layer under two names, and a second layer with its weight."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(2, 2, bias=False)
        self.layers = nn.ModuleList([self.one, nn.Linear(2, 2, bias=False)])
        self.layers[1].weight = self.one.weight

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


def test_the_substitute_is_in_every_place_and_the_network_is_as_before() -> None:
    network = Shared()
    weight = network.one.weight
    other = torch.randn(2, 2, requires_grad=True)
    x = torch.randn(3, 2)
    found = Substitution(network).compute(network, {"one.weight": other}, x)
    torch.testing.assert_close(found, x @ other.T @ other.T)
    found.sum().backward()
    assert other.grad is not None
    assert all(module.weight is weight for module in network.layers)


def test_a_removed_parameter_is_gone_everywhere_and_still_has_its_places() -> None:
    network = Shared()
    substitution = Substitution(network)
    substitution.remove(network, {"one.weight"})
    assert not list(network.parameters())
    other = torch.eye(2)
    x = torch.randn(3, 2)
    torch.testing.assert_close(substitution.compute(network, {"one.weight": other}, x), x)


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM, nn.RNN])
def test_recurrent_layers_compute_with_the_substitutes(kind: type[nn.RNNBase]) -> None:
    network = kind(2, 3)
    substitution = Substitution(network)
    zeros = {name: torch.zeros_like(parameter) for name, parameter in network.named_parameters()}
    outputs, _ = substitution.compute(network, zeros, torch.randn(4, 2))
    assert not outputs.any()
    substitution.remove(network, zeros)
    outputs, _ = substitution.compute(network, zeros, torch.randn(4, 2))
    assert not outputs.any()
