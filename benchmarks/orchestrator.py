"""What is around trainings: trials a second, use of the processor, memory of the driver, and resuming.

    python -m benchmarks.orchestrator throughput    # against bare Ray Tune, and against its MLflow callback
    python -m benchmarks.orchestrator memory        # of the driver at 1,000 and 5,000 trials; then resuming
    python -m benchmarks.orchestrator end           # what comes after the last of 1,500 trials; then resuming
    python -m benchmarks.orchestrator efficiency    # training seconds of a LeNet300-100 sweep by core seconds

Each measurement is a process of its own. Ray has two slots, and no loggers of its own.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks.processes import KINDS, processor_s
from benchmarks.report import print_machine, print_table, quartiles
from benchmarks.stopwatch import NUM_SLOTS, Stopwatch, pace, slots, trial_ms

_HERE = Path(__file__).resolve().parent.parent
_TRIVIAL = {
    "task": "benchmarks.trivial:task",
    "architecture": "benchmarks.trivial:network",
    "method": {"name": "ptq", "bits": 8, "learning_rate": {"loguniform": [1e-4, 1e-2]}},
    "steps": 1,
    "batch_size": 8,
}
_EFFICIENCY = {
    "task": "mnist",
    "architecture": "lenet300_100",
    "method": {"name": "epr", "lam": {"loguniform": [0.5, 4.0]}, "initial_step": 4.0},
    "steps": 3210,
    "batch_size": 256,
    "search": {"name": "sobol", "num_trials": 10},
}


def ours(num_trials: int, folder: Path, document: dict[str, Any], *, resume: bool = False) -> dict[str, Any]:
    """Time a sweep that has everything in MLflow at the end."""
    from orchestrator.running import publish
    from orchestrator.running.place import Place
    from orchestrator.running.run import run_sweep
    from orchestrator.sweep.definition import Sweep

    os.chdir(_HERE)
    watch = Stopwatch()
    place = Place(storage=str(folder / "sweeps"), tracking_uri=f"sqlite:///{folder / 'mlflow.db'}", import_path=_HERE)
    drained_s: list[float] = []
    write_frontier = publish.write_frontier

    def note_and_write(*arguments: Any, **settings: Any) -> Any:
        drained_s.append(time.perf_counter())  # all is in MLflow; figures are no tracking
        return write_frontier(*arguments, **settings)

    publish.write_frontier = note_and_write
    called_s, called_cpu_s = time.perf_counter(), time.process_time()
    sweep = Sweep.from_dict({"name": "benchmark", **document})
    result = run_sweep(sweep, place, watch, resume=resume)
    ended_s, ended_cpu_s = time.perf_counter(), time.process_time()
    assert result.num_finished == result.num_trials == num_trials, result
    return {
        "train_s": watch.trained_s - watch.began_s,
        "pace": pace(watch.ends_s),
        "all_s": drained_s[-1] - watch.began_s,
        "until_start_s": watch.starts_s[0] - called_s,
        "until_start_cpu_s": watch.first_start_cpu_s - called_cpu_s,
        "sweep_s": watch.ends_s[-1] - called_s,
        "end_s": ended_s - watch.ends_s[-1],
        "all_cpu_s": watch.all_cpu_s,
        "trial_ms": trial_ms(watch.spent, num_trials),
        "end_cpu_s": ended_cpu_s - watch.last_end_cpu_s,
        "end_mlflow_s": drained_s[-1] - watch.ends_s[-1],
        "training_at_once": watch.training_at_once,
        "slots": slots(watch),
        "rss_mb": watch.rss_mb,
    }


def trivial_sweep(num_trials: int) -> dict[str, Any]:
    """Describe a sweep of that many trivial trials with different configurations."""
    return {**_TRIVIAL, "search": {"name": "random", "num_trials": num_trials}}


def bare(
    num_trials: int,
    folder: Path,
    trainable: Callable[[dict[str, Any]], None],
    callbacks: list[Any],
    constants: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Time Ray Tune in its best set-up: actors reused, no loggers; each trial gets its number and the constants."""
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
    import ray
    from ray import tune

    ray.init(
        address="local", num_cpus=NUM_SLOTS, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR
    )
    for name in ("ray", "ray.tune"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    ends_s: list[float] = []
    spent: list[dict[str, float]] = []

    class Ends(tune.Callback):
        def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
            ends_s.append(time.perf_counter())
            if len(ends_s) in (1 + num_trials // 10, num_trials):
                spent.append(processor_s())

    began_s = time.perf_counter()
    results = tune.Tuner(
        tune.with_resources(trainable, {"cpu": 1}),
        param_space={"number": tune.grid_search(list(range(num_trials))), **(constants or {})},
        tune_config=tune.TuneConfig(reuse_actors=True),
        run_config=tune.RunConfig(name="bare", storage_path=str(folder), verbose=0, callbacks=[*callbacks, Ends()]),
    ).fit()
    seconds = time.perf_counter() - began_s
    assert len(results) == num_trials
    ray.shutdown()
    return {"train_s": seconds, "all_s": seconds, "pace": pace(ends_s), "trial_ms": trial_ms(spent, num_trials)}


def report_once(config: dict[str, Any]) -> None:
    """A trainable that does the least possible."""
    from ray import tune

    tune.report({"quality_val": 0.5})


def trivial_config(number: int) -> Any:
    """The ``TrialConfig`` of one trivial trial."""
    from trainers.config import TrialConfig

    sweep = dict(_TRIVIAL, method={"name": "ptq", "bits": 8, "learning_rate": 1e-3}, seed=number)
    return TrialConfig.from_dict(sweep)


def same_training(config: dict[str, Any]) -> None:
    """A trainable that trains and writes files as ``ours`` does, with nothing around it."""
    from ray import tune

    sys.path.insert(0, str(_HERE))
    from trainers.train import train

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        trial = trivial_config(config["number"])
        train(trial, lambda progress: tune.report({"quality_val": progress.quality_val}), Path(folder))


def same_content(config: dict[str, Any]) -> None:
    """A trainable that trains as ``ours`` does, reports all that ours logs, and leaves its files for a callback."""
    from ray import tune

    sys.path.insert(0, str(_HERE))
    from trainers.record import to_row
    from trainers.train import forget_checkpoint, train

    torch.set_num_threads(1)
    folder = Path(tune.get_context().get_trial_dir())
    (point,) = train(trivial_config(config["number"]), lambda progress: tune.report(asdict(progress)), folder)
    forget_checkpoint(folder)
    tune.report(to_row(point))


def measure_bare(num_trials: int, folder: Path) -> dict[str, Any]:
    return bare(num_trials, folder, report_once, [])


def measure_same_training(num_trials: int, folder: Path) -> dict[str, Any]:
    return bare(num_trials, folder, same_training, [])


def measure_stock(num_trials: int, folder: Path) -> dict[str, Any]:
    from ray.air.integrations.mlflow import MLflowLoggerCallback

    uri = f"sqlite:///{folder / 'mlflow.db'}"
    callback = MLflowLoggerCallback(tracking_uri=uri, experiment_name="stock", save_artifact=False)
    return bare(num_trials, folder, report_once, [callback])


def measure_same_content(num_trials: int, folder: Path) -> dict[str, Any]:
    from ray.air.integrations.mlflow import MLflowLoggerCallback

    uri = f"sqlite:///{folder / 'mlflow.db'}"
    callback = MLflowLoggerCallback(tracking_uri=uri, experiment_name="stock", save_artifact=True)
    config = trivial_config(0).to_dict()
    constants = {key: item for key, item in config.items() if not isinstance(item, dict)}
    for kind in ("task", "architecture", "method"):
        constants |= {f"{kind}.{key}": item for key, item in config[kind].items()}
    return bare(num_trials, folder, same_content, [callback], constants)


def measure_ours(num_trials: int, folder: Path) -> dict[str, Any]:
    return ours(num_trials, folder, trivial_sweep(num_trials))


def measure_resume(num_trials: int, folder: Path) -> dict[str, Any]:
    """Time the resuming of the sweep in ``folder``, after the end of its last trial is taken away."""
    trials = sorted((folder / "sweeps").glob("*/trials/*/ended.json"))
    trials[-1].unlink()
    return ours(num_trials, folder, trivial_sweep(num_trials), resume=True)


def measure_efficiency(num_trials: int, folder: Path) -> dict[str, Any]:
    return ours(num_trials, folder, _EFFICIENCY)


MEASUREMENTS: dict[str, Callable[[int, Path], dict[str, Any]]] = {
    "bare": measure_bare,
    "same training": measure_same_training,
    "callback, one number": measure_stock,
    "callback, same content": measure_same_content,
    "ratefront": measure_ours,
    "resume": measure_resume,
    "efficiency": measure_efficiency,
}


def in_process(name: str, num_trials: int, folder: Path) -> dict[str, Any]:
    """Run one measurement in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.orchestrator", "one", name, str(num_trials), str(folder)]
    done = subprocess.run(command, cwd=_HERE, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr[-3000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def show_throughput(num_trials: int, repeats: int) -> None:
    names = ("bare", "same training", "callback, one number", "callback, same content", "ratefront")
    seconds: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for _ in range(repeats):
        for name in names:
            with tempfile.TemporaryDirectory() as folder:
                seconds[name].append(in_process(name, num_trials, Path(folder)))
    rates = {
        name: {
            "pace": [one["pace"] for one in measured],
            "trained": [num_trials / one["train_s"] for one in measured],
            "all": [num_trials / one["all_s"] for one in measured],
        }
        for name, measured in seconds.items()
    }

    def ratio(name: str, key: str, other: str) -> str:
        return quartiles([one / two for one, two in zip(rates[name][key], rates[other][key], strict=True)])

    rows = [
        [
            name,
            f"{median(rates[name]['pace']):.1f}",
            ratio(name, "pace", "bare"),
            ratio(name, "pace", "same training"),
            f"{median(rates[name]['trained']):.1f}",
            f"{median(rates[name]['all']):.1f}",
            ratio(name, "all", "callback, same content"),
        ]
        for name in names
    ]
    heads = ["trials a second", "pace", "of bare", "of same training", "with start", "with MLflow", "of same content"]
    print_table(f"{num_trials} trivial trials in {NUM_SLOTS} slots, n = {repeats}", heads, rows)
    spent = {name: [one["trial_ms"] for one in measured] for name, measured in seconds.items()}
    rows = [
        [
            name,
            *(f"{median(one[kind] for one in each):.1f}" for kind in KINDS),
            f"{median(sum(one.values()) for one in each):.1f}",
        ]
        for name, each in spent.items()
    ]
    print_table("milliseconds of the processor for a trial", ["", *KINDS, "together"], rows)


def show_memory(num_trials: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        measured = in_process("ratefront", num_trials, Path(folder))
        rows = [[f"{int(count):,}", f"{rss:.0f}"] for count, rss in measured["rss_mb"].items()]
        print_table("memory of the driver", ["trials", "MB"], rows)
        resumed = in_process("resume", num_trials, Path(folder))
        print(f"\nresumed {num_trials:,} trials: {resumed['until_start_s']:.1f} s from the call to the first training")


def show_end(num_trials: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        measured = in_process("ratefront", num_trials, Path(folder))
        end_s, sweep_s = measured["end_s"], measured["sweep_s"]
        heads = ["from the call to the last trial's end, s", "then to the end, s", "of that MLflow", "ratio"]
        row = [f"{sweep_s:.1f}", f"{end_s:.1f}", f"{measured['end_mlflow_s']:.1f}", f"{end_s / sweep_s:.1%}"]
        print_table(f"the end of {num_trials:,} trivial trials", heads, [row])
        print(
            f"\nprocessor time: {measured['all_cpu_s']:.0f} s of all processes until the last trial's end, then "
            f"{measured['end_cpu_s']:.0f} s of the driver"
        )
        (first, first_mb), *_, (last, last_mb) = [(int(count), mb) for count, mb in measured["rss_mb"].items()]
        print(f"memory of the driver: {(last_mb - first_mb) * 1000 / (last - first):.1f} kB a trial, {last_mb:.0f} MB")
        resumed = in_process("resume", num_trials, Path(folder))
        print(
            f"resumed with one trial left: {resumed['until_start_s']:.1f} s from the call to the first training, "
            f"{resumed['until_start_cpu_s']:.1f} s of the driver's processor time; {resumed['end_s']:.1f} s from its "
            "end to that of the sweep"
        )


def show_efficiency() -> None:
    with tempfile.TemporaryDirectory() as folder:
        measured = in_process("efficiency", _EFFICIENCY["search"]["num_trials"], Path(folder))
    shares = ", ".join(f"{name} {share:.1%}" for name, share in measured["slots"].items())
    print(f"\nof {NUM_SLOTS} slots: {shares}; {measured['train_s']:.0f} s from first start to last end")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("throughput", "memory", "end", "efficiency", "one"))
    parser.add_argument("one", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--trials", type=int, help="default: 1,000 for throughput, 5,000 for memory, 1,500 for end")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.part == "one":
        name, num_trials, folder = arguments.one
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            print(json.dumps(MEASUREMENTS[name](int(num_trials), Path(folder))))
        return
    print_machine(torch.device("cpu"))
    if arguments.part == "throughput":
        show_throughput(arguments.trials or 1000, arguments.repeats)
    elif arguments.part == "memory":
        show_memory(arguments.trials or 5000)
    elif arguments.part == "end":
        show_end(arguments.trials or 1500)
    else:
        show_efficiency()


if __name__ == "__main__":
    main()
