"""Files of networks with random weights, without a training."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from trainers.architectures import ARCHITECTURES
from trainers.architectures.base import layout_of
from trainers.coding import container
from trainers.coding.sections import Integers, Raw, Section, Sections
from trainers.compressed import Opened, open_bytes


def network_of(name: str, **arguments: Any) -> nn.Module:
    """A network whose norms and biases are not those of the start."""
    torch.manual_seed(0)
    network = ARCHITECTURES[name](**arguments)
    with torch.no_grad():
        for key, tensor in network.state_dict().items():
            if key.endswith(("bias", "running_mean")):
                tensor.normal_(0, 0.2)
            elif key.endswith("running_var") or (key.endswith("weight") and tensor.ndim == 1):
                tensor.uniform_(0.5, 1.5)
    return network


def file_of(network: nn.Module, name: str, *, step: float = 0.05, method: str = "ecq", **arguments: Any) -> bytes:
    """A file of a network: weights as integers times a step, the rest as it is."""
    tensors: dict[str, Section] = {}
    for key, tensor in network.state_dict().items():
        if tensor.ndim > 1:
            tensors[key] = Integers(values=(tensor / step).round().to(torch.int32).numpy())
        else:
            tensors[key] = Raw(values=tensor.numpy())
    sections = Sections(tensors=tensors, vectors=(np.array([step], np.float16),))
    header = container.Header(method=method, method_version=1, architecture=name, arguments=arguments)
    return container.write(header, layout_of(network), sections)


def opened(name: str, *, step: float = 0.05, **arguments: Any) -> Opened:
    """Such a file of a registered architecture."""
    return open_bytes(file_of(network_of(name, **arguments), name, step=step, **arguments))
