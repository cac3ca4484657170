"""The shared back end of all methods: tensors to sections, and sections to tensors."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from trainers.coding.bytestream import RfzError
from trainers.coding.sections import Integers, Raw, Sections

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


def dequantise(sections: Sections, plain: nn.Module) -> dict[str, Tensor]:
    """A ``state_dict``: integers times the step of their table, the first vector; raw tensors in their own dtype.

    Raises:
        RfzError: there is no step for a table.
    """
    steps = sections.vectors[0].astype(np.float32) if sections.vectors else np.zeros(0, np.float32)
    decoded: dict[str, Tensor] = {}
    for name, like in plain.state_dict().items():
        section = sections.tensors[name]
        if isinstance(section, Integers):
            if section.table >= len(steps):
                raise RfzError(f"the file is malformed: table {section.table} has no step among {len(steps)}")
            values = section.values.astype(np.float32) * steps[section.table]
        else:
            values = section.values
        decoded[name] = torch.from_numpy(np.array(values)).to(like.dtype)
    return decoded
