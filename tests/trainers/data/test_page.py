"""Every block of Python in docs/data.md runs, with files where the page has them."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from trainers.data.map_style import as_examples
from trainers.tasks.base import Batch, Task, classification

PAGE = (Path(__file__).parents[3] / "docs" / "data.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
IMAGE = Image.new("RGB", (70, 70))


@pytest.fixture
def data(tmp_path):
    for number in range(60):
        path = tmp_path / "photos" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        IMAGE.save(path)
    np.save(tmp_path / "x.npy", np.zeros((9, 2), np.float32))
    np.save(tmp_path / "y.npy", np.zeros(9, np.int64))
    with (tmp_path / "x.bin").open("wb") as file:
        file.truncate(9_000 * 3 * 64 * 64)  # sparse
    np.save(tmp_path / "labels.npy", np.zeros(9_000, np.int8))
    with (tmp_path / "corpus.bin").open("wb") as file:
        file.truncate(20_000_000)
    table = pa.table({"width": [1.0, 2.0], "height": [1, 2], "price": [1.0, 3.0]})
    pq.write_table(table, tmp_path / "train.parquet")
    contents = (tmp_path / "photos" / "a" / "0.png").read_bytes()
    for name in ("0", "1"):
        pq.write_table(pa.table({"image": [contents] * 3, "label": [0, 1, 1]}), tmp_path / f"{name}.parquet")
    return tmp_path


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_each_block_makes_splits(block, data):
    shown = block.replace('"/data/', f'"{data}/')
    three = torch.ones(3, 2)
    found = {"torch": torch, "classification": classification, "Batch": Batch}
    found |= {"images": three, "masks": three, "labels": three}
    exec(shown, found)
    splits = [found[name] for name in ("train", "pairs", "raw", "photos", "validation") if name in found]
    splits += [found["Ramps"]()] if "Ramps" in found else []
    assert splits
    for split in splits:
        assert len(as_examples(split, "train").take(torch.tensor([1, 0])).inputs) == 2
    assert "task" not in found or isinstance(found["task"], Task)
