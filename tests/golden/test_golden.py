"""The format does not drift: files written today are the files written before, byte for byte."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.golden.regenerate import (
    BFLOAT16_HEADER,
    BUILT_HEADER,
    FACTORS_HEADER,
    GRIDS_HEADER,
    SCALED_HEADER,
    TABLES_HEADER,
    TINY,
    TINY_BFLOAT16,
    TINY_BUILT,
    TINY_FACTORS,
    TINY_GRIDS,
    TINY_HEADER,
    TINY_SCALED,
    TINY_TABLES,
    TINY_TENSORS,
    VERSION_1,
    bfloat16_layout,
    bfloat16_sections,
    built_layout,
    built_sections,
    coarse,
    factors_layout,
    factors_sections,
    grids_layout,
    grids_sections,
    latents,
    masked,
    scaled_layout,
    scaled_sections,
    tables_layout,
    tables_sections,
    tiny_layout,
    tiny_sections,
)
from trainers.coding import container
from trainers.coding.bytestream import put_varint, zigzag
from trainers.coding.sections import Integers
from trainers.compressed import load_compressed, open_compressed


def varint(value: int) -> bytes:
    out = bytearray()
    put_varint(out, value)
    return bytes(out)


def test_a_hand_made_network_is_written_as_the_committed_bytes() -> None:
    assert container.write(TINY_HEADER, tiny_layout(), tiny_sections()) == TINY.read_bytes()


@pytest.mark.parametrize("path", [TINY, VERSION_1 / TINY.name], ids=str)
def test_the_committed_bytes_are_read_as_the_hand_made_network(path: Path) -> None:
    data = path.read_bytes()
    assert container.read_header(data) == TINY_HEADER
    found, wanted = container.read(data, tiny_layout()), tiny_sections()
    for name, section in wanted.tensors.items():
        np.testing.assert_array_equal(found.tensors[name].values, section.values, strict=True)
        assert isinstance(section, Integers) == isinstance(found.tensors[name], Integers)
    assert [vector.tolist() for vector in found.vectors] == [vector.tolist() for vector in wanted.vectors]


@pytest.mark.parametrize("path", [TINY, VERSION_1 / TINY.name], ids=str)
def test_the_committed_bytes_load_as_a_network(path: Path) -> None:
    network = load_compressed(path)
    weights = dict(network.named_parameters())
    smallest = 2.0**-14
    expected = torch.tensor([[0, 1, 0, -1], [2, 0, 0, 0], [-70_000, 0, 5, 1]]) * smallest
    assert torch.equal(weights["1.weight"], expected)
    assert torch.equal(weights["1.bias"], torch.ones(3))
    assert weights["3.bias"].tolist() == [torch.tensor(0.1, dtype=torch.float16).item(), -65504.0]
    assert weights["5.weight"].tolist() == [[-0.75, -0.75], [-0.75, -0.75]]
    assert weights["5.bias"].tolist() == [0, 0]
    assert network(torch.ones(1, 1, 2, 2)).shape == (1, 2)


def test_symbols_under_a_table_are_written_as_the_committed_bytes() -> None:
    """The last of three symbols ends at 2^24, which is no sum of the probabilities of the others and its own."""
    data = TINY_TABLES.read_bytes()
    assert container.write(TABLES_HEADER, tables_layout(), tables_sections()) == data
    contents = container.take_apart(data, tables_layout())
    assert [share.name for share in contents.account() if share.part == "table"] == ["table 0"]
    found = contents.sections.tensors["1.weight"].values
    np.testing.assert_array_equal(found, tables_sections().tensors["1.weight"].values, strict=True)


def test_grids_are_written_as_the_committed_bytes_and_read() -> None:
    data, layout = TINY_GRIDS.read_bytes(), grids_layout()
    assert container.write(GRIDS_HEADER, layout, grids_sections()) == data
    steps = b"\x01\x02" + np.array([0.25, 2.0**-10], "<f2").tobytes()
    # two grids with the steps 0 and 1; the weight shares the first one's, by the model of matrices; raw
    assert data[data.index(container.fingerprint(layout)) + 4 :].startswith(steps + bytes([7, 7 + 16, 4, 3 + 16]))
    found = container.read(data, layout)
    for name, section in grids_sections().tensors.items():
        np.testing.assert_array_equal(found.tensors[name].values, section.values, strict=True)
    state = load_compressed(TINY_GRIDS, architecture=latents).state_dict()
    assert torch.equal(state["1.values"][1], torch.arange(63).view(7, 9) ** 3 * -(2.0**-10))


def test_what_is_built_is_left_out_as_in_the_committed_bytes() -> None:
    data, layout = TINY_BUILT.read_bytes(), built_layout()
    assert container.write(BUILT_HEADER, layout, built_sections()) == data
    mask, distances = bytes([1, 0, 0, 1, 1, 0, 1, 1, 1]), np.array([[0, -1, -2], [1, 0, -1], [2, 1, 0]], "<i2")
    digests = [hashlib.sha256(one).digest()[:4] for one in (mask, distances.tobytes())]
    rest = np.array([0.5, -2.0], "<f4").tobytes(), np.array([4, 5, 6], "<i8").tobytes()
    assert data[:-4].endswith(bytes([0, 0, 8, 8, 0]) + rest[0] + b"".join(digests) + rest[1])
    network = load_compressed(TINY_BUILT, architecture=masked)
    for name, section in built_sections().tensors.items():
        np.testing.assert_array_equal(network.state_dict()[name].numpy(), section.values, strict=True)


def test_a_network_made_of_factors_is_written_as_the_committed_bytes() -> None:
    data = TINY_FACTORS.read_bytes()
    assert container.write(FACTORS_HEADER, factors_layout(), factors_sections()) == data
    kinds = bytes([5, 5, 1, 6, 2, 4])  # both made from factors; there is one factor: 6 rows, 2 columns, adaptive
    assert data[data.index(container.fingerprint(factors_layout())) + 4 :].startswith(_STEPS_AND_SCALES + kinds)


_STEPS_AND_SCALES = b"\x02\x01" + np.array([0.5], "<f2").tobytes() + b"\x02" + np.array([1, -2], "<f2").tobytes()


@pytest.mark.parametrize("path", [TINY_FACTORS, VERSION_1 / TINY_FACTORS.name], ids=str)
def test_a_network_made_of_factors_is_read(path: Path) -> None:
    """The values are the first six of (1, 0; 2, -1; 3, 1) (4, 0, -1; 2, 1, 3) / 4, times two scales."""
    data = path.read_bytes()
    (factor,) = container.read(data, factors_layout()).factors
    np.testing.assert_array_equal(factor.values, factors_sections().factors[0].values, strict=True)
    state = load_compressed(path).state_dict()
    assert state["1.weight"].tolist() == [[1.0, 0.0], [-0.25, 1.5]]
    assert state["1.bias"].tolist() == [0.5, 2.5]


def test_integers_with_exponents_are_written_as_the_committed_bytes() -> None:
    """Compared byte by byte, as a reader in another language would find it."""
    data = TINY_SCALED.read_bytes()
    assert container.write(SCALED_HEADER, scaled_layout(), scaled_sections()) == data
    rest = data[data.index(container.fingerprint(scaled_layout())) + 4 :]
    assert rest[:6] == b"\x01\x02" + np.array([0.25, 1.5], "<f2").tobytes()
    # scaled, adaptive with step 1; scaled, table 0; adaptive with step 1; table 0
    assert rest[6:10] == bytes([6 + 16 * 3, 6 + 16 * 0, 4 + 16 * 1, 2 + 16 * 0])
    assert rest[10:15] == varint(zigzag(-90)) + bytes([zigzag(30), zigzag(4), 5])  # and table 0: symbol 4, five times
    assert len(rest[15:]) % 4 == 0, "the stream, in whole words, and the checksum"


@pytest.mark.parametrize("path", [TINY_SCALED, VERSION_1 / TINY_SCALED.name], ids=str)
def test_integers_with_exponents_are_read(path: Path) -> None:
    found = container.read(path.read_bytes(), scaled_layout())
    for name, section in scaled_sections().tensors.items():
        again = found.tensors[name]
        assert isinstance(section, Integers)
        assert isinstance(again, Integers)
        np.testing.assert_array_equal(again.values, section.values, strict=True)
        assert (again.table, again.exponent) == (section.table, section.exponent)
    state = load_compressed(path).state_dict()
    expected = torch.tensor([[0, 1, 0, -1], [2, 0, 0, 0], [-70_000, 0, 5, 1]]) * 1.5 * 2.0**-90
    assert torch.equal(state["1.weight"], expected)
    assert state["1.bias"].tolist() == [2.0**30] * 3
    assert state["3.weight"].tolist() == [[0, 0, 0], [0, 0, 0]]
    assert state["3.bias"].tolist() == [1, 1]


def test_bfloat16_is_written_as_the_committed_bytes() -> None:
    data = TINY_BFLOAT16.read_bytes()
    assert container.write(BFLOAT16_HEADER, bfloat16_layout(), bfloat16_sections()) == data
    bits = np.array([0x3F80, 0xBF80, 0x4000, 0x7F62, 0x006D, 0x8000], "<u2").tobytes()
    kinds = bytes([0, 0, 3 + 16 * 1])  # no vectors; raw; constant of one value
    assert data[-len(bits) - 9 : -4] == kinds + bits + np.array([0x3F00], "<u2").tobytes()


@pytest.mark.parametrize("path", [TINY_BFLOAT16, VERSION_1 / TINY_BFLOAT16.name], ids=str)
def test_bfloat16_is_read(path: Path) -> None:
    state = load_compressed(path, architecture=coarse).state_dict()
    expected = torch.tensor([[1, -1], [2, 3e38], [1e-38, -0.0]]).bfloat16()
    assert torch.equal(state["weight"].view(torch.int16), expected.view(torch.int16))
    assert state["bias"].tolist() == [0.5, 0.5, 0.5]


def test_tensors_without_a_network_are_read() -> None:
    """Not written as the committed bytes: builds of zlib deflate differently."""
    found = open_compressed(TINY_TENSORS).state_dict()
    assert {name: (tensor.dtype, tensor.tolist()) for name, tensor in found.items()} == {
        "conv": (torch.float32, [0.5, 2.0, -1.0]),
        "conv.bias": (torch.bfloat16, [1.0, -1.0]),
        "conv.weight": (torch.float32, [[0.0, 0.25, -0.5], [0.75, 0.0, 0.0]]),
        "last.weight": (torch.float32, [[0.0, 0.25, -0.5], [0.75, 0.0, 0.0]]),
        "mask": (torch.bool, [True, True]),
    }


def test_the_header_of_a_tiny_network_is_lean() -> None:
    """Compared byte by byte, as a reader in another language would find it."""
    data = TINY.read_bytes()
    assert data[:5] == b"RFZ\x02\x00"
    assert data[5:10] == b"\x03epr\x01"
    assert data[10:14] == b"\x03mlp"
    arguments = b"\x08hidden" + bytes([4 + 8 * 2, 8 * 3, 8 * 2])  # two more than its length, then a list of integers
    arguments += bytes([0, 4 + 8 * 3, 8 * 1, 8 * 2, 8 * 2])  # input_shape
    arguments += bytes([1, 8 * 2])  # num_outputs
    assert data[14 : 15 + len(arguments)] == bytes([len(arguments)]) + arguments
    rest = data[15 + len(arguments) :]
    assert rest[:4] == container.fingerprint(tiny_layout())
    assert rest[4:10] == b"\x01\x02" + np.array([0.25, 2.0**-14], "<f2").tobytes()
    kinds = bytes([4 + 16 * 1, 2 + 16 * 0, 0, 1, 3 + 16 * 3, 3 + 16 * 0])
    assert rest[10:16] == kinds  # adaptive with step 1, table 0, raw, float16, one float16 value, zeros
    stored = bytes([zigzag(4), 3])  # table 0: symbol 4, three times
    stored += np.array([0.5, -1.25, 3e-5, 1e-8, 0.1, 2.0], "<f4").tobytes()
    stored += np.array([0.1, -65504.0, -0.75], "<f2").tobytes()
    assert rest[16:].startswith(stored)


@pytest.mark.parametrize("path", sorted(VERSION_1.glob("*.rfz")), ids=lambda path: path.stem)
def test_a_file_of_the_first_version_is_recoded(path: Path) -> None:
    opened = open_compressed(path, architecture=coarse if "bfloat16" in path.name else None)
    assert opened.data[3] == 1
    assert opened.recoded() == (path.parent.parent / path.name).read_bytes()
