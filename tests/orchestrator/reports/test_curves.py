"""Curves of image codecs beside exported results, by the command line."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from orchestrator.cli import program
from orchestrator.reports.points import points_csv
from tests.analysis.images import images
from tests.analysis.points.test_published import written


def exported(folder: Path, num: int) -> str:
    """A folder of exported results of two methods on the first images of Kodak."""
    points = pd.concat([images(num), images(num, method="jpeg", factor=1.5)], ignore_index=True)
    points["sweep_id"] = "kodak-0123abcd"
    (folder / "kodak").mkdir()
    (folder / "kodak" / "points.csv").write_text(points_csv(points))
    return str(folder / "kodak")


@pytest.mark.parametrize("command", [["frontier"], ["compare", "--by", "method", "--anchor", "jpeg"]])
@pytest.mark.parametrize(
    ("num", "options", "num_drawn"),
    [(24, [], 8), (24, ["--no-published"], 0), (8, [], 0), (8, ["--published", "kodak"], 8)],
)
def test_curves_are_drawn_beside_the_same_images_or_where_they_are_asked_for(
    command: list[str], num: int, options: list[str], num_drawn: int, tmp_path: Path
) -> None:
    results, out = exported(tmp_path, num), tmp_path / "out"
    said = CliRunner().invoke(program, [command[0], results, *command[1:], *options, "--out", str(out)])
    assert said.exit_code == 0, said.output
    assert (out / f"{command[0]}.svg").read_text().count('id="published"') == num_drawn
    assert ("other images" in (out / f"{command[0]}.html").read_text()) == (num == 8 and num_drawn > 0)


def test_compare_refuses_rows_of_networks_and_options_that_it_would_not_follow(tmp_path: Path) -> None:
    results, own = exported(tmp_path, 8), written(tmp_path, {})
    for options, line in (
        (["--published", str(own)], "no row of "),
        (["--published", "kodak", "--json"], "--published is drawn on figures, which --json does not write"),
        (["--published", "kodak", "--no-published"], "got --published and --no-published: give one"),
    ):
        said = CliRunner().invoke(
            program, ["compare", results, "--by", "method", *options, "--out", str(tmp_path / "out")]
        )
        assert said.exit_code != 0
        assert line in f"{said.output}{said.exception}"
        assert not (tmp_path / "out").exists()
