"""The shared back end of all methods: tensors to sections, and sections to tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from trainers.coding.bytestream import RfzError
from trainers.coding.sections import Integers, Raw, Sections
from trainers.methods.fourier import real_fourier

NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
"""Layers whose parameters are scales and shifts, few and sensitive: no method quantises them."""


def raw(tensor: Tensor) -> Raw:
    """Stored as it is."""
    return Raw(values=tensor.detach().cpu().numpy())


def half(tensor: Tensor) -> Raw:
    """Stored as float16; what is beyond becomes infinite, which a file refuses."""
    with np.errstate(over="ignore"):
        return Raw(values=tensor.detach().cpu().numpy().astype(np.float16))


def integers(tensor: Tensor, *, table: int) -> Integers:
    """Entropy-coded; ``tensor`` holds whole numbers in any dtype.

    Raises:
        ValueError: a value is NaN, infinite or beyond int32.
    """
    values = tensor.detach().cpu().numpy()
    if not (np.isfinite(values).all() and (np.abs(values) < 2**31).all()):
        raise ValueError("cannot code NaN, infinity or integers beyond 32 bits: the training diverged")
    return Integers(values=values.astype(np.int32), table=table)


def norm_parameters(model: nn.Module) -> set[str]:
    """Names of the parameters of normalisation layers."""
    return {
        f"{prefix}.{name}" if prefix else name
        for prefix, module in model.named_modules()
        if isinstance(module, NORMS)
        for name, _ in module.named_parameters(recurse=False)
    }


def fold_norms(plain: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Batch norms as one scale and one shift for each channel, which is all that a trained one computes.

    With running mean m and variance v, weight w and bias b, (x - m) / sqrt(v + eps) * w + b = x * scale + shift.
    Written as a batch norm again: mean 0, variance 1, weight scale * sqrt(1 + eps), bias shift.

    Args:
        plain: the plain architecture.
        state: its ``state_dict``.

    Returns:
        What changes of ``state``. Layers that have no weight, no bias or no running statistics stay as they are.
    """
    changed: dict[str, Tensor] = {}
    for prefix, module in plain.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.affine and module.track_running_stats:
            names = {name: f"{prefix}.{name}" if prefix else name for name, _ in module.state_dict().items()}
            mean, variance, weight, bias = (
                state[names[name]].double() for name in ("running_mean", "running_var", "weight", "bias")
            )
            scale = weight / (variance + module.eps).sqrt()
            changed[names["weight"]] = (scale * math.sqrt(1 + module.eps)).float()
            changed[names["bias"]] = (bias - mean * scale).float()
            changed[names["running_mean"]] = torch.zeros_like(state[names["running_mean"]])
            changed[names["running_var"]] = torch.ones_like(state[names["running_var"]])
            changed[names["num_batches_tracked"]] = torch.zeros_like(state[names["num_batches_tracked"]])
    return changed


def relative_step(tensors: Sequence[Tensor], fraction: float) -> np.float16:
    """``fraction`` of the root mean square of all ``tensors``, as a positive float16: 1 where they are zero."""
    values = torch.cat([tensor.detach().reshape(-1) for tensor in tensors]).double()
    step = np.float16(fraction * float(values.square().mean().sqrt()))
    return step if step > 0 else np.float16(1)


def dequantise(sections: Sections, plain: nn.Module) -> dict[str, Tensor]:
    """A ``state_dict``: integers times the steps of their table; raw tensors in their own dtype.

    The first vector holds the steps of the first tables, one each. Each further vector is the next table's: one step
    for each coefficient of the real Fourier transform of a kernel, which its tensors hold in place of the kernels.

    Raises:
        RfzError: there are no steps for a table, or not as many as its tensors' kernels have coefficients.
    """
    scalar, *fourier = (vector.astype(np.float32) for vector in sections.vectors or (np.zeros(0, np.float16),))
    decoded: dict[str, Tensor] = {}
    for name, like in plain.state_dict().items():
        section = sections.tensors[name]
        if not isinstance(section, Integers):
            decoded[name] = torch.from_numpy(np.array(section.values)).to(like.dtype)
        elif section.table < len(scalar):
            values = section.values.astype(np.float32) * scalar[section.table]
            decoded[name] = torch.from_numpy(np.array(values)).to(like.dtype)
        elif section.table < len(scalar) + len(fourier):
            steps = fourier[section.table - len(scalar)]
            if len(like.shape) < 3 or math.prod(like.shape[2:]) != len(steps):
                raise RfzError(f"the file is malformed: {len(steps)} frequencies for {name!r} of shape {like.shape}")
            values = (section.values.reshape(-1, len(steps)) * steps).astype(np.float64)
            kernels = torch.from_numpy(values) @ real_fourier(tuple(like.shape[2:]))
            decoded[name] = kernels.reshape(like.shape).to(like.dtype)
        else:
            raise RfzError(
                f"the file is malformed: table {section.table} has no step among {len(scalar) + len(fourier)}"
            )
    return decoded
