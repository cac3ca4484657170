"""Rows come back as they were, and files are written whole or not at all."""

from __future__ import annotations

import json
import math
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trainers import record
from trainers.record import (
    COLUMNS,
    ODD_COLUMNS,
    OperatingPoint,
    OtherQuality,
    cell_of,
    from_row,
    others_of,
    others_text,
    read_json,
    text_of,
    to_row,
    write_atomically,
    write_json,
)

POINT = OperatingPoint(
    sweep_id="s-1",
    trial_id="t-1",
    point_id="point",
    task="digits",
    architecture="mlp(hidden=[64])",
    method="epr",
    config_hash="0123456789ab",
    seed=0,
    num_parameters=1000,
    macs=990,
    num_steps=20,
    train_s=1.5,
    size_bytes=500,
    uncompressed_bytes=4000,
    quality=0.9,
    quality_val=0.91,
    quality_name="accuracy",
    maximise=True,
    sha256="00",
    path="/tmp/point.rfz",
)

OTHERS = others_text({'a "b", {c} ä': OtherQuality(maximise=True, quality=0.1, quality_val=1 / 3)})


def test_a_row_is_read_as_it_was_written() -> None:
    row = to_row(POINT)
    assert tuple(row) == COLUMNS
    assert from_row(json.loads(json.dumps(row))) == POINT


def test_the_columns_are_the_contract_of_the_three_packages() -> None:
    assert COLUMNS == (
        "sweep_id", "trial_id", "point_id", "task", "architecture", "method", "config_hash", "seed", "num_parameters",
        "macs", "num_steps", "train_s", "size_bytes", "uncompressed_bytes", "quality", "quality_val", "quality_name",
        "maximise", "sha256", "path",
    )  # fmt: skip


def test_a_row_says_what_is_odd_only_where_something_is() -> None:
    """So files and logs of ordinary sweeps are those of earlier versions, which know no such columns."""
    fidelity = {"kl": 0.0, "agreement": 0.5, "output_error": 1e-9}
    assert dict(ODD_COLUMNS) == {
        **{"zero_weights": "", "is_constant": False, **dict.fromkeys(fidelity), "others": ""},
        **{"signal_unit": "", "signal_count": 0, "task_file": ""},
    }
    assert not set(to_row(POINT)) & set(ODD_COLUMNS)
    signal = {"signal_unit": "pixel", "signal_count": 96}
    odd = {"zero_weights": "1.weight, 3.weight", "is_constant": True, **fidelity, "others": OTHERS, **signal}
    odd_point = replace(POINT, **odd, task_file="a.png#012345")
    row = to_row(odd_point)
    assert tuple(row) == (*COLUMNS, *odd, "task_file")
    assert from_row(json.loads(json.dumps(row))) == odd_point


def test_a_signal_has_its_bits_for_each_sample() -> None:
    assert POINT.bits_per_sample is None
    assert replace(POINT, size_bytes=30, signal_unit="ray", signal_count=60).bits_per_sample == 4


def test_other_qualities_are_a_line_that_comes_back_and_nothing_else_is_one() -> None:
    found = others_of(OTHERS)
    assert found['a "b", {c} ä'] == OtherQuality(maximise=True, quality=0.1, quality_val=1 / 3)
    assert others_text(found) == OTHERS
    assert OTHERS.isprintable()
    assert cell_of(OTHERS) is OTHERS
    assert (others_text({}), others_of("")) == ("", {})
    for wrong in (
        "{",
        "[]",
        "3",
        '{"a": 3}',
        '{"a": {}}',
        "[" * 5000,
        OTHERS.replace("0.1", "NaN"),
        OTHERS.replace("ä", "\\u001b"),
    ):
        with pytest.raises(ValueError, match=r"wanted qualities by name, as JSON: maximise, quality and quality_val$"):
            others_of(wrong)
    for name, value in (("quality", True), ("quality", "1"), ("maximise", 1)):
        one = {"maximise": True, "quality": 1.0, "quality_val": 1.0, name: value}
        with pytest.raises(ValueError, match=r"^others is "):
            others_of(json.dumps({"a": one}))


def test_missing_and_unknown_columns_are_named() -> None:
    row = {**to_row(POINT), "speed": 1}
    del row["macs"]
    with pytest.raises(
        ValueError, match=r"^not an operating point: missing columns \['macs'\], unknown columns \['spe"
    ):
        from_row(row)


def test_derived_sizes() -> None:
    assert POINT.compression_ratio == 8
    assert POINT.bits_per_parameter == 4


def test_a_file_is_written_into_new_folders_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.bin"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in path.parent.iterdir()] == ["b.bin"]


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file(broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "b.bin"
    write_atomically(path, b"old")

    def fail(*args: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(record.os, broken, fail)
    with pytest.raises(OSError, match="no space left"):
        write_atomically(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["b.bin"], "nothing is left lying about"


def test_a_reader_sees_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "b.bin"
    contents = [bytes([value]) * 300_000 for value in range(2)]
    write_atomically(path, contents[0])
    stop = threading.Event()
    seen: set[bytes] = set()

    def read() -> None:
        while not stop.is_set():
            seen.add(path.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for index in range(40):
        write_atomically(path, contents[index % 2])
    stop.set()
    reader.join()
    assert seen <= set(contents)


def test_writers_at_the_same_time_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "b.bin"
    contents = [bytes([value]) * 100_000 for value in range(4)]
    threads = [threading.Thread(target=write_atomically, args=(path, content)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in contents
    assert [entry.name for entry in tmp_path.iterdir()] == ["b.bin"]


def test_json_is_read_as_it_was_written_and_has_no_nan(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json(path, {"a": [1, 2.5, "ü", None]})
    assert read_json(path) == {"a": [1, 2.5, "ü", None]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"a": math.nan})
    assert read_json(path) == {"a": [1, 2.5, "ü", None]}


def test_the_record_needs_no_torch() -> None:
    import subprocess
    import sys

    code = "import sys, trainers.record, trainers.seeding, trainers.config; sys.exit('torch' in sys.modules)"
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, env=dict(os.environ), check=False).returncode == 0


@pytest.mark.parametrize("text", ["=1+1", "+a", "-a", "@a", "\ta", "'=a", "''-a"])
def test_a_text_that_a_spreadsheet_would_compute_is_quoted(text: str) -> None:
    assert cell_of(text) == f"'{text}"
    assert text_of(cell_of(text)) == text


@pytest.mark.parametrize("value", ["", "mlp(hidden=[64])", "'a", "a=1", -3.5, None, True])
def test_other_cells_are_written_as_they_are(value: object) -> None:
    assert cell_of(value) is value
    assert not isinstance(value, str) or text_of(value) == value
