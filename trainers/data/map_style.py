"""Any map-style torch ``Dataset`` as examples; and what a split may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, default_collate

from trainers.data.examples import Batch, Examples, InMemory
from trainers.echo import echo
from trainers.lookup import one_line
from trainers.trees import Tree, leaves

_NO_SETS = (str, bytes, Mapping, Sequence)
"""Types that have a length and items, and are no data sets; arrays and tables, which have ``ndim``, are none either."""


@dataclass(frozen=True)
class MapStyle:
    """The examples of a map-style ``dataset``, whose items are pairs (inputs, targets)."""

    dataset: Any
    """Has ``__len__`` and ``__getitem__(number)``; ``__getitems__(numbers)`` is used where there is one."""
    collate: Callable[[list[Any]], Any] = default_collate
    """Makes (inputs, targets) of a list of items: new tensors whose first axis counts the items."""

    def __len__(self) -> int:
        return len(self.dataset)

    def take(self, numbers: Tensor, /) -> Batch:
        chosen = numbers.tolist()
        several = getattr(self.dataset, "__getitems__", None)
        items = [self.dataset[number] for number in chosen] if several is None else several(chosen)
        if self.collate is default_collate:
            _check_item(items[0], self._name)
            pair = _collated(items, self._name)
        else:
            pair = self.collate(items)
            _check_item(pair, f"collate of {self._name}")
        batch = Batch(*pair)
        for part, tree in zip(batch._fields, batch, strict=True):
            _check_tree(tree, f"{part} of {self._name}", len(chosen))
        return batch

    @property
    def _name(self) -> str:
        return type(self.dataset).__name__


def _check_item(item: Any, called: str) -> None:
    """Refuse what is no pair."""
    if isinstance(item, tuple | list) and len(item) == 2:
        return
    shown = f"are {type(item).__name__}"
    if isinstance(item, Mapping):
        shown = f"are dicts with {', '.join(map(str, item))}"
    elif isinstance(item, tuple | list):
        shown = f"have {len(item)} parts"
    raise ValueError(f"items of {called} {shown}: wanted pairs (inputs, targets)")


def _check_tree(tree: Tree, called: str, num_examples: int) -> None:
    """Refuse what are no tensors for so many examples."""
    for leaf in leaves(tree):
        if not isinstance(leaf, Tensor):
            raise ValueError(
                f"{called} are {type(leaf).__name__}: wanted numbers, arrays or tensors, or tuples and dicts of these"
            )
        if leaf.ndim == 0 or len(leaf) != num_examples:
            raise ValueError(
                f"{called} have the shape {tuple(leaf.shape)} for {num_examples} examples: wanted a first axis that "
                "counts them"
            )


def _collated(items: list[Any], called: str) -> tuple[Tree, Tree]:
    """The items in one batch. What is several tensors is a tuple of them, whatever torch makes of it."""
    try:
        inputs, targets = default_collate([tuple(item) for item in items])
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"items of {called} make no batch: {one_line(error)}") from error
    return _tuples(inputs), _tuples(targets)


def _tuples(tree: Tree) -> Tree:
    if isinstance(tree, Mapping):
        return {key: _tuples(part) for key, part in tree.items()}
    if isinstance(tree, list):
        return tuple(_tuples(part) for part in tree)
    return tree


def as_examples(value: Any, called: str) -> Examples:
    """Return what a user gave as a split as examples.

    Args:
        value: examples, or a map-style data set.
        called: the split's name in messages, such as ``train``.

    Raises:
        ValueError: it is something else, or has no length or no examples; one line says what to give instead.
    """
    kind = type(value).__name__
    if isinstance(value, DataLoader):
        raise ValueError(
            f"{called} is a DataLoader: wanted its data set, loader.dataset; ratefront shuffles, batches and loads it "
            "itself"
        )
    if isinstance(value, IterableDataset):
        raise ValueError(
            f"{called} is an iterable data set ({kind}), whose examples have no numbers: wanted a map-style Dataset "
            "with __len__ and __getitem__(number), such as one that lists where each record lies, or Parquet files "
            "(ParquetExamples)"
        )
    if type(value) is TensorDataset and len(value.tensors) == 2:
        return InMemory(inputs=value.tensors[0], targets=value.tensors[1])
    may_be = not isinstance(value, _NO_SETS) and not hasattr(value, "ndim")
    if may_be and isinstance(value, Examples) and not _is_from_hugging_face(value):
        examples: Examples = value
    elif isinstance(value, Dataset) or (may_be and hasattr(value, "__getitem__")):
        if not hasattr(value, "__len__"):
            raise ValueError(f"{called} is a data set without __len__ ({kind}): wanted one that knows how many it has")
        examples = MapStyle(value)
    else:
        raise ValueError(
            f"{called} is {echo(value) if value is None else kind}: wanted examples, such as InMemory(inputs=..., "
            "targets=...) or ImageFolder(...), or a map-style torch Dataset"
        )
    if len(examples) == 0:
        raise ValueError(f"{called} has no examples ({kind}): wanted at least 1")
    return examples


def _is_from_hugging_face(value: Any) -> bool:
    """Whether it is a ``datasets.Dataset``, whose ``take`` means something else."""
    return type(value).__module__.partition(".")[0] == "datasets"
