"""A hundred thousand damaged streams: the compiled reader fills a matrix within bounds or says that it is broken."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np

from trainers.coding.bytestream import RfzError
from trainers.coding.coder import Encoder
from trainers.coding.contexts import ContextCoder
from trainers.coding.stream import StreamReader

NUM_MUTANTS = 100_000
SHAPES = ((3, 2, 3, 3), (4, 6), (6,))


def streams() -> list[bytes]:
    """Streams of three tensors each: sparse, dense, and with large numbers."""
    generator = np.random.default_rng(0)
    found = []
    for density, most in ((0.2, 3), (0.9, 20), (0.5, 2**31 - 1)):
        encoder, coder = Encoder(), ContextCoder()
        for shape in SHAPES:
            values = (generator.random(shape) < density) * generator.integers(-most, most, shape, endpoint=True)
            notes = coder.note(values.astype(np.int32))
            encoder.encode_bits(notes.bits.astype(np.int64), notes.ones.astype(np.int64))
        found.append(encoder.finish())
    return found


def mutated(stream: bytes, dice: random.Random) -> bytes:
    out = bytearray(stream)
    for _ in range(dice.choice([1, 1, 2, 5])):
        position = dice.randrange(len(out))
        kind = dice.randrange(4)
        if kind == 0:
            out[position] ^= 1 << dice.randrange(8)
        elif kind == 1:
            out[position : position + 4] = dice.choice([bytes(4), b"\xff" * 4, dice.randbytes(4)])
        elif kind == 2:
            del out[position : position + 4 * dice.randrange(1, 4)]
        else:
            out[position:position] = dice.randbytes(4 * dice.randrange(1, 4))
        if not out:
            return b""
    return bytes(out[: len(out) // 4 * 4])


def test_mutants_of_streams_are_read_or_refused() -> None:
    dice, originals = random.Random(0), streams()
    outcomes: Counter[str] = Counter()
    for _ in range(NUM_MUTANTS):
        reader, coder = StreamReader(mutated(dice.choice(originals), dice)), ContextCoder()
        try:
            for shape in SHAPES:
                values = coder.read(shape, reader)
                assert values.shape == shape
            reader.finish()
            outcomes["read"] += 1
        except RfzError as error:
            outcomes[str(error).split("(")[0].split(": ")[0]] += 1
    assert sum(outcomes.values()) == NUM_MUTANTS
    assert outcomes["read"] > 10, "some damage makes another stream"
    assert outcomes["the coded stream is damaged"] > NUM_MUTANTS // 2
