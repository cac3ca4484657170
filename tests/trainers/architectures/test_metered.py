"""A network that would be built of too much is refused while it is built."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import torch
from torch import nn

from trainers.architectures.metered import MOST_PARTS, metered


def deep() -> nn.Module:
    return nn.Sequential(*(nn.Sequential(nn.Linear(2, 2), nn.ReLU()) for _ in range(10**6)))


def windowed(side: int, device: str | None = None) -> nn.Module:
    """A network with a table of the distances between all pairs of places, which no file holds."""
    module = nn.Linear(2, 2)
    places = torch.arange(side, device=device)
    module.register_buffer("distances", places[:, None] - places[None, :], persistent=False)
    return module


@pytest.mark.parametrize("device", ["meta", "cpu"])
@pytest.mark.parametrize(
    ("build", "message"),
    [
        (deep, f"it has {MOST_PARTS + 1} modules and parameters or more: wanted at most {MOST_PARTS}"),
        (lambda: windowed(1 << 20), "it makes tensors of 10995"),
        (lambda: windowed(1 << 20, "cpu"), "it makes tensors of 10995"),
        (lambda: nn.Linear(1 << 20, 1 << 20), "it makes tensors of 10995"),
    ],
)
def test_too_much_is_refused_before_memory_is_taken(device: str, build: Callable[[], nn.Module], message: str) -> None:
    started = time.process_time()
    with pytest.raises(ValueError, match=message), torch.device(device), metered():
        build()
    assert time.process_time() - started < 20


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_usual_networks_are_built(device: str) -> None:
    with torch.device(device), metered():
        network = nn.Sequential(*(nn.Linear(30, 30) for _ in range(50)), windowed(40))
        values = torch.ones(3, device="cpu")
    assert len(list(network.parameters())) == 102
    assert network[-1].distances.device.type == device
    assert values.sum().item() == 3


def test_networks_that_are_built_afterwards_are_not_counted() -> None:
    with pytest.raises(ValueError), torch.device("meta"), metered():
        deep()
    with torch.device("meta"):
        assert len(nn.ModuleList(nn.Linear(1, 1) for _ in range(MOST_PARTS // 2))) == MOST_PARTS // 2
