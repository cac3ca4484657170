"""What ``ratefront plan`` costs, and how near it comes.

    python -m benchmarks.plan cost               # processor seconds for each recipe: some minutes
    python -m benchmarks.plan accuracy           # estimates against whole trials: a quarter of an hour

MNIST, CIFAR-10 and the trained ResNet are read from ``RATEFRONT_DATA``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks.report import print_machine, print_table
from benchmarks.starts import command_s
from orchestrator.planning.checks import check_quickly
from orchestrator.planning.estimate import Estimate, estimate
from orchestrator.planning.study import Study
from orchestrator.storage.folder import MemoryFolder
from orchestrator.storage.journal import Journal
from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.file import load_document
from orchestrator.sweep.recipes import find_recipe
from trainers.instantiate import make_task
from trainers.train import train

_RESULTS = Path(__file__).parents[1] / "results"
_RESNET: dict[str, Any] = {
    "task": "cifar10",
    "architecture": {"name": "resnet_cifar", "depth": 20},
    "init_from": "resnet20_cifar10",
    "method": [{"name": "ptq", "bits": [4]}, {"name": "ecq", "steps": [[0.25, 1.0]]}],
    "steps": 20,
    "batch_size": 128,
}
_SWEEPS: dict[str, dict[str, Any]] = {
    "digits": {"recipe": "digits", "seeds": 1},
    "methods_digits, 300 steps": {"recipe": "methods_digits", "seeds": 1, "steps": 300},
    "lenet5_mnist, 200 steps": {"recipe": "lenet5_mnist", "seeds": 1, "steps": 200},
    "methods_mnist, 200 steps": {"recipe": "methods_mnist", "seeds": 1, "steps": 200},
    "ResNet-20, ptq and ecq, 20 steps": _RESNET,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["cost", "accuracy"])
    parser.add_argument("-n", type=int, default=3, help="repeats of each plan")
    parser.add_argument("names", nargs="*", help="only these recipes, files or sweeps")
    given = parser.parse_args()
    torch.set_num_threads(1)
    print_machine(torch.device("cpu"))
    {"cost": cost, "accuracy": accuracy}[given.part](given.names, given.n)


def cost(names: list[str], n: int) -> None:
    """Print the processor's seconds of the command, with and without measuring."""
    recipes = sorted(path.stem for path in find_recipe("digits").parent.glob("*.yaml"))
    rows = []
    for name in names or [*recipes, *sorted(str(path) for path in _RESULTS.glob("*/sweep.yaml"))]:
        without_s = [command_s("plan", name, "--no-measure") for _ in range(n)]
        with_s = [command_s("plan", name) for _ in range(n)]
        shown = name if name in recipes else f"results/{Path(name).parent.name}"
        rows.append(
            [shown, f"{median(without_s):.1f}", f"{median(with_s) - median(without_s):.1f}", f"{max(with_s):.1f}"]
        )
        print(*rows[-1], file=sys.stderr, flush=True)
    print_table(f"seconds of the processor, n = {n}", ["", "start", "measuring", "most in all"], rows)


def accuracy(names: list[str], n: int) -> None:
    """Print the estimated and the real seconds of all trials of some sweeps, one after the other."""
    rows = []
    for name in names or _SWEEPS:
        sweep = _sweep(_SWEEPS[name])
        found = [_estimated(sweep) for _ in range(n)]
        estimates_s = sorted(3600 * one.train_h for one in found)
        real_s, num_trials = _really(sweep)
        ratios = " ".join(f"{real_s / one:.2f}" for one in estimates_s)
        rows.append(
            [name, str(num_trials), f"{median(estimates_s):.1f}", f"{real_s:.1f}", ratios, str(found[0].factor)]
        )
        print(*rows[-1], sep=" | ", file=sys.stderr, flush=True)
    columns = ["", "trials", "estimated", "real", "real to estimated", "stated factor"]
    print_table(f"seconds of all trials; n = {n} plans, 1 run", columns, rows)


def _sweep(document: dict[str, Any]) -> Sweep:
    given = dict(document)
    base = load_document(find_recipe(given.pop("recipe"))) if "recipe" in given else {"name": "benchmark"}
    return Sweep.from_dict({**base, **given})


def _estimated(sweep: Sweep) -> Estimate:
    study = Study(sweep, Journal(MemoryFolder()))
    return estimate(sweep, study.sample, study.most_to_run, num_cpus=1, known=check_quickly(study.sample))


def _really(sweep: Sweep) -> tuple[float, int]:
    """The processor's seconds of all trials, with the data loaded, and their number."""
    trials = Study(sweep, Journal(MemoryFolder())).trials
    task = make_task(trials[0].config.task)
    started = time.process_time()
    for trial in trials:
        with tempfile.TemporaryDirectory() as folder:
            train(trial.config, lambda progress: None, Path(folder), task=task)
    return time.process_time() - started, len(trials)


if __name__ == "__main__":
    main()
