"""Grids are found; of large tensors some rows tell whether learning may pay."""

from __future__ import annotations

import numpy as np
import pytest

from trainers.coding import planning, section_kinds
from trainers.coding.sections import Entry, Integers, Sections
from trainers.coding.structure import grid_width, is_structured

Array = np.ndarray[tuple[int, ...], np.dtype[np.int32]]


def independent(density: float, shape: tuple[int, int] = (256, 1100), seed: int = 0) -> Array:
    generator = np.random.default_rng(seed)
    magnitudes = (generator.random(shape) < density) * generator.geometric(0.4, shape)
    return (magnitudes * generator.choice([-1, 1], shape)).astype(np.int32)


@pytest.mark.parametrize("density", [0.0, 0.002, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_independent_values_have_no_structure(density: float, seed: int) -> None:
    assert not is_structured([(independent(density, seed=seed), {1, 9})])


def test_each_kind_of_structure_is_found() -> None:
    shape = (256, 1100)
    generator = np.random.default_rng(1)
    dense, sparse = independent(0.3), independent(0.1, seed=2)
    rows = np.where(np.arange(256)[:, None] < 128, dense, sparse)
    columns = np.where(np.arange(1100) < 550, dense, sparse)
    neighbours = dense.copy()
    neighbours[:, 1:] *= (dense[:, :-1] != 0) | (generator.random((256, 1099)) < 0.5)
    scales = independent(1.0) * np.where(np.arange(256) < 128, 1, 3)[:, None].astype(np.int32)
    signs = np.abs(independent(1.0)) * np.repeat(generator.choice([-1, 1], (256, 550)), 2, axis=1).astype(np.int32)
    above, channels = dense.copy(), dense.copy()
    above[1::2] *= (dense[::2] != 0) | (generator.random((128, 1100)) < 0.5)
    channels[:, 9:] *= (dense[:, :-9] != 0) | (generator.random((256, 1091)) < 0.5)
    for values in (rows, columns, neighbours, scales, signs, above, channels):
        assert values.shape == shape
        assert is_structured([(values, {1, 9})])


def test_the_width_of_a_grid() -> None:
    image = np.zeros((50, 20, 20), np.int32)
    image[:, 5:9, 7:10] = 1
    assert grid_width(image.reshape(50, 400)) == 20
    assert grid_width(np.zeros((3, 400), np.int32)) == 0
    assert grid_width(np.ones((3, 3), np.int32)) == 0


def test_large_tensors_are_coded_adaptively_only_where_it_promises_bytes() -> None:
    noise = independent(0.3)
    sorted_rows = noise * (np.random.default_rng(3).random(noise.shape) < np.linspace(1, 0, 256)[:, None])
    assert noise.size > 1 << 18
    layout = [Entry(name=name, shape=noise.shape, dtype="float32") for name in ("noise", "sorted")]
    tensors = {
        "noise": Integers(values=noise, table=0),
        "sorted": Integers(values=sorted_rows.astype(np.int32), table=1),
    }
    uses = planning.plan(layout, Sections(tensors=tensors))
    assert [use.kind for use in uses] == [section_kinds.INTEGERS, section_kinds.ADAPTIVE]


def test_a_large_block_among_zeros_is_coded_without_them() -> None:
    """This is what structured methods leave: the block itself has no structure, but zeros surround it."""
    rows, columns = 300, 900
    values = np.zeros((2 * rows, 2 * columns), np.int32)
    values[:rows, :columns] = np.random.default_rng(0).normal(0, 4, (rows, columns)).round()
    assert rows * columns > 1 << 18
    layout = [Entry(name="block", shape=values.shape, dtype="float32")]
    (use,) = planning.plan(layout, Sections(tensors={"block": Integers(values=values)}))
    assert use.kind == section_kinds.ADAPTIVE
    assert use.notes is not None
    assert use.notes.information_bits() < 1.02 * 4.05 * rows * columns
