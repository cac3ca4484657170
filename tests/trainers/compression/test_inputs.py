"""Calibration examples from files: what is read, what is refused, and how they are split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from tests.trainers.state_files import message_of
from trainers.compression.inputs import read_inputs, task_of


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (np.float64, torch.float32),
        (np.float16, torch.float32),
        (np.uint8, torch.int64),
        (np.int32, torch.int64),
        (np.bool_, torch.bool),
    ],
)
def test_arrays_become_tensors_of_the_usual_types(given: Any, wanted: torch.dtype, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.arange(12).reshape(4, 3).astype(given))
    found = read_inputs(tmp_path / "x.npz")
    assert found.dtype == wanted
    assert found.shape == (4, 3)


def test_safetensors_are_read_in_their_types(tmp_path: Path) -> None:
    safetensors.torch.save_file({"x": torch.ones(4, 3, dtype=torch.bfloat16)}, tmp_path / "x.safetensors")
    assert read_inputs(tmp_path / "x.safetensors").equal(torch.ones(4, 3))


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": np.full((4, 3), np.nan)}, "holds NaN or infinity: wanted finite inputs"),
        ({"x": np.full((4, 3), 1e300)}, "holds NaN or infinity: wanted finite inputs"),
        ({"x": np.full((4, 3), 2**63, np.uint64)}, "is uint64 (4, 3) with 9223372036854775808: wanted int64"),
        ({"x": np.zeros(4)}, "is float64 (4,): wanted (n, ...), the inputs of two examples or more"),
        ({"x": np.zeros((1, 3))}, "wanted (n, ...), the inputs of two examples or more"),
        ({"x": np.zeros((4, 0))}, "wanted (n, ...), the inputs of two examples or more"),
        ({"x": np.array([["a"], ["b"]])}, "is <U1 (2, 1): wanted numbers"),
        ({"x": np.zeros((4, 3), complex)}, "is complex128 (4, 3): wanted numbers"),
        ({"x": np.array([{}, 1], dtype=object)}, "cannot be read (ValueError: Object arrays cannot be loaded"),
        ({"x": np.zeros((4, 3)), "y": np.zeros(4)}, "holds 2 arrays, x, y: wanted one, of inputs"),
    ],
)
def test_what_is_no_array_of_inputs_is_one_line(arrays: dict[str, Any], said: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", **arrays)
    assert said in message_of(lambda: read_inputs(tmp_path / "x.npz"))


def test_what_is_no_file_of_arrays_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"no zip")
    assert "cannot be read (" in message_of(lambda: read_inputs(tmp_path / "x.npz"))
    assert "cannot read" in message_of(lambda: read_inputs(tmp_path / "none.npz"))
    assert "wanted a file that ends in .npz or .safetensors" in message_of(lambda: read_inputs(tmp_path / "x.npy"))


@pytest.mark.parametrize(("num_examples", "measured"), [(2, [1]), (3, [2]), (4, [3]), (9, [3, 7])])
def test_every_fourth_example_measures_and_the_others_calibrate(num_examples: int, measured: list[int]) -> None:
    task = task_of(torch.arange(num_examples).reshape(-1, 1).float())
    assert task.validation.inputs.flatten().tolist() == measured
    assert task.train.inputs.flatten().tolist() == [i for i in range(num_examples) if i not in measured]
