"""Time and memory of one training step of epr, against the same step of plain training.

    python -m benchmarks.training_step                            # LeNet300-100, two minutes
    python -m benchmarks.training_step --architecture lenet5      # six minutes
    python -m benchmarks.training_step --architecture gpt         # three minutes; time alone

Trains on MNIST where RATEFRONT_DATA names a folder that has it, else on random images; gpt on tinyshakespeare, twelve
windows of 64 characters a step.
"""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.report import print_machine, print_table, quartiles
from trainers.coding.sections import Integers
from trainers.config import Spec, TrialConfig
from trainers.loop.steps import Steps
from trainers.loop.training import Training
from trainers.loop.updates import Updates
from trainers.methods.base import Moment
from trainers.preparation import prepare
from trainers.tasks.base import Task
from trainers.training_settings import PRECISIONS

_EPR: dict[str, object] = {"name": "epr", "lam": 2.0, "initial_step": 4.0}
_METHODS: dict[str, dict[str, object]] = {
    "plain": {"name": "uncompressed"},
    "epr": _EPR,
    "epr, learned density": {**_EPR, "density": "learned"},
    "epr, dft": {**_EPR, "decoder": "dft"},
    "epr, dft, learned density": {**_EPR, "decoder": "dft", "density": "learned"},
}
_LANGUAGE = "gpt"
BLOCK = 10  # steps in a block; one of them refits the density
_PLANNED = 10_000  # steps in the learning rate's schedule
_SYNTHETIC = "benchmarks.synthetic:patterns"
_NUM_PROCESSES = 3
_COMMAND = [sys.executable, "-m", "benchmarks.training_step"]
# glibc gives freed memory back when the top of its heap is free: methods that take turns would pay that for each other
_KEEP = {"MALLOC_TRIM_THRESHOLD_": str(1 << 40), "MALLOC_MMAP_THRESHOLD_": str(1 << 40)}
_GIVE_BACK = {"MALLOC_TRIM_THRESHOLD_": "0", "MALLOC_MMAP_THRESHOLD_": "4096"}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """The settings that all methods share."""

    architecture: str
    precision: str
    device: torch.device
    task: str
    batch_size: int

    def training(self, method: str) -> ByHand:
        """The training by ``method``."""
        config = TrialConfig(
            task=Spec(name=self.task),
            architecture=Spec(name=self.architecture),
            method=Spec.from_dict("method", _METHODS[method]),
            steps=_PLANNED,
            batch_size=self.batch_size,
            precision=self.precision,
        )
        return ByHand(config, self.device)


class ByHand:
    """A training that is driven by hand; the steps are those of ``trainers.loop``."""

    def __init__(self, config: TrialConfig, device: torch.device, task: Task | None = None) -> None:
        """``task`` is that of ``config``, where it is loaded already."""
        trial = prepare(config, device, task)
        self._method, self._context = trial.method, trial.context
        training = Training(
            config=config,
            task=trial.task,
            method=trial.method,
            context=trial.context,
            modifications=(),
            report=lambda progress: None,
        )
        self._steps, self._step, self._planned = Steps(training), 0, config.steps
        self._model = self._method.attach(trial.model, self._context)
        (self._phase,) = self._method.phases(self._context)
        self._updates = Updates(training, self._phase, self._model, config.steps)

    def take(self, num_steps: int) -> None:
        for _ in range(num_steps):
            moment = Moment(step=self._step, phase_step=self._step, num_phase_steps=self._planned)
            self._steps.take(self._model, self._phase, self._updates, moment)
            self._step += 1

    def share_of_zeros(self) -> float:
        """The share of zeros in what would be stored as integers; NaN if nothing would."""
        ((_, sections),) = self._method.points(self._model, self._context)
        integers = [section.values.ravel() for section in sections.tensors.values() if isinstance(section, Integers)]
        return float(np.mean(np.concatenate(integers) == 0)) if integers else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", default="lenet300_100", help="for images of 1x28x28, or gpt")
    parser.add_argument("--precision", default="float32", choices=PRECISIONS)
    parser.add_argument("--device", default="cpu", help="cpu, with one thread, or cuda")
    parser.add_argument("--steps", type=int, default=300, help=f"of each method, in blocks of {BLOCK}, in turn")
    parser.add_argument(
        "--warm-up", type=int, default=300, help="steps before, after which nearly all latents are zero"
    )
    parser.add_argument("--peak-of", choices=tuple(_METHODS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # as trainers/train.py
    is_language = arguments.architecture == _LANGUAGE
    setting = Setting(
        architecture=arguments.architecture,
        precision=arguments.precision,
        device=torch.device(arguments.device),
        task="text" if is_language else "mnist" if os.environ.get("RATEFRONT_DATA") else _SYNTHETIC,
        batch_size=12 if is_language else 256,
    )
    if arguments.peak_of:
        print(peak_bytes(arguments.peak_of, setting))
        return
    if not _KEEP.items() <= os.environ.items():  # read when a process starts
        os.execve(sys.executable, [*_COMMAND, *sys.argv[1:]], {**os.environ, **_KEEP})
    print_machine(setting.device)
    has_kernels = setting.architecture not in ("lenet300_100", _LANGUAGE)
    methods = [name for name, spec in _METHODS.items() if has_kernels or "decoder" not in spec]
    if not is_language:  # whose data would count
        show_memory(methods, setting)
    show_time(methods, setting, arguments.warm_up, max(1, arguments.steps // BLOCK))


def show_time(methods: list[str], setting: Setting, warm_up: int, num_blocks: int) -> None:
    trainings = {method: setting.training(method) for method in methods}
    for training in trainings.values():
        training.take(warm_up)
    seconds: dict[str, list[float]] = {method: [] for method in methods}
    for _ in range(num_blocks):
        for method, training in trainings.items():
            seconds[method].append(seconds_of_block(training, setting.device) / BLOCK)
    rows = [
        [
            method,
            f"{1000 * float(np.median(seconds[method])):.2f}",
            quartiles([one / plain for one, plain in zip(seconds[method], seconds["plain"], strict=True)]),
            f"{training.share_of_zeros():.1%}",
        ]
        for method, training in trainings.items()
    ]
    title = f"{setting.architecture}, {setting.task}, {setting.precision}, batch {setting.batch_size}"
    heads = ["method", "ms a step", "times plain", "zeros"]
    print_table(f"time: {title}; n = {num_blocks} blocks of {BLOCK} steps", heads, rows)


def seconds_of_block(training: ByHand, device: torch.device) -> float:
    """Time one block, on a CPU in seconds of this process (other work disturbs these least), on a GPU by the clock."""
    if device.type != "cuda":
        started = time.process_time()
        training.take(BLOCK)
        return time.process_time() - started
    torch.cuda.synchronize()
    started = time.perf_counter()
    training.take(BLOCK)
    torch.cuda.synchronize()
    return time.perf_counter() - started


def show_memory(methods: list[str], setting: Setting) -> None:
    """Print the peak memory of each method, measured in processes of its own."""
    command = [*_COMMAND, "--architecture", setting.architecture]
    command += ["--precision", setting.precision, "--device", str(setting.device), "--peak-of"]
    peaks = {
        method: [
            int(subprocess.check_output([*command, method], env={**os.environ, **_GIVE_BACK}))
            for _ in range(_NUM_PROCESSES)
        ]
        for method in methods
    }
    plain = float(np.median(peaks["plain"]))
    rows = [
        [method, f"{np.median(found) / 1e6:.1f}", quartiles([one / plain for one in found])]
        for method, found in peaks.items()
    ]
    title = f"peak memory: {setting.architecture}, {setting.precision}, batch {setting.batch_size}"
    print_table(f"{title}; n = {_NUM_PROCESSES} processes", ["method", "MB", "times plain"], rows)


def peak_bytes(method: str, setting: Setting) -> int:
    """The peak memory of the network, its training state and its steps, without data and libraries."""
    setting = replace(setting, task=_SYNTHETIC)  # kept by its module, and so not counted
    warm = replace(setting, architecture="cnn").training(method)  # it has kernels, for methods that transform them
    warm.take(BLOCK)
    del warm
    gc.collect()
    if setting.device.type == "cuda":
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        setting.training(method).take(2 * BLOCK)
        return torch.cuda.max_memory_allocated() - before
    before = linux_bytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far, which loading libraries made
    setting.training(method).take(2 * BLOCK)
    return linux_bytes("VmHWM") - before


def linux_bytes(field: str) -> int:
    """The bytes that this process has in memory now (``VmRSS``) or had at most (``VmHWM``), as Linux reports them."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith(f"{field}:"))
    return 1024 * int(kilobytes)


if __name__ == "__main__":
    main()
