"""A part of a file's values stands for all of them."""

from __future__ import annotations

import numpy as np
import pytest

from trainers.coding import container
from trainers.coding.excerpt import excerpt
from trainers.coding.sections import Entry, Integers, Raw, Sections

LAYOUT = [
    Entry(name="kernel", shape=(40, 5, 3, 3), dtype="float32"),
    Entry(name="bias", shape=(40,), dtype="float32"),
    Entry(name="made", shape=(100, 40), dtype="float32"),
]
SECTIONS = Sections(
    tensors={
        "kernel": Integers(values=np.arange(1800, dtype=np.int32).reshape(40, 5, 3, 3) % 7),
        "bias": Raw(values=np.linspace(0, 1, 40, dtype=np.float32)),
    },
    vectors=(np.ones(2, np.float16),),
    factors=(Integers(values=np.ones((4, 100), np.int32), table=1),),
)
NUM_VALUES = 1800 + 40 + 400


def test_tensors_and_factors_are_cut_to_the_same_share() -> None:
    layout, part, times = excerpt(LAYOUT, SECTIONS, NUM_VALUES // 4)
    assert [entry.shape for entry in layout] == [(10, 5, 3, 3), (40,), (100, 40)]
    assert part.factors[0].values.shape == (4, 25)
    np.testing.assert_array_equal(part.tensors["kernel"].values, SECTIONS.tensors["kernel"].values[:10])
    assert times == pytest.approx(NUM_VALUES / (450 + 40 + 100))


def test_a_part_is_written_and_read_as_a_whole_is() -> None:
    layout, part, _ = excerpt(LAYOUT, SECTIONS, NUM_VALUES // 4)
    header = container.Header(method="low_rank", method_version=1, architecture="mlp", arguments={})
    read = container.read(container.write(header, layout, part), layout)
    np.testing.assert_array_equal(read.tensors["kernel"].values, part.tensors["kernel"].values)
    np.testing.assert_array_equal(read.factors[0].values, part.factors[0].values)


def test_a_small_network_is_its_own_excerpt() -> None:
    layout, part, times = excerpt(LAYOUT, SECTIONS, NUM_VALUES)
    assert (list(layout), times) == (LAYOUT, 1.0)
    assert part.tensors["kernel"].values is SECTIONS.tensors["kernel"].values


def test_something_of_every_tensor_stays() -> None:
    layout, part, _ = excerpt(LAYOUT, SECTIONS, 1)
    assert [entry.shape for entry in layout] == [(1, 5, 3, 3), (40,), (100, 40)]
    assert part.factors[0].values.shape == (4, 1)
