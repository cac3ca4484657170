"""The names of a network's tensors: one tensor may have several, and a module may be in several places."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from torch import Tensor, nn

T = TypeVar("T")


def first_names(network: nn.Module) -> dict[str, str]:
    """The first name of each tensor of the ``state_dict``, under every name that it has there, in order.

    A tensor has several names if parameters are tied, or if a module has two names.
    """
    first: dict[int, str] = {}
    return {
        name: first.setdefault(id(tensor), name)
        for name, tensor in network.state_dict(keep_vars=True).items()
        if isinstance(tensor, Tensor)
    }


def with_aliases(tensors: Mapping[str, T], first: Mapping[str, str]) -> dict[str, T]:
    """``tensors``, which have first names, under all names that ``first_names`` found."""
    return {name: tensors[one] for name, one in first.items() if one in tensors}


def each_once(network: nn.Module) -> nn.Module:
    """Make ``network.state_dict()`` name each tensor once, by its first name, and ``load_state_dict`` take that.

    So tied weights, and modules under two names, are seen once by everything that reads a ``state_dict``. The network
    is changed in place.
    """
    first = first_names(network)
    aliases = {name: one for name, one in first.items() if name != one}

    def leave_out(module: nn.Module, state: dict[str, Any], prefix: str, metadata: Any) -> None:
        for name in aliases:
            state.pop(prefix + name, None)

    def fill_in(module: nn.Module, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        for name, one in aliases.items():
            if prefix + one in state:
                state[prefix + name] = state[prefix + one]

    if aliases:
        network.register_state_dict_post_hook(leave_out)  # type: ignore[no-untyped-call]
        network.register_load_state_dict_pre_hook(fill_in)  # type: ignore[no-untyped-call]
    return network


def places(network: nn.Module) -> dict[str, str]:
    """The first name of the tensor in each place, in order: a parameter or buffer of a module is a place.

    A module that has two names is one place, called by its first name; tied parameters of two modules are two places.
    """
    first: dict[int, str] = {}
    return {
        name: first.setdefault(id(tensor), name)
        for prefix, module in network.named_modules()
        for name, tensor in _own(prefix, module)
    }


def frozen(network: nn.Module) -> set[str]:
    """The names of the parameters that are not trained."""
    return {name for name, parameter in network.named_parameters() if not parameter.requires_grad}


def _own(prefix: str, module: nn.Module) -> list[tuple[str, Tensor]]:
    held = {**module._parameters, **module._buffers}
    return [
        (f"{prefix}.{attribute}" if prefix else attribute, tensor)
        for attribute, tensor in held.items()
        if tensor is not None
    ]
