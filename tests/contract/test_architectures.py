"""What every registered architecture promises."""

from __future__ import annotations

import inspect
import json
import math
from typing import Any

import pytest
import torch
from torch import nn

from tests.golden.regenerate import (
    ARCHITECTURE_FINGERPRINTS,
    architecture_fingerprint,
    computes_whole_images,
    input_shape_of,
    plain,
    reads_tokens,
)
from trainers.architectures import ARCHITECTURES
from trainers.architectures.base import build, build_on_meta, complete, layout_of
from trainers.architectures.macs import count_macs

pytestmark = pytest.mark.parametrize("name", ARCHITECTURES)


def arguments_of(name: str, num_outputs: int = 10) -> dict[str, Any]:
    return complete(ARCHITECTURES[name], {}, input_shape=input_shape_of(name), num_outputs=num_outputs, size=[8, 6])


def inputs_of(name: str, num: int) -> torch.Tensor:
    shape = (num, *input_shape_of(name))
    return torch.randint(7, shape) if reads_tokens(name) else torch.randn(shape)


def outputs_shape(name: str, num: int, num_outputs: int) -> tuple[int, ...]:
    inputs = input_shape_of(name)
    is_of_tokens = reads_tokens(name) and "num_tokens" not in inspect.signature(ARCHITECTURES[name]).parameters
    return (num, *(inputs if is_of_tokens else inputs[:-1] if computes_whole_images(name) else ()), num_outputs)


def test_meta_and_cpu_networks_have_one_layout(name: str) -> None:
    on_meta = build_on_meta(name, ARCHITECTURES[name], arguments_of(name))
    on_cpu = build(name, ARCHITECTURES[name], arguments_of(name))
    assert layout_of(on_meta) == layout_of(on_cpu)
    assert all(tensor.is_meta for tensor in on_meta.state_dict().values())
    assert all(tensor.device.type == "cpu" for tensor in on_cpu.state_dict().values())
    assert type(on_cpu) is not type, "a plain module"
    assert isinstance(on_cpu, nn.Module)


def test_outputs_are_one_row_for_each_example_or_token(name: str) -> None:
    model = build(name, ARCHITECTURES[name], arguments_of(name)).eval()
    with torch.no_grad():
        outputs = model(inputs_of(name, 3))
    assert outputs.shape == outputs_shape(name, 3, 10)
    assert outputs.dtype == torch.float32
    assert outputs.isfinite().all()


def test_num_outputs_is_respected_where_it_is_an_argument(name: str) -> None:
    if "num_outputs" in inspect.signature(ARCHITECTURES[name]).parameters:
        model = build(name, ARCHITECTURES[name], arguments_of(name, num_outputs=7)).eval()
        assert model(inputs_of(name, 2)).shape == outputs_shape(name, 2, 7)


def test_a_registered_name_keeps_its_meaning(name: str) -> None:
    """Files in the world refer to it."""
    golden = json.loads(ARCHITECTURE_FINGERPRINTS.read_text())
    assert name in golden, "a new name needs its golden entry: python -m tests.golden.regenerate"
    assert plain(architecture_fingerprint(name)) == golden[name]


def test_the_same_seed_initialises_the_same_network(name: str) -> None:
    def state() -> dict[str, torch.Tensor]:
        torch.manual_seed(3)
        return build(name, ARCHITECTURES[name], arguments_of(name)).state_dict()

    first, second = state(), state()
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert all(tensor.isfinite().all() for tensor in first.values())


def test_multiply_accumulates_are_at_least_one_for_each_weight(name: str) -> None:
    model = build_on_meta(name, ARCHITECTURES[name], arguments_of(name)).train()
    macs, _ = count_macs(model, inputs_of(name, 1).to("meta"))
    assert macs >= sum(parameter.numel() for parameter in model.parameters() if parameter.ndim >= 2)
    assert model.training, "counting leaves the mode as it was"


def test_an_unknown_argument_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(ValueError, match=f"^architecture '{name}' has no argument 'num_layer'; ") as caught:
        build(name, ARCHITECTURES[name], {**arguments_of(name), "num_layer": 3})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "bad",
    [None, True, -1, 0, 1 << 40, 2.5, math.nan, "wide", [], [0], [-1], [1 << 40], [[1]], ["a"], {"a": 1}, [1] * 99],
)
def test_a_bad_argument_is_refused_or_builds_within_bounds(name: str, bad: Any) -> None:
    """Never another exception, never a huge network: a hostile file gives any value to any argument."""
    good = arguments_of(name)
    for argument in inspect.signature(ARCHITECTURES[name]).parameters:
        message = name
        try:
            model = build_on_meta(name, ARCHITECTURES[name], {**good, argument: bad}, max_parameters=10**6)
            assert sum(parameter.numel() for parameter in model.parameters()) <= 10**6
        except ValueError as error:
            message = str(error)
        assert "\n" not in message
        assert name in message
