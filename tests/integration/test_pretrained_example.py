"""The example of other people's networks: its inputs and networks fit the command, with values drawn at random."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from orchestrator.cli import program

FOLDER = Path(__file__).parents[2] / "examples" / "pretrained"
PAGE = Path(__file__).parents[2] / "docs" / "compress.md"


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[ModuleType, ModuleType]:
    """Its networks and its inputs."""
    for name in ("networks", "inputs"):
        (tmp_path / f"{name}.py").write_text((FOLDER / f"{name}.py").read_text())
        monkeypatch.delitem(__import__("sys").modules, name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return importlib.import_module("networks"), importlib.import_module("inputs")


def test_a_voice_encoder_becomes_a_file(example: tuple[ModuleType, ModuleType]) -> None:
    networks, inputs = example
    random = np.random.default_rng(0)
    np.savez("mels.npz", np.float32([inputs.mels(random)[:20] for _ in range(8)]))
    values = networks.VoiceEncoder().state_dict()
    torch.save({"model_state": {**values, "similarity_bias": torch.zeros(1)}, "step": 1}, "pretrained.pt")
    call = ["compress", "pretrained.pt", "--key", "model_state", "--ignore", "similarity_*", "--json"]
    call += ["--architecture", "networks:VoiceEncoder", "--calibration", "mels.npz", "--outputs", "numbers"]
    said = CliRunner().invoke(program, [*call, "--method", "{name: ecq, unit: network}", "--steps-grid", "0.35"])
    assert said.exit_code == 0, said.stderr
    found = json.loads(said.stdout)
    assert found["points"][0]["kl"] is None
    assert 0 < found["points"][0]["output_error"] < 1


def test_frames_pass_the_pitch_tracker_as_its_package_makes_them(example: tuple[ModuleType, ModuleType]) -> None:
    networks, inputs = example
    frames = np.float32([inputs.frames(np.random.default_rng(seed)) for seed in range(3)])
    assert np.abs(frames.mean(axis=1)).max() < 1e-5
    assert np.abs(frames.std(axis=1, ddof=1) - 1).max() < 1e-5
    assert networks.Crepe().eval()(torch.from_numpy(frames)).shape == (3, 360)
