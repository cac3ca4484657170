"""The documented example of a user's own network and data runs as it stands."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.console import call

EXAMPLE = Path(__file__).parents[2] / "examples" / "two_moons"


def test_the_example_runs_and_its_files_load(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "example")
    folder = tmp_path / "example"
    swept = call(
        folder, "sweep", "sweep.yaml", "--set", "steps=60", "--set", "method.lam=[0.1]", "--set", "method.bits=4"
    )
    assert swept.returncode == 0, swept.stderr + swept.stdout
    point = str(next(folder.glob("sweeps/*/trials/*epr*/point.rfz")))
    own = ("--architecture", "two_moons:residual_net")
    assert call(folder, "inspect", point, *own).returncode == 0
    evaluated = call(folder, "evaluate", point, *own, "--task", "two_moons:moons")
    assert evaluated.returncode == 0, evaluated.stderr
    assert "accuracy" in evaluated.stdout


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
    assert "imported" not in shown.stdout
