"""What analysis takes: dominance and hypervolume of 100,000 points, and 10,000 runs from MLflow to a frontier.

    python -m benchmarks.analysis points    # against optuna
    python -m benchmarks.analysis runs      # from a SQLite file, by SQL against MLflow's own way

The store is made by a real sweep of a few short trials, whose rows are then copied under new names and numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from pandas.testing import assert_frame_equal

from analysis.configurations.summary import summarise
from analysis.fronts.hypervolume import Reference, hypervolume
from analysis.fronts.pareto import nondominated
from analysis.points import tracking_database
from analysis.points.mlflow import load_points
from benchmarks.report import print_machine, print_table, quartiles

_WAYS = {"MLflow": frozenset[str](), "SQL": tracking_database.KNOWN_VERSIONS}
"""Who reads, and by which versions of the tables that is chosen."""
_CORNER = Reference(size_bytes=1e5, quality=0.0, maximise=True)
_NUM_ORIGINALS = 4
_NUM_SEEDS = 3
_SWEEP = {
    "name": "benchmark",
    "task": "digits",
    "architecture": "mlp",
    "method": {"name": "epr", "lam": {"loguniform": [0.1, 3.0]}},
    "steps": 4,
    "search": {"name": "random", "num_trials": _NUM_ORIGINALS},
}


def clouds(num_points: int) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Draw sizes and qualities of a cloud with a short front, and of points that are all on the front."""
    generator = np.random.default_rng(0)
    decades, quality = generator.uniform(2, 5, num_points), generator.uniform(0, 1, num_points)
    on_front = np.sort(generator.uniform(0, 1, num_points))
    return {"cloud": (10**decades, quality), "all on the front": (10 ** (2 + 3 * on_front), on_front)}


def show_points(num_points: int, repeats: int) -> None:
    from optuna._hypervolume import compute_hypervolume
    from optuna.study._multi_objective import _is_pareto_front

    corner = np.array(_CORNER.corner)
    rows = []
    for name, (sizes, qualities) in clouds(num_points).items():
        costs = np.column_stack([np.log10(sizes), -qualities])
        pairs: dict[str, tuple[Callable[..., object], Callable[..., object]]] = {
            "dominance": (
                partial(nondominated, sizes, qualities, maximise=True),
                partial(_is_pareto_front, costs, assume_unique_lexsorted=False),
            ),
            "hypervolume": (
                partial(hypervolume, sizes, qualities, _CORNER),
                partial(compute_hypervolume, costs, corner),
            ),
        }
        for what, pair in pairs.items():
            rows.append([f"{what}, {name}", *(quartiles(milliseconds(call, repeats)) for call in pair)])
    print_table(f"{num_points:,} points, ms, n = {repeats}", ["", "ours", "optuna's"], rows)


def show_runs(num_runs: int, repeats: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = sweep(Path(folder))
        copy_runs(database, num_runs)
        uri = f"sqlite:///{database}"
        seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
        frames = {}
        for repeat in range(-1, repeats):  # the first loads the modules
            for way, versions in _WAYS.items():
                with patch.object(tracking_database, "KNOWN_VERSIONS", versions):
                    began_s = time.process_time()
                    points = load_points(uri)
                    loaded_s = time.process_time()
                    configurations = summarise(points)
                    ended_s = time.process_time()
                if repeat >= 0:
                    seconds["runs to points", way].append(loaded_s - began_s)
                    seconds["points to frontier", way].append(ended_s - loaded_s)
                    seconds["together", way].append(ended_s - began_s)
                    seconds["a new process, imports included", way].append(of_a_process(uri, versions))
                frames[way] = points
        assert len(points) == num_runs
        assert_frame_equal(*frames.values())
        whats = dict.fromkeys(what for what, _ in seconds)
        rows = [[what, *(quartiles(seconds[what, way]) for way in _WAYS)] for what in whats]
        words = f"{num_runs:,} runs, {len(configurations):,} configurations, {database.stat().st_size / 1e6:.0f} MB"
        print_table(f"{words}, seconds of the processor, n = {repeats}", ["", *_WAYS], rows)


def of_a_process(uri: str, versions: Collection[str]) -> float:
    """The seconds of the processor that a process takes from its start to the frontier of ``uri``."""
    program = (
        "from analysis import load_points, summarise; from analysis.points import tracking_database as sql; "
        f"sql.KNOWN_VERSIONS = frozenset({sorted(versions)}); summarise(load_points({uri!r}))"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", program], check=True, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def sweep(folder: Path) -> Path:
    """Run the sweep in a process of its own; returns its database."""
    (folder / "sweep.yaml").write_text(json.dumps(_SWEEP))
    database = folder / "mlflow.db"
    program = "from orchestrator.cli import main; main()"
    arguments = ["sweep", "sweep.yaml", "--tracking-uri", f"sqlite:///{database}"]
    done = subprocess.run([sys.executable, "-c", program, *arguments], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"the sweep failed: {done.stderr[-3000:]}")
    return database


def copy_runs(database: Path, num_runs: int) -> None:
    """Copy point runs of ``database`` until there are ``num_runs``: three seeds a configuration, no two of one size."""
    connection = sqlite3.connect(database)
    connection.row_factory = sqlite3.Row
    points = "SELECT run_uuid FROM tags WHERE key = 'ratefront.point' AND value = 'true'"
    runs = [row[0] for row in connection.execute(points)]
    assert len(runs) == _NUM_ORIGINALS, runs
    generator = np.random.default_rng(0)
    for table in ("runs", "tags", "params", "latest_metrics", "metrics"):
        found: dict[str, list[dict[str, Any]]] = {}
        for row in connection.execute(f"SELECT * FROM {table} WHERE run_uuid IN ({points})"):
            found.setdefault(row["run_uuid"], []).append(dict(row))
        copies = [
            renamed(row, number, float(generator.uniform(0.5, 2)))
            for number in range(num_runs - len(runs))
            for row in found[runs[number % len(runs)]]
        ]
        names = list(copies[0])
        marks = ", ".join(f":{name}" for name in names)
        connection.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", copies)
    connection.commit()
    connection.close()


def renamed(row: dict[str, Any], number: int, factor: float) -> dict[str, Any]:
    """Return ``row``, of one of MLflow's tables, changed for the copy with that ``number``."""
    changes: dict[str, Any] = {"run_uuid": f"{number:032x}"}
    config_hash = f"{number // _NUM_SEEDS:012x}"
    values = {
        "ratefront.trial_id": f"{number:06d}-copy",
        "ratefront.config_hash": config_hash,
        "seed": str(number % _NUM_SEEDS),
        "method.lam": str(1e-4 * (1 + number // _NUM_SEEDS)),
    }
    if row.get("key") in values:
        changes["value"] = values[row["key"]]
    elif row.get("key") == "size_bytes":
        changes["value"] = round(row["value"] * factor)
    return row | changes


def milliseconds(call: Callable[[], object], repeats: int) -> list[float]:
    """Time each of ``repeats`` calls, after one that is not counted."""
    call()
    taken = []
    for _ in range(repeats):
        began_s = time.perf_counter()
        call()
        taken.append(1000 * (time.perf_counter() - began_s))
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("points", "runs"))
    parser.add_argument("--number", type=int, help="default: 100,000 points, 10,000 runs")
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    print_machine(torch.device("cpu"))
    if arguments.part == "points":
        show_points(arguments.number or 100_000, arguments.repeats)
    else:
        show_runs(arguments.number or 10_000, arguments.repeats)


if __name__ == "__main__":
    main()
