"""Examples: numbered, so that a batch is a function of numbers; and those that lie in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from trainers.trees import Tree, first, leaves, mapped, rows


class Batch(NamedTuple):
    """Some examples: trees of tensors whose first axis counts them."""

    inputs: Tree
    targets: Tree


class TaskError(ValueError):
    """A mistake of a task, in its examples, its score or its changes of a batch: no network is to blame for it."""


@runtime_checkable
class Examples(Protocol):
    """Numbered examples: any of them at any time.

    What is drawn at random while examples are read, such as a crop, comes from torch's, NumPy's and Python's global
    generators, which are seeded for each step before it is read.
    """

    def __len__(self) -> int: ...

    def take(self, numbers: Tensor, /) -> Batch:
        """Return the examples with these numbers (batch,), int64 from 0 to ``len(self) - 1``, in their order.

        The tensors are new ones: a network may write to its inputs.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class InMemory:
    """Examples as tensors: ``inputs`` (n, ...) and ``targets`` (n, ...), or trees of such, in a fixed order."""

    inputs: Tree
    targets: Tree

    def __post_init__(self) -> None:
        for name, tree in (("inputs", self.inputs), ("targets", self.targets)):
            for leaf in leaves(tree):
                if not isinstance(leaf, Tensor) or leaf.ndim == 0:
                    raise ValueError(
                        f"{name} of a split hold {type(leaf).__name__}: wanted a tensor (n, ...), or tuples and dicts "
                        "of tensors"
                    )
        lengths = [{len(leaf) for leaf in leaves(tree)} for tree in (self.inputs, self.targets)]
        if lengths[0] != lengths[1] or len(lengths[0]) != 1 or 0 in lengths[0]:
            shown = [", ".join(map(str, sorted(found))) or "no" for found in lengths]
            raise ValueError(f"a split has {shown[0]} inputs, {shown[1]} targets: wanted equally many, at least 1")

    def __len__(self) -> int:
        return len(first(self.inputs))

    def take(self, numbers: Tensor, /) -> Batch:
        numbers = numbers.to(self.device)
        return Batch(rows(self.inputs, numbers), rows(self.targets, numbers))

    @property
    def device(self) -> torch.device:
        return first(self.inputs).device

    @property
    def num_bytes(self) -> int:
        return sum(leaf.nbytes for tree in (self.inputs, self.targets) for leaf in leaves(tree))

    def to(self, device: torch.device) -> InMemory:
        """The same on another device."""
        moved = [mapped(lambda leaf: leaf.to(device), tree) for tree in (self.inputs, self.targets)]
        return InMemory(inputs=moved[0], targets=moved[1])


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Some of the examples of ``whole``: those with ``numbers`` (n,), int64, in their order."""

    whole: Examples
    numbers: Tensor

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, numbers: Tensor, /) -> Batch:
        return self.whole.take(self.numbers[numbers.to(self.numbers.device)])


def head(examples: Examples, num_examples: int) -> Examples:
    """The first examples."""
    return Chosen(whole=examples, numbers=torch.arange(min(num_examples, len(examples))))


def spread(examples: Examples, most: int) -> Examples:
    """At most ``most`` of the examples, evenly spaced."""
    num_chosen = min(most, len(examples))
    return Chosen(whole=examples, numbers=torch.arange(num_chosen) * len(examples) // num_chosen)


def few(examples: Examples, most: int) -> Batch:
    """A batch of the first examples, at most ``most``."""
    return examples.take(torch.arange(min(most, len(examples))))
