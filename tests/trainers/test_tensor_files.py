"""Files of tensors: which entry is read, and that tied tensors are written once."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from tests.trainers.state_files import message_of
from tests.zoo import loading
from trainers.tensor_files import pickle_bytes, read_tensors, safetensors_bytes

WEIGHT = torch.arange(3.0)
PATH = Path("net.pt")


def read(content: Any, key: str = "") -> tuple[dict[str, Tensor], list[str]]:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return read_tensors(PATH, buffer.getvalue(), key=key, field="init_from")


@pytest.mark.parametrize("entry", ["state_dict", "model", "net", "model_state_dict", "model_state"])
def test_entries_that_training_scripts_write_are_found(entry: str) -> None:
    tensors, others = read({entry: {"w": WEIGHT}, "epoch": 3, "optimizer_state_dict": {"state": {}}})
    assert torch.equal(tensors["w"], WEIGHT)
    assert others == []


CHOSEN: dict[str, tuple[Any, str]] = {
    "an entry": ({"ema": {"w": WEIGHT}, "model": {"w": WEIGHT + 1}}, "ema"),
    "an entry with a known one in it": ({"ema": {"state_dict": {"w": WEIGHT}}}, "ema"),
    "a path of entries": ({"models": {"student": {"w": WEIGHT}, "teacher": {"w": WEIGHT + 1}}}, "models.student"),
    "what names begin with": ({"student.w": WEIGHT, "teacher.w": WEIGHT + 1}, "student"),
    "the same within a known entry": ({"state_dict": {"student.w": WEIGHT, "teacher.w": WEIGHT + 1}}, "student"),
    "a name with a dot": ({"net.ema": {"w": WEIGHT}, "net": {"w": WEIGHT + 1}}, "net.ema"),
    "a long beginning": ({"a.b.w": WEIGHT, "a.c.w": WEIGHT + 1}, "a.b"),
}


@pytest.mark.parametrize("case", CHOSEN)
def test_a_key_chooses_the_network_among_others(case: str) -> None:
    content, key = CHOSEN[case]
    tensors, others = read(content, key)
    assert list(tensors) == ["w"]
    assert torch.equal(tensors["w"], WEIGHT)
    assert others == []


def test_two_entries_that_may_be_the_network_want_a_key() -> None:
    content = {"model": {"w": WEIGHT}, "state_dict": {"w": WEIGHT + 1}}
    with pytest.raises(ValueError, match=r"^init_from: net.pt has entries state_dict and model: say which one as key$"):
        read(content)
    tensors, _ = read(content, "model")
    assert torch.equal(tensors["w"], WEIGHT)


def test_a_key_chooses_among_the_names_of_safetensors() -> None:
    content = safetensors.torch.save({"student.w": WEIGHT, "teacher.w": WEIGHT + 1})
    tensors, _ = read_tensors(Path("net.safetensors"), content, key="student", field="init_from")
    assert torch.equal(tensors["w"], WEIGHT)


def test_a_key_that_is_not_there_is_refused_with_what_is() -> None:
    with pytest.raises(ValueError, match=r"^init_from: net.pt has no entry 'ema', .*: it holds entries model, epoch$"):
        read({"model": {"w": WEIGHT}, "epoch": 3}, "ema")


def test_a_file_of_unknown_entries_says_that_one_may_be_chosen() -> None:
    with pytest.raises(ValueError, match=r"holds entries ema, epoch: wanted a state_dict, .*; of another entry, give "):
        read({"ema": {"w": WEIGHT}, "epoch": 3})


def test_what_lies_beside_tensors_is_named() -> None:
    tensors, others = read({"w": WEIGHT, "epoch": 3, "lr": 0.1})
    assert list(tensors) == ["w"]
    assert others == ["epoch", "lr"]


def tied() -> tuple[nn.Module, dict[str, Tensor]]:
    """A language model, and its ``state_dict`` as a file is decoded: a tensor under its two names."""
    network = loading.tied_language_model(input_shape=[1, 4, 4], num_outputs=3)
    tensors = {id(tensor): tensor.detach().clone() for tensor in network.state_dict(keep_vars=True).values()}
    return network, {name: tensors[id(tensor)] for name, tensor in network.state_dict(keep_vars=True).items()}


def test_tied_tensors_are_written_once_as_save_model_writes_them(tmp_path: Path) -> None:
    network, state = tied()
    path, other = tmp_path / "net.safetensors", tmp_path / "other.safetensors"
    path.write_bytes(safetensors_bytes(state))
    safetensors.torch.save_model(network, str(other))
    with safetensors.safe_open(path, "pt") as ours, safetensors.safe_open(other, "pt") as theirs:
        assert sorted(ours.keys()) == sorted(theirs.keys()) == ["embed.weight", "mix.bias", "mix.weight"]
        assert ours.metadata() == theirs.metadata() == {"lm_head.weight": "embed.weight"}
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    assert safetensors.torch.load_model(network, path) == (set(), [])
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())


def test_tensors_that_share_memory_without_being_one_are_written_both() -> None:
    rows = torch.arange(6.0).reshape(2, 3)
    found = safetensors.torch.load(safetensors_bytes({"all": rows, "turned": rows.T, "first": rows[0]}))
    assert torch.equal(found["all"], rows)
    assert torch.equal(found["turned"], rows.T)
    assert torch.equal(found["first"], rows[0])


def test_pickles_keep_every_name() -> None:
    _, state = tied()
    found = torch.load(io.BytesIO(pickle_bytes(state)), weights_only=True)
    assert list(found) == list(state)
    assert all(torch.equal(found[name], tensor) for name, tensor in state.items())


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_torchscript_is_refused_with_what_to_save_instead(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)), tmp_path / "net.pt")
    said = message_of(lambda: read_tensors(tmp_path / "net.pt", (tmp_path / "net.pt").read_bytes(), field="init_from"))
    assert "is a TorchScript archive, which holds code: save its tensors alone" in said
    assert "torch.jit.load('net.pt').state_dict()" in said
