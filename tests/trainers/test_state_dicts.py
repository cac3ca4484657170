"""Checkpoints are read whole: files, and folders of shards, out of which nothing leads."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tests.trainers.state_files import message_of, saved
from trainers.state_dicts import read_state_dict

INDEX = "model.safetensors.index.json"


def shards(folder: Path, weight_map: Any = None) -> Path:
    """A folder of two shards with their index, or with another one."""
    folder.mkdir(exist_ok=True)
    save_file({"a": torch.ones(2, 3), "b": torch.zeros(3).bfloat16()}, folder / "model-1.safetensors")
    save_file({"c": torch.arange(4)}, folder / "model-2.safetensors")
    own = {"a": "model-1.safetensors", "b": "model-1.safetensors", "c": "model-2.safetensors"}
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": weight_map or own}))
    return folder


def test_shards_are_one_checkpoint(tmp_path: Path) -> None:
    found = read_state_dict(shards(tmp_path / "net"), field="NETWORK")
    assert {name: (tuple(one.shape), one.dtype) for name, one in found.tensors.items()} == {
        "a": ((2, 3), torch.float32),
        "b": ((3,), torch.bfloat16),
        "c": ((4,), torch.int64),
    }
    assert found.aliases == {}


def test_a_folder_of_one_file_needs_no_index(tmp_path: Path) -> None:
    save_file({"a": torch.ones(2)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"not read")
    assert list(read_state_dict(tmp_path, field="NETWORK").tensors) == ["a"]


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("../model-1.safetensors", "an index names '../model-1.safetensors': wanted files of safetensors in"),
        ("/etc/passwd", "an index names '/etc/passwd': wanted files of safetensors in"),
        ("sub/model.safetensors", "an index names 'sub/model.safetensors'"),
        ("..", "an index names '..'"),
        ("pytorch_model.bin", "an index names 'pytorch_model.bin'"),
        ("a\0.safetensors", r"an index names 'a\x00.safetensors'"),
        ("model-3.safetensors", "has no file 'model-3.safetensors': wanted a whole folder"),
        ("model-1.safetensors", "model-1.safetensors and model.safetensors.index.json differ in b: wanted a whole"),
        (7, "its weight_map is no mapping from tensors to files"),
    ],
)
def test_an_index_names_files_of_its_folder(file: Any, message: str, tmp_path: Path) -> None:
    shards(tmp_path / "net", {"a": file})
    assert message in message_of(lambda: read_state_dict(tmp_path / "net", field="NETWORK"))


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    folder = shards(tmp_path / "net")
    (folder / "model-2.safetensors").rename(tmp_path / "elsewhere.safetensors")
    os.symlink(tmp_path / "elsewhere.safetensors", folder / "model-2.safetensors")
    assert "model-2.safetensors links out of its folder" in message_of(lambda: read_state_dict(folder, field="NETWORK"))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"weight_map": {}}', "[" * 100_000])
def test_a_damaged_index_is_named(text: str, tmp_path: Path) -> None:
    folder = shards(tmp_path / "net")
    (folder / INDEX).write_text(text)
    assert f"{INDEX} cannot be read (" in message_of(lambda: read_state_dict(folder, field="NETWORK"))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "has none in safetensors and no *.safetensors.index.json: wanted one such file"),
        (["a.safetensors", "b.safetensors"], "has a.safetensors, b.safetensors in safetensors and no"),
        (["a.safetensors.index.json", "b.safetensors.index.json"], "wanted one index; give a file"),
        (["net.txt"], "has none in safetensors"),
    ],
)
def test_a_folder_is_of_one_checkpoint(names: list[str], message: str, tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).write_text("{}")
    assert message in message_of(lambda: read_state_dict(tmp_path, field="NETWORK"))


def test_views_of_one_memory_are_tied_only_where_they_are_the_same(tmp_path: Path) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    given = {"a": base, "b": base, "turned": base.t(), "row": base[0], "flat": base.view(12), "copy": base.clone()}
    found = read_state_dict(
        saved({"model_state": given, "epoch": 3}, tmp_path / "net.pt"), key="model_state", field="NETWORK"
    )
    assert found.aliases == {"b": "a"}
    assert all(torch.equal(tensor, given[name]) for name, tensor in found.tensors.items())


def test_what_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "net.txt").write_text("")
    assert "wanted a folder, or a file that ends in" in message_of(
        lambda: read_state_dict(tmp_path / "net.txt", field="NETWORK")
    )
    assert "cannot read" in message_of(lambda: read_state_dict(tmp_path / "net.pth", field="NETWORK"))
    assert "a key is of a single file" in message_of(lambda: read_state_dict(tmp_path, key="a", field="NETWORK"))
