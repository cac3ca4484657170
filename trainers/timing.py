"""Estimates how long a training will take, from a few steps of it on a small part of its data."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch

from trainers.config import TrialConfig
from trainers.loop.progress import Progress, report_steps
from trainers.tasks.base import Task
from trainers.train import forget_checkpoint, train

_NUM_REPORTS = 4
_MOST_EXAMPLES = 512
"""The most examples of a split to validate or test on."""
_ENOUGH_S = 0.2
_MORE_STEPS = 15
"""Steps between two reports, where steps are short."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """The time that the parts of a training take."""

    step_s: float
    """The seconds of one optimiser step."""
    example_s: float
    """The seconds of one example of validation or test."""
    fixed_s: float
    """The seconds of building the network, writing its files and reading them."""

    def train_s(self, config: TrialConfig) -> float:
        """The seconds of all steps."""
        return config.steps * self.step_s

    def trial_s(self, config: TrialConfig, task: Task) -> float:
        """The seconds of a whole trial with ``task``'s data and one operating point."""
        num_examples = (len(report_steps(config, task)) + 1) * len(task.validation) + len(task.test)
        return self.train_s(config) + num_examples * self.example_s + self.fixed_s


def measure(config: TrialConfig, task: Task, directory: Path, *, device: str = "cpu", num_threads: int = 1) -> Timing:
    """Time a few steps of a training that has the machine to itself.

    Args:
        config: the training; its ``steps`` do not matter.
        task: the task of ``config``.
        directory: a folder for files that are of no use afterwards.
        device: see ``train``.
        num_threads: the number of torch's threads, which is restored afterwards.

    Raises:
        Exception: whatever ``train`` raises.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        timing, took_s = _measure(config, task, directory, device, 1)
        if took_s < _ENOUGH_S:
            again, _ = _measure(config, task, directory, device, _MORE_STEPS, is_written=False)
            timing = dataclasses.replace(again, fixed_s=timing.fixed_s)
        return timing
    finally:
        torch.set_num_threads(threads)


class _EnoughStepsError(Exception):
    """Ends a training of which only the steps are timed."""


def _measure(
    config: TrialConfig, task: Task, directory: Path, device: str, num_steps: int, *, is_written: bool = True
) -> tuple[Timing, float]:
    """Time ``num_steps`` before each report; returns the timing, and the seconds that all steps took.

    ``is_written``: whether to time the writing of files as well, which can take minutes.
    """
    little = dataclasses.replace(
        task,
        train=task.train.head(num_steps * config.batch_size),
        validation=task.validation.head(_MOST_EXAMPLES),
        test=task.test.head(_MOST_EXAMPLES),
    )
    num_steps = max(1, len(little.train) // config.batch_size)
    short = dataclasses.replace(config, steps=_NUM_REPORTS * num_steps)
    reports: list[tuple[int, float, float]] = [(0, 0.0, time.perf_counter())]  # steps, their seconds, the clock

    def note(progress: Progress) -> None:
        reports.append((progress.step, progress.train_s, time.perf_counter()))
        if progress.step == short.steps and not is_written:
            raise _EnoughStepsError

    forget_checkpoint(directory)
    with contextlib.suppress(_EnoughStepsError):
        train(short, note, directory, device=device, task=little, checkpoint_interval_s=math.inf)
    ended_s = time.perf_counter()
    forget_checkpoint(directory)
    pairs = list(itertools.pairwise(reports))
    steps_s = [(later[1] - earlier[1]) / (later[0] - earlier[0]) for earlier, later in pairs]
    between_s = [later[2] - earlier[2] - (later[1] - earlier[1]) for earlier, later in pairs]  # validating, mostly
    validation_s = median(between_s[1:])  # the first includes building the network
    example_s = validation_s / len(little.validation)
    building_s = max(between_s[0] - validation_s, 0.0)
    writing_s = max(ended_s - reports[-1][2] - (len(little.validation) + len(little.test)) * example_s, 0.0)
    timing = Timing(step_s=median(steps_s[1:]), example_s=example_s, fixed_s=building_s + writing_s)
    return timing, reports[-1][1]
