"""Counts what a network is built of, while it is built: arguments from a file may ask for millions of layers."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from trainers.echo import echo

MOST_PARTS = 1 << 14
"""The most modules and parameters together. The deepest networks of timm have some thousands."""
_SPARE_VALUES = 1 << 27
_FOR_EACH = 4
"""While it is built, a network may make this many times the values of its parameters, and ``_SPARE_VALUES`` beside."""


@contextlib.contextmanager
def metered() -> Iterator[None]:
    """Refuse a network, with a ``ValueError``, once it has too many parts or makes too large tensors beside them."""
    num_parts, num_registered, thread = 0, 0, threading.get_ident()

    def count(module: nn.Module, name: str, part: nn.Module | nn.Parameter | None) -> None:
        nonlocal num_parts, num_registered
        if part is None or threading.get_ident() != thread:  # the hooks are those of all threads
            return
        num_parts += 1
        num_registered += part.numel() if isinstance(part, Tensor) else 0
        if num_parts > MOST_PARTS:
            raise ValueError(f"it has {num_parts} modules and parameters or more: wanted at most {MOST_PARTS}")

    def allow(num_values: int) -> None:
        at_most = _SPARE_VALUES + _FOR_EACH * num_registered
        if num_values > at_most:
            raise ValueError(f"it makes tensors of {num_values} values to be built: wanted at most {at_most}")

    handles = (register_module_module_registration_hook(count), register_module_parameter_registration_hook(count))
    try:
        with _Tensors(allow):
            yield
    finally:
        for handle in handles:
            handle.remove()


class _Tensors(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the values of the tensors that are made, and asks before memory is taken for them."""

    def __init__(self, allow: Callable[[int], None]) -> None:
        """``allow`` is told how many values there are with the next ones; what it raises ends the building."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._allow = allow
        self._num_values = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if any(returned.alias_info is None for returned in func._schema.returns):  # else a view, or in place
            self._num_values += _num_made(func, args, kwargs)
            self._allow(self._num_values)
        return func(*args, **kwargs)


def _num_made(func: Any, args: Any, kwargs: Any) -> int:
    """How many values ``func`` returns, found without memory; 0 where that takes values, which bound the result."""
    if any(argument.name == "device" for argument in func._schema.arguments):
        kwargs = {**kwargs, "device": torch.device("meta")}
    args, kwargs = pytree.tree_map_only(Tensor, lambda tensor: tensor.to("meta"), (args, kwargs))
    try:
        made = func(*args, **kwargs)
    except (NotImplementedError, RuntimeError):
        return 0
    return sum(math.prod(tensor.shape) for tensor in pytree.tree_leaves(made) if isinstance(tensor, Tensor))


def check_numbers(name: str, value: Any, *, most: int) -> None:
    """Refuse a number that is too large or none, wherever it is in ``value``."""
    if isinstance(value, list | tuple):
        for item in value:
            check_numbers(name, item, most=most)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            check_numbers(f"{name}.{key}", item, most=most)
    elif isinstance(value, int | float) and not -most <= value <= most:
        raise ValueError(f"{name} is {echo(value)}: wanted numbers of at most {most}")
