"""The recipes that ship are found by name, and plan trials."""

from pathlib import Path

import pytest
from PIL import Image

from orchestrator.errors import SweepError
from orchestrator.planning.study import plan
from orchestrator.sweep.file import load_sweep
from orchestrator.sweep.recipes import find_recipe, recipe_paths


@pytest.mark.parametrize("path", recipe_paths().values(), ids=recipe_paths())
def test_every_recipe_plans_trials_and_has_the_name_of_its_file(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "$RATEFRONT_DATA" in path.read_text():  # its files are looked for when it is read
        monkeypatch.setenv("RATEFRONT_DATA", str(tmp_path))
        (tmp_path / "kodak").mkdir()
        for number in range(1, 9):
            Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / f"kodak/kodim{number:02}.png")
    (tmp_path / "text.txt").write_text("to be, or not to be")
    monkeypatch.setenv("PARAMETER_GOLF_TEXT", str(tmp_path / "text.txt"))
    sweep = load_sweep(path)
    assert sweep.name == path.stem
    assert plan(sweep)


def test_a_recipe_is_found_by_name_and_a_file_by_path(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.touch()
    assert find_recipe("digits") == recipe_paths()["digits"]
    assert find_recipe(str(mine)) == mine


def test_an_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(SweepError) as error:
        find_recipe("digts")
    assert str(error.value) == "unknown recipe 'digts'; did you mean 'digits'?"


def test_a_missing_file_names_the_nearest_recipe() -> None:
    with pytest.raises(SweepError) as error:
        find_recipe("sweeps/digits.yaml")
    assert str(error.value) == "no sweep file 'sweeps/digits.yaml': wanted a file, or a recipe; did you mean 'digits'?"
