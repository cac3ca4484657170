"""Which steps the table of quantisers has, and why."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from trainers.methods.parts.quantisers import QUANTISERS, Quantiser


@pytest.mark.parametrize("bits", [b for b in QUANTISERS if b != 1])
def test_the_step_that_follows_the_spread_has_the_least_error_for_gaussian_weights(bits: int | str) -> None:
    quantiser = QUANTISERS[bits]
    weights = torch.special.ndtri((torch.arange(50_000, dtype=torch.float64) + 0.5) / 50_000)

    def error(step: float) -> float:
        return float((_whole(weights, step, quantiser) * step - weights).square().mean())

    assert error(quantiser.spread_step) < 1.001 * min(
        error(quantiser.spread_step * (1 + f)) for f in (-0.05, -0.02, 0.02, 0.05)
    )
    if bits != "ternary":
        assert (quantiser.q_n, quantiser.q_p) == (2 ** (int(bits) - 1), 2 ** (int(bits) - 1) - 1)


def _whole(weights: Tensor, step: float, quantiser: Quantiser) -> Tensor:
    return (weights / step).round().clamp(-quantiser.q_n, quantiser.q_p)
