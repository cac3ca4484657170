"""The documented example of a folder of images runs as it stands; an image that is torn fails its trial."""

from __future__ import annotations

import multiprocessing
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from orchestrator.storage.journal import Outcome
from orchestrator.sweep.resources import TrialResources
from orchestrator.trial import Request, Setting, execute
from tests.console import call
from trainers.data.images import split_folder
from trainers.data.order import Order

EXAMPLE = Path(__file__).parents[2] / "examples" / "image_folder"
NUM_STEPS, BATCH_SIZE = 10, 8


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
    late = next(number for number in order.numbers(NUM_STEPS - 3).tolist() if number > 8)  # the first are looked at
    path = folder / train.names[late]
    path.write_bytes(path.read_bytes()[:-100])
    return str(path)


def test_the_example_runs(workplace: Path) -> None:
    shutil.copytree(EXAMPLE, workplace, dirs_exist_ok=True)
    paint(workplace / "photos")
    changes = ("task.size=16", "architecture.channels=[8]", "method.lam=[0.1]", "method.bits=4", f"steps={NUM_STEPS}")
    swept = call(workplace, "sweep", "sweep.yaml", *(word for change in changes for word in ("--set", change)))
    assert swept.returncode == 0, swept.stderr + swept.stdout
    assert len(list(workplace.glob("sweeps/*/trials/*/point.rfz"))) == 3


def test_a_torn_image_fails_its_trial_with_a_line_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "my_photos.py").write_text((EXAMPLE / "photos.py").read_text())
    paint(tmp_path / "photos")
    torn = tear(tmp_path / "photos")
    config = {
        "task": {"name": "my_photos:photos", "size": 16},
        "architecture": {"name": "cnn", "channels": [4]},
        "method": {"name": "uncompressed"},
        "steps": NUM_STEPS,
        "batch_size": BATCH_SIZE,
        "seed": 0,
    }
    request = Request(
        setting=Setting(sweep_id="torn-1", location=str(tmp_path / "torn-1"), import_path=str(tmp_path)),
        trial_id="0000-uncompressed-s0",
        config=config,
        resources=TrialResources(data_workers=1),
    )
    ended = execute(request, report=lambda progress: None, track=lambda trial_id: None)
    assert ended.outcome == Outcome.FAILED
    assert ended.reason.startswith(f"{torn} cannot be decoded: image file is truncated")
    details = next((tmp_path / "torn-1").rglob("*uncompressed-s0/ended.json")).read_text()
    assert "pictures.py" in details  # where in the worker
    assert not multiprocessing.active_children()
