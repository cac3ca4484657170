"""Networks that their file could not hold are refused before they are trained."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from trainers.architectures.base import build_on_meta, layout_of
from trainers.examination import Examined, examine
from trainers.networks.storable import storable

INPUTS = torch.randn(8, 6, generator=torch.Generator().manual_seed(0))


class Projecting(nn.Module):
    """Projects its inputs, by a matrix that is drawn when the network is built."""

    def __init__(self, **kept: Any) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 2)
        if kept:
            self.register_buffer("proj", torch.randn(6, 6), **kept)
        else:
            self.proj = torch.randn(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear(x @ self.proj)
        return y


class Shuffling(nn.Module):
    """Shuffles its inputs, in an order that a list holds."""

    def __init__(self, order: list[int]) -> None:
        super().__init__()
        self.order = order
        self.linear = nn.Linear(6, 2)
        nn.init.zeros_(self.linear.weight)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear(x[:, self.order])
        return y


def examined(function: Callable[[], nn.Module], name: str) -> Examined:
    plain = storable(build_on_meta(name, function, {}))
    return examine(name, function, {}, layout_of(plain), INPUTS)


def test_a_random_buffer_that_is_not_stored_is_named() -> None:
    with pytest.raises(ValueError, match=r"^a file could not hold architecture 'projecting': buffer proj, which is not "
                                         r"persistent, differs .*; wanted .* persistent=True$"):  # fmt: skip
        examined(lambda: Projecting(persistent=False), "projecting")


def test_a_random_attribute_is_named() -> None:
    with pytest.raises(ValueError, match="attribute proj differs from one build to the next"):
        examined(Projecting, "attribute")


class Widened(nn.Module):
    """A network of a width that is drawn when it is built."""

    def __init__(self, more: int, *, named: str = "hidden") -> None:
        super().__init__()
        self.add_module(named, nn.Linear(6, 8 + more))
        self.last = nn.Linear(8 + more, 2)
        self.named = named

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.last(getattr(self, self.named)(x).relu())
        return y


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda: Widened(random.randrange(10**6) % 97), r"tensor hidden.weight is float32 \(\d+, 6\) in one build and"),
        (
            lambda: Widened(0, named=f"hidden{random.randrange(10**6)}"),
            r"tensor hidden\d+.weight is in one build and not",
        ),
    ],
)
def test_a_network_of_random_structure_is_refused_in_one_line(function: Callable[[], nn.Module], said: str) -> None:
    with pytest.raises(ValueError, match=rf"^a file could not hold architecture 'widened': {said}.*; wanted all"):
        examined(function, "widened")


@pytest.mark.parametrize(
    "drawn",
    [
        lambda: torch.randperm(6).tolist(),
        lambda: random.sample(range(6), 6),
        lambda: np.random.permutation(6).tolist(),  # noqa: NPY002
    ],
)
def test_a_random_order_is_found_by_what_is_computed_even_where_a_layer_starts_at_zero(
    drawn: Callable[[], list[int]],
) -> None:
    with pytest.raises(
        ValueError, match=r"two builds with equal values: outputs differ by .*, first in module 'linear'"
    ):
        # on the meta device torch draws nothing
        examined(lambda: Shuffling(drawn() if torch.get_default_device().type == "cpu" else list(range(6))), str(drawn))


def test_what_is_stored_or_the_same_in_each_build_is_accepted() -> None:
    assert examined(lambda: Projecting(persistent=True), "stored").macs == 12 + 6 * 6

    class Fixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mask", torch.ones(6, 6).tril(), persistent=False)
            self.linear = nn.Linear(6, 2)
            self.start = self.linear.weight.detach().clone()  # differs, and no output depends on it

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.linear(x @ self.mask)
            return y

    examined(Fixed, "fixed")


def test_examining_draws_nothing_from_the_generators() -> None:
    def states() -> Iterator[Any]:
        yield random.getstate()
        yield np.random.get_state()[1].tobytes()  # type: ignore[union-attr]  # noqa: NPY002
        yield torch.get_rng_state().tolist()

    before = list(states())
    examined(lambda: nn.Linear(6, 2), "linear")
    assert list(states()) == before


def test_norms_that_must_be_kept_are_known() -> None:
    class Reading(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bn = nn.BatchNorm1d(6)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.bn(x) + self.bn.weight
            return y

    assert examined(Reading, "reading").kept_norms == {"bn."}
    assert examined(lambda: nn.Sequential(nn.BatchNorm1d(6)), "normed").kept_norms == frozenset()
