"""A network becomes calls in order, each value has a place while it is needed, and foreign layers are named."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.trainers.bundling.networks import network_of
from trainers.bundling.calls import as_float, program_of
from trainers.bundling.memory import places


def names(network: nn.Module, *shape: int) -> list[str]:
    return [call.text.split("(")[0].removeprefix("net_") for call in program_of(network, shape).calls]


def test_layers_are_called_in_order() -> None:
    lenet5 = ["conv", "bias", "clamp", "max_pool"] * 2 + ["linear", "bias", "clamp", "linear", "bias"]
    assert names(network_of("lenet5"), 1, 28, 28) == lenet5
    block = ["conv", "norm", "clamp", "conv", "norm"]
    downwards = [*block, "every", "pad", "add", "clamp"]
    resnet = ["conv", "norm", "clamp", *block, "add", "clamp", *downwards, *downwards, "average_pool", "linear", "bias"]
    assert names(network_of("resnet_cifar", depth=8), 3, 16, 16) == resnet


def test_no_value_is_overwritten_before_its_last_reader() -> None:
    program = program_of(network_of("resnet_cifar", depth=14), (3, 16, 16))
    where, total = places(program)
    spans = [
        None if place == "input" else range(int(place.split("+")[1]), int(place.split("+")[1]) + size)
        for place, size in zip(where, program.sizes, strict=True)
    ]
    holders: dict[int, int] = {}
    for call in program.calls:
        for value in call.inputs:
            assert spans[value] is None or all(holders[index] == value for index in spans[value])
        made = spans[call.output]
        assert made is not None
        assert made.stop <= total
        holders |= dict.fromkeys(made, call.output)
    result = spans[program.result]
    assert result is not None
    assert all(holders[index] == program.result for index in result)


class _Functional(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 2, 3)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.first(x))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.Sequential(nn.Conv2d(1, 2, 3), nn.GELU()), "layer '1' is GELU, which the C program does not have: wanted "),
        (
            nn.Sequential(nn.Conv2d(1, 2, 3, dilation=2)),
            "layer '0' is Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1), d",
        ),
        (nn.Sequential(nn.MaxPool2d(2, ceil_mode=True)), "layer '0' is MaxPool2d("),
        (nn.Sequential(nn.AvgPool2d(3, padding=1, count_include_pad=False)), "layer '0' is AvgPool2d("),
        (nn.Sequential(nn.BatchNorm2d(1, affine=False)), "layer '0' is BatchNorm2d("),
        (nn.Sequential(nn.Linear(8, 2)), "layer '0' is Linear("),  # of the last of three axes
        (nn.Sequential(_Functional(torch.sin)), "layer '0' is a network that computes sin in a way, which"),
        (nn.Sequential(_Functional(lambda x: x[:, :1])), "layer '0' is a network that computes getitem in a way"),
        (nn.Sequential(_Functional(lambda x: F.pad(x, (1, 1)))), "layer '0' is a network that computes pad in a way"),
        (nn.Sequential(_Functional(lambda x: x + 1)), "layer '0' is a network that computes add in a way"),
        (nn.Sequential(_Functional(lambda x: x.mean(1))), "layer '0' is a network that computes mean in a way"),
        (nn.Sequential(_Functional(lambda x: x if x.sum() > 0 else -x)), "the network cannot be traced with inputs of"),
    ],
)
def test_a_layer_that_is_not_there_is_named(network: nn.Module, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        program_of(network, (1, 8, 8))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("value", "text"), [(0, "0.0F"), (1.0, "1.0F"), (1e-05, "1e-05F"), (-0.015625, "-0.015625F")])
def test_numbers_are_floats_in_c(value: float, text: str) -> None:
    assert as_float(value) == text
