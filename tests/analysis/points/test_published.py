"""Rows of papers: those that ship, those of a user's own file, and which belong beside which points."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
import yaml

from analysis.points.published import COLUMNS, COUNTED, SHIPPED, belonging, read_published
from orchestrator.planning.study import plan
from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.recipes import recipe_paths
from tests.analysis.points.rows import frame

ROW = {
    "task": "digits",
    "architecture": "mlp(hidden=[64])",
    "method": "EPR",
    "size_bytes": "900",
    "quality_name": "accuracy",
    "quality": "0.94",
    "counted": "payload",
    "source": "Somebody 2024",
    "where": "Table 2, page 5",
    "reference": "Somebody, A Paper, 2024",
}


def written(folder: Path, *rows: dict[str, str], columns: tuple[str, ...] = COLUMNS) -> Path:
    """A CSV file of rows that differ from ``ROW`` as given."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows([ROW | row for row in rows])
    (folder / "own.csv").write_text(text.getvalue())
    return folder / "own.csv"


def test_shipped_rows_are_unique_sourced_and_of_plausible_numbers() -> None:
    rows = read_published(SHIPPED)
    assert len(rows) >= 9
    assert not rows.duplicated(["task", "architecture", "method", "size_bytes"]).any()
    assert rows["reference"].str.contains(r"20\d\d, arXiv \d{4}\.\d{5}$").all()
    assert rows["source"].str.fullmatch(r"\w+ et al\. 20\d\d").all()
    assert not rows.groupby("source")["reference"].nunique().gt(1).any()
    assert rows["size_bytes"].between(1_000, 200_000).all()
    least = rows["task"].map({"mnist": 0.98, "cifar10": 0.89})
    assert (rows["quality"].between(least, 0.995)).all()
    assert (rows["quality_name"] == "accuracy").all()


def test_shipped_rows_are_what_the_paper_of_this_method_prints() -> None:
    rows = read_published(SHIPPED)
    own = rows[rows["source"] == "Oktay et al. 2020"].set_index("architecture")
    assert own[["size_bytes", "quality"]].T.to_dict("list") == {
        "lenet300_100": [8560, 0.981],
        "lenet5": [2840, 0.99],
        "vgg16_cifar": [101_000, 0.9],
        "resnet_cifar(depth=20, width=4)": [128_000, 0.912],
    }


@pytest.mark.parametrize(
    ("recipe", "num_rows"),
    [
        ("lenet300_mnist", 1),
        ("lenet300_densities", 1),
        ("lenet5_mnist", 3),
        ("lenet5_mnist_long", 3),
        ("vgg16_cifar10", 3),
        ("resnet20x4_cifar10", 2),
        ("digits", 0),
    ],
)
def test_rows_belong_beside_what_a_recipe_trains(recipe: str, num_rows: int) -> None:
    document = yaml.safe_load(recipe_paths()[recipe].read_text())
    document.pop("init_from", None)
    (config, *_) = (trial.config for trial in plan(Sweep.from_dict({"name": recipe, **document})))
    drawn = frame({"task": str(config.task), "architecture": str(config.architecture)})
    assert len(belonging(read_published(SHIPPED), drawn)) == num_rows


@pytest.mark.parametrize(
    ("drawn", "belongs"),
    [
        ({}, True),
        ({"task": "digits(shift=1)"}, True),
        ({"task": "digits2"}, False),
        ({"architecture": "mlp(hidden=[64], width=2)"}, True),
        ({"architecture": "mlp(width=2, hidden=[64])"}, True),
        ({"architecture": "mlp(hidden=[64,10])"}, False),
        ({"architecture": "mlp"}, False),
        ({"architecture": "mlp2(hidden=[64])"}, False),
        ({"quality_name": "psnr_db"}, False),
    ],
)
def test_a_row_belongs_beside_its_task_by_name_and_all_the_arguments_it_names(
    drawn: dict[str, Any], belongs: bool, tmp_path: Path
) -> None:
    table = belonging(read_published(written(tmp_path, {})), frame(drawn))
    assert list(table["beside"]) == [{"architecture": ROW["architecture"], **drawn}["architecture"]] * belongs


def test_arguments_are_told_apart_by_value_and_blanks_do_not_matter(tmp_path: Path) -> None:
    file = written(tmp_path, {"architecture": "mlp(hidden=[64, 10],width=2)"})
    drawn = frame({"architecture": "mlp(hidden=[64,10], width=2)"}, {"architecture": "mlp(hidden=[64,10], width=20)"})
    assert list(belonging(read_published(file), drawn)["beside"]) == ["mlp(hidden=[64,10], width=2)"]


def test_a_row_that_two_files_have_is_drawn_once(tmp_path: Path) -> None:
    rows = read_published(written(tmp_path, {}, {}, {"size_bytes": "901"}))
    assert list(belonging(rows, frame({}))["size_bytes"]) == [900, 901]


MISTAKES: dict[str, tuple[dict[str, str], str]] = {
    "no number": ({"size_bytes": "8.56 kB"}, "line 3: size_bytes is '8.56 kB': wanted a whole number of bytes"),
    "half a byte": ({"size_bytes": "8.5"}, "line 3: size_bytes is '8.5'"),
    "nothing": ({"size_bytes": "0"}, "line 3: size_bytes is '0'"),
    "endless": ({"size_bytes": "inf"}, "line 3: size_bytes is 'inf'"),
    "word": ({"quality": "good"}, "line 3: quality is 'good': wanted a number"),
    "not finite": ({"quality": "nan"}, "line 3: quality is 'nan': wanted a number"),
    "percent": ({"quality": "98.1"}, "line 3: quality is '98.1': accuracy is a fraction in 0..1, such as 0.981"),
    "no source": ({"source": " "}, "line 3: source is empty"),
    "counted": ({"counted": "yes"}, "line 3: counted is 'yes': wanted payload, file, computed, unstated"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_names_the_line_and_what_was_wanted(name: str, tmp_path: Path) -> None:
    changes, expected = MISTAKES[name]
    with pytest.raises(ValueError) as raised:
        read_published(written(tmp_path, {}, changes))
    assert expected in str(raised.value)
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith(str(tmp_path / "own.csv"))


def test_a_missing_and_an_unknown_column_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"own\.csv has no column 'source': its first line has to be task,arch"):
        read_published(written(tmp_path, {}, columns=tuple(name for name in COLUMNS if name != "source")))
    with pytest.raises(ValueError, match=r"has a column 'page' too many"):
        read_published(written(tmp_path, {"page": "3"}, columns=(*COLUMNS, "page")))
    with pytest.raises(ValueError, match=r"has a column 'task' too many"):
        read_published(written(tmp_path, {}, columns=(*COLUMNS, "task")))
    (tmp_path / "own.csv").write_text("")
    with pytest.raises(ValueError, match=r"has no column 'task'"):
        read_published(tmp_path / "own.csv")


def test_a_line_that_is_too_short_or_too_long_is_named(tmp_path: Path) -> None:
    file = written(tmp_path, {})
    text = file.read_text()
    for line in ("digits,mlp", ",".join([*ROW.values(), "more"])):
        file.write_text(f"{text}{line}\n")
        with pytest.raises(ValueError, match=r"line 3: got \d+ values for 10 columns"):
            read_published(file)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", ",".join(COLUMNS).encode() + b'\n"never closed'])
def test_what_is_no_csv_file_is_said(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_bytes(content)
    with pytest.raises(ValueError, match=r"own\.csv is no CSV file in UTF-8"):
        read_published(tmp_path / "own.csv")


def test_the_documented_example_is_read(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "frontiers.md").read_text()
    (tmp_path / "own.csv").write_text(page.partition("```csv\n")[2].partition("```")[0])
    (row,) = read_published(tmp_path / "own.csv").to_dict("records")
    assert (row["size_bytes"], row["where"]) == (1200, "Table 2, page 5")


def test_files_of_spreadsheets_are_read(tmp_path: Path) -> None:
    """They have a byte order mark, Windows' line ends, empty lines, and columns in another order."""
    file = written(tmp_path, {"counted": "file"}, columns=COLUMNS[::-1])
    file.write_bytes(
        b"\xef\xbb\xbf" + file.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") + b",,\r\n\r\n"
    )
    (row,) = read_published(file).to_dict("records")
    own = {"size_bytes": 900, "quality": 0.94, "counted": "file", "images": "", "bits_per_pixel": 0.0}
    assert row == ROW | own | {"is_asked": False}
    assert row["counted"] in COUNTED
