"""The adaptive code of version 1 is read as it was written: it is the same on every machine."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.trainers.coding.matrices import network_like, order_0_bits
from trainers.coding import adaptive, container, mixing, structure
from trainers.coding.coder import Decoder, Encoder, information_of_bits

HEADER = container.Header(method="epr", method_version=1, architecture="x")
INT32 = np.iinfo(np.int32)


def encode(values: npt.NDArray[np.int32], width: int, coarseness: int = 0) -> tuple[bytes, float]:
    """The stream, and its information in bits."""
    encoder, bits = Encoder(), 0.0

    def port(ones: mixing.Ints, given: mixing.Ints) -> mixing.Ints:
        nonlocal bits
        bits += information_of_bits(given, ones)
        encoder.encode_bits(given, ones)
        return given

    assert np.array_equal(adaptive.code(values, width, coarseness, port), values)
    return encoder.finish(), bits


def decode(stream: bytes, shape: tuple[int, int], width: int, coarseness: int = 0) -> npt.NDArray[np.int32]:
    decoder = Decoder(stream)
    decoded = adaptive.code(np.zeros(shape, np.int32), width, coarseness, lambda ones, _: decoder.decode_bits(ones))
    decoder.finish()
    return decoded


def kinds_in(data: bytes, layout: container.Layout) -> list[type]:
    return [type(section) for section in container.read(data, layout).tensors.values()]


matrices = hnp.arrays(
    np.int32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12),
    elements=st.sampled_from([0, 0, 0, 1, -1, 2, -7, 14, 15, 16, 17, 300, INT32.max, INT32.min, INT32.min + 1]),
)


@settings(max_examples=60, deadline=None)
@given(matrices, st.sampled_from([0, 1, 2, 3, 5, 64]), st.sampled_from([0, 8, adaptive.MAX_COARSENESS]))
def test_decoding_inverts_encoding(values: npt.NDArray[np.int32], width: int, coarseness: int) -> None:
    stream, bits = encode(values, width, coarseness)
    assert np.array_equal(decode(stream, values.shape, width, coarseness), values)
    assert 8 * len(stream) <= 1.01 * bits + 64


def test_structure_goes_below_order_0_entropy() -> None:
    values = network_like()
    assert structure.grid_width(values) == 20
    stream, _ = encode(values, 20)
    assert 8 * len(stream) < 0.85 * order_0_bits(values)
    shuffled = np.random.default_rng(0).permuted(values.reshape(-1)).reshape(values.shape)
    assert 8 * len(encode(shuffled, 0)[0]) < 1.1 * order_0_bits(shuffled) + 64, "little is lost where there is none"


def test_coarse_steps_are_fewer_and_lose_little() -> None:
    values = network_like()
    fine, coarse = (len(encode(values, 20, coarseness)[0]) for coarseness in (0, 3))
    assert adaptive.num_steps(values.shape, 3) == 100
    assert fine < coarse < 1.1 * fine


def test_the_stream_is_the_same_on_every_machine() -> None:
    """The bytes are committed: a change here makes old files unreadable, and needs a new format version."""
    stream, _ = encode(network_like(3), 20)
    assert hashlib.sha256(stream).hexdigest()[:16] == "0882f6ad32520bf7"


def test_logarithms_are_exact_to_a_unit() -> None:
    x = np.concatenate([np.arange(1, 5000), 2 ** np.arange(53) + 0, 3 ** np.arange(1, 33)]).astype(np.int64)
    assert np.abs(mixing.logarithm(x) - 256 * np.log(x.astype(np.float64))).max() < 1


def test_probabilities_invert_logits() -> None:
    logits = np.arange(-11 * 256, 11 * 256 + 1)
    found = (2 * mixing.probability(logits) + 1) / 2**17
    wanted = 1 / (1 + np.exp(-logits / 256))
    assert np.abs(found - wanted).max() < 2e-3
    assert (np.diff(mixing.probability(logits)) >= 0).all()
    assert 0 <= mixing.probability(np.array([-(10**9)]))[0] < mixing.probability(np.array([10**9]))[0] < 2**16


@pytest.mark.parametrize("seed", range(5))
def test_a_damaged_stream_decodes_to_something_or_is_refused(seed: int) -> None:
    """It stays within bounds, ends in time, and never raises another error."""
    values = network_like(seed)[:, :100]
    stream, _ = encode(values, 20)
    generator = np.random.default_rng(seed)
    for _ in range(10):
        damaged = bytearray(stream)
        damaged[int(generator.integers(len(stream)))] ^= int(generator.integers(1, 256))
        try:
            decoded = decode(bytes(damaged), values.shape, 20)
        except ValueError:
            continue
        assert decoded.shape == values.shape
