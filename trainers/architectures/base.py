"""Builds a plain network from a name and arguments, and describes it for a file."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from trainers.coding.sections import Entry, Layout
from trainers.lookup import check_arguments, one_line

Architecture = Callable[..., nn.Module]

MAX_PARAMETERS = 1 << 28
_STORABLE = ("bool", "uint8", "int8", "int16", "int32", "int64", "bfloat16", "float16", "float32", "float64")


def complete(architecture: Architecture, arguments: Mapping[str, Any], **from_task: Any) -> dict[str, Any]:
    """Return ``arguments`` and those of the task (``input_shape``, ``num_outputs``) that the architecture takes.

    Values that equal a default are left out, and tuples become lists, so that the result is what a file stores.
    """
    parameters = inspect.signature(architecture).parameters
    given = {**{key: value for key, value in from_task.items() if key in parameters}, **arguments}
    plain = {key: _plain(value) for key, value in given.items()}
    return {
        key: value for key, value in plain.items() if key not in parameters or _plain(parameters[key].default) != value
    }


def build(name: str, architecture: Architecture, arguments: Mapping[str, Any]) -> nn.Module:
    """Build the network, on the current default device.

    Raises:
        ValueError: the arguments do not fit, or the architecture failed to build; one line says why.
    """
    check_arguments("architecture", name, architecture, arguments)
    try:
        model = architecture(**arguments)
    except Exception as error:  # a user's own architecture may raise anything
        raise ValueError(f"architecture {name!r} cannot be built with {dict(arguments)}: {one_line(error)}") from error
    if not isinstance(model, nn.Module):
        raise ValueError(f"architecture {name!r} returned {type(model).__name__}: wanted a torch.nn.Module")
    return model


def build_on_meta(
    name: str, architecture: Architecture, arguments: Mapping[str, Any], *, max_parameters: int = MAX_PARAMETERS
) -> nn.Module:
    """Build the network's names and shapes without its memory; refuse it above ``max_parameters``."""
    with torch.device("meta"):
        model = build(name, architecture, arguments)
    num_values = sum(tensor.numel() for tensor in model.state_dict().values())
    if num_values > max_parameters:
        raise ValueError(
            f"architecture {name!r} with {dict(arguments)} has {num_values} values: wanted at most {max_parameters}"
        )
    return model


def layout_of(model: nn.Module) -> Layout:
    """Return names, shapes and dtypes of the ``state_dict``, in order.

    Raises:
        ValueError: a tensor has a dtype that a file cannot hold.
    """
    layout = [
        Entry(name=name, shape=tuple(tensor.shape), dtype=str(tensor.dtype).removeprefix("torch."))
        for name, tensor in model.state_dict().items()
    ]
    for entry in layout:
        if entry.dtype not in _STORABLE:
            raise ValueError(
                f"tensor {entry.name!r} of the architecture is {entry.dtype}: wanted one of {', '.join(_STORABLE)}"
            )
    return layout


def count_macs(model: nn.Module, input_shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> int:
    """Count the multiply-accumulates of one forward pass, on one example, of a network on the meta device.

    Raises:
        ValueError: the network does not take such an example.
    """
    was_training = model.training
    model.eval()
    try:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(torch.empty(1, *input_shape, device="meta", dtype=dtype))
    except Exception as error:  # a user's own architecture may raise anything
        raise ValueError(
            f"the architecture does not take inputs of shape {tuple(input_shape)}: {one_line(error)}"
        ) from error
    finally:
        model.train(was_training)
    return int(counter.get_total_flops()) // 2


def initialise(model: nn.Module) -> nn.Module:
    """Draw normal weights of variance 2 / fan_in (He et al. 2015, arXiv 1502.01852, equation 10); zero the biases."""
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return model


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
