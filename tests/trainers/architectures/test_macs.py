"""Multiply-accumulates are those that a hand counts, on the meta device and on real tensors."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tests.zoo import loading
from trainers.architectures.base import build_on_meta
from trainers.architectures.macs import Real, count_macs

SHAPE, SIZES = (1, 4, 4), {"input_shape": [1, 4, 4], "num_outputs": 3}
T, W = 4, loading.WIDTH  # rows are tokens
LAYER = T * W * 3 * W + 2 * T * T * W + T * W * W + 2 * T * W * 2 * W
"""Queries, keys and values; scores and their use; the projection; two layers of twice the width."""


def real(name: str, inputs: torch.Tensor | None = None) -> Real:
    return lambda: (getattr(loading, name)(**SIZES), torch.randn(1, *SHAPE) if inputs is None else inputs)


def counted(name: str, *, is_real: bool = False) -> int:
    model = getattr(loading, name)(**SIZES) if is_real else build_on_meta(name, getattr(loading, name), SIZES)
    return count_macs(model, SHAPE, real=real(name))


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


@pytest.mark.parametrize("name", BY_HAND)
def test_real_tensors_are_counted_like_those_without_memory(name: str) -> None:
    """No kernel of a whole layer hides its products, as those for inference would."""
    assert counted(name, is_real=True) == BY_HAND[name]


def test_a_network_that_reads_values_is_counted_on_real_tensors_alone() -> None:
    model = build_on_meta("causal_decoder", loading.causal_decoder, SIZES)
    with pytest.raises(ValueError, match="meta tensors"):
        count_macs(model, SHAPE)
    assert count_macs(model, SHAPE, real=real("causal_decoder")) == BY_HAND["causal_decoder"]


def test_the_meta_device_is_enough_where_it_runs_a_network() -> None:
    def never() -> Any:
        raise AssertionError

    model = build_on_meta("token_gru", loading.token_gru, SIZES)
    assert count_macs(model, SHAPE, real=never) == BY_HAND["token_gru"]


def test_a_network_that_does_not_run_is_refused_with_the_true_reason() -> None:
    model = build_on_meta("causal_decoder", loading.causal_decoder, SIZES)
    inputs = torch.zeros(1, 1, 4, 5)
    with pytest.raises(ValueError, match=r"does not take inputs of shape \(1, 4, 5\): mat1 and mat2 shapes") as caught:
        count_macs(model, (1, 4, 5), real=real("causal_decoder", inputs))
    assert "\n" not in str(caught.value)


def test_counting_changes_neither_mode_nor_gradients() -> None:
    model = loading.returned_parameter(**SIZES).to("meta").train()
    frozen = next(model.parameters()).requires_grad_(False)
    count_macs(model, SHAPE)
    assert model.training
    assert [parameter.requires_grad for parameter in model.parameters()].count(False) == 1
    assert not frozen.requires_grad
    assert torch.backends.mha.get_fastpath_enabled()


def test_ids_are_counted_on_real_tensors() -> None:
    """Inputs of whole numbers, which only real tensors can index by value."""

    class Looked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.head = nn.Embedding(9, 8), nn.Linear(8, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            length = int((x[0] >= 0).sum())
            return self.head(self.embed(x[:, :length]).mean(1))  # type: ignore[no-any-return]

    with torch.device("meta"):
        model = Looked()
    assert count_macs(model, (5,), torch.int64, real=lambda: (Looked(), torch.arange(5)[None])) == 8 * 3
