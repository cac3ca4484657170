"""Data sets of torch as examples, and what a split may be."""

import numpy as np
import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader, Dataset, IterableDataset, Subset, TensorDataset

from trainers.data.examples import InMemory
from trainers.data.map_style import MapStyle, as_examples


class Items(Dataset):
    """Gives ``item(number)`` for each number."""

    def __init__(self, item, num=4):
        self.item, self.num = item, num

    def __len__(self):
        return self.num

    def __getitem__(self, number):
        return self.item(number)


def taken(item, numbers=(2, 0)):
    return MapStyle(Items(item)).take(torch.tensor(numbers))


def test_items_are_collated_as_a_data_loader_does():
    inputs, targets = taken(lambda n: (np.full((2, 3), n, np.float32), n))
    assert inputs.dtype == torch.float32
    assert inputs[:, 0, 0].tolist() == [2.0, 0.0]
    assert (targets.dtype, targets.tolist()) == (torch.int64, [2, 0])


def test_items_may_be_trees_whose_tuples_stay_tuples():
    inputs, targets = taken(lambda n: ((torch.tensor(n), {"mask": torch.ones(2)}), [n, n + 0.5]))
    assert isinstance(inputs, tuple)
    assert inputs[1]["mask"].shape == (2, 2)
    assert targets[1].tolist() == [2.5, 0.5]


def test_data_sets_of_data_sets_and_several_items_at_once():
    whole = TensorDataset(torch.arange(6.0), torch.arange(6))
    joined = ConcatDataset([Subset(whole, [5, 3]), whole])
    assert as_examples(joined, "train").take(torch.tensor([0, 2])).targets.tolist() == [5, 0]
    subset = as_examples(Subset(whole, [4, 1]), "train")  # has __getitems__
    assert subset.take(torch.tensor([1, 0, 1])).targets.tolist() == [1, 4, 1]


def test_a_collate_of_ones_own_pads():
    def padded(items):
        inputs = torch.nn.utils.rnn.pad_sequence([item for item, _ in items], batch_first=True)
        return inputs, torch.tensor([label for _, label in items])

    examples = MapStyle(Items(lambda n: (torch.ones(n + 1), n)), collate=padded)
    assert examples.take(torch.tensor([0, 3])).inputs.tolist() == [[1, 0, 0, 0], [1, 1, 1, 1]]


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (lambda n: torch.ones(3), "items of Items are Tensor: wanted pairs"),
        (lambda n: {"image": n, "label": n}, "items of Items are dicts with image, label: wanted pairs"),
        (lambda n: (n, n, n), "items of Items have 3 parts: wanted pairs"),
        (lambda n: ("text", n), "inputs of Items are str: wanted numbers"),
        (lambda n: (n, {"name": "text"}), "targets of Items are str: wanted numbers"),
        (lambda n: (torch.ones(n), n), r"items of Items make no batch: stack expects each tensor to be equal size"),
        (lambda n: (None, n), "items of Items make no batch: default_collate: batch must contain"),
    ],
)
def test_items_that_make_no_batch_are_refused_in_a_line(item, said):
    with pytest.raises(ValueError, match=f"^{said}") as caught:
        taken(item)
    assert "\n" not in str(caught.value)


def test_a_collate_that_makes_no_batch_is_refused():
    with pytest.raises(ValueError, match="items of collate of Items have 3 parts: wanted pairs"):
        MapStyle(Items(lambda n: n), collate=lambda items: [1, 2, 3]).take(torch.tensor([0]))
    with pytest.raises(ValueError, match=r"inputs of Items have the shape \(3,\) for 1 examples"):
        MapStyle(Items(lambda n: n), collate=lambda items: (torch.ones(3), torch.ones(1))).take(torch.tensor([0]))


class Stream(IterableDataset):
    def __iter__(self):
        return iter([])


class NoLength(Dataset):
    def __getitem__(self, number):
        return number, number


DATA = TensorDataset(torch.arange(4.0), torch.arange(4))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (DataLoader(DATA), "train is a DataLoader: wanted its data set, loader.dataset"),
        (Stream(), r"train is an iterable data set \(Stream\), whose examples have no numbers: wanted a map-style"),
        (NoLength(), r"train is a data set without __len__ \(NoLength\)"),
        (Items(int, num=0), r"train has no examples \(Items\)"),
        (None, "train is None: wanted examples"),
        ([1, 2], "train is list: wanted examples"),
        (torch.ones(3), "train is Tensor: wanted examples"),
        ("mnist", "train is str: wanted examples"),
        ({"x": 1}, "train is dict: wanted examples"),
        (np.ones(3), "train is ndarray: wanted examples"),
        ((torch.ones(3), torch.ones(3)), "train is tuple: wanted examples"),
    ],
)
def test_what_is_no_split_is_refused_in_a_line(value, said):
    with pytest.raises(ValueError, match=f"^{said}") as caught:
        as_examples(value, "train")
    assert "\n" not in str(caught.value)


def test_what_is_a_split():
    memory = InMemory(inputs=torch.ones(2), targets=torch.ones(2))
    assert as_examples(memory, "train") is memory
    assert isinstance(as_examples(Items(int), "train"), MapStyle)
    assert isinstance(as_examples(DATA, "train"), InMemory)


def test_a_data_set_of_hugging_face_is_map_style_although_its_take_is_another():
    class Table(Items):
        def take(self, number):
            raise AssertionError

    Table.__module__ = "datasets.arrow_dataset"
    with pytest.raises(ValueError, match="are dicts with label: wanted pairs"):
        as_examples(Table(lambda n: {"label": n}), "train").take(torch.tensor([0]))
