"""Grids go through their model unchanged, whatever their shape; it is chosen where it is smaller; damage is refused."""

from __future__ import annotations

import hashlib
import random

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.golden.regenerate import TINY_GRIDS, grids_layout
from tests.trainers.coding.fuzz import mutate, sealed
from tests.trainers.coding.matrices import order_0_bits
from trainers.coding import container, planning, section_kinds
from trainers.coding.bytestream import RfzError
from trainers.coding.coder import Encoder
from trainers.coding.contexts import ContextCoder
from trainers.coding.grid_model import GridModel
from trainers.coding.model import Notes
from trainers.coding.sections import Entry, Integers, Sections
from trainers.coding.stream import StreamReader

HEADER = container.Header(method="epr", method_version=1, architecture="x")
INT32 = np.iinfo(np.int32)
Ints = npt.NDArray[np.int32]
VALUES = st.sampled_from([0, 0, 0, 0, 1, -1, 2, -7, 14, 15, 16, 17, 300, INT32.max, INT32.min, INT32.min + 1])
NUM_MUTANTS = 5_000
SHAPES = ((3, 4), (2, 3, 5), (1, 1), (2, 1, 1))


def picture_like(seed: int = 0, height: int = 64, width: int = 96) -> Ints:
    """Latents of a picture: rough where there are edges, zero elsewhere; neighbours are of like magnitude and sign."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    edges = np.exp(-(((np.hypot(y - height / 2, x - width / 3) - height / 3) / 3) ** 2))
    edges += np.exp(-((((x + y / 2) % 50) - 25) ** 2) / 8)
    noise = generator.laplace(size=(height, width))
    smooth = noise + np.roll(noise, 1, 0) + np.roll(noise, 1, 1)
    return np.rint(1.2 * edges * smooth).astype(np.int32)


def stream_of(*notes: Notes) -> bytes:
    encoder = Encoder()
    for one in notes:
        encoder.encode_bits(one.bits.astype(np.int64), one.ones.astype(np.int64))
    return encoder.finish()


def read(stream: bytes, *shapes: tuple[int, ...]) -> list[Ints]:
    reader, model = StreamReader(stream), GridModel()
    found = [model.read(shape, reader) for shape in shapes]
    reader.finish()
    return found


def layout_and_sections(
    *grids: Ints, are_grids: bool = True, tables: tuple[int, ...] = ()
) -> tuple[list[Entry], Sections]:
    layout = [
        Entry(name=f"grids.{index}.values", shape=grid.shape, dtype="float32", is_grid=are_grids)
        for index, grid in enumerate(grids)
    ]
    numbers = tables or (0,) * len(grids)
    tensors = {
        entry.name: Integers(values=grid, table=table)
        for entry, grid, table in zip(layout, grids, numbers, strict=True)
    }
    return layout, Sections(tensors=tensors)


@given(
    st.lists(
        hnp.arrays(np.int32, hnp.array_shapes(min_dims=2, max_dims=4, min_side=0, max_side=6), elements=VALUES),
        max_size=4,
    )
)
@settings(max_examples=60, deadline=None)
def test_grids_come_back_in_their_order(grids: list[Ints]) -> None:
    model = GridModel()
    notes = [model.note(values) for values in grids]
    stream = stream_of(*notes)
    for values, found in zip(grids, read(stream, *(values.shape for values in grids)), strict=True):
        np.testing.assert_array_equal(found, values, strict=True)
    bits = sum(one.information_bits() for one in notes)
    assert bits - 1 <= 8 * len(stream) <= 1.001 * bits + 64


@given(
    st.lists(
        hnp.arrays(
            np.int32,
            hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
            elements=st.integers(-3, 3) | st.integers(INT32.min, INT32.max),
        ),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from([0, 7]),
)
@settings(max_examples=60, deadline=None)
def test_what_is_said_to_be_a_grid_goes_through_a_file(grids: list[Ints], exponent: int) -> None:
    layout, sections = layout_and_sections(*grids)
    first = layout[0].name
    sections.tensors[first] = Integers(values=grids[0], exponent=exponent)
    found = container.read(container.write(HEADER, layout, sections), layout)
    for entry, grid in zip(layout, grids, strict=True):
        np.testing.assert_array_equal(found.tensors[entry.name].values, grid, strict=True)


def test_a_grid_is_stored_as_such_where_that_is_smaller() -> None:
    """Latents are; noise, zeros and what is no grid are as they were."""
    noise = np.random.default_rng(0).integers(-100, 100, (60, 60)).astype(np.int32)
    grids = (picture_like(), noise, picture_like(1), np.zeros((9, 9), np.int32))
    layout, sections = layout_and_sections(*grids, tables=(0, 1, 0, 2))
    kinds = [use.kind for use in planning.plan(layout, sections)]
    assert (kinds[0], kinds[1], kinds[2]) == (section_kinds.GRID, section_kinds.INTEGERS, section_kinds.GRID)
    data = container.write(HEADER, layout, sections)
    contents = container.take_apart(data, layout)
    for entry, grid in zip(layout, grids, strict=True):
        np.testing.assert_array_equal(contents.sections.tensors[entry.name].values, grid, strict=True)
    shares = [share for share in contents.account() if share.part == "tensor"]
    assert [share.kind for share in shares][:3] == ["grid", "integers", "grid"]
    assert abs(sum(share.size_bytes for share in contents.account()) - len(data)) < 1e-6

    others, _ = layout_and_sections(*grids, are_grids=False)
    plain = container.write(HEADER, others, sections)
    assert len(data) < len(plain)
    assert section_kinds.GRID not in {use.kind for use in planning.plan(others, sections)}
    assert np.array_equal(container.read(data, others).tensors[layout[0].name].values, grids[0]), "the file says it"


def test_a_tensor_that_shares_the_step_of_grids_keeps_a_kind_of_its_own() -> None:
    noise = np.random.default_rng(0).integers(-100, 100, (60, 60)).astype(np.int32)
    layout, sections = layout_and_sections(picture_like(), noise)
    assert [use.kind for use in planning.plan(layout, sections)] == [section_kinds.GRID, section_kinds.INTEGERS]
    contents = container.take_apart(container.write(HEADER, layout, sections), layout)
    assert {section.table for section in contents.sections.tensors.values() if isinstance(section, Integers)} == {0}
    assert np.array_equal(contents.sections.tensors[layout[1].name].values, noise)


def test_neighbours_predict_magnitudes_and_signs() -> None:
    values = picture_like(0, 128, 192)
    bits = GridModel().note(values).information_bits()
    blocks = np.ascontiguousarray(values.reshape(8, 16, 12, 16).transpose(0, 2, 1, 3)).reshape(96, 1, 16, 16)
    assert bits < 0.95 * ContextCoder().note(blocks).information_bits()
    assert bits < 0.65 * order_0_bits(values)
    shuffled = np.random.default_rng(0).permuted(values.reshape(-1)).reshape(values.shape)
    assert GridModel().note(shuffled).information_bits() < 1.01 * order_0_bits(shuffled)


def test_zeros_cost_one_bit_and_channels_know_nothing_of_each_other() -> None:
    assert GridModel().note(np.zeros((300, 500), np.int32)).information_bits() == pytest.approx(1, abs=1e-4)
    assert GridModel().note(np.zeros((0, 5), np.int32)).information_bits() == 0
    model, values = GridModel(), picture_like()
    model.note(values)
    later, alone = model.note(picture_like(1)), GridModel().note(picture_like(1))
    assert later.information_bits() < 0.99 * alone.information_bits(), "what was learned helps the next grid"
    two = GridModel().note(np.stack((values, picture_like(1))))
    assert two.information_bits() < 1.01 * (GridModel().note(values).information_bits() + later.information_bits())


def test_the_stream_is_the_same_on_every_machine() -> None:
    """The bytes are committed: a change here makes old files unreadable, and needs a new format version."""
    generator = np.random.default_rng(7)
    large = (generator.random((3, 40, 30)) < 0.5) * generator.integers(-3000, 3001, (3, 40, 30))
    grids = [picture_like(3), large.astype(np.int32), picture_like(4, 5, 7), np.arange(-300, 300, dtype=np.int32)[None]]
    model = GridModel()
    stream = stream_of(*(model.note(values) for values in grids))
    assert hashlib.sha256(stream).hexdigest()[:16] == "b0e2c3947d67f061"
    for values, found in zip(grids, read(stream, *(values.shape for values in grids)), strict=True):
        assert np.array_equal(found, values)


def test_mutants_of_streams_are_read_or_refused() -> None:
    """It stays within bounds, ends in time, and never raises another error."""
    dice, generator, originals = random.Random(0), np.random.default_rng(0), []
    for density, most in ((0.2, 3), (0.9, 20), (0.5, 2**31 - 1)):
        model, notes = GridModel(), []
        for shape in SHAPES:
            values = (generator.random(shape) < density) * generator.integers(-most, most, shape, endpoint=True)
            notes.append(model.note(values.astype(np.int32)))
        originals.append(stream_of(*notes))
    outcomes = {"read": 0, "refused": 0}
    for _ in range(NUM_MUTANTS):
        damaged = bytearray(dice.choice(originals))
        for _ in range(dice.choice([1, 1, 2, 5])):
            position = dice.randrange(len(damaged))
            damaged[position : position + 4] = dice.choice([dice.randbytes(4), b"\xff" * 4, bytes(4), b""])
            damaged = damaged or bytearray(4)
        try:
            found = read(bytes(damaged[: len(damaged) // 4 * 4]), *SHAPES)
            outcomes["read"] += 1
            assert [values.shape for values in found] == list(SHAPES)
        except RfzError:
            outcomes["refused"] += 1
    assert outcomes["read"] > 10, "some damage makes another stream"
    assert outcomes["refused"] > NUM_MUTANTS // 2


def test_mutants_of_a_file_of_grids_are_read_or_refused() -> None:
    dice, data, layout = random.Random(0), TINY_GRIDS.read_bytes(), grids_layout()
    outcomes = {"read": 0, "refused": 0}
    for _ in range(2_000):
        try:
            container.read(sealed(mutate(data, dice)), layout)
            outcomes["read"] += 1
        except RfzError:
            outcomes["refused"] += 1
    assert outcomes["read"] > 10, "some damage makes another file"
    assert outcomes["refused"] > 1_000


def test_version_1_has_no_grids() -> None:
    layout, _ = layout_and_sections(picture_like())
    encoding = section_kinds.Encoding(entry=layout[0], kind=section_kinds.GRID, argument=0)
    assert section_kinds.GRID in section_kinds.codecs_for([encoding], 2)
    with pytest.raises(ValueError, match="is of kind 7, this ratefront knows"):
        section_kinds.codecs_for([encoding], 1)


@pytest.mark.parametrize("at_once", [1000, 96, 50, 1])
def test_a_grid_is_the_same_in_pieces_between_which_the_clock_is_looked_at(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.stack((picture_like()[:20], picture_like(1)[:20]))
    whole = stream_of(GridModel().note(values))
    monkeypatch.setattr("trainers.coding.grid_model._AT_ONCE", at_once)
    assert stream_of(GridModel().note(values)) == whole
    looks: list[None] = []
    reader = StreamReader(whole, lambda: looks.append(None))
    assert np.array_equal(GridModel().read(values.shape, reader), values)
    assert len(looks) >= values.size / at_once
