"""Whether two networks compute alike."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from trainers.networks.comparison import difference

INPUTS = torch.linspace(-1, 1, 12).reshape(4, 3)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 2))


def compared(first: nn.Module, second: nn.Module, **options: Any) -> Any:
    return difference(first, second, INPUTS, seed=lambda: None, **options)


def test_equal_networks_are_alike_whatever_their_mode() -> None:
    first, second = network().train(), network().eval()
    assert compared(first, second) is None
    assert first.training
    assert not second.training


def test_the_first_module_that_differs_is_named() -> None:
    second = network()
    with torch.no_grad():
        second[3].bias[0] += 0.01
    found = compared(network(), second)
    assert found.module == "module '3' (Linear)"
    assert found.largest == pytest.approx(0.01, rel=1e-3)
    assert str(found).startswith("outputs differ by 0.01, where the largest is ")


def test_units_in_another_order_are_no_difference_and_a_network_in_order_names_the_module() -> None:
    second = network()
    order = torch.randperm(8)
    with torch.no_grad():
        second[0].weight.copy_(second[0].weight[order])
        second[0].bias.copy_(second[0].bias[order])
        second[3].weight.copy_(second[3].weight[:, order])
    assert compared(network(), second) is None
    with torch.no_grad():
        second[3].bias += 1
    ordered = network()
    with torch.no_grad():
        ordered[3].bias += 1
    assert compared(network(), second, located=lambda: ordered).module == "module '3' (Linear)"


def test_what_only_rounding_tells_apart_is_alike() -> None:
    class Cancels(nn.Module):
        """Outputs are differences of large sums, whose order depends on the build."""

        def __init__(self, *, is_reversed: bool) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(1e6))
            self._is_reversed = is_reversed

        def forward(self, x: Tensor) -> Tensor:
            terms = [x * self.scale, x / 3, -x * self.scale]
            return sum(reversed(terms) if self._is_reversed else terms, start=x / 7)

    assert compared(Cancels(is_reversed=False), Cancels(is_reversed=True)) is None


def test_nan_against_a_number_is_a_difference_and_nan_against_nan_is_none() -> None:
    second = network()
    with torch.no_grad():
        second[3].bias.fill_(float("nan"))
    assert compared(network(), second).largest == float("inf")
    assert compared(second, copy.deepcopy(second)) is None


def test_less_precise_parameters_may_differ_by_more() -> None:
    first = network().bfloat16()
    second = copy.deepcopy(first)
    with torch.no_grad():
        second[3].bias += 0.01
    inputs = INPUTS.bfloat16()
    assert difference(first, second, inputs, seed=lambda: None) is None
    with torch.no_grad():
        second[3].bias += 0.2
    assert difference(first, second, inputs, seed=lambda: None) is not None


def test_random_draws_are_alike_under_equal_seeds() -> None:
    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.linear(x)
            return y + torch.randn_like(y)

    noisy = Noisy()
    assert difference(noisy, copy.deepcopy(noisy), INPUTS, seed=lambda: torch.manual_seed(0)) is None
    assert difference(noisy, copy.deepcopy(noisy), INPUTS, seed=lambda: None) is not None


class TwoOutputs(nn.Module):
    """Answers a class, and beside it large features."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.linear(x), 1e5 * x


def test_each_output_has_a_scale_of_its_own() -> None:
    first = TwoOutputs()
    second = copy.deepcopy(first)
    with torch.no_grad():
        second.linear.bias += 0.01
    found = compared(first, second)
    assert found is not None
    assert found.module == "module 'linear' (Linear)"
    assert found.scale < 10
