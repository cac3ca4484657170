"""BERT: what it reads of a text, and that places without a token are nothing."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import nn

from trainers.architectures.bert import bert

SMALL = {"num_outputs": 3, "num_tokens": 11, "context": 8, "layers": 2, "width": 16, "heads": 2}
FORMS = [
    {"positions": positions, "norm": norm, "activation": activation, "embedding_rank": rank, "shared_layers": shared}
    for positions, (norm, activation), rank, shared in itertools.product(
        ("learned", "rotary"), (("layer", "gelu"), ("rms", "swiglu")), (0, 3), (False, True)
    )
]


def drawn(**form: Any) -> nn.Module:
    torch.manual_seed(0)
    network = bert(**SMALL, **form).double().eval()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3)
    return network


@pytest.mark.parametrize("form", FORMS)
def test_each_token_and_their_order_count_and_places_without_one_do_not(form: dict[str, Any]) -> None:
    network, tokens = drawn(**form), torch.randint(11, (4, 5))
    outputs = network(tokens)
    assert outputs.shape == (4, 3)
    for place in range(5):
        changed = tokens.clone()
        changed[:, place] = (changed[:, place] + 1) % 11
        assert not torch.isclose(network(changed), outputs).all(dim=1).any()
    assert not torch.isclose(network(torch.tensor([[1, 2, 3]])), network(torch.tensor([[2, 1, 3]]))).all()
    longer = torch.cat((tokens, torch.full((4, 3), 11)), dim=1)
    assert torch.allclose(network(longer), outputs)
    assert not torch.isclose(network(longer.clamp_max(10)), outputs).all(dim=1).any(), "as tokens they would count"


def test_an_empty_text_has_finite_outputs_and_gradients() -> None:
    network = drawn()
    outputs = network(torch.tensor([[11, 11, 11], [1, 11, 11]]))
    outputs.sum().backward()
    assert outputs.isfinite().all()
    assert torch.equal(outputs[0], network.head.bias)
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())


def test_nothing_is_stored_that_is_not_trained_and_no_row_for_places_without_a_token() -> None:
    for form in FORMS:
        network = bert(**SMALL, **form)
        assert {*network.state_dict()} == {name for name, _ in network.named_parameters()}
        assert network.embedding.num_embeddings == 11
    whole = sum(parameter.numel() for parameter in bert(**SMALL).parameters())
    assert whole == 11 * 16 + 8 * 16 + 2 * (4 * 16 * 16 + 8 * 16 * 16 + 2 * 16) + 16 + 3 * 16 + 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"width": 15}, "width is 15 and heads is 2: wanted a width that heads divide"),
        ({"num_tokens": 0}, "num_tokens is 0: wanted a whole number of at least 1 and at most 1048576"),
        ({"characters": "ab"}, "characters are 'ab': wanted one for each of 11 tokens, or none"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError) as caught:
        bert(**{**SMALL, **arguments})
    assert str(caught.value) == said
