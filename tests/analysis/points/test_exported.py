"""Exported points give the same frame as MLflow, and every wrong file an error of one line."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.configurations.summary import summarise
from analysis.points.exported import EXPORTED_COLUMNS, POINTS, is_path, load_or_read, read_points
from analysis.points.mlflow import POINT_COLUMNS
from tests.analysis.points.rows import frame, seeds

NOWHERE = "sqlite:///not/there.db"
PARAMS = {"steps": "500", "batch_size": "64", "seed": "0", "method.lam": "0.3"}


def written(folder: Path, points: pd.DataFrame, **changes: Any) -> Path:
    """``points`` as an exported folder; ``changes`` are made to the first row."""
    folder.mkdir(exist_ok=True)
    rows = points[list(EXPORTED_COLUMNS)].to_dict("records")
    rows[0] |= changes
    with (folder / POINTS).open("w", newline="") as text:
        writer = csv.DictWriter(text, EXPORTED_COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return folder


def two(**others: Any) -> pd.DataFrame:
    """Two configurations of two seeds."""
    return frame(
        *seeds("a", [800, 820], [0.9, 0.92], params=json.dumps(PARAMS), **others),
        *seeds("b", [500, 510], [0.8, 0.82], params=json.dumps(PARAMS | {"method.lam": "1.0"}), **others),
    )


def test_what_was_exported_is_read_as_the_same_frame(tmp_path: Path) -> None:
    points = two()
    read = read_points(written(tmp_path, points))
    assert tuple(read.columns) == POINT_COLUMNS
    own = list(EXPORTED_COLUMNS)
    pd.testing.assert_frame_equal(read[own], points[own], check_dtype=False)
    assert read["label"].tolist() == ["lam=0.3", "lam=0.3", "lam=1", "lam=1"]
    assert read["config"].iloc[0] == "lam=0.3 steps=500 batch_size=64"
    assert set(read["directory"]) == {str(tmp_path)}
    assert set(read["run_id"]) == set(read["experiment_id"]) == {""}
    pd.testing.assert_frame_equal(read_points(tmp_path / POINTS), read)


def test_what_is_odd_about_a_file_is_read_where_the_export_has_it(tmp_path: Path) -> None:
    folder = written(tmp_path, two())
    assert not read_points(folder)["is_constant"].any(), "an older export, or one without such files"
    rows = list(csv.reader((folder / POINTS).read_text().splitlines()))
    odd = [["zero_weights", "is_constant"], ["1.weight, 3.weight", "True"], *[["", "False"]] * 3]
    with (folder / POINTS).open("w", newline="") as text:
        csv.writer(text).writerows([*row, *more] for row, more in zip(rows, odd, strict=True))
    read = read_points(folder)
    assert read["zero_weights"].tolist() == ["1.weight, 3.weight", "", "", ""]
    assert read["is_constant"].tolist() == [True, False, False, False]


def test_a_configuration_of_which_a_seed_failed_stays_off_the_frontier(tmp_path: Path) -> None:
    points = two()
    points.loc[points["config_hash"] == "b", "num_failed"] = 1
    assert summarise(read_points(written(tmp_path, points))).set_index("config_hash")["on_front"].to_dict() == {
        "a": True,
        "b": False,
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"size_bytes": 800.5}, "line 2: size_bytes is '800.5': wanted a whole number that is not negative"),
        ({"size_bytes": 0}, "line 2: size_bytes is 0: wanted the length of a file"),
        ({"seed": -1}, "line 2: seed is '-1': wanted a whole number"),
        ({"quality": "good"}, "line 2: quality is 'good': wanted a finite number"),
        ({"quality": "nan"}, "line 2: quality is 'nan': wanted a finite number"),
        ({"quality_val": "-inf"}, "line 2: quality_val is '-inf': wanted a finite number"),
        ({"quality": "1e999"}, "line 2: quality is '1e999': wanted a finite number"),
        ({"quality": 7.5}, "line 2: quality is 7.5: accuracy is a fraction in 0..1, such as 0.981"),
        ({"quality_val": -0.1}, "line 2: quality_val is -0.1: accuracy is a fraction in 0..1"),
        ({"train_s": "nan"}, "line 2: train_s is 'nan': wanted a finite number"),
        ({"train_s": -1}, "line 2: train_s is -1.0: wanted seconds"),
        ({"size_bytes": "9" * 400}, f"line 2: size_bytes is '{'9' * 39}…': wanted a whole number"),
        ({"size_bytes": 1 << 53}, "line 2: size_bytes is '9007199254740992': wanted a whole number"),
        ({"quality": "0." + "9" * 400}, f"line 2: quality is '0.{'9' * 37}…': wanted a finite number"),
        ({"num_parameters": 0}, "line 2: num_parameters is 0: wanted those of a network"),
        ({"method": "a\x1b[31m"}, "line 2: method is 'a\\x1b[31m': wanted text without control characters"),
        ({"maximise": "yes"}, "line 2: maximise is 'yes': wanted True or False"),
        ({"params": "{"}, "line 2: params is '{': wanted settings by name, as JSON"),
        ({"params": "[1]"}, "line 2: params is '[1]': wanted settings"),
        ({"params": '{"steps": 3}'}, "line 2: params is '{\"steps\": 3}': wanted settings"),
        ({"seed": 1}, "has seed 1 of configuration a (point '0') of sweep digits-0123abcd twice"),
    ],
)
def test_a_wrong_value_is_named_with_its_line(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        read_points(written(tmp_path, two(), **changes))
    assert "\n" not in str(caught.value)


def test_a_wrong_value_further_down_is_named_with_its_own_line(tmp_path: Path) -> None:
    points = two()
    points.loc[2, "quality"] = 7.5
    with pytest.raises(ValueError, match=r"line 4: quality is 7\.5"):
        read_points(written(tmp_path, points))


def test_texts_that_a_spreadsheet_would_compute_come_back(tmp_path: Path) -> None:
    changes = {"method": "'=1+1", "point_id": "'@a", "task": "'plain"}
    row = read_points(written(tmp_path, two(), **changes)).iloc[0]
    assert [row[name] for name in changes] == ["=1+1", "@a", "'plain"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: "", "has no column 'sweep_id': it is no exported points"),
        (lambda text: text.replace(",num_failed,params", ""), "has no column 'num_failed': it is an older export"),
        (lambda text: text.replace("path,", "path,pathh,"), "has a column 'pathh' too many; did you mean 'path'?"),
        (lambda text: text.replace("path,", "path,path,"), "has a column 'path' too many"),
        (lambda text: text.splitlines()[0], "has no point"),
        (lambda text: text.replace(",0,0,", ",0,", 1), "line 2: got"),
        (lambda text: text + '"', "is no CSV file in UTF-8"),
    ],
)
def test_another_file_is_refused_in_one_line(tmp_path: Path, change: Any, said: str) -> None:
    file = written(tmp_path, two(macs=0, num_steps=0)) / POINTS
    file.write_text(change(file.read_text()))
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        read_points(file)
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)


def test_a_file_of_bytes_and_a_place_of_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"points\.csv is not there: wanted a folder that ratefront export wrote"):
        read_points(tmp_path)
    (tmp_path / POINTS).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="is no CSV file in UTF-8"):
        read_points(tmp_path)


def test_names_and_paths_are_told_apart() -> None:
    assert [is_path(text) for text in ("results/digits", "./digits", "..", "points.csv")] == [True] * 4
    assert [is_path(text) for text in ("digits", "digits-0123abcd", "my.sweep")] == [False] * 3


def test_exports_are_put_together_without_a_store_and_labelled_anew(tmp_path: Path) -> None:
    first = written(tmp_path / "first", two())
    second = written(tmp_path / "second", two(sweep_id="digits-00000001"))
    together = load_or_read(NOWHERE, [str(first), str(second)])
    assert len(together) == 8
    assert together["label"].iloc[0] == "lam=0.3 sweep=digits-0123abcd"
    assert len(load_or_read(NOWHERE, [str(first), str(first)])) == 4
    with pytest.raises(ValueError, match="twice: wanted each point once"):
        load_or_read(NOWHERE, [str(first), str(first / POINTS)])


def test_names_are_looked_for_in_the_store(tmp_path: Path) -> None:
    first = written(tmp_path / "first", two())
    for sweeps in ([], ["digits"], ["digits", str(first)]):
        with pytest.raises(ValueError, match="no tracking database"):
            load_or_read(NOWHERE, sweeps)
