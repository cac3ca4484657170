"""The command that makes a program of a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli import program
from tests.trainers.bundling.networks import file_of, network_of

SMALL = {"input_shape": [1, 8, 8], "num_outputs": 3, "channels": [2]}


def test_a_file_becomes_a_folder_and_the_line_that_compiles_it(tmp_path: Path) -> None:
    path, out = tmp_path / "net.rfz", tmp_path / "a folder"
    path.write_bytes(file_of(network_of("cnn", **SMALL), "cnn", **SMALL))
    said = CliRunner().invoke(program, ["bundle", str(path), "--to", "c", "--out", str(out)])
    assert said.exit_code == 0, said.stderr
    first, second = said.stdout.splitlines()
    assert first.startswith(f"{out}: 8 files of a network of {path.stat().st_size:,} bytes that takes ")
    assert second == f"cd '{out}' && cc -O2 main.c net.c layers.c rfz.c -lm -o check && ./check"
    assert len(list(out.iterdir())) == 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--input-shape", "1,x"], "--input-shape is '1,x': wanted numbers from 1, such as 3,32,32"),
        (["--input-shape", "1,9,99"], "net.rfz: the network cannot be traced with inputs of shape [1, 9, 99]: "),
        (["--int8"], "--int8 is for --to onnx: a program in C has the file itself, and checks itself"),
        (["--task", "digits"], "--task is for --to onnx: a program in C has the file itself, and checks itself"),
        (["--to", "onnx"], "out: wanted a file that ends in .onnx"),
        (["--to", "onnx", "--out", "x.onnx", "--task", "digits", "--input-shape", "1,8,8"], "leave one of them out"),
    ],
)
def test_a_mistake_gets_one_line_and_leaves_nothing(options: list[str], message: str, tmp_path: Path) -> None:
    path, out = tmp_path / "net.rfz", tmp_path / "out"
    path.write_bytes(file_of(network_of("cnn", **SMALL), "cnn", **SMALL))
    said = CliRunner().invoke(program, ["bundle", str(path), "--to", "c", "--out", str(out), *options])
    assert said.exit_code == 2
    assert message in said.stderr
    assert said.stderr.count("\n") == 1
    assert not out.exists()


def test_a_model_of_onnx_is_measured(tmp_path: Path) -> None:
    path, out = tmp_path / "net.rfz", tmp_path / "net.onnx"
    shape = {"input_shape": [1, 8, 8], "num_outputs": 10, "channels": [2]}
    path.write_bytes(file_of(network_of("cnn", **shape), "cnn", **shape))
    arguments = ["bundle", str(path), "--to", "onnx", "--int8", "--task", "digits", "--out", str(out)]
    said = CliRunner().invoke(program, arguments)
    assert said.exit_code == 0, said.stderr
    first, second = said.stdout.splitlines()
    assert first.startswith(f"{out}: {out.stat().st_size:,} bytes, ")
    assert f" weights as int8, of a file of {path.stat().st_size:,}; outputs are within " in first
    measured = CliRunner().invoke(program, ["evaluate", str(path), "--task", "digits"]).stdout
    assert second.removesuffix(", run by onnxruntime") == measured.strip().split(" bytes, ")[1]
