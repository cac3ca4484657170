"""Networks of 16 bits: methods take the sizes of weights, whose squares float16 does not hold, in float32."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from tests.trainers.methods.contexts import context_of
from trainers.methods.entropy_penalized import EntropyPenalized
from trainers.methods.low_rank import Ranked
from trainers.methods.multi_hashing import Hashed
from trainers.methods.parts.compression_levels import rounded
from trainers.methods.parts.latents import Reparameterized
from trainers.methods.parts.quantisers import QUANTISERS
from trainers.methods.ptq import best_steps
from trainers.methods.qat import Quantised
from trainers.methods.soft_threshold import s_where_it_prunes
from trainers.methods.spike_slab import Posterior

DTYPES = [torch.float16, torch.bfloat16]


def layer(dtype: torch.dtype) -> nn.Linear:
    """Weights of a ten-thousandth; they are the same numbers in every dtype."""
    torch.manual_seed(0)
    made = nn.Linear(16, 8, bias=False)
    with torch.no_grad():
        made.weight.copy_((1e-4 * torch.randn(8, 16)).half().bfloat16().half().float())
    return made.to(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_steps_scales_and_thresholds_are_those_of_float32(dtype: torch.dtype) -> None:
    low, full = layer(dtype), layer(torch.float32)
    whole, step = rounded({"w": low.weight}, 4)["w"]
    wanted, wanted_step = rounded({"w": full.weight}, 4)["w"]
    assert torch.equal(whole, wanted)
    assert torch.equal(step, wanted_step)
    assert best_steps(low.weight, 5).sizes.tolist() == best_steps(full.weight, 5).sizes.tolist()
    assert math.isclose(s_where_it_prunes(low.weight), s_where_it_prunes(full.weight), rel_tol=1e-6)
    for is_learned in (False, True):
        found = []
        for one in (low, full):
            quantised = Quantised(one, {"weight": QUANTISERS[3]}, by_row=True)
            quantised.begin({"weight": QUANTISERS[3]}, is_learned=is_learned)
            found.append(quantised.rounded()["weight"])
        assert all(torch.equal(*parts) for parts in zip(*found, strict=True))
    torch.testing.assert_close(Hashed(layer(dtype), 0.5).scales, Hashed(layer(torch.float32), 0.5).scales)


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_a_network_computes_with_has_its_own_dtype(dtype: torch.dtype) -> None:
    inputs = torch.randn(3, 16).to(dtype)
    quantised = Quantised(layer(dtype), {"weight": QUANTISERS[3]}, by_row=False)
    quantised.begin({"weight": QUANTISERS[3]}, is_learned=True)
    ranked = Ranked(layer(dtype))
    ranked.ranks = {"weight": 2}
    ranked.truncate()
    latents = EntropyPenalized(lam=0.1, initial_step=2.0).attach(layer(dtype), context_of(layer(dtype)))
    for model in (quantised, ranked, latents, Hashed(layer(dtype), 0.5), Posterior(layer(dtype), ()).train()):
        outputs = model(inputs)
        assert outputs.dtype == dtype
        outputs.float().square().sum().backward()
        trained = [one for one in model.parameters() if one.requires_grad and one.grad is not None]
        assert any(one.dtype == torch.float32 for one in trained), "what the method adds is float32"
    assert isinstance(latents, Reparameterized)
