"""Multiply-accumulates are those that a hand counts."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from tests.zoo import loading
from trainers.architectures.base import build_on_meta
from trainers.architectures.macs import count_macs

SHAPE, SIZES = (1, 4, 4), {"input_shape": [1, 4, 4], "num_outputs": 3}
T, W = 4, loading.WIDTH  # rows are tokens
LAYER = T * W * 3 * W + 2 * T * T * W + T * W * W + 2 * T * W * 2 * W
"""Queries, keys and values; scores and their use; the projection; two layers of twice the width."""


def counted(name: str) -> int:
    macs, fewest = count_macs(getattr(loading, name)(**SIZES), torch.randn(3, *SHAPE))
    assert fewest == 1
    return macs


BY_HAND: dict[str, int] = {
    "masked_encoder": T * 4 * W + LAYER + W * 6 + 6 * 3,
    "causal_decoder": T * 4 * W + LAYER + W * 6 + 6 * 3,
    "bare_attention": T * 4 * W + (T * W * W + 2 * T * 4 * W + 2 * T * T * W + T * W * W) + W * 3,
    "token_gru": 16 * 3 * W * (W + W) + W * 3,
    "row_lstm": T * 2 * 4 * 3 * (4 + 3) + T * 2 * 4 * 3 * (6 + 3) + 6 * 3,
    "elman_rnn": T * W * (4 + W) + W * 3,
    "returned_parameter": 16 * W + W * 3,
    "bilinear": 3 * 8 * (8 + 1) + 16,
    "bag_of_ids": W * 3,
    "listed_parameters": 16 * W + W * 3,
    "chosen_by_name": 16 * W + 2 * W * W + W * 3,
    "drop_path": 16 * W + 3 * W * W + W * 3,
    "routed": 16 * 2 + 2 * 16 * 3,
    "convolutions": 16 * 4 * 9 + 16 * 4 * 9 + 16 * 8 * 2 + 16 * 8 * 2 * 4 + 16 * 4 * 3 * 3 + 16 * 3 * 2 + 32 * 3,
}


@pytest.mark.parametrize("name", BY_HAND)
def test_products_are_those_that_a_hand_counts(name: str) -> None:
    assert counted(name) == BY_HAND[name]


def test_networks_without_memory_are_counted_alike() -> None:
    model = build_on_meta("token_gru", loading.token_gru, SIZES)
    assert count_macs(model, torch.empty(1, *SHAPE, device="meta")) == (BY_HAND["token_gru"], 1)


def test_a_network_that_refuses_one_example_is_counted_with_two() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3, track_running_stats=False))
    assert count_macs(model, torch.randn(1, 4)) == (12, 2)


def test_counting_does_not_load_the_compiler_of_torch() -> None:
    """That takes a second, longer than many a pass."""
    program = (
        "import sys, torch; from torch import nn; from trainers.architectures.macs import count_macs;"
        "count_macs(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.GELU()), torch.zeros(1, 1, 4, 4));"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_network_that_does_not_run_is_refused_with_the_true_reason() -> None:
    model = loading.causal_decoder(**SIZES)
    with pytest.raises(ValueError, match=r"does not take inputs of shape \(1, 4, 5\): mat1 and mat2 shapes") as caught:
        count_macs(model, torch.zeros(1, 1, 4, 5))
    assert "\n" not in str(caught.value)


def test_inputs_of_another_type_than_the_network_are_told() -> None:
    model = torch.nn.Linear(5, 3)
    with pytest.raises(ValueError, match=r"; inputs are float64 and the network's parameters float32: wanted the same"):
        count_macs(model, torch.zeros(1, 5, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"shapes cannot be multiplied \([0-9x and]+\)$"):
        count_macs(model, torch.zeros(1, 4))


def test_counting_changes_neither_mode_nor_gradients() -> None:
    model = loading.returned_parameter(**SIZES).train()
    frozen = next(model.parameters()).requires_grad_(False)
    count_macs(model, torch.zeros(1, *SHAPE))
    assert model.training
    assert [parameter.requires_grad for parameter in model.parameters()].count(False) == 1
    assert not frozen.requires_grad
    assert torch.backends.mha.get_fastpath_enabled()


def test_ids_are_counted() -> None:
    """Inputs of whole numbers, which the network indexes by value."""

    class Looked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.head = nn.Embedding(9, 8), nn.Linear(8, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            length = int((x[0] >= 0).sum())
            return self.head(self.embed(x[:, :length]).mean(1))  # type: ignore[no-any-return]

    assert count_macs(Looked(), torch.arange(5)[None]) == (8 * 3, 1)
