"""Codecs measured on the image of a task, as a folder that frontiers and comparisons read beside sweeps."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from analysis.points.exported import POINTS
from orchestrator.reports.points import points_csv
from orchestrator.sweep.trials import files_in_turn
from trainers.codecs import Coded, coded
from trainers.config import Spec, task_file_of
from trainers.data.examples import Batch
from trainers.instantiate import make_task, task_text
from trainers.record import OperatingPoint, OtherQuality, others_text, write_atomically
from trainers.rendering import original
from trainers.sources import values_identity
from trainers.tasks.task import Task


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One file of a codec."""

    codec: str
    quality: int
    size_bytes: int
    psnr_db: float
    file: str = ""
    """The image, where a task has several in turn."""


@dataclass(frozen=True, kw_only=True)
class _Picture:
    """An image of the task, as codecs take it."""

    spec: Spec
    """The task with this image alone."""
    task: Task
    pixels: npt.NDArray[np.uint8]
    task_file: str
    """Empty where the task has one image."""
    argument: str
    """The task's argument that names it; empty where the task has one image."""
    folder: str
    """Where its files go, below the folder of all."""
    ending: str
    """What the ids of its trials end with."""


def measure_codecs(task: Spec, codecs: Sequence[str], folder: Path) -> list[Measured]:
    """Write each codec's files of the task's image, and ``points.csv``, which ``analysis.read_points`` reads.

    A point is a whole file as the codec writes it. Its quality is the task's own, of the decoded picture. Where the
    task has several images in turn, a codec and a quality are one configuration, with a file for each image. A quality
    that gives the same file as the one before it, of every image, is left out.

    Args:
        task: of images; ``whole`` does not matter.
        codecs: keys of ``codecs.OPTIONS``.
        folder: where to.

    Raises:
        ValueError: the task is no image, or Pillow lacks a codec; one line says which.
    """
    identity = json.dumps([values_identity(task.to_dict()), *codecs])
    sweep_id = f"codecs-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"
    found: list[Measured] = []
    rows = []
    pictures = _pictures(task)
    for codec in codecs:
        started = time.process_time()
        for quality_and_files in zip(*(coded(one.pixels, codec) for one in pictures), strict=True):
            if not any(one.is_new for one in quality_and_files):
                continue
            for picture, one in zip(pictures, quality_and_files, strict=True):
                point = _measured(picture, one, codec, sweep_id, task_text(task), time.process_time() - started)
                started = time.process_time()
                write_atomically(folder / point.path, one.data)
                rows.append({**asdict(point), "num_failed": 0, "params": json.dumps(_params(picture, point, one))})
                sizes = {"quality": one.quality, "size_bytes": point.size_bytes}
                found.append(Measured(codec=codec, **sizes, psnr_db=point.quality, file=point.task_file))
    write_atomically(folder / POINTS, points_csv(pd.DataFrame(rows)).encode())
    return found


def _pictures(task: Spec) -> list[_Picture]:
    """The images of a task, one or several in turn."""
    found = []
    for ending, spec, name in files_in_turn(task):
        made = make_task(spec)
        pixels = original(made)
        if pixels is None:
            raise ValueError(f"task {task.name!r} is no image: codecs code images, such as those of the task 'image'")
        task_file = task_file_of(spec, name)
        place = f"{ending.removeprefix('-')}-{Path(task_file.partition('#')[0]).stem}/" if ending else ""
        found.append(
            _Picture(
                spec=spec,
                task=made,
                pixels=pixels,
                task_file=task_file,
                argument=name,
                folder=place,
                ending=ending,
            )
        )
    return found


def _measured(picture: _Picture, one: Coded, codec: str, sweep_id: str, task: str, seconds: float) -> OperatingPoint:
    name = f"{one.quality:02d}.{codec}"
    quality, measured = _qualities(picture.task, one.pixels)
    others = {
        other.name: OtherQuality(
            maximise=other.maximise, quality=measured[other.name], quality_val=measured[other.name]
        )
        for other in picture.task.others
    }
    signal = picture.task.signal
    assert signal is not None, "it is an image"
    return OperatingPoint(
        sweep_id=sweep_id,
        trial_id=f"{codec}-{one.quality:02d}{picture.ending}",
        point_id="point",
        task=task,
        architecture="picture",
        method=codec,
        config_hash=hashlib.sha256(f"{sweep_id} {name}".encode()).hexdigest()[:12],
        seed=0,
        num_parameters=picture.pixels.size,  # a picture is its values
        macs=0,
        num_steps=0,
        train_s=seconds,
        size_bytes=len(one.data),
        uncompressed_bytes=picture.pixels.nbytes,
        quality=quality,
        quality_val=quality,
        quality_name=picture.task.quality_name,
        maximise=picture.task.maximise,
        sha256=hashlib.sha256(one.data).hexdigest(),
        path=f"{picture.folder}{name}",
        others=others_text(others),
        signal_unit=signal.unit,
        signal_count=signal.count,
        task_file=picture.task_file,
    )


def _params(picture: _Picture, point: OperatingPoint, one: Coded) -> dict[str, str]:
    own = {f"task.{picture.argument}": str(picture.spec.arguments[picture.argument])} if point.task_file else {}
    settings = {"architecture": "picture", "method": point.method, "method.quality": str(one.quality)}
    return {"task": point.task, **own, **settings}


def _qualities(task: Task, pixels: np.ndarray) -> tuple[float, dict[str, float]]:
    """The task's own qualities of a picture: the objective, and the others by name."""
    targets = task.test.take(torch.arange(len(task.test))).targets
    drawn = torch.from_numpy(pixels.astype(np.float32) / 255).reshape(targets.shape)
    total, num = task.score(lambda colours: colours, Batch(drawn, targets))  # colours are asked for by themselves
    sums = [float(one) for one in (total if isinstance(total, tuple) else (total,))]
    return task.quality(sums, num)
