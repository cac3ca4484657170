"""Tensors without a network: what a file holds where nobody said which architecture they are of.

Their names, shapes and dtypes are the file's own, so everything here is checked as a stranger's. The argument is the
tree of the names, which repeats little and deflates well: a name's parts, between its dots, lead from branch to branch.

    {"conv": {"weight": [8, 3, 3, 3], "bias": [8]}, "step": ["int64"], "head": {"weight": "conv.weight"}}

A leaf is a shape, after the dtype unless that is float32; or the name of another tensor, which is the same one. A
tensor that is called like a branch is the branch's leaf under the empty key. Below ``_MOST_BRANCHES`` branches the rest
of a name is one key. Tensors have one tree, and any other is refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from trainers import checks
from trainers.architectures.base import STORABLE
from trainers.coding.sections import Entry
from trainers.echo import echo

NAME = "tensors"
"""The architecture's name in a file. No sweep has it: nothing here can be run."""
MOST_TENSORS = 1 << 15
_MOST_AXES = 16
_MOST_SIDE = 1 << 40
_MOST_VALUES = 1 << 48
"""No number that torch computes with overflows below this; ``max_parameters`` is the limit that counts."""
_BYTES_EACH = 4
"""A limit of values is one of so many times as many bytes."""
_MOST_CHARACTERS = 512
_MOST_BRANCHES = 5
_USUAL = "float32"
_RESERVED = "__metadata__"
"""safetensors keeps this name for itself."""


def tensors(*, tree: Mapping[str, Any]) -> nn.Module:
    """Return a module that holds the tensors of a tree, those of floats as parameters. It has no ``forward``.

    Raises:
        ValueError: the tree is none that ``tree_of`` makes, or has a name or a size that no file may have.
    """
    entries, aliases = entries_of(tree)
    holder = nn.Module()
    made: dict[str, torch.Tensor] = {}
    for entry in entries:
        made[entry.name] = torch.empty(entry.shape, dtype=getattr(torch, entry.dtype))
    for name, tensor in (*made.items(), *((alias, made[name]) for alias, name in aliases.items())):
        if tensor.is_floating_point():  # in this way names may be any, with dots, or those of a module's own attributes
            parameter = holder._parameters.get(aliases.get(name, name))
            holder._parameters[name] = parameter if parameter is not None else nn.Parameter(tensor, requires_grad=False)
        else:
            holder._buffers[name] = tensor
    return holder


def entries_of(tree: Any) -> tuple[list[Entry], dict[str, str]]:
    """Return the tensors of a tree, each once, and under each further name the one that it is the same as.

    Raises:
        ValueError: as ``tensors``.
    """
    entries: dict[str, Entry] = {}
    aliases: dict[str, str] = {}
    num_values = 0
    for name, leaf in _leaves(tree, "", 0):
        if len(entries) + len(aliases) >= MOST_TENSORS:
            raise ValueError(f"there are more than {MOST_TENSORS} tensors: wanted fewer")
        check_name(name)
        if name in entries or name in aliases:
            raise ValueError(f"two tensors are called {echo(name)}: wanted each name once")
        if isinstance(leaf, str):
            aliases[name] = leaf
            continue
        entries[name] = _entry(name, leaf)
        num_values += entries[name].num_values
        if num_values > _MOST_VALUES:
            raise ValueError(f"the tensors have {num_values} values or more: wanted at most {_MOST_VALUES}")
    for name, first in aliases.items():
        if first not in entries:
            raise ValueError(f"tensor {echo(name)} is said to be {echo(first)}: wanted the name of a tensor")
    if tree_of(entries, aliases) != tree:
        raise ValueError(f"the tree of tensors is {echo(tree)}: wanted the one form that it has")
    return list(entries.values()), aliases


def check_size(tree: Any, max_parameters: int) -> None:
    """Refuse tensors of more values than ``max_parameters``, or of more bytes than that many float32 take.

    A tensor counts under each of its names, since decoded files have it under each. No memory is taken.

    Raises:
        ValueError: they are, or as ``tensors``.
    """
    num_values, num_bytes = size_of(*entries_of(tree))
    if num_values > max_parameters or num_bytes > _BYTES_EACH * max_parameters:
        raise ValueError(
            f"the file has tensors of {num_values} values and {num_bytes} bytes: wanted at most {max_parameters} "
            f"values, and {_BYTES_EACH} bytes for each; give a larger max_parameters if you trust it"
        )


def least_limit(entries: Iterable[Entry], aliases: Mapping[str, str]) -> int:
    """The smallest ``max_parameters`` with which ``check_size`` lets these tensors pass."""
    num_values, num_bytes = size_of(entries, aliases)
    return max(num_values, -(-num_bytes // _BYTES_EACH))


def size_of(entries: Iterable[Entry], aliases: Mapping[str, str]) -> tuple[int, int]:
    """The numbers of values and of bytes of tensors, each under all its names."""
    named = {entry.name: entry for entry in entries}
    under_each = [*named.values(), *(named[one] for one in aliases.values())]
    num_bytes = sum(entry.num_values * entry.raw_dtype.itemsize for entry in under_each)
    return sum(entry.num_values for entry in under_each), num_bytes


def tree_of(entries: Mapping[str, Entry], aliases: Mapping[str, str]) -> dict[str, Any]:
    """Return the tree of these tensors, and of further names of some; the inverse of ``entries_of``, but for the order.

    Raises:
        ValueError: a name is none that a file may have.
    """
    parts: dict[str, list[str]] = {}
    for name in (*entries, *aliases):
        check_name(name)
        parts[name] = name.split(".", _MOST_BRANCHES)
    branches = {tuple(found[:depth]) for found in parts.values() for depth in range(1, len(found))}
    tree: dict[str, Any] = {}
    for name, found in parts.items():
        *path, last = [*found, ""] if tuple(found) in branches else found
        branch = tree
        for part in path:
            branch = branch.setdefault(part, {})
        branch[last] = _leaf(entries[name]) if name in entries else aliases[name]
    return tree


def check_name(name: str) -> None:
    """Refuse a name that is a path, that cannot be shown, or that is too long.

    Raises:
        ValueError: it is; one line says what is wanted.
    """
    is_good = 0 < len(name) <= _MOST_CHARACTERS and name.isprintable() and name != _RESERVED
    if not is_good or "/" in name or "\\" in name or "" in name.split("."):
        raise ValueError(
            f"a tensor is called {echo(name)}: wanted 1 to {_MOST_CHARACTERS} printable characters without slashes, "
            "and something before, between and after its dots"
        )


def _leaves(tree: Any, before: str, depth: int) -> Iterator[tuple[str, Any]]:
    if not isinstance(tree, Mapping) or depth > _MOST_BRANCHES:
        raise ValueError(f"the tree of tensors has {echo(tree)}: wanted a branch, {_MOST_BRANCHES} deep at most")
    for key in sorted(tree, key=str):  # as a file has them
        found = tree[key]
        name = f"{before}.{key}" if before and key else before or str(key)
        if isinstance(found, Mapping):
            yield from _leaves(found, name, depth + 1)
        else:
            yield name, found


def _entry(name: str, leaf: Any) -> Entry:
    if not isinstance(leaf, list | tuple):
        raise ValueError(f"tensor {echo(name)} is {echo(leaf)}: wanted its shape")
    has_dtype = bool(leaf) and isinstance(leaf[0], str)
    dtype, shape = (leaf[0], leaf[1:]) if has_dtype else (_USUAL, leaf)
    checks.choice(f"the dtype of tensor {echo(name)}", dtype, STORABLE)
    checks.integers(f"the shape of tensor {echo(name)}", shape, low=0, high=_MOST_SIDE, max_length=_MOST_AXES)
    if math.prod(max(side, 1) for side in shape) > _MOST_VALUES:
        raise ValueError(f"tensor {echo(name)} has shape {echo(list(shape))}: wanted at most {_MOST_VALUES} values")
    return Entry(name=name, shape=tuple(shape), dtype=dtype)


def _leaf(entry: Entry) -> list[Any]:
    return [*([] if entry.dtype == _USUAL else [entry.dtype]), *entry.shape]
