"""Time and memory of one training step of epr, against the same step of plain training.

    python benchmarks/training_step.py                            # LeNet300-100
    python benchmarks/training_step.py --architecture lenet5

Trains on MNIST where RATEFRONT_DATA names a folder that has it, else on random images.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from report import print_machine, print_table, quartiles

from trainers.coding.sections import Integers
from trainers.config import Spec, TrialConfig
from trainers.methods.base import Moment
from trainers.seeding import seed_everything
from trainers.train import prepare

_SCALAR = {"name": "epr", "lam": 2.0, "initial_step": 4.0}
_METHODS = {
    "plain": {"name": "uncompressed"},
    "epr": _SCALAR,
    "epr, learned density": {**_SCALAR, "density": "learned"},
    "epr, dft": {**_SCALAR, "decoder": "dft"},
    "epr, dft, learned density": {**_SCALAR, "decoder": "dft", "density": "learned"},
}
_FOURIER = ("epr, dft", "epr, dft, learned density")
_BATCH_SIZE, _NUM_BATCHES = 256, 16
_BLOCK = 20  # steps, of which two refit the density
_WARM_UP = 300  # steps, after which nearly all latents are zero
_PLANNED = 10_000  # steps of the learning rate's schedule


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all methods share."""

    architecture: str
    precision: str
    device: str
    task: str


class Training:
    """A training that is driven step by step, as ``trainers.loop.Loop`` takes its steps."""

    def __init__(self, method: str, setting: Setting) -> None:
        self._config = TrialConfig(
            task=Spec(name=setting.task),
            architecture=Spec(name=setting.architecture),
            method=Spec.from_dict("method", _METHODS[method]),
            steps=_PLANNED,
            batch_size=_BATCH_SIZE,
            precision=setting.precision,
        )
        trial = prepare(self._config, torch.device(setting.device))
        self.start_bytes = memory("VmRSS")
        """With the data and the plain network."""
        self._method, self._context = trial.method, trial.context
        self._model = self._method.attach(trial.model, self._context)
        (self._phase,) = self._method.phases(self._context)
        self._optimisers = self._phase.optimisers(self._model, _PLANNED)
        self._batches = [  # chosen ahead: what all methods share would make every ratio look better
            (inputs.contiguous(memory_format=torch.channels_last), targets)
            for inputs, targets in itertools.islice(self._context.batches("train"), _NUM_BATCHES)
        ]
        self._step = 0

    def step(self) -> None:
        moment = Moment(step=self._step, phase_step=self._step, num_phase_steps=_PLANNED)
        self._model.train()
        seed_everything(self._config.seed, "step", self._step)
        device = self._context.device.type
        with torch.autocast(device, dtype=torch.bfloat16, enabled=self._config.precision == "bfloat16"):
            loss = self._phase.loss(self._model, self._batches[self._step % _NUM_BATCHES], self._context, moment)
        for optimiser in self._optimisers:
            optimiser.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        for optimiser in self._optimisers:
            optimiser.optimiser.step()
            optimiser.schedule.step()
        with torch.no_grad():
            self._phase.after_step(self._model, self._context, moment)
        self._step += 1

    def share_of_zeros(self) -> float:
        """Of what would be stored as integers; NaN where nothing would."""
        ((_, sections),) = self._method.points(self._model, self._context)
        integers = [section.values.ravel() for section in sections.tensors.values() if isinstance(section, Integers)]
        return float(np.mean(np.concatenate(integers) == 0)) if integers else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", default="lenet300_100", help="for pictures of 1x28x28")
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--device", default="cpu", help="cpu, one thread; or cuda")
    parser.add_argument("--blocks", type=int, default=9, help=f"of {_BLOCK} steps of each method, in turn")
    parser.add_argument("--peak-of", choices=tuple(_METHODS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    setting = Setting(
        architecture=arguments.architecture,
        precision=arguments.precision,
        device=arguments.device,
        task="mnist" if os.environ.get("RATEFRONT_DATA") else "synthetic:patterns",
    )
    if arguments.peak_of:
        print(peak_bytes(arguments.peak_of, setting))
        return
    print_machine(torch.device(setting.device))
    trainings = {method: Training(method, setting) for method in methods_for(setting)}
    for training in trainings.values():
        for _ in range(_WARM_UP):
            training.step()
    seconds: dict[str, list[float]] = {method: [] for method in trainings}
    for _ in range(arguments.blocks):
        for method, training in trainings.items():
            seconds[method].append(time_block(training, setting.device))
    plain_peak = peak_in_a_process("plain", arguments)
    rows = []
    for method, training in trainings.items():
        ratios = [one / plain for one, plain in zip(seconds[method], seconds["plain"], strict=True)]
        peak = peak_in_a_process(method, arguments)
        rows.append(
            [
                method,
                f"{1000.0 * float(np.median(seconds[method])):.2f}",
                quartiles(ratios),
                f"{peak / 1000000.0:.1f}",
                f"{peak / plain_peak:.2f}",
                f"{training.share_of_zeros():.1%}",
            ]
        )
    title = (
        f"{setting.architecture}, {setting.task}, {setting.precision}, batch {_BATCH_SIZE}; medians of {_BLOCK} steps"
    )
    heads = ["method", "ms", "ratio", "peak MB", "ratio", "zeros"]
    print_table(f"{title}, ratios to plain with quartiles, n = {arguments.blocks}", heads, rows)


def methods_for(setting: Setting) -> list[str]:
    """Fourier decoders need kernels."""
    return [method for method in _METHODS if method not in _FOURIER or setting.architecture != "lenet300_100"]


def time_block(training: Training, device: str) -> float:
    """Median seconds of a step."""
    seconds = []
    for _ in range(_BLOCK):
        started = time.perf_counter()
        training.step()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    return float(np.mean(sorted(seconds)[: _BLOCK - 2]))  # without the two slowest, which others' work made slow


def peak_bytes(method: str, setting: Setting) -> int:
    """Memory that latents, gradients, the optimiser and a step take at most, beyond the data and the plain network."""
    if setting.device == "cuda":
        training = Training(method, setting)
        torch.cuda.reset_peak_memory_stats()
        for _ in range(_BLOCK):
            training.step()
        return torch.cuda.max_memory_allocated()
    training = Training(method, setting)
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far: preparing the data took more
    for _ in range(_BLOCK):
        training.step()
    return memory("VmHWM") - training.start_bytes


def memory(field: str) -> int:
    """Bytes that this process takes, as Linux counts them."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{field}:"))
    return 1024 * int(line.split()[1])


def peak_in_a_process(method: str, arguments: argparse.Namespace) -> int:
    """Of its own: the peak of a process never falls."""
    command = [sys.executable, __file__, "--peak-of", method, "--architecture", arguments.architecture]
    command += ["--precision", arguments.precision, "--device", arguments.device]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(shown.stdout)


if __name__ == "__main__":
    main()
