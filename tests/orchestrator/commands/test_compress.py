"""``ratefront compress``: what it prints and leaves, and that a mistake is one line before anything is written."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result
from rich.console import Console
from torch import nn
from typer.testing import CliRunner

from orchestrator.cli import program
from tests.full_disk import files_of_at_most
from trainers.architectures import ARCHITECTURES
from trainers.compressed import load_compressed
from trainers.compression.candidates import Candidates

MODULE = """
from torch import nn


class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.first, self.second = nn.Linear(6, width), nn.Linear(width, 3)

    def forward(self, inputs):
        return self.second(self.first(inputs).relu())


class Frozen(Net):
    def __init__(self):
        super().__init__()
        self.requires_grad_(False)


class Overflowing(Net):
    def forward(self, inputs):
        return super().forward(inputs) / 0


class Refusing(Net):
    def forward(self, inputs):
        if len(inputs) == 20:
            raise IndexError("out of range\\nat the twentieth")
        return super().forward(inputs)


class RefusingMore(Net):
    def forward(self, inputs):
        if len(inputs) == 60:
            raise IndexError("out of range")
        return super().forward(inputs)


class Lazy(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.LazyLinear(3)
"""
CALL = ("net.pt", "--architecture", "somebodys:Net", "--calibration", "inputs.npz")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with somebody's network, checkpoint and inputs."""
    (tmp_path / "somebodys.py").write_text(MODULE)
    torch.manual_seed(0)
    values = nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 3)).state_dict()
    values = {name.replace("0.", "module.first.").replace("1.", "module.second."): one for name, one in values.items()}
    halves = {name: tensor.half() for name, tensor in values.items()}
    checkpoint = {"model_state": {**halves, "module.similarity_scale": torch.ones(())}, "step": 3}
    torch.save(halves, tmp_path / "net.pt")
    torch.save(checkpoint, tmp_path / "checkpoint.pth")
    torch.save({}, tmp_path / "empty.pt")
    torch.save({name: tensor * torch.nan for name, tensor in values.items()}, tmp_path / "nan.pt")
    inputs = np.random.default_rng(0).normal(size=(80, 6))
    np.savez(tmp_path / "inputs.npz", inputs)
    np.savez(tmp_path / "wrong.npz", inputs[:, :5])
    np.savez(tmp_path / "whole.npz", np.zeros((9, 6), np.int64))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("somebodys", None)
    sys.path[:] = [entry for entry in sys.path if entry != str(tmp_path)]


def called(*arguments: str) -> Result:
    return CliRunner().invoke(program, ["compress", *arguments])


def test_a_checkpoint_becomes_a_file_and_a_table_says_what_it_was_chosen_from(folder: Path) -> None:
    before = set(os.listdir())
    said = called(*CALL, "--steps-grid", "0.05,0.1,0.4", "--out", "small.rfz")
    assert said.exit_code == 0, said.stderr
    lines = said.stdout.splitlines()
    assert lines[0].split() == ["step", "bytes", "ratio", "KL", "agreement"]
    assert [line.split()[0] for line in lines[1:4]] == ["0.05", "0.1", "0.4"]
    assert sum("<- shipped" in line for line in lines) == 1
    classes = "whose outputs are taken for logits of 3 classes (else: --outputs numbers)"
    assert lines[4] == f"measured on 20 validation examples against the given network, {classes}"
    content = Path("small.rfz").read_bytes()
    assert lines[5] == f"small.rfz: {len(content):,} bytes, sha256 {hashlib.sha256(content).hexdigest()}"
    assert lines[6] == "ratefront decode small.rfz --architecture somebodys:Net"
    decoded = CliRunner().invoke(program, [*lines[6].split()[1:], "--out", "back.safetensors"])
    assert decoded.exit_code == 0, decoded.stderr
    assert set(os.listdir()) - before - {"__pycache__"} == {"small.rfz", "back.safetensors"}
    assert isinstance(load_compressed("small.rfz", allow_import=True), nn.Module)


def test_outputs_that_are_no_logits_are_compared_as_numbers() -> None:
    said = called(*CALL, "--outputs", "numbers", "--steps-grid", "0.05,0.1", "--out", "small.rfz")
    assert said.exit_code == 0, said.stderr
    lines = said.stdout.splitlines()
    assert lines[0].split() == ["step", "bytes", "ratio", "output", "error"]
    assert lines[3] == "measured on 20 validation examples against the given network"


def test_what_lies_beside_the_network_is_left_out_and_json_says_all() -> None:
    options = ["--key", "model_state", "--ignore", "*similarity_*", "--max-size", "250B", "--json"]
    said = called("checkpoint.pth", "--architecture", "{name: 'somebodys:Net', width: 8}", *CALL[3:], *options)
    assert said.exit_code == 0, said.stderr
    found = json.loads(said.stdout)
    shipped = [point for point in found["points"] if point["is_shipped"]]
    assert found["file"] == "checkpoint.rfz"
    assert [found["size_bytes"]] == [Path("checkpoint.rfz").stat().st_size] == [shipped[0]["size_bytes"]]
    assert found["size_bytes"] <= 250
    assert (found["quality_name"], found["given_quality_val"], found["quality_test"]) == (None, None, None)
    assert found["num_validation_examples"] == 20


def test_frozen_networks_are_compressed_and_outputs_that_nothing_can_be_compared_with_are_named() -> None:
    said = called("net.pt", "--architecture", "somebodys:Frozen", *CALL[3:], "--steps-grid", "0.05")
    assert said.exit_code == 0, said.stderr
    assert "measured on 20 validation examples against the given network" in said.stdout
    said = called("net.pt", "--architecture", "somebodys:Overflowing", *CALL[3:], "--steps-grid", "0.05")
    assert said.exit_code == 0, said.stderr
    assert "measured: sizes alone, since on 20 validation examples the given network's outputs cannot be" in said.stdout


def test_a_task_says_the_quality_on_test_of_the_shipped_file_alone() -> None:
    torch.save(ARCHITECTURES["mlp"](hidden=[4], input_shape=[1, 8, 8], num_outputs=10).state_dict(), "digits.pt")
    said = called("digits.pt", "--architecture", "{name: mlp, hidden: [4]}", "--task", "digits", "--steps-grid", "0.5")
    assert said.exit_code == 0, said.stderr
    *_, measured, file, again = said.stdout.splitlines()
    assert "against the given network, whose accuracy there is" in measured
    assert "% on test, sha256" in file
    assert again == "ratefront evaluate digits.rfz --task digits --given digits.pt"
    evaluated = CliRunner().invoke(program, again.split()[1:])
    assert evaluated.stdout.split("accuracy ")[1][:6] == f"{float(file.split('accuracy ')[1].split()[0]) / 100:.4f}"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("net.pt", "net.pt holds tensors, not the network that they are of: say --architecture, such as mynet:Net or"),
        ("none.pt", "NETWORK: cannot read "),
        ("net.txt", "NETWORK is 'net.txt': wanted a file that ends in .pth"),
        ("net.pt --architecture somebodys:Nett", "has no callable 'Nett'; did you mean 'Net'?"),
        ("net.pt --architecture somebodys:Lazy", "takes its shapes from its first input"),
        ("net.pt --architecture tests.trainers.networks:normed --input-shape 1,4,4", "needs num_outputs"),
        (
            "net.pt --architecture somebodys:Refusing --calibration inputs.npz",
            "does not run on all validation examples (IndexError: out of range): wanted inputs as its forward takes",
        ),
        (
            "net.pt --architecture somebodys:RefusingMore --calibration inputs.npz",
            "does not run on all calibration examples (IndexError: out of range)",
        ),
        ("net.pt --architecture somebodys:Net --device meta", "--device is 'meta': wanted cpu, or cuda where"),
        ("net.pt --architecture mlp", "architecture 'mlp' needs input_shape: wanted --input-shape"),
        ("net.pt --architecture mlp --input-shape 6", "architecture 'mlp' needs num_outputs, which a task would say"),
        ("empty.pt --architecture somebodys:Net", "holds entries none: wanted a state_dict"),
        ("nan.pt --architecture somebodys:Net", "holds NaN or infinity: wanted finite values"),
        ("net.pt --architecture somebodys:Net --calibration inputs.npz --outputs no", "wanted classes or numbers"),
        ("net.pt --architecture somebodys:Net --outputs numbers", "without data no outputs are compared"),
        ("net.pt --architecture somebodys:Net --task digits --outputs numbers", "a task says what outputs are"),
        ("checkpoint.pth --architecture somebodys:Net", "has unknown similarity_scale"),
        ("net.pt --architecture somebodys:Net --ignore x*", "no name in"),
        ("net.pt --architecture somebodys:Net --calibration wrong.npz", "does not take inputs of shape (5,)"),
        (
            "net.pt --architecture somebodys:Net --calibration whole.npz",
            "does not take inputs of shape (6,): mat1 and mat2 must have the same dtype",
        ),
        ("net.pt --architecture somebodys:Net --task digits --calibration inputs.npz", "got --task and --calibration"),
        ("net.pt --architecture somebodys:Net --task digits --no-data none", "got --no-data and --task: give one"),
        (
            "net.pt --architecture somebodys:Net --no-data gaussian",
            "input shape is not known: wanted it (--input-shape)",
        ),
        ("net.pt --architecture somebodys:Net --no-data some", "--no-data is 'some': wanted gaussian, batch_norm or"),
        ("net.pt --architecture somebodys:Net --input-shape 0", "--input-shape is '0': wanted whole numbers from 1"),
        ("net.pt --architecture somebodys:Net --input-shape 99999,99999", "values: wanted at most"),
        ("net.pt --architecture somebodys:Net --max-size 30B", "30 bytes cannot be reached: the smallest is "),
        ("net.pt --architecture somebodys:Net --max-size 1kB --max-kl 1", "got --max-size and --max-kl: give one"),
        ("net.pt --architecture somebodys:Net --max-kl inf", "--max-kl is inf: wanted a number"),
        ("net.pt --architecture somebodys:Net --max-loss 0.1", "a loss is measured on examples"),
        ("net.pt --architecture somebodys:Net --steps-grid a", "--steps-grid is 'a': wanted numbers, such as"),
        ("net.pt --architecture somebodys:Net --method ptq --steps-grid 1.5", "wanted whole numbers, such as 3,4,6"),
        ("net.pt --architecture somebodys:Net --steps-grid 1,0.5,1", "--steps-grid is '1,0.5,1': wanted each once"),
        ("net.pt --architecture somebodys:Net --method ptq --steps-grid 3,3", "'3,3': wanted each once"),
        ("net.pt --weights-only --max-size 1MB --steps-grid 1,1", "--steps-grid is '1,1': wanted each once"),
        ("net.pt --architecture somebodys:Net --method obss", "unknown method 'obss'; did you mean 'obs'?"),
        (
            "net.pt --architecture somebodys:Net --method epr",
            "method 'epr' is for trainings: wanted one of obs, ecq, ptq",
        ),
        ("net.pt --architecture somebodys:Net --device warp", "--device is 'warp': wanted cpu, or cuda"),
        ("net.pt --architecture somebodys:Net --max-parameters 5", "values: wanted at most 5"),
        ("net.pt --architecture somebodys:Net --out net.bin", "--out is net.bin: wanted a name that ends in .rfz"),
        ("net.pt --architecture somebodys:Net --out /proc/x/a.rfz", "--out /proc/x/a.rfz cannot be written"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(call: str, said: str) -> None:
    before = set(os.listdir())
    done = called(*call.split(" "))
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert set(os.listdir()) - {"__pycache__"} == before


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_bar_counts_files_on_a_terminal(is_terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = io.StringIO()
    console = Console(file=drawn, force_terminal=is_terminal, width=100)
    monkeypatch.setattr("orchestrator.commands.console.open_console", lambda stderr=False: console)
    assert called(*CALL, "--steps-grid", "0.1,0.4", "--json").exit_code == 0
    assert ("2/2" in drawn.getvalue()) is is_terminal


def test_a_network_is_never_written_over() -> None:
    assert called(*CALL, "--steps-grid", "0.1").exit_code == 0
    content = Path("net.rfz").read_bytes()
    said = called("net.rfz", "--architecture", "somebodys:Net")
    assert said.stderr == "ratefront: net.rfz is the given network: wanted --out with another name\n"
    assert Path("net.rfz").read_bytes() == content


def test_ctrl_c_and_a_full_disk_leave_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(os.listdir())
    with files_of_at_most(50):
        full = called(*CALL, "--steps-grid", "0.1", "--out", "new/folder/net.rfz")
    assert full.exit_code == 2
    assert full.stderr.startswith("ratefront: the disk is full (file too large for ")
    assert full.stderr.count("\n") == 1

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Candidates, "make", interrupted)
    assert called(*CALL).exit_code == 130
    assert set(os.listdir()) - {"__pycache__"} == before
