"""Codecs measured on the image of a task, as a folder that frontiers and comparisons read beside sweeps."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from analysis.points.exported import POINTS
from orchestrator.reports.points import points_csv
from trainers.codecs import coded
from trainers.config import Spec
from trainers.data.examples import Batch, InMemory
from trainers.instantiate import make_task
from trainers.record import OperatingPoint, OtherQuality, others_text, write_atomically
from trainers.sources import values_identity
from trainers.tasks.task import Task


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One file of a codec."""

    codec: str
    quality: int
    size_bytes: int
    psnr_db: float


def measure_codecs(task: Spec, codecs: Sequence[str], folder: Path) -> list[Measured]:
    """Write each codec's files of the task's image, and ``points.csv``, which ``analysis.read_points`` reads.

    A point is a whole file as the codec writes it. Its quality is the task's own, of the decoded picture.

    Args:
        task: of an image; ``whole`` does not matter.
        codecs: keys of ``codecs.OPTIONS``.
        folder: where to.

    Raises:
        ValueError: the task is no image, or Pillow lacks a codec; one line says which.
    """
    made = make_task(task)
    size = made.offers.get("size")
    if made.signal is None or made.signal.unit != "pixel" or size is None or not isinstance(made.test, InMemory):
        raise ValueError(f"task {task.name!r} is no image: codecs code images, such as those of the task 'image'")
    shape = (*size, made.offers["num_outputs"])
    pixels = np.rint(made.test.targets.numpy().reshape(shape) * 255).astype(np.uint8)
    sweep_id = f"codecs-{hashlib.sha256(json.dumps(values_identity(task.to_dict())).encode()).hexdigest()[:8]}"
    found: list[Measured] = []
    rows = []
    for codec in codecs:
        started = time.process_time()
        for one in coded(pixels, codec):
            name = f"{one.quality:02d}.{codec}"
            write_atomically(folder / name, one.data)
            quality, others = _qualities(made, one.pixels)
            both = {
                other.name: OtherQuality(
                    maximise=other.maximise, quality=others[other.name], quality_val=others[other.name]
                )
                for other in made.others
            }
            params = {"task": str(task), "architecture": "picture", "method": codec, "method.quality": str(one.quality)}
            point = OperatingPoint(
                sweep_id=sweep_id,
                trial_id=f"{codec}-{one.quality:02d}",
                point_id="point",
                task=str(task),
                architecture="picture",
                method=codec,
                config_hash=hashlib.sha256(f"{sweep_id} {name}".encode()).hexdigest()[:12],
                seed=0,
                num_parameters=pixels.size,  # a picture is its values
                macs=0,
                num_steps=0,
                train_s=time.process_time() - started,
                size_bytes=len(one.data),
                uncompressed_bytes=pixels.nbytes,
                quality=quality,
                quality_val=quality,
                quality_name=made.quality_name,
                maximise=made.maximise,
                sha256=hashlib.sha256(one.data).hexdigest(),
                path=name,
                others=others_text(both),
                signal_unit=made.signal.unit,
                signal_count=made.signal.count,
            )
            started = time.process_time()
            rows.append({**asdict(point), "num_failed": 0, "params": json.dumps(params)})
            found.append(Measured(codec=codec, quality=one.quality, size_bytes=len(one.data), psnr_db=quality))
    write_atomically(folder / POINTS, points_csv(pd.DataFrame(rows)).encode())
    return found


def _qualities(task: Task, pixels: np.ndarray) -> tuple[float, dict[str, float]]:
    """The task's own qualities of a picture: the objective, and the others by name."""
    targets = task.test.take(torch.arange(len(task.test))).targets
    drawn = torch.from_numpy(pixels.astype(np.float32) / 255).reshape(targets.shape)
    total, num = task.score(lambda colours: colours, Batch(drawn, targets))  # colours are asked for by themselves
    sums = [float(one) for one in (total if isinstance(total, tuple) else (total,))]
    return task.quality(sums, num)
