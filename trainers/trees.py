"""Trees: a tensor, or tuples, lists and dicts of trees. Inputs and targets of networks are such."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Tree = Any
"""A tensor, or tuples, lists and dicts of trees; named tuples stay such."""


def mapped(function: Callable[[Any], Any], tree: Tree) -> Tree:
    """The tree with ``function`` of each of its leaves."""
    if isinstance(tree, Mapping):
        return {key: mapped(function, part) for key, part in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(mapped(function, part) for part in tree))
    if isinstance(tree, tuple | list):
        return type(tree)(mapped(function, part) for part in tree)
    return function(tree)


def leaves(tree: Tree) -> Iterator[Any]:
    """The leaves of a tree, from left to right."""
    if isinstance(tree, Mapping):
        tree = tuple(tree.values())
    if isinstance(tree, tuple | list):
        for part in tree:
            yield from leaves(part)
    else:
        yield tree


def first(tree: Tree) -> Tensor:
    """The first tensor of a tree."""
    found: Tensor = next(leaves(tree))
    return found


def num_rows(tree: Tree) -> int:
    """The examples that a batch's tree has: the length of its tensors."""
    return len(first(tree))


def rows(tree: Tree, chosen: Any) -> Tree:
    """Some examples of a batch's tree; ``chosen`` indexes the first axis of each tensor."""
    return mapped(lambda tensor: tensor[chosen], tree)


def split(tree: Tree, batch_size: int) -> list[Tree]:
    """A batch's tree in parts of ``batch_size`` examples; the last one may be smaller."""
    return [rows(tree, slice(start, start + batch_size)) for start in range(0, num_rows(tree), batch_size)]


def moved_to(tree: Tree, device: torch.device) -> Tree:
    """The tree on ``device``."""
    return mapped(lambda tensor: tensor.to(device), tree)


def copied(tree: Tree) -> Tree:
    """A copy of the tree: a network may write to what it is given."""
    return mapped(lambda tensor: tensor.clone(), tree)


def zeros(tree: Tree, num_examples: int, device: torch.device | None) -> Tree:
    """A batch of the same shapes and types with ``num_examples``, all zero, on ``device``."""
    import torch

    return mapped(lambda tensor: torch.zeros(num_examples, *tensor.shape[1:], device=device, dtype=tensor.dtype), tree)


def shape_text(tree: Tree) -> str:
    """The shape of one example, as messages and keys show it: ``(1, 28, 28)``, or that of each of several inputs."""
    if isinstance(tree, Mapping):
        return "{" + ", ".join(f"{key}: {shape_text(part)}" for key, part in tree.items()) + "}"
    if isinstance(tree, tuple | list):
        return "[" + ", ".join(shape_text(part) for part in tree) + "]"
    return str(tuple(tree.shape[1:]))


def type_text(tree: Tree) -> str:
    """The types of a tree's tensors: ``float32``."""
    return ", ".join(dict.fromkeys(str(leaf.dtype).removeprefix("torch.") for leaf in leaves(tree)))
