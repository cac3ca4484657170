"""A model of ONNX computes what PyTorch computes, with floats and with int8, and has nothing of this machine in it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.trainers.bundling.networks import file_of, opened
from trainers.bundling.onnx_file import onnx_model
from trainers.compressed import open_bytes

CNN: dict[str, Any] = {"input_shape": [2, 9, 13], "num_outputs": 3, "channels": [3, 5]}
RESNET: dict[str, Any] = {"depth": 8, "input_shape": [3, 8, 8], "num_outputs": 4}
GPT: dict[str, Any] = {"num_outputs": 11, "context": 6, "layers": 1, "width": 8, "heads": 2, "positions": "rotary"}


@pytest.mark.parametrize(
    ("name", "step", "arguments", "shape", "share"),
    [
        ("cnn", 0.05, CNN, (2, 9, 13), 1.0),
        pytest.param(
            "resnet_cifar", 0.05, RESNET, (3, 8, 8), 1.0, marks=pytest.mark.system
        ),  # its norms are folded into the weights, row by row
        pytest.param("gpt", 0.001, GPT, (), 1.0, marks=pytest.mark.system),
        ("cnn", 0.0001, CNN, (2, 9, 13), 0.0),  # integers beyond 127 stay floats
    ],
)
def test_it_computes_what_pytorch_computes(
    name: str, step: float, arguments: dict[str, Any], shape: tuple[int, ...], share: float
) -> None:
    one = opened(name, step=step, **arguments)

    def example(num: int) -> Tensor:
        return torch.randn(num, *shape) if shape else torch.randint(0, 11, (num, 6))

    network, inputs = one.network(), example(5)
    floats, small = (onnx_model(one, example(2), int8=int8) for int8 in (False, True))
    with torch.no_grad():
        wanted = network(inputs)
        for model in (floats, small):
            torch.testing.assert_close(model.network()(inputs), wanted, rtol=1e-4, atol=1e-5)
    assert floats.num_int8 == 0
    assert small.num_weights > 0
    assert small.num_int8 == share * small.num_weights
    folder = str(Path(__file__).parents[3]).encode()
    assert not any(trace in model.data for model in (floats, small) for trace in (folder, b".py", b"site-packages"))


def test_the_same_file_gives_the_same_model() -> None:
    example = torch.randn(2, 4)
    data = file_of(nn.Linear(4, 2), "own:Linear")
    one = open_bytes(data, architecture=lambda: nn.Linear(4, 2))
    assert onnx_model(one, example).data == onnx_model(one, example).data


class Deciding(nn.Linear):
    """Goes one way or the other by what it is given."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if float(x.sum()) > 0 else x[:, :2]


class Two(nn.Linear):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        made = super().forward(x)
        return made, made + 1


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Deciding, "the network cannot be exported to ONNX: "),
        (Two, "the network returns several things: wanted one tensor for a model of ONNX"),
    ],
)
def test_what_cannot_be_a_model_is_refused_in_one_line(kind: type[nn.Linear], message: str) -> None:
    one = open_bytes(file_of(kind(4, 2), "own:Net"), architecture=lambda: kind(4, 2))
    with pytest.raises(ValueError) as caught:
        onnx_model(one, torch.randn(2, 4))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in repr(str(caught.value))


def test_inputs_of_another_shape_are_named() -> None:
    wanted = r"^the network does not take inputs of shape \(3,\) \(.*\): wanted the task that it was trained on, or"
    with pytest.raises(ValueError, match=wanted):
        onnx_model(opened("mlp", input_shape=[4], num_outputs=2, hidden=[3]), torch.randn(2, 3))


def test_a_missing_package_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ValueError, match=r"^ONNX needs onnxscript, .*: pip install 'ratefront\[onnx\]'$"):
        onnx_model(opened("cnn", **CNN), torch.randn(2, 2, 9, 13))
