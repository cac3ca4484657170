"""The documented example of a user's own network and data runs as it stands."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.console import call
from trainers.record import read_json

EXAMPLE = Path(__file__).parents[2] / "examples" / "two_moons"


def test_the_example_runs_and_its_files_load(workplace: Path) -> None:
    shutil.copytree(EXAMPLE, workplace, dirs_exist_ok=True)
    changes = ("steps=60", "method.lam=[0.1]", "method.bits=4", "task.noise=0.4")
    swept = call(workplace, "sweep", "sweep.yaml", *(word for change in changes for word in ("--set", change)))
    assert swept.returncode == 0, swept.stderr + swept.stdout
    point = str(next(workplace.glob("sweeps/*/trials/*epr*/point.rfz")))
    own = ("--architecture", "two_moons:residual_net")
    assert call(workplace, "inspect", point, *own).returncode == 0
    (recorded,) = read_json(Path(point).with_name("ended.json"))["points"]
    accuracies = []
    for task in ('{name: "two_moons:moons", noise: 0.4}', "two_moons:moons"):
        evaluated = call(workplace, "evaluate", point, *own, "--task", task, "--json")
        assert evaluated.returncode == 0, evaluated.stderr
        accuracies.append(json.loads(evaluated.stdout)["accuracy"])
    assert accuracies[0] == recorded["quality"] < accuracies[1]  # the task's own noise is 0.2


def test_a_quality_of_any_name_is_found_again_from_a_console_of_any_encoding(workplace: Path) -> None:
    """MLflow takes neither ``@`` nor parentheses in the name of a metric; an ASCII console has no bullets."""
    (workplace / "renamed.py").write_text(
        "import dataclasses\n"
        "from trainers.tasks.digits import digits\n"
        "def task():\n"
        "    return dataclasses.replace(digits(), quality_name='mAP@0.5 (dB)')\n"
    )
    flags = ("--task", "renamed:task", "--architecture", "mlp", "--method", "ptq", "--no-baselines")
    flags += ("--set", "method.bits=3", "--set", "steps=30")
    ascii_only = {"PYTHONIOENCODING": "ascii"}
    swept = call(workplace, "sweep", "--name", "named", *flags, **ascii_only)
    assert swept.returncode == 0, swept.stderr + swept.stdout
    assert "* frontier, decided on validation" in swept.stdout
    assert "mAP@0.5 (dB)" in swept.stdout
    resumed = call(workplace, "sweep", "--name", "named", *flags, "--resume", **ascii_only)
    assert resumed.returncode == 0, resumed.stderr + resumed.stdout
    for command in (("frontier", "named"), ("best", "named", "--max-size", "1MB"), ("export", "named", "--out", "out")):
        shown = call(workplace, *command, **ascii_only)
        assert shown.returncode == 0, shown.stderr
    assert "mAP@0.5 (dB)" in (workplace / "out" / "points.csv").read_text()


def test_a_file_that_names_somebodys_code_runs_none_of_it(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "example")
    folder = tmp_path / "example"
    (folder / "two_moons.py").write_text((folder / "two_moons.py").read_text() + "\nprint('imported')\n")
    from trainers.coding.container import Header, write
    from trainers.coding.sections import Sections

    header = Header(method="uncompressed", method_version=1, architecture="two_moons:residual_net")
    (folder / "strange.rfz").write_bytes(write(header, [], Sections(tensors={})))
    shown = call(folder, "inspect", "strange.rfz")
    assert shown.returncode == 2
    assert "is somebody's own code, which is not imported because a file names it" in shown.stderr
    assert shown.stderr.endswith("if you trust it, say --architecture two_moons:residual_net\n")
    assert "imported" not in shown.stdout
