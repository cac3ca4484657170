"""What every kind of examples does: any numbers at any time, copies, and the same after it was sent elsewhere."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from torch.utils.data import Subset, TensorDataset

from trainers.data.examples import Batch, Chosen, Examples, InMemory
from trainers.data.feed import Feed, passed
from trainers.data.images import ImageFolder
from trainers.data.map_style import MapStyle, as_examples
from trainers.data.mapped import ArrayFile, Mapped, Tokens
from trainers.data.parquet import ParquetExamples
from trainers.data.windows import Passage, Windows
from trainers.trees import leaves

NUM = 12
GENERATOR = np.random.default_rng(0)
VALUES = GENERATOR.random((NUM, 3), np.float32)
LABELS = np.arange(NUM)


def mapped(folder: Path) -> Examples:
    np.save(folder / "x.npy", VALUES)
    np.save(folder / "y.npy", LABELS)
    return Mapped(inputs={"x": folder / "x.npy"}, targets=folder / "y.npy")


def tokens(folder: Path) -> Examples:
    GENERATOR.integers(0, 50, 40, dtype=np.uint16).tofile(folder / "tokens")
    return Tokens(tokens=ArrayFile(folder / "tokens", dtype="uint16"), length=5, stride=3)


def windows(folder: Path) -> Examples:
    return Windows(text=GENERATOR.integers(0, 50, 40, dtype=np.uint8), length=6, start=3, stop=21)


def passage(folder: Path) -> Examples:
    GENERATOR.integers(0, 50, 40, dtype=np.uint8).tofile(folder / "bytes")
    text = ArrayFile(folder / "bytes", dtype="uint8")
    return Passage(text=text, length=6, stride=3, start=2, stop=37)


def images(folder: Path) -> Examples:
    for number in range(NUM):
        path = folder / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(GENERATOR.integers(0, 256, (6, 5, 3), np.uint8)).save(path)
    return ImageFolder(folder, size=4, random_crop=True, flip=True)


def parquet(folder: Path) -> Examples:
    table = pa.table({"a": VALUES[:, 0], "b": VALUES[:, 1], "label": LABELS})
    pq.write_table(table, folder / "rows.parquet", row_group_size=5)
    return ParquetExamples(folder / "rows.parquet", inputs=["a", "b"], targets="label")


def in_memory(folder: Path) -> InMemory:
    return InMemory(inputs=(torch.tensor(VALUES), torch.tensor(LABELS)), targets=torch.tensor(LABELS))


KINDS: dict[str, Callable[[Path], Examples]] = {
    "in memory": in_memory,
    "chosen": lambda folder: Chosen(whole=in_memory(folder), numbers=torch.arange(NUM - 1, -1, -1)),
    "data set": lambda folder: MapStyle(Subset(TensorDataset(torch.tensor(VALUES), torch.tensor(LABELS)), range(NUM))),
    "mapped": mapped,
    "tokens": tokens,
    "windows": windows,
    "passage": passage,
    "images": images,
    "parquet": parquet,
}


@pytest.fixture(params=KINDS)
def examples(request: pytest.FixtureRequest, tmp_path: Path) -> Examples:
    return KINDS[request.param](tmp_path)


def taken(examples: Examples, *numbers: int) -> Batch:
    from trainers.seeding import seed_everything

    seed_everything(0, "load", 0)
    return examples.take(torch.tensor(numbers))


def equal(one: Any, other: Any) -> bool:
    pairs = list(zip(leaves(one), leaves(other), strict=True))
    return all(torch.equal(*pair) and pair[0].dtype == pair[1].dtype for pair in pairs) and len(pairs) > 0


def test_it_is_a_split(examples: Examples) -> None:
    assert as_examples(examples, "train") is examples
    assert len(examples) == NUM


def test_any_numbers_are_taken_in_their_order_also_twice(examples: Examples) -> None:
    batch = taken(examples, 7, 0, 7, NUM - 1)
    assert {len(leaf) for tree in batch for leaf in leaves(tree)} == {4}
    assert all(isinstance(leaf, torch.Tensor) for tree in batch for leaf in leaves(tree))
    assert equal(batch.targets, taken(examples, 7, 0, 7, NUM - 1).targets)
    assert equal(taken(examples, 7).inputs, taken(examples, 7).inputs)
    for place, number in enumerate((7, 0, 7, NUM - 1)):
        assert equal([leaf[place : place + 1] for leaf in leaves(batch.targets)], taken(examples, number).targets)


def test_what_is_taken_is_a_copy(examples: Examples) -> None:
    batch = taken(examples, 3, 1)
    for tree in batch:
        for leaf in leaves(tree):
            leaf.zero_()
    again = taken(examples, 3, 1)
    assert any(leaf.any() for tree in again for leaf in leaves(tree))


def test_it_is_the_same_after_it_was_sent(examples: Examples) -> None:
    before = taken(examples, 2, 9)
    again = pickle.loads(pickle.dumps(examples))
    assert len(again) == NUM
    for one, other in zip(before, taken(again, 2, 9), strict=True):
        assert equal(one, other)


def test_workers_read_what_is_read_here(examples: Examples) -> None:
    with Feed(examples, batch_size=4, seed=1) as here, Feed(examples, batch_size=4, seed=1, num_workers=1) as there:
        for step in (0, 1, 5):
            for one, other in zip(here.batch(step), there.batch(step), strict=True):
                assert equal(one, other)
    for batch, other in zip(passed(examples, 5), passed(examples, 5, num_workers=2), strict=True):
        assert equal(batch.inputs, other.inputs)
