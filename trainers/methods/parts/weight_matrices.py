"""Weights as the matrices that layers multiply their inputs with, (outputs, inputs), however they are laid out.

Most weights begin with the axis of outputs. Those of transposed convolutions begin with inputs, (inputs, outputs of a
group, *kernel), and so does that of ``Conv1D`` of Hugging Face's transformers, (inputs, outputs), which is a linear
layer.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_HUGGING_FACE = ("transformers.pytorch_utils", "Conv1D")


def is_transposed(layer: nn.Module) -> bool:
    """Whether a layer is a transposed convolution that computes as torch's own."""
    return any(isinstance(layer, kind) and type(layer).forward is kind.forward for kind in TRANSPOSED)


def is_linear_by_inputs(layer: nn.Module) -> bool:
    """Whether a layer is ``Conv1D`` of Hugging Face's transformers, known by its name: the package is not imported."""
    return (type(layer).__module__, type(layer).__qualname__) == _HUGGING_FACE


def matrix_of(layer: nn.Module, weight: Tensor) -> Tensor:
    """The weight of a layer, (outputs, inputs of a group times places)."""
    if is_linear_by_inputs(layer):
        return weight.T
    if is_transposed(layer):
        groups = cast(int, layer.groups)
        return weight.reshape(groups, -1, *weight.shape[1:]).transpose(1, 2).flatten(0, 1).flatten(1)
    return weight.flatten(1)


def weight_of(layer: nn.Module, matrix: Tensor, weight: Tensor) -> Tensor:
    """``matrix``, which may have axes before those of ``matrix_of``, in the layout of the layer's ``weight``."""
    before = matrix.shape[:-2]
    if is_linear_by_inputs(layer):
        return matrix.transpose(-1, -2).contiguous()
    if is_transposed(layer):
        groups = cast(int, layer.groups)
        sizes = (groups, weight.shape[1], len(weight) // groups, *weight.shape[2:])
        return (
            matrix.reshape(*before, *sizes).transpose(len(before) + 1, len(before) + 2).reshape(*before, *weight.shape)
        )
    return matrix.reshape(*before, *weight.shape)
