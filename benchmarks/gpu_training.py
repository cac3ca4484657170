"""A part of benchmarks.gpu: the recipe vgg16_cifar10 at two values of lam, with as many steps as there is time for.

A training that the time does not suffice for goes on when it is called again. What is done: ``points.csv``, and
``files.zip`` with the compressed networks, where their bytes go, and the reports of their trainings.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu_setting import LEFT_OUT, Setting, TimeUpError, add_row, parsed, rows_of
from trainers import timing
from trainers.config import TrialConfig
from trainers.data.order import steps_per_epoch
from trainers.loop.progress import Progress
from trainers.record import to_row, write_atomically
from trainers.tasks.base import Excerpt, Task
from trainers.train import forget_checkpoint, train

RECIPE: dict[str, Any] = {
    "task": "cifar10",
    "architecture": "vgg16_cifar",
    "method": {"name": "epr", "decoder": "dft"},
    "steps": 70_200,
    "batch_size": 128,
    "precision": "bfloat16",
}
LAMS = (1.0, 4.0)
SMOKE: dict[str, Any] = {
    **RECIPE,
    "task": "digits",
    "architecture": {"name": "cnn", "channels": [2]},
    "steps": 40,
}
_SHARE = 0.9
"""The share of the time that is planned with: measured steps are as many as the rest allows."""
_CHECKPOINT_S = 5.0
_LATE_S = 10.0
"""How late a file may be written."""
_MOST_BYTES = 15 << 20
"""The most bytes in the archive."""


def main() -> None:
    setting = parsed(__doc__)
    recipe = SMOKE if setting.is_smoke else RECIPE
    if missing := setting.missing(recipe["task"]):
        print(f"{LEFT_OUT}training: {missing} is not in {setting.data}")
        return
    done = {row["trial_id"] for row in rows_of(setting.out / "points.csv")}
    if done:
        pack(setting)  # an earlier call may have ended before
    lams = [lam for lam in LAMS if name_of(lam) not in done]
    if not lams:
        return
    task, _ = setting.task(recipe["task"])
    steps = planned_steps(setting, recipe, task, len(lams))
    if not steps:
        print(f"{LEFT_OUT}training: {setting.left_s:.0f} s are left, no time for an epoch of each")
        return
    for lam in lams:
        try:
            train_one(setting, config_of(recipe, lam, steps), task, name_of(lam))
        except TimeUpError:
            print(f"{LEFT_OUT}{name_of(lam)} of {steps} steps: the time was up; the same command goes on from there")
            return


def name_of(lam: float) -> str:
    return f"lam{lam:g}"


def config_of(recipe: dict[str, Any], lam: float, steps: int) -> TrialConfig:
    """The trial of the recipe, with a shorter schedule."""
    return TrialConfig.from_dict({**recipe, "method": {**recipe["method"], "lam": lam}, "steps": steps})


def planned_steps(setting: Setting, recipe: dict[str, Any], task: Task, num_trainings: int) -> int:
    """The steps of each training: what an earlier call planned, else what there is time for; 0 where that is too few.

    The schedule depends on them, so that they stay once a training has begun.
    """
    path = setting.work / "steps.json"
    if path.exists():
        return int(json.loads(path.read_text()))
    config, data = config_of(recipe, LAMS[0], recipe["steps"]), Excerpt.whole(task)
    measured = timing.measure(config, data, device=str(setting.device), num_threads=torch.get_num_threads())
    around_s = measured.trial_s(config, data) - measured.train_s(config)
    each_s = _SHARE * setting.left_s / num_trainings
    steps = min(recipe["steps"], int((each_s - around_s) / measured.step_s))
    if steps < min(recipe["steps"], steps_per_epoch(len(task.train), recipe["batch_size"])):
        return 0
    write_atomically(path, json.dumps(steps).encode())
    return steps


def train_one(setting: Setting, config: TrialConfig, task: Task, name: str) -> None:
    """Train, or go on, and add what came out to the results.

    Raises:
        TimeUpError: it has not ended; checkpoints are kept.
    """
    folder = setting.work / name
    folder.mkdir(parents=True, exist_ok=True)

    def report(progress: Progress) -> None:
        with (folder / "progress.jsonl").open("a") as lines:
            lines.write(json.dumps(asdict(progress)) + "\n")
        setting.check()

    points = train(
        config,
        report,
        folder,
        sweep_id="gpu",
        trial_id=name,
        device=setting.device,
        checkpoint_interval_s=0 if setting.is_smoke else _CHECKPOINT_S,
        saved=lambda train_s: setting.check(),
        storing=lambda doing: setting.check(late_s=_LATE_S),
        task=task,
    )
    for point in points:
        add_row(setting.out / "points.csv", to_row(point) | {"path": f"{name}/{Path(point.path).name}"})
    pack(setting)
    forget_checkpoint(folder)


def pack(setting: Setting) -> None:
    """Write the archive anew."""
    path, num_bytes = setting.out / "files.zip", 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for row in rows_of(setting.out / "points.csv"):
            file = setting.work / row["path"]
            for one in (file, file.with_suffix(".sections.csv"), file.with_name("progress.jsonl")):
                num_bytes += one.stat().st_size
                if num_bytes > _MOST_BYTES:
                    print(f"{LEFT_OUT}{one.relative_to(setting.work)} in files.zip: it is at {one}")
                    num_bytes -= one.stat().st_size
                    continue
                archive.write(one, one.relative_to(setting.work))


if __name__ == "__main__":
    main()
