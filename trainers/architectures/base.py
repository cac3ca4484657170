"""Builds a plain network from a name and arguments, and describes it for a file."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode

from trainers.coding.sections import Entry, Layout
from trainers.echo import echo
from trainers.lookup import check_arguments, one_line
from trainers.networks.grid import grids
from trainers.networks.parametrizations import duplicate

Architecture = Callable[..., nn.Module]

MAX_PARAMETERS = 1 << 28
_DRAWS = (Tensor.normal_, Tensor.uniform_)
"""In place."""
STORABLE = ("bool", "uint8", "int8", "int16", "int32", "int64", "bfloat16", "float16", "float32", "float64")
"""The dtypes that a file holds."""


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
        raise ValueError(
            f"architecture {name!r} cannot be built with {echo(dict(arguments))}: {one_line(error)}"
        ) from error
    if not isinstance(model, nn.Module):
        raise ValueError(f"architecture {name!r} returned {type(model).__name__}: wanted a torch.nn.Module")
    return model


def build_on_meta(
    name: str, architecture: Architecture, arguments: Mapping[str, Any], *, max_parameters: int = MAX_PARAMETERS
) -> nn.Module:
    """Build the network's names and shapes without its memory; refuse it above ``max_parameters``.

    An architecture that reads values while it is built cannot be built so. It is built with its memory first.

    Raises:
        ValueError: as ``build``; or a module has no shapes yet, or has state beside its tensors.
    """
    try:
        with torch.device("meta"), _NothingDrawn():
            model = build(name, architecture, arguments)
    except ValueError as error:
        if "meta" not in str(error).lower():
            raise
        with torch.random.fork_rng(devices=[]), _refused_above(max_parameters):
            model = build(name, architecture, arguments)
        _check_modules(name, model)
        layout_of(model)  # not every other tensor can be moved
        return _moved_to_meta(model)
    _check_modules(name, model)
    num_values = sum(tensor.numel() for tensor in model.state_dict().values())
    if num_values > max_parameters:
        raise ValueError(
            f"architecture {name!r} with {echo(dict(arguments))} has {num_values} values: wanted at most "
            f"{max_parameters}"
        )
    return model


class _NothingDrawn(TorchFunctionMode):
    """Skips initial values on the meta device, which has none: to draw them takes most of the time of a building."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _DRAWS or getattr(func, "__module__", None) == nn.init.__name__:
            filled = args[0] if args else kwargs.get("tensor")
            if isinstance(filled, Tensor) and filled.is_meta:
                return filled
        return func(*args, **kwargs)


@contextlib.contextmanager
def _refused_above(max_parameters: int) -> Iterator[None]:
    """Refuse a network while it is built, before all of its memory is taken."""
    num_values = 0

    def count(module: nn.Module, name: str, parameter: nn.Parameter) -> None:
        nonlocal num_values
        num_values += 0 if is_lazy(parameter) else parameter.numel()
        if num_values > max_parameters:
            raise ValueError(f"it has {num_values} values or more: wanted at most {max_parameters}")

    handle = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()


def _moved_to_meta(model: nn.Module) -> nn.Module:
    """A copy on the meta device. What is one tensor stays one, which ``model.to("meta")`` does not promise."""
    moved: dict[int, Any] = {}
    for tensor in (*model.parameters(), *model.buffers()):
        on_meta = tensor.detach().to("meta")
        is_parameter = isinstance(tensor, nn.Parameter)
        moved[id(tensor)] = nn.Parameter(on_meta, requires_grad=tensor.requires_grad) if is_parameter else on_meta
    return duplicate(model, moved)


def _check_modules(name: str, model: nn.Module) -> None:
    """Refuse modules whose tensors have no shape yet, or which keep more than tensors."""
    for path, module in model.named_modules():
        where = f"architecture {name!r}: module {path!r} ({type(module).__name__})"
        if any(is_lazy(tensor) for tensor in (*module._parameters.values(), *module._buffers.values())):
            mend = "make its tensors when it is built"
            if isinstance(module, LazyModuleMixin) and module.cls_to_become is not None:
                eager: type[nn.Module] = module.cls_to_become
                mend = f"use {eager.__name__}, with {next(iter(inspect.signature(eager).parameters))}"
            raise ValueError(f"{where} takes its shapes from its first input, and a file needs them before: {mend}")
        if type(module).get_extra_state is not nn.Module.get_extra_state:
            raise ValueError(
                f"{where} keeps state beside its tensors (get_extra_state), which a file does not hold: "
                "keep it in buffers (register_buffer), or make it from the architecture's arguments"
            )


def layout_of(model: nn.Module) -> Layout:
    """Return names, shapes and dtypes of the ``state_dict``, in order, and which tensors are grids.

    Raises:
        ValueError: a file cannot hold a tensor; one line names it.
    """
    for name, tensor in model.state_dict().items():
        _check_tensor(name, tensor)
    on_planes = grids(model)
    return [
        Entry(
            name=name,
            shape=tuple(tensor.shape),
            dtype=str(tensor.dtype).removeprefix("torch."),
            is_grid=name in on_planes,
        )
        for name, tensor in model.state_dict().items()
    ]


def _check_tensor(name: str, tensor: Any) -> None:
    if not isinstance(tensor, Tensor):
        kind, mend = f"a {type(tensor).__name__}", "wanted tensors alone; a network is given before it is quantised"
    elif tensor.is_quantized:
        kind, mend = f"quantised ({tensor.dtype})", "give the network before it is quantised, methods do that"
    elif tensor.layout != torch.strided or tensor.is_nested:
        kind, mend = f"not dense ({tensor.layout})", "make it with to_dense(), and sparse again in forward"
    elif tensor.is_complex():
        kind, mend = f"{tensor.dtype}", "keep the real and the imaginary part (torch.view_as_real)"
    elif tensor.is_floating_point() and tensor.element_size() == 1:
        kind, mend = f"{tensor.dtype}", "use torch.bfloat16 or float32; methods choose the bits of what is stored"
    elif str(tensor.dtype).removeprefix("torch.") not in STORABLE:
        kind, mend = f"{tensor.dtype}", f"wanted one of {', '.join(STORABLE)}"
    else:
        return
    raise ValueError(f"tensor {name!r} of the architecture is {kind}, which a file does not hold: {mend}")


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
