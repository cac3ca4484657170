"""A checkpoint is compressed without its architecture, and given back, by two commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import Result
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from orchestrator.cli import program
from trainers.architectures.base import build
from trainers.architectures.mlp import mlp
from trainers.compressed import load_compressed
from trainers.guard import StoredWronglyError


def run(*arguments: object) -> Result:
    return CliRunner().invoke(program, [str(one) for one in arguments])


def refused(*arguments: object) -> str:
    said = run(*arguments)
    assert said.exit_code == 2, said.output
    assert said.stderr.count("\n") == 1
    return said.stderr


@pytest.fixture
def net(tmp_path: Path) -> Path:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(60, 50, generator=generator)
    state = {
        "embed.weight": weight,
        "head.weight": weight,
        "layer.0.weight": torch.randn(50, 50, generator=generator).bfloat16(),
        "layer.0.bias": torch.randn(50, generator=generator),
        "steps": torch.tensor(12),
        "similarity_a": torch.zeros(3),
    }
    torch.save({"model_state": state, "epoch": 3}, tmp_path / "net.pth")
    return tmp_path / "net.pth"


def test_a_checkpoint_goes_to_a_file_and_back_to_safetensors(net: Path) -> None:
    said = run("compress", net, "--weights-only", "--ignore", "similarity_*")
    assert said.exit_code == 0, said.output
    target = net.with_suffix(".rfz")
    assert "2 of 4 tensors are rounded" in said.stdout
    assert "nothing is known of its quality" in said.stdout
    assert said.stdout.endswith(f"ratefront decode {target}\n")
    assert run("decode", target).exit_code == 0
    found, given = load_file(net.with_suffix(".safetensors")), torch.load(net)["model_state"]
    assert set(found) == set(given) - {"similarity_a"}
    for name, tensor in found.items():
        assert (tensor.shape, tensor.dtype) == (given[name].shape, given[name].dtype)
        assert float((tensor.float() - given[name].float()).abs().max()) < 0.14
    assert torch.equal(found["steps"], given["steps"])


def test_the_file_is_the_values_of_a_network_whose_architecture_is_named(tmp_path: Path) -> None:
    network = build("mlp", mlp, {"input_shape": [1, 8, 8], "num_outputs": 10, "hidden": [20]})
    save_file(network.state_dict(), tmp_path / "mlp.safetensors")
    tensors = tmp_path / "mlp.rfz"
    assert run("compress", tmp_path / "mlp.safetensors", "--weights-only").exit_code == 0
    assert "holds tensors, not the network that they are of: say --architecture" in refused(
        "compress", tensors, "--out", tmp_path / "again.rfz"
    )
    named = ("--architecture", "{name: mlp, hidden: [20], input_shape: [1, 8, 8], num_outputs: 10}")
    said = run("compress", tensors, *named, "--steps-grid", "0.5", "--out", tmp_path / "again.rfz")
    assert said.exit_code == 0, said.output
    assert load_compressed(tmp_path / "again.rfz")(torch.zeros(1, 1, 8, 8)).shape == (1, 10)


def test_a_size_is_reached_and_reported_as_data(net: Path) -> None:
    out = net.with_name("small.rfz")
    said = run("compress", net, "--weights-only", "--max-size", "2.5kB", "--out", out, "--json")
    found = json.loads(said.stdout)
    assert found["size_bytes"] == out.stat().st_size <= 2500
    assert found["points"][0]["is_shipped"]
    assert found["points"][0]["weights_error"] > 0.001
    assert found["num_tensors"] == 5
    assert "200 bytes: the smallest is " in refused("compress", net, "--weights-only", "--max-size", "200")


def test_of_several_steps_the_finest_that_fits_is_shipped(net: Path) -> None:
    grid = ("--steps-grid", "1,0.1,0.5", "--method", "ecq", "--json")
    found = json.loads(run("compress", net, "--weights-only", "--max-size", "3kB", *grid).stdout)
    assert [one["step"] for one in found["points"]] == [0.1, 0.5, 1]
    assert [one["is_shipped"] for one in found["points"]] == [False, True, False]
    assert "300 bytes cannot be reached: the smallest is" in refused(
        "compress", net, "--weights-only", "--max-size", "300", *grid
    )


def test_a_folder_of_hugging_face_is_one_checkpoint(net: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model-v1.5"
    folder.mkdir()
    save_file({"a.weight": torch.randn(30, 30)}, folder / "model.safetensors")
    said = run("compress", folder, "--weights-only")
    assert said.exit_code == 0, said.output
    assert (tmp_path / "model-v1.5.rfz").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--architecture", "mlp"], "got --weights-only and --architecture"),
        (["--task", "digits"], "got --weights-only and --task"),
        (["--max-loss", "0.1"], "got --weights-only and --max-loss"),
        (["--no-data", "gaussian"], "got --weights-only and --no-data"),
        (["--method", "ptq"], "--method is 'ptq': with --weights-only wanted obs or ecq"),
        (["--steps-grid", "0.1,0.2"], "of several steps --max-size says which file to ship"),
        (["--steps-grid", "fine"], "--steps-grid is 'fine': wanted numbers"),
        (["--steps-grid", "0"], "--steps-grid is 0.0: wanted a number"),
        (["--key", "ema"], "has no entry 'ema'"),
        (["--ignore", "nothing*"], "no name in"),
    ],
)
def test_what_tensors_alone_do_not_allow_is_refused(options: list[str], message: str, net: Path) -> None:
    assert message in refused("compress", net, "--weights-only", *options)
    assert not net.with_suffix(".rfz").exists()


def test_a_file_that_decodes_to_something_else_is_not_written(net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*rest: object) -> None:
        raise StoredWronglyError("tensor 'a' does not decode to what was stored")

    monkeypatch.setattr("trainers.weights_only.WeightsOnly._checked", fail)
    said = run("compress", net, "--weights-only")
    assert (said.exit_code, said.stderr) == (1, "ratefront: tensor 'a' does not decode to what was stored\n")
    assert not net.with_suffix(".rfz").exists()
