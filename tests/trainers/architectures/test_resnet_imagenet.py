"""ImageNet's residual networks are those whose trained weights are public."""

from __future__ import annotations

import pytest
import torch

from trainers.architectures import ARCHITECTURES
from trainers.architectures.base import build_on_meta
from trainers.architectures.macs import count_macs


@pytest.mark.parametrize(
    ("name", "num_parameters", "num_tensors", "gmacs"),
    [("resnet18", 11_689_512, 122, 1.81), ("resnet50", 25_557_032, 320, 4.09)],
)
def test_sizes_are_those_of_torchvision(name: str, num_parameters: int, num_tensors: int, gmacs: float) -> None:
    model = build_on_meta(name, ARCHITECTURES[name], {})
    assert sum(parameter.numel() for parameter in model.parameters()) == num_parameters
    assert len(model.state_dict()) == num_tensors
    macs, _ = count_macs(model, torch.empty(1, 3, 224, 224, device="meta"))
    assert macs / 1e9 == pytest.approx(gmacs, abs=0.01)


def test_names_are_those_of_torchvision() -> None:
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    state = build_on_meta("resnet50", ARCHITECTURES["resnet50"], {}).state_dict()
    block = [
        *(
            f"{kind}{i}.{key}"
            for i in (1, 2, 3)
            for kind, keys in (("conv", ("weight",)), ("bn", norm))
            for key in keys
        ),
        "downsample.0.weight",
        *(f"downsample.1.{key}" for key in norm),
    ]
    assert [name for name in state if name.startswith("layer2.0.")] == [f"layer2.0.{name}" for name in block]
    assert [name for name in state if not name.startswith("layer")] == [
        "conv1.weight", *(f"bn1.{key}" for key in norm), "fc.weight", "fc.bias",
    ]  # fmt: skip
    small = build_on_meta("resnet18", ARCHITECTURES["resnet18"], {}).state_dict()
    assert not [name for name in small if "layer1" in name and "downsample" in name]
    assert small["layer4.0.downsample.0.weight"].shape == (512, 256, 1, 1)


def test_resnet50_is_version_1_5() -> None:
    """The 3x3 convolution has the stride; the paper's version would have fewer multiplications, 3.8 billion."""
    model = build_on_meta("resnet50", ARCHITECTURES["resnet50"], {})
    strides = {name: module.stride for name, module in model.named_modules() if name.startswith("layer3.0.conv")}
    assert strides == {"layer3.0.conv1": (1, 1), "layer3.0.conv2": (2, 2), "layer3.0.conv3": (1, 1)}
