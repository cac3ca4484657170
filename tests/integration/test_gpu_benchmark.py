"""benchmarks.gpu tried on a CPU with tiny networks: what it leaves, what it does again, what it leaves out and says."""

from __future__ import annotations

import csv
import hashlib
import os
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks import gpu_training
from benchmarks.gpu_setting import Setting, TimeUpError
from orchestrator.sweep.file import load_document
from orchestrator.sweep.recipes import find_recipe
from trainers.config import Spec
from trainers.instantiate import make_task

ROOT = Path(__file__).parents[2]


def called(folder: Path, *path: str) -> str:
    """Call the command; returns the page that it leaves."""
    command = [sys.executable, "-m", "benchmarks.gpu", "--minutes", "10", "--device", "cpu", "--smoke"]
    command += ["--data", str(folder / "data"), "--out", str(folder / "out")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*path, os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return (folder / "out" / "table.md").read_text()


@pytest.mark.system
def test_one_command_leaves_tests_steps_points_and_files_and_repeats_none_that_is_done(tmp_path: Path) -> None:
    page = called(tmp_path)
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == {"tests.txt", "steps.csv", "points.csv", "files.zip", "table.md"}
    assert "| cnn | digits | bfloat16 |" in page
    assert "| lam4 | 40 |" in page
    assert page.count("Left out") == 1, "tests are only collected on a CPU"
    with (out / "points.csv").open(newline="") as lines, zipfile.ZipFile(out / "files.zip") as archive:
        for row in csv.DictReader(lines):
            assert hashlib.sha256(archive.read(row["path"])).hexdigest() == row["sha256"]
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.suffix in (".csv", ".txt")}
    assert called(tmp_path) == page
    assert {name: (out / name).read_bytes() for name in before} == before


@pytest.mark.system
def test_without_the_package_that_codes_files_steps_are_measured_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "lacking").mkdir()
    (tmp_path / "lacking" / "constriction.py").write_text("raise ImportError('there is no constriction')")
    page = called(tmp_path, str(tmp_path / "lacking"))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"steps.csv", "table.md"}
    assert "Left out: tests/gpu/test_training.py: there is no constriction\n" in page
    assert "Left out: training: there is no constriction\n" in page


class Impatient(Setting):
    """Has no time left once some checkpoints are written."""

    def check(self, *, late_s: float = 0.0) -> None:
        if len(list(self.work.glob("lam1/checkpoint*"))) == 2:
            raise TimeUpError


def test_a_training_that_had_too_little_time_goes_on_and_gives_the_same_file(tmp_path: Path) -> None:
    task = make_task(Spec(name="digits"))
    config = gpu_training.config_of(gpu_training.SMOKE, 1.0, 40)
    setting = Setting(
        data=tmp_path, out=tmp_path / "whole", device=torch.device("cpu"), until=time.time() + 1e6, is_smoke=True
    )
    gpu_training.train_one(setting, config, task, "lam1")
    cut = Impatient(**{**vars(setting), "out": tmp_path / "cut"})
    with pytest.raises(TimeUpError):
        gpu_training.train_one(cut, config, task, "lam1")
    gpu_training.train_one(replace(setting, out=cut.out), config, task, "lam1")
    whole, again = ((one.work / "lam1" / "point.rfz").read_bytes() for one in (setting, cut))
    assert whole == again


def test_the_training_is_the_recipe_with_fewer_steps() -> None:
    recipe = load_document(find_recipe("vgg16_cifar10"))
    (method,) = recipe["method"]
    assert {*gpu_training.LAMS} <= {*method.pop("lam")}
    assert {**{name: recipe[name] for name in gpu_training.RECIPE}, "method": method} == gpu_training.RECIPE
