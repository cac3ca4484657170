"""GPT: what each token sees, and what the arguments change."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch

from trainers.architectures.gpt import gpt

SMALL = {"num_outputs": 11, "context": 8, "layers": 2, "width": 16, "heads": 2}
FORMS = [
    {"tied": tied, "positions": positions, "norm": norm, "activation": activation, "embedding_rank": rank}
    for tied, positions, (norm, activation), rank in itertools.product(
        (True, False), ("learned", "rotary"), (("layer", "gelu"), ("rms", "swiglu")), (0, 3)
    )
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shared_layers", [False, True])
def test_a_token_sees_those_before_it_and_their_order(form: dict[str, Any], shared_layers: bool) -> None:
    torch.manual_seed(0)
    network = gpt(**SMALL, **form, shared_layers=shared_layers).double().eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    tokens = torch.randint(11, (3, 8))
    outputs = network(tokens)
    assert outputs.shape == (3, 8, 11)
    changed = tokens.clone()
    changed[:, 5] = (changed[:, 5] + 1) % 11
    others = network(changed)
    assert torch.equal(outputs[:, :5], others[:, :5])
    assert not torch.isclose(outputs[:, 5:], others[:, 5:]).all(dim=2).any()
    swapped = tokens[:1].clone()
    swapped[0, :3] = torch.tensor([1, 2, 3])
    others = swapped.clone()
    others[0, :3] = torch.tensor([2, 1, 3])
    assert not torch.isclose(network(swapped)[0, 7], network(others)[0, 7]).any()
    assert torch.allclose(network(tokens[:, :5]), outputs[:, :5]), "a shorter text"


def test_no_tensor_is_stored_that_is_not_trained() -> None:
    for form in FORMS:
        network = gpt(**SMALL, **form)
        assert not list(network.buffers())
        assert {*network.state_dict()} == {name for name, _ in network.named_parameters()}


def test_what_arguments_leave_out() -> None:
    def count(**changes: Any) -> int:
        return sum(parameter.numel() for parameter in gpt(**{**SMALL, **changes}).parameters())

    whole, block = count(), 4 * 16 * 16 + 8 * 16 * 16 + 2 * 16
    assert whole == 11 * 16 + 8 * 16 + 2 * block + 16
    assert count(shared_layers=True, layers=9) == whole - block
    assert count(positions="rotary") == whole - 8 * 16
    assert count(tied=False) == whole + 11 * 16
    assert count(embedding_rank=3) == whole - 11 * 16 + 11 * 3 + 3 * 16
    assert count(tied=False, embedding_rank=3) == whole - 11 * 16 + 2 * (11 * 3 + 3 * 16)


def test_rotary_attention_depends_on_distances_alone() -> None:
    network = gpt(**SMALL, positions="rotary").double().eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    attention, hidden = network.blocks[0].attention, torch.randn(1, 4, 16).double()
    from trainers.architectures.transformer import _turned

    query = attention.query_key_value(hidden)[..., :8].repeat_interleave(1, 0)
    same = query[:, :1].expand(1, 6, 8)  # one vector at six places
    products = _turned(same) @ _turned(same).mT
    assert torch.allclose(products[0].diagonal(1), products[0, 0, 1].expand(5))
    assert not torch.isclose(products[0, 0, 0], products[0, 0, 1])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"width": 15}, "width is 15 and heads is 2: wanted a width that heads divide"),
        ({"width": 6, "positions": "rotary"}, "a head has 3 values: wanted an even number for rotary positions"),
        ({"norm": "batch"}, "norm is 'batch': wanted layer or rms"),
        ({"characters": "ab"}, "characters are 'ab': wanted one for each of 11 tokens, or none"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError) as caught:
        gpt(**{**SMALL, **arguments})
    assert str(caught.value) == said
