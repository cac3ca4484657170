"""Networks without their parametrizations compute the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from tests.zoo import computed as zoo
from trainers.networks.parametrizations import computed

SHAPE = (1, 4, 4)


@pytest.mark.parametrize(
    "made",
    [
        zoo.weight_normed,
        zoo.weight_normed_of_old,
        zoo.spectral_normed,
        zoo.spectral_normed_of_old,
        zoo.symmetric,
    ],
)
def test_the_weights_that_were_computed_stay(made: Callable[..., nn.Module]) -> None:
    network = made(input_shape=SHAPE, num_outputs=3).eval()
    inputs = torch.randn(5, *SHAPE)
    with torch.no_grad():
        wanted = network(inputs)
        assert computed(network) is network
        torch.testing.assert_close(network(inputs), wanted)
    names = [name for name, _ in network.named_parameters()]
    assert all(name.endswith((".weight", ".bias")) for name in names)
    network.load_state_dict(network.state_dict())
    with torch.device("meta"):
        on_meta = computed(made(input_shape=SHAPE, num_outputs=3))
    assert sorted(on_meta.state_dict()) == sorted(network.state_dict())


def test_other_hooks_stay() -> None:
    network = nn.Linear(2, 2)
    network.register_forward_pre_hook(lambda module, args: (args[0] + 1,))
    assert len(computed(network)._forward_pre_hooks) == 1
