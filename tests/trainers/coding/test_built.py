"""Whole numbers and truth values that the architecture builds are left out of files, and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from tests.trainers.networks import CLUSTERS
from trainers.coding import container
from trainers.coding.bytestream import RfzError
from trainers.coding.sections import Entry, Integers, Raw, Sections, digest
from trainers.compressed import load_compressed, open_compressed
from trainers.config import TrialConfig
from trainers.train import train

HEADER = container.Header(method="uncompressed", method_version=1, architecture="none:none")
MASK = np.tril(np.ones((6, 6), bool))


def written(values: npt.NDArray[Any], built: npt.NDArray[Any]) -> tuple[bytes, list[Entry]]:
    layout = [Entry(name="mask", shape=values.shape, dtype=values.dtype.name, built=digest(built))]
    return container.write(HEADER, layout, Sections(tensors={"mask": Raw(values=values)})), layout


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "int32", "int64"])
def test_what_is_built_costs_four_bytes(dtype: str) -> None:
    values = MASK.astype(dtype)
    data, layout = written(values, values)
    stored, _ = written(values, 1 - values if dtype != "bool" else ~values)
    assert len(stored) - len(data) == values.nbytes - 4
    found = container.take_apart(data, layout, build=lambda: {"mask": values})
    section = found.sections.tensors["mask"]
    assert isinstance(section, Raw)
    assert np.array_equal(section.values, values)
    assert section.values.dtype == values.dtype
    (share,) = (share for share in found.account() if share.part == "tensor")
    assert (share.kind, share.size_bytes) == ("built", 4)


def test_few_and_equal_values_are_stored_as_they_were() -> None:
    few, equal = np.array([1, 2, 3, 4], np.uint8), np.full(90, 7, np.int64)
    for values in (few, equal):
        assert written(values, values)[0] == written(values, values[::-1] + 1)[0]


@pytest.mark.parametrize("built", [{}, {"mask": ~MASK}, {"mask": MASK[:5]}, {"mask": MASK.astype(np.uint8)}])
def test_another_build_is_named(built: dict[str, npt.NDArray[Any]]) -> None:
    data, layout = written(MASK, MASK)
    with pytest.raises(RfzError, match=r"^tensor 'mask' was left out of the file as what its architecture builds, and"):
        container.read(data, layout, lambda: built)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_floats_are_never_left_to_the_architecture(dtype: str) -> None:
    layout = [Entry(name="mask", shape=(6, 6), dtype="int32")]
    data, _ = written(MASK.astype(np.int32), MASK.astype(np.int32))
    floats = [Entry(name="mask", shape=(6, 6), dtype=dtype)]
    place = data.index(container.fingerprint(layout))
    forged = bytearray(data[:place]) + container.fingerprint(floats) + data[place + 4 : -4]
    from trainers.coding.header import seal

    with pytest.raises(RfzError, match=f"tensor 'mask' of {dtype} is left to the architecture: wanted whole numbers"):
        container.read(seal(forged), floats)


class Masked(nn.Module):
    """A layer whose weights a mask leaves out, beside numbers that are drawn and numbers that training counts."""

    def __init__(self, num_outputs: int, below: int) -> None:
        super().__init__()
        self.layer = nn.Linear(16, 16)
        self.head = nn.Linear(16, num_outputs)
        self.register_buffer("mask", torch.ones(16, 16).tril(below).bool())
        self.register_buffer("drawn", torch.randperm(16))
        self.register_buffer("seen", torch.arange(16))

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training:
            self.seen += 1
        weight = self.layer.weight * self.mask
        hidden = nn.functional.linear(inputs.flatten(1)[:, self.drawn], weight, self.layer.bias)
        outputs: Tensor = self.head(hidden.relu())
        return outputs


def masked(*, num_outputs: int) -> nn.Module:
    return Masked(num_outputs, 0)


def masked_otherwise(*, num_outputs: int) -> nn.Module:
    return Masked(num_outputs, 1)


@pytest.mark.parametrize("method", ["uncompressed", "epr", "ptq"])
def test_a_mask_of_a_trained_network_is_left_out_and_comes_back(method: str, tmp_path: Path) -> None:
    arguments = {"epr": {"lam": 0.1}, "ptq": {"bits": 6}}.get(method, {})
    config = TrialConfig.from_dict(
        {
            "task": CLUSTERS,
            "architecture": f"{__name__}:masked",
            "method": {"name": method, **arguments},
            "steps": 5,
        }
    )
    (point,) = train(config, lambda progress: None, tmp_path)
    opened = open_compressed(point.path, architecture=masked)
    kinds = {share.name: share.kind for share in opened.account()}
    assert (kinds["mask"], kinds["drawn"], kinds["seen"]) == ("built", "raw", "raw")
    network = opened.network()
    assert isinstance(network, Masked)
    assert torch.equal(network.mask, masked(num_outputs=3).get_buffer("mask"))
    assert network.seen.tolist() == list(range(5, 21))
    assert opened.recoded() == Path(point.path).read_bytes()
    with pytest.raises(RfzError, match=r"point.rfz: tensor 'mask' was left out of the file"):
        load_compressed(point.path, architecture=masked_otherwise)


def test_integers_of_a_method_are_never_left_out() -> None:
    values = MASK.astype(np.int32)
    layout = [Entry(name="mask", shape=(6, 6), dtype="float32", built=digest(values))]
    section = Integers(values=values)
    data = container.write(HEADER, layout, Sections(tensors={"mask": section}))
    assert {share.kind for share in container.take_apart(data, layout).account() if share.part == "tensor"} != {"built"}
