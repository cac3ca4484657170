"""The documented example of a folder of images runs as it stands; an image that is torn fails its trials alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from tests.console import call
from trainers.data.images import split_folder
from trainers.data.order import Order
from trainers.record import read_json

EXAMPLE = Path(__file__).parents[2] / "examples" / "image_folder"
NUM_STEPS, BATCH_SIZE = 10, 8
NUM_TRIED = 6
"""The steps of the rehearsal before a sweep, which would find an image of these torn."""


def paint(folder: Path) -> None:
    """A hundred images of two classes, which differ in colour."""
    generator = np.random.default_rng(0)
    for number in range(100):
        path = folder / ("red", "blue")[number % 2] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(0, 100, (24, 20 + number % 9, 3), np.uint8)
        pixels[..., 2 * (number % 2)] += 120
        Image.fromarray(pixels).save(path)


def tear(folder: Path) -> str:
    """Cut off the end of an image that is seen late in the training; returns its path."""
    train = split_folder(folder).train
    order = Order(len(train), batch_size=BATCH_SIZE, seed=0)
    tried = torch.cat([order.numbers(step) for step in range(NUM_TRIED)]).tolist()
    late = next(n for n in order.numbers(NUM_STEPS - 2).tolist() if n not in tried and n > 8)  # the first are looked at
    path = folder / train.names[late]
    path.write_bytes(path.read_bytes()[:-100])
    return str(path)


def test_the_example_runs_and_a_torn_image_fails_its_trials_alone(workplace: Path) -> None:
    shutil.copytree(EXAMPLE, workplace, dirs_exist_ok=True)
    paint(workplace / "photos")
    shutil.copytree(workplace / "photos", workplace / "torn")
    torn = tear(workplace / "torn")
    changes = ("task.folder={choice: [photos, torn]}", "task.size=16", "architecture.channels=[8]", "method.lam=[0.1]")
    changes += ("method.bits=4", f"steps={NUM_STEPS}", f"batch_size={BATCH_SIZE}")
    swept = call(workplace, "sweep", "sweep.yaml", *(word for change in changes for word in ("--set", change)))
    assert len(list(workplace.glob("sweeps/*/trials/*/point.rfz"))) == 3, swept.stderr + swept.stdout
    records = [read_json(path) for path in workplace.glob("sweeps/*/trials/*/ended.json")]
    reasons = [record["reason"] for record in records if record["outcome"] == "failed"]
    assert len(reasons) == 3
    assert all(reason.startswith(f"{torn} cannot be decoded: image file is truncated") for reason in reasons)
