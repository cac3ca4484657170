"""Writes a compressed file's network as an ONNX model, of floats or with weights of int8."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from trainers.bundling.onnx_network import OnnxNetwork, imported
from trainers.coding.sections import Integers
from trainers.compressed import Opened
from trainers.lookup import one_line
from trainers.networks.calling import call
from trainers.trees import Tree, shape_text

MOST_BYTES = 1_900_000_000
"""A model of ONNX is one message of Protocol Buffers, which ends at 2 GiB."""
TOLERANCE = 1e-4
"""How far the model's outputs may be from PyTorch's, as a share of the largest of these."""
_EXACT = 1e-5
"""How far the products of int8 and scales may be from the weights, as a share of the largest of a channel: the export
multiplies weights by the scales of norms in float32."""
_INT8 = np.iinfo(np.int8)


@dataclass(frozen=True, kw_only=True)
class OnnxModel:
    """A model that was run and compared with PyTorch."""

    data: bytes
    num_weights: int
    """The values of all tensors but vectors."""
    num_int8: int
    """How many of the weights are stored as int8."""
    error: float
    """The largest difference of an output from PyTorch's, as a share of the largest output."""

    def network(self) -> nn.Module:
        """The model, run by onnxruntime on the CPU."""
        return OnnxNetwork(self.data)


def onnx_model(opened: Opened, example: Tree, *, int8: bool = False) -> OnnxModel:
    """Write the network of a file as an ONNX model. Its batch may have any size.

    Args:
        opened: the file.
        example: some inputs of the network, at least two examples: a tensor, or a tuple of tensors.
        int8: store weights as int8 with a scale for each row of the first axis, where the file holds them as integers
            in -128..127, and a ``DequantizeLinear`` before each use. Sums are of floats. Other weights stay floats.

    Raises:
        ValueError: ONNX's packages are missing, the network cannot be exported, or what it computes is not the same.
    """
    imported("onnxscript")
    network, onnx = opened.network(), imported("onnx")
    num_bytes = sum(tensor.nbytes for tensor in network.state_dict().values())
    if num_bytes > MOST_BYTES:
        raise ValueError(f"the network has {num_bytes:,} bytes: wanted {MOST_BYTES:,} at most for a model of ONNX")
    outputs = _outputs(network, example)
    proto = _exported(network, example)
    _without_traces(proto)
    num_int8 = _with_int8(onnx, proto, opened, network) if int8 else 0
    data = proto.SerializeToString(deterministic=True)
    num_weights = sum(one.numel() for one in network.parameters() if one.ndim > 1)
    return OnnxModel(data=data, num_weights=num_weights, num_int8=num_int8, error=_error(outputs, data, example))


def _exported(network: nn.Module, example: Tree) -> Any:
    args = tuple(example) if isinstance(example, tuple | list) else (example,)
    if not all(isinstance(one, Tensor) for one in args):
        raise ValueError("the network's inputs are a tree: wanted a tensor, or a tuple of tensors, for a model of ONNX")
    batch = torch.export.Dim("batch")
    try:
        with _quiet():
            program = torch.onnx.export(
                network, args, dynamo=True, dynamic_shapes=tuple({0: batch} for _ in args), optimize=True, verbose=False
            )
    except Exception as error:  # a network may be anything
        said = one_line(error.__cause__ or error)  # torch wraps what went wrong in a page of advice
        raise ValueError(f"the network cannot be exported to ONNX: {said}") from error
    if program is None:
        raise ValueError("the network cannot be exported to ONNX: torch.onnx gave no program")
    return program.model_proto


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns of packages that it does not need, and of its own future, and prints what it raises."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _without_traces(proto: Any) -> None:
    """Take out what the exporter notes of this machine: paths and lines of code."""
    graph = proto.graph
    for part in (proto, graph, *graph.node, *graph.initializer, *graph.input, *graph.output, *proto.functions):
        for field in ("metadata_props", "doc_string"):
            if field in part.DESCRIPTOR.fields_by_name:
                part.ClearField(field)
    graph.ClearField("value_info")


def _with_int8(onnx: Any, proto: Any, opened: Opened, network: nn.Module) -> int:
    """Replace weights by int8 and scales; return how many values these are."""
    names: set[str] = set()
    contents: set[bytes] = set()  # a tied matrix may stand in the model twice, and equal ones have one name
    matrices = _transposed(network)
    for place, stored in enumerate(list(proto.graph.initializer)):
        weights = onnx.numpy_helper.to_array(stored)
        if weights.ndim < 2 or weights.dtype != np.float32:
            continue
        name = matrices.get(weights.tobytes())
        section = opened.sections.tensors.get(name or stored.name)
        if not isinstance(section, Integers):
            continue
        found = _scaled(weights.T if name else weights, section.values)
        if found is None:
            continue
        integers, scales = found
        small, scale = (f"{stored.name}_{kind}" for kind in ("int8", "scale"))
        made = f"{stored.name}_rows" if name else stored.name
        # turned after it is scaled: a product with a scaled matrix itself, onnxruntime computes in 8 bits throughout
        nodes = [onnx.helper.make_node("DequantizeLinear", [small, scale], [made], name=f"dequantize_{place}", axis=0)]
        if name:
            nodes.append(onnx.helper.make_node("Transpose", [made], [stored.name], name=f"transpose_{place}"))
        names.add(stored.name)
        contents.add(weights.tobytes() if name else b"")
        proto.graph.initializer[place].CopyFrom(onnx.numpy_helper.from_array(integers, small))
        proto.graph.initializer.append(onnx.numpy_helper.from_array(scales, scale))
        for node in reversed(nodes):
            proto.graph.node.insert(0, node)
    return sum(
        one.numel()
        for name, one in network.named_parameters()
        if one.ndim > 1 and (name in names or (_is_matrix(one) and _turned(one) in contents))
    )


def _transposed(network: nn.Module) -> dict[bytes, str]:
    """The names of matrices, by the bytes of what is left where the export turns a layer into a product with it."""
    named = network.state_dict().items()
    return {_turned(one): name for name, one in named if _is_matrix(one)}


def _turned(matrix: Tensor) -> bytes:
    return matrix.detach().t().contiguous().numpy().tobytes()


def _is_matrix(tensor: Tensor) -> bool:
    return tensor.ndim == 2 and tensor.dtype == torch.float32


def _scaled(
    weights: npt.NDArray[np.float32], integers: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]] | None:
    """Weights as int8 and a scale for each row of the first axis; None where they are not such products.

    Args:
        weights: of any shape.
        integers: as many, in the same order.
    """
    if integers.size != weights.size or integers.min() < _INT8.min or integers.max() > _INT8.max:
        return None
    rows, numbers = weights.reshape(len(weights), -1), integers.reshape(len(weights), -1)
    if not rows.size:
        return None
    largest = np.abs(numbers).argmax(axis=1)[:, None]
    ends = [np.take_along_axis(one, largest, axis=1)[:, 0] for one in (rows, numbers)]
    scales = np.divide(ends[0], ends[1], out=np.ones(len(rows), np.float32), where=ends[1] != 0).astype(np.float32)
    apart = np.abs(numbers * scales[:, None] - rows).max(axis=1)
    if (apart > _EXACT * np.abs(rows).max(axis=1)).any() or (scales < 0).any():
        return None
    return numbers.reshape(weights.shape).astype(np.int8), scales


def _outputs(network: nn.Module, example: Tree) -> Tensor:
    try:
        with torch.no_grad():
            outputs = call(network, example)
    except Exception as error:  # a network may be anything
        said = f"inputs of shape {shape_text(example)} ({one_line(error)})"
        raise ValueError(
            f"the network does not take {said}: wanted the task that it was trained on, or the shape of its examples"
        ) from error
    if not isinstance(outputs, Tensor):
        raise ValueError("the network returns several things: wanted one tensor for a model of ONNX")
    return outputs


def _error(wanted: Tensor, data: bytes, example: Tree) -> float:
    found = call(OnnxNetwork(data), example)
    error = float((found - wanted).abs().max() / wanted.abs().max().clamp_min(1e-30))
    if not error <= TOLERANCE:
        raise ValueError(
            f"the ONNX model's outputs are up to {error:.1e} of the largest from PyTorch's: wanted {TOLERANCE:g}"
        )
    return error
