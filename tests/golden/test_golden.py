"""The format does not drift: files written today are the files written before, byte for byte."""

from __future__ import annotations

import numpy as np
import torch

from tests.golden.regenerate import TINY, TINY_HEADER, tiny_layout, tiny_sections
from trainers.coding import container
from trainers.coding.sections import Integers
from trainers.compressed import load_compressed


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
    assert network(torch.ones(1, 1, 2, 2)).shape == (1, 2)


def test_the_header_of_a_tiny_network_is_lean() -> None:
    """Byte by byte: what a reader in another language would find."""
    data = TINY.read_bytes()
    assert data[:4] == b"RFZ\x01"
    assert data[4:9] == b"\x03epr\x01"
    assert data[9:13] == b"\x03mlp"
    text = b'{"hidden":[3],"input_shape":[1,2,2],"num_outputs":2}'
    assert data[13 : 14 + len(text)] == bytes([len(text)]) + text
    rest = data[14 + len(text) :]
    assert rest[:4] == container.fingerprint(tiny_layout())
    assert rest[4:10] == b"\x01\x02" + np.array([0.25, 2.0**-14], "<f2").tobytes()
    assert rest[10:14] == bytes([3, 2, 0, 1])  # table 1, table 0, raw, float16
    assert rest[14:16] == bytes([8, 3])  # table 0: first symbol 4, three times
