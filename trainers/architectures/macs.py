"""Counts the multiply-accumulates of a network."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from trainers.lookup import one_line
from trainers.networks.modes import evaluating

Real = Callable[[], tuple[nn.Module, Tensor]]
"""Builds a network with its memory on the CPU, and gives an example for it, (1, ...)."""


def count_macs(
    model: nn.Module, input_shape: tuple[int, ...], dtype: torch.dtype = torch.float32, *, real: Real | None = None
) -> int:
    """Count the multiply-accumulates of one forward pass, on one example, of a network on the meta device.

    Args:
        model: the network; its mode is restored.
        input_shape: the shape of one example.
        dtype: the dtype of an example.
        real: gives the network with its memory. It is counted instead where the meta device cannot run it, for instance
            because its path depends on values. Without it only the meta device is tried.

    Raises:
        ValueError: the network does not take such an example.
    """
    for num_examples in (1, 2):  # a norm that uses the batch's own statistics refuses a batch of one
        try:
            counted = _counted(model, torch.empty(num_examples, *input_shape, device="meta", dtype=dtype))
            return counted // num_examples
        except Exception as error:  # a user's own architecture may raise anything
            reason = error
    if real is not None:
        try:
            return _counted(*real())
        except Exception as error:
            reason = error
    raise ValueError(
        f"the architecture does not take inputs of shape {tuple(input_shape)}: {one_line(reason)}"
    ) from reason


def _counted(model: nn.Module, inputs: Tensor) -> int:
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    try:
        for parameter in trained:  # else the counter asks for the gradient of what a module returns
            parameter.requires_grad_(False)
        with evaluating(model), torch.no_grad(), _without_fused_kernels():
            counter = FlopCounterMode(display=False, custom_mapping=_UNKNOWN_TO_TORCH)
            with counter:
                model(inputs)
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
    return int(counter.get_total_flops()) // 2


@contextlib.contextmanager
def _without_fused_kernels() -> Iterator[None]:
    """Kernels for whole layers hide their products from the counter: of attention, of a transformer, of an LSTM."""
    mha, mkldnn = torch.backends.mha, torch.backends.mkldnn
    were_enabled = mha.get_fastpath_enabled(), mkldnn.enabled
    mha.set_fastpath_enabled(False)
    mkldnn.enabled = False  # type: ignore[assignment] # not by flags(): it warns where it restores what was never set
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        mha.set_fastpath_enabled(were_enabled[0])
        mkldnn.enabled = were_enabled[1]


def _dot(first: Any, *_: Any, **__: Any) -> int:
    return int(2 * math.prod(first))


def _addmv(added: Any, matrix: Any, *_: Any, **__: Any) -> int:
    return int(2 * math.prod(matrix))


def _bilinear(first: Any, weight: Any, second: Any, *_: Any, **__: Any) -> int:
    """Shapes (batch, in1), (out, in1, in2), (batch, in2); the weight is multiplied by ``first``, then by ``second``."""
    num_outputs, num_first, num_second = weight
    return int(2 * first[0] * num_outputs * num_second * (num_first + 1))


_UNKNOWN_TO_TORCH = {
    torch.ops.aten.mv: _dot,
    torch.ops.aten.addmv: _addmv,
    torch.ops.aten.dot: _dot,
    torch.ops.aten.vdot: _dot,
    torch.ops.aten._trilinear: _bilinear,
}
"""Floating point operations of products that torch's own counter leaves out, from the shapes of their arguments."""
