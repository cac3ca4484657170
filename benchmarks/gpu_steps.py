"""A part of benchmarks.gpu: a step of epr against one of plain training, and images a second, in float32 and bfloat16.

Blocks of steps of both take turns; each network in each precision is written to ``steps.csv`` when it is done.
"""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.gpu_setting import LEFT_OUT, Setting, TimeUpError, add_row, parsed, rows_of
from benchmarks.training_step import BLOCK, ByHand, seconds_of_block
from trainers.config import Spec, TrialConfig
from trainers.determinism import denormals_flushed, deterministic
from trainers.tasks.base import Task

_PRECISIONS = ("float32", "bfloat16")
_MOST_BLOCKS, _LEAST_BLOCKS = 50, 3
_WARM_UP = 50
_PLANNED = 10_000  # steps in the learning rate's schedule


@dataclass(frozen=True, kw_only=True)
class Case:
    """A network, the task that it is trained for, and how; as the recipes have it."""

    architecture: dict[str, Any]
    task: str
    epr: dict[str, Any]
    batch_size: int


_VGG16 = Case(architecture={"name": "vgg16_cifar"}, task="cifar10", epr={"lam": 2.0, "decoder": "dft"}, batch_size=128)
_CASES = {
    "LeNet5": Case(architecture={"name": "lenet5"}, task="mnist", epr={"lam": 2.5, "initial_step": 4.0}, batch_size=64),
    "VGG-16": _VGG16,
    "ResNet-20-4": replace(_VGG16, architecture={"name": "resnet_cifar", "depth": 20, "width": 4}),
}
_SMOKE = {
    "cnn": Case(architecture={"name": "cnn", "channels": [2]}, task="digits", epr={"lam": 1.0}, batch_size=32),
}


class Watched(ByHand):
    """Looks at the clock before each step."""

    def __init__(self, setting: Setting, case: Case, precision: str, method: dict[str, Any], task: Task) -> None:
        config = TrialConfig(
            task=Spec(name=case.task),
            architecture=Spec.from_dict("architecture", case.architecture),
            method=Spec.from_dict("method", method),
            steps=_PLANNED,
            batch_size=case.batch_size,
            precision=precision,
        )
        super().__init__(config, setting.device, task)
        self._setting = setting

    def take(self, num_steps: int) -> None:
        for _ in range(num_steps):
            self._setting.check()
            super().take(1)


def main() -> None:
    setting = parsed(__doc__)
    path = setting.out / "steps.csv"
    done = {(row["network"], row["precision"]) for row in rows_of(path)}
    cases = _SMOKE if setting.is_smoke else _CASES
    pieces = [(name, precision) for name in cases for precision in _PRECISIONS if (name, precision) not in done]
    for name, _ in pieces:  # the first of a task would have the less time
        setting.task(cases[name].task)
    with denormals_flushed(), deterministic(setting.device):  # as trainers/train.py
        for index, (name, precision) in enumerate(pieces):
            until = time.time() + setting.left_s / (len(pieces) - index)
            seconds = blocks_s(replace(setting, until=until), cases[name], precision)
            gc.collect()  # the next network finds the memory free
            if len(seconds["plain"]) < _LEAST_BLOCKS:
                print(f"{LEFT_OUT}steps of {name} in {precision}: no time for {_LEAST_BLOCKS} blocks of {BLOCK}")
                continue
            data = setting.task(cases[name].task)[1]
            row = {"network": name, "data": data, "precision": precision, "batch_size": cases[name].batch_size}
            add_row(path, row | summary(seconds, cases[name].batch_size))


def blocks_s(setting: Setting, case: Case, precision: str) -> dict[str, list[float]]:
    """The seconds of a step in each block, by method, until the time is up or there are enough."""
    methods: dict[str, dict[str, Any]] = {"plain": {"name": "uncompressed"}, "epr": {"name": "epr", **case.epr}}
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    try:
        task = setting.task(case.task)[0]
        trainings = {name: Watched(setting, case, precision, one, task) for name, one in methods.items()}
        for training in trainings.values():
            training.take(1 if setting.is_smoke else _WARM_UP)
        for _ in range(_LEAST_BLOCKS if setting.is_smoke else _MOST_BLOCKS):
            block = {name: seconds_of_block(one, setting.device) / BLOCK for name, one in trainings.items()}
            for name, step_s in block.items():
                seconds[name].append(step_s)
    except TimeUpError:
        pass
    return seconds


def summary(seconds: dict[str, list[float]], batch_size: int) -> dict[str, Any]:
    """Medians over the blocks, and the ratio within each with its quartiles."""
    plain, epr = (np.array(seconds[name]) for name in ("plain", "epr"))
    first, ratio, third = np.percentile(epr / plain, [25, 50, 75])
    return {
        "plain_ms": f"{1000 * np.median(plain):.3f}",
        "epr_ms": f"{1000 * np.median(epr):.3f}",
        "ratio": f"{ratio:.3f}",
        "ratio_first_quartile": f"{first:.3f}",
        "ratio_third_quartile": f"{third:.3f}",
        "plain_images_s": f"{batch_size / np.median(plain):.0f}",
        "epr_images_s": f"{batch_size / np.median(epr):.0f}",
        "n": len(plain),
        "steps_in_a_block": BLOCK,
    }


if __name__ == "__main__":
    main()
