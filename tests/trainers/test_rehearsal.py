"""What a method cannot train or store is refused before it trains."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tests.trainers.networks import clusters, exploding
from tests.trainers.trials import configuration
from trainers.config import Spec
from trainers.methods import METHODS
from trainers.rehearsal import rehearse

NUM_INPUTS = 16


class Averaged(nn.Module):
    """Answers with a moving average of itself, whose tensors are frozen parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Linear(NUM_INPUTS, 3)
        self.average = copy.deepcopy(self.network).requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        if not self.training:
            return torch.as_tensor(self.average(x))
        with torch.no_grad():
            for old, new in zip(self.average.parameters(), self.network.parameters(), strict=True):
                old.lerp_(new, 0.1)
        return torch.as_tensor(self.network(x))


class Counting(nn.Module):
    """Computes with the number of steps that it has taken, which no file holds."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(NUM_INPUTS, 3)
        self.num_steps = 0

    def forward(self, x: Tensor) -> Tensor:
        self.num_steps += self.training
        return torch.as_tensor(self.linear(x.flatten(1))) * (1 + self.num_steps)


class Recomputing(nn.Module):
    """Computes its first layer again in the backward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(NUM_INPUTS, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        hidden = checkpoint(self.first, x.flatten(1).requires_grad_(), use_reentrant=False)
        return torch.as_tensor(self.last(hidden.relu()))


class Sparse(nn.Module):
    """Its gradients are sparse, which Adam does not take."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.last = nn.Embedding(9, 4, sparse=True), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.last(self.table((x.flatten(1) + 4).long().clamp(0, 8)).mean(1)))


def tried(network: type[nn.Module], method: str) -> None:
    config = dataclasses.replace(configuration(method), architecture=Spec(name=f"{__name__}:{network.__name__}"))
    rehearse(config, clusters())


@pytest.mark.parametrize(
    ("network", "method", "said"),
    [
        (Averaged, "epr", r"the network writes to its parameter 'average.bias' while it trains.*register_buffer"),
        (Averaged, "qat", r"the network writes to its parameter 'average.bias' while it trains.*register_buffer"),
        (Counting, "uncompressed", r"point: the network decoded from the file does not compute what the tr"),
        (Recomputing, "epr", r"fails within 6 steps: "),
        (Sparse, "ptq", r"fails within 6 steps: RuntimeError: Adam does not support sparse gradients"),
    ],
)  # fmt: skip
def test_what_would_fail_or_be_lost_is_refused_in_one_line(network: type[nn.Module], method: str, said: str) -> None:
    called = rf"^method '{method}' on architecture '{__name__}:{network.__name__}': "
    with pytest.raises(ValueError, match=called + said) as caught:
        tried(network, method)
    assert "\n" not in str(caught.value)


def test_a_network_that_a_method_takes_is_tried_without_a_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = torch.get_rng_state()
    tried(Averaged, "uncompressed")
    assert torch.equal(torch.get_rng_state(), before)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", METHODS)
def test_every_method_can_be_tried(name: str) -> None:
    rehearse(configuration(name, "normed"), clusters())


def test_a_training_that_diverges_when_it_is_tried_is_left_to_run() -> None:
    """It may go well with its own batches and steps; if not, its trial says so."""
    rehearse(configuration("uncompressed"), exploding())
