"""A model of ONNX as a network: run by onnxruntime on the CPU, called as PyTorch's."""

from __future__ import annotations

import importlib
from typing import Any

import torch
from torch import Tensor, nn

from trainers.lookup import one_line


def imported(package: str) -> Any:
    """Import one of ONNX's packages.

    Raises:
        ValueError: it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ValueError(
            f"ONNX needs {package}, which cannot be imported ({one_line(error)}): pip install 'ratefront[onnx]'"
        ) from error


class OnnxNetwork(nn.Module):
    """A model of one output. Inputs and outputs are tensors on the CPU; it has no parameters and no gradients."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        runtime = imported("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self._session = runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        self._names = [one.name for one in self._session.get_inputs()]

    def forward(self, *inputs: Tensor) -> Tensor:
        given = {name: tensor.numpy() for name, tensor in zip(self._names, inputs, strict=True)}
        return torch.from_numpy(self._session.run(None, given)[0])
