"""The format does not drift: files written today are the files written before, byte for byte."""

from __future__ import annotations

import numpy as np
import torch

from tests.golden.regenerate import (
    BFLOAT16_HEADER,
    FACTORS_HEADER,
    SCALED_HEADER,
    TINY,
    TINY_BFLOAT16,
    TINY_FACTORS,
    TINY_HEADER,
    TINY_SCALED,
    bfloat16_layout,
    bfloat16_sections,
    coarse,
    factors_layout,
    factors_sections,
    scaled_layout,
    scaled_sections,
    tiny_layout,
    tiny_sections,
)
from trainers.coding import container
from trainers.coding.bytestream import put_varint, zigzag
from trainers.coding.sections import Integers
from trainers.compressed import load_compressed


def varint(value: int) -> bytes:
    out = bytearray()
    put_varint(out, value)
    return bytes(out)


def test_a_hand_made_network_is_written_as_the_committed_bytes() -> None:
    assert container.write(TINY_HEADER, tiny_layout(), tiny_sections()) == TINY.read_bytes()


def test_the_committed_bytes_are_read_as_the_hand_made_network() -> None:
    data = TINY.read_bytes()
    assert container.read_header(data) == TINY_HEADER
    found, wanted = container.read(data, tiny_layout()), tiny_sections()
    for name, section in wanted.tensors.items():
        np.testing.assert_array_equal(found.tensors[name].values, section.values, strict=True)
        assert isinstance(section, Integers) == isinstance(found.tensors[name], Integers)
    assert [vector.tolist() for vector in found.vectors] == [vector.tolist() for vector in wanted.vectors]


def test_the_committed_bytes_load_as_a_network() -> None:
    network = load_compressed(TINY)
    weights = dict(network.named_parameters())
    smallest = 2.0**-14
    expected = torch.tensor([[0, 1, 0, -1], [2, 0, 0, 0], [-70_000, 0, 5, 1]]) * smallest
    assert torch.equal(weights["1.weight"], expected)
    assert torch.equal(weights["1.bias"], torch.ones(3))
    assert weights["3.bias"].tolist() == [torch.tensor(0.1, dtype=torch.float16).item(), -65504.0]
    assert weights["5.weight"].tolist() == [[-0.75, -0.75], [-0.75, -0.75]]
    assert weights["5.bias"].tolist() == [0, 0]
    assert network(torch.ones(1, 1, 2, 2)).shape == (1, 2)


def test_a_network_made_of_factors_is_written_as_the_committed_bytes_and_read() -> None:
    """The values are the first six of (1, 0; 2, -1; 3, 1) (4, 0, -1; 2, 1, 3) / 4, times two scales."""
    data = TINY_FACTORS.read_bytes()
    assert container.write(FACTORS_HEADER, factors_layout(), factors_sections()) == data
    (factor,) = container.read(data, factors_layout()).factors
    np.testing.assert_array_equal(factor.values, factors_sections().factors[0].values, strict=True)
    state = load_compressed(TINY_FACTORS).state_dict()
    assert state["1.weight"].tolist() == [[1.0, 0.0], [-0.25, 1.5]]
    assert state["1.bias"].tolist() == [0.5, 2.5]
    after_fingerprint = data.index(container.fingerprint(factors_layout())) + 4
    steps_and_scales = b"\x02\x01" + np.array([0.5], "<f2").tobytes() + b"\x02" + np.array([1, -2], "<f2").tobytes()
    kinds = bytes([5, 5, 1, 6, 2, 2])  # both made from factors; there is one factor: 6 rows, 2 columns, table 0
    assert data[after_fingerprint:].startswith(steps_and_scales + kinds)


def test_integers_with_exponents_are_written_as_the_committed_bytes_and_read() -> None:
    """Compared byte by byte, as a reader in another language would find it."""
    data = TINY_SCALED.read_bytes()
    assert container.write(SCALED_HEADER, scaled_layout(), scaled_sections()) == data
    found = container.read(data, scaled_layout())
    for name, section in scaled_sections().tensors.items():
        again = found.tensors[name]
        assert isinstance(section, Integers)
        assert isinstance(again, Integers)
        np.testing.assert_array_equal(again.values, section.values, strict=True)
        assert (again.table, again.exponent) == (section.table, section.exponent)
    state = load_compressed(TINY_SCALED).state_dict()
    expected = torch.tensor([[0, 1, 0, -1], [2, 0, 0, 0], [-70_000, 0, 5, 1]]) * 1.5 * 2.0**-90
    assert torch.equal(state["1.weight"], expected)
    assert state["1.bias"].tolist() == [2.0**30] * 3
    assert state["3.weight"].tolist() == [[0, 0, 0], [0, 0, 0]]
    assert state["3.bias"].tolist() == [1, 1]
    rest = data[data.index(container.fingerprint(scaled_layout())) + 4 :]
    assert rest[:6] == b"\x01\x02" + np.array([0.25, 1.5], "<f2").tobytes()
    # scaled, adaptive with step 1; scaled, table 0; adaptive with step 1; table 0
    assert rest[6:10] == bytes([6 + 8 * 3, 6 + 8 * 0, 4 + 8 * 1, 2 + 8 * 0])
    assert rest[10:15] == varint(zigzag(-90)) + bytes([3, 4, 3])  # three rows, four columns, on a grid of three
    assert rest[15:18] == bytes([zigzag(30), zigzag(4), 5])  # and table 0: symbol 4, five times
    assert rest[18] == 0  # no rows that are not zero


def test_bfloat16_is_written_as_the_committed_bytes_and_read() -> None:
    data = TINY_BFLOAT16.read_bytes()
    assert container.write(BFLOAT16_HEADER, bfloat16_layout(), bfloat16_sections()) == data
    bits = np.array([0x3F80, 0xBF80, 0x4000, 0x7F62, 0x006D, 0x8000], "<u2").tobytes()
    kinds = bytes([0, 0, 3 + 8 * 1])  # no vectors; raw; constant of one value
    assert data[-len(bits) - 9 : -4] == kinds + bits + np.array([0x3F00], "<u2").tobytes()
    state = load_compressed(TINY_BFLOAT16, architecture=coarse).state_dict()
    expected = torch.tensor([[1, -1], [2, 3e38], [1e-38, -0.0]]).bfloat16()
    assert torch.equal(state["weight"].view(torch.int16), expected.view(torch.int16))
    assert state["bias"].tolist() == [0.5, 0.5, 0.5]


def test_the_header_of_a_tiny_network_is_lean() -> None:
    """Compared byte by byte, as a reader in another language would find it."""
    data = TINY.read_bytes()
    assert data[:4] == b"RFZ\x01"
    assert data[4:9] == b"\x03epr\x01"
    assert data[9:13] == b"\x03mlp"
    arguments = b"\x08hidden" + bytes([4 + 8 * 2, 8 * 3, 8 * 2])  # two more than its length, then a list of integers
    arguments += bytes([0, 4 + 8 * 3, 8 * 1, 8 * 2, 8 * 2])  # input_shape
    arguments += bytes([1, 8 * 2])  # num_outputs
    assert data[13 : 14 + len(arguments)] == bytes([len(arguments)]) + arguments
    rest = data[14 + len(arguments) :]
    assert rest[:4] == container.fingerprint(tiny_layout())
    assert rest[4:10] == b"\x01\x02" + np.array([0.25, 2.0**-14], "<f2").tobytes()
    kinds = bytes([4 + 8 * 1, 2 + 8 * 0, 0, 1, 3 + 8 * 3, 3 + 8 * 0])
    assert rest[10:16] == kinds  # adaptive with step 1, table 0, raw, float16, one float16 value, zeros
    assert rest[16:19] == bytes([3, 4, 3])  # three rows, four columns, on a grid of three
    stored = bytes([zigzag(4), 3])  # table 0: symbol 4, three times
    stored += np.array([0.5, -1.25, 3e-5, 1e-8, 0.1, 2.0], "<f4").tobytes()
    stored += np.array([0.1, -65504.0, -0.75], "<f2").tobytes()
    assert stored in rest
