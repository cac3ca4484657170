"""Tensors go through the model unchanged, whatever their shape; what was learned helps; the bytes are fixed."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.trainers.coding.matrices import network_like, order_0_bits
from trainers.coding import container, planning, section_kinds
from trainers.coding.bytestream import RfzError
from trainers.coding.coder import Encoder
from trainers.coding.contexts import ContextCoder
from trainers.coding.forms import Form, Forms
from trainers.coding.model import Model, Notes, num_bits
from trainers.coding.sections import Entry, Integers, Sections
from trainers.coding.stream import StreamReader
from trainers.coding.structure import grid_width

HEADER = container.Header(method="epr", method_version=1, architecture="x")
INT32 = np.iinfo(np.int32)
Ints = npt.NDArray[np.int32]
SHAPES = [
    (7,),
    (1, 9),
    (9, 1),
    (5, 6),
    (4, 3, 5),
    (4, 2, 3, 3),
    (3, 2, 1, 7),
    (3, 2, 2, 2),
    (2, 3, 5, 5),
    (3, 2, 2, 3, 4),
]
VALUES = st.sampled_from([0, 0, 0, 0, 1, -1, 2, -7, 14, 15, 16, 17, 300, INT32.max, INT32.min, INT32.min + 1])


def stream_of(*notes: Notes) -> bytes:
    encoder = Encoder()
    for one in notes:
        encoder.encode_bits(one.bits.astype(np.int64), one.ones.astype(np.int64))
    return encoder.finish()


def read(stream: bytes, *shapes: tuple[int, ...]) -> list[Ints]:
    reader, coder = StreamReader(stream), ContextCoder()
    found = [coder.read(shape, reader) for shape in shapes]
    reader.finish()
    return found


@given(
    st.lists(st.sampled_from(SHAPES).flatmap(lambda shape: hnp.arrays(np.int32, shape, elements=VALUES)), max_size=4)
)
@settings(max_examples=60, deadline=None)
def test_tensors_come_back_in_their_order(tensors: list[Ints]) -> None:
    coder = ContextCoder()
    notes = [coder.note(values) for values in tensors]
    stream = stream_of(*notes)
    for values, found in zip(tensors, read(stream, *(values.shape for values in tensors)), strict=True):
        np.testing.assert_array_equal(found, values, strict=True)
    bits = sum(one.information_bits() for one in notes)
    assert bits - 1 <= 8 * len(stream) <= 1.001 * bits + 64


@given(
    hnp.arrays(
        np.int32,
        hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
        elements=st.integers(-3, 3) | st.integers(INT32.min, INT32.max),
    )
)
@settings(max_examples=60, deadline=None)
def test_tensors_of_any_shape_go_through_a_file(values: Ints) -> None:
    layout = [Entry(name="w", shape=values.shape, dtype="float32")]
    data = container.write(HEADER, layout, Sections(tensors={"w": Integers(values=values)}))
    assert np.array_equal(container.read(data, layout).tensors["w"].values, values)


@pytest.mark.parametrize("width", [0, 3, 20, 64])
@pytest.mark.parametrize("is_transposed", [False, True])
def test_every_form_of_a_matrix_is_read(width: int, is_transposed: bool) -> None:
    values = network_like()[:30, :70]
    values = np.concatenate((values, np.ones((5, 70), np.int32)))
    form = Form(
        num_rows=35, num_columns=70, width=min(width, 35) if is_transposed else width, is_transposed=is_transposed
    )
    coder = ContextCoder()
    notes, *_ = coder._try(values.shape, values, form)
    assert np.array_equal(read(stream_of(notes), values.shape)[0], values)


def test_a_form_knows_the_rows_of_the_matrix_before() -> None:
    """Hidden units that died are rows of one matrix and columns of the next."""

    def num_bits_of(*forms: tuple[tuple[int, ...], Form]) -> list[int]:
        coder, counts = Forms(), []
        for tensor, form in forms:
            bits: list[int] = []

            def note(state: int, bit: int, bits: list[int] = bits) -> int:
                bits.append(bit)
                return bit

            assert coder.code(tensor, form, note) == form
            counts.append(len(bits))
        return counts

    first = ((300, 784), Form(num_rows=75, num_columns=700))
    expected = num_bits_of(
        first, ((300,), Form(num_rows=1, num_columns=75)), ((9, 300), Form(num_rows=9, num_columns=75))
    )
    other = num_bits_of(first, ((300,), Form(num_rows=1, num_columns=76)), ((9, 300), Form(num_rows=9, num_columns=74)))
    assert [two - one for one, two in zip(expected, other, strict=True)] == [0, 9, 9]
    flat = num_bits_of(((20, 5, 3, 3), Form(num_rows=7, num_columns=45)), ((4, 320), Form(num_rows=4, num_columns=112)))
    assert flat[1] == expected[2], "each channel has 16 columns in the layer after"


@pytest.mark.parametrize(
    ("tensor", "answers", "message"),
    [
        ((5, 70), [1, 0, 1, 1, 1, 1], "8 rows, columns or widths where 5 may be"),
        ((5, 70), [1, 1, 1, 0, 1, 0, 0, 0, 0, 0, 1], "a grid of width 2 where 70 columns are"),
        ((5, 70), [1, 1, 1, 1, 1, 0, 0, 0, 1, 0, 1], "a grid of width 6 where 5 columns are"),
    ],
)
def test_a_form_that_cannot_be_is_refused(tensor: tuple[int, ...], answers: list[int], message: str) -> None:
    left = iter(answers)
    with pytest.raises(RfzError, match=message):
        Forms().code(tensor, Form(), lambda state, bit: next(left))


def test_structure_goes_below_order_0_entropy() -> None:
    values = network_like()
    assert grid_width(values) == 20
    assert ContextCoder().note(values).information_bits() < 0.8 * order_0_bits(values)
    shuffled = np.random.default_rng(0).permuted(values.reshape(-1)).reshape(values.shape)
    bits = ContextCoder().note(shuffled).information_bits()
    assert bits < 1.03 * order_0_bits(shuffled) + 64, "little is lost where there is none"


def test_what_was_learned_helps_the_next_tensor() -> None:
    coder = ContextCoder()
    coder.note(network_like(0))
    later, alone = coder.note(network_like(1)), ContextCoder().note(network_like(1))
    assert later.information_bits() < 0.985 * alone.information_bits()


def test_a_copy_learns_on_its_own() -> None:
    model, values = Model(), network_like()
    shape = Form(num_rows=60, num_columns=400).shape(values.shape)
    model.copy().note(values, shape)
    assert np.array_equal(model.note(values, shape).ones, Model().note(values, shape).ones)


def test_the_number_of_bits_is_known_beforehand() -> None:
    values = np.array([[0, 1, -2, 15, 16, -17, 300, INT32.max, INT32.min]], np.int32)
    assert num_bits(values) == len(Model().note(values, Form(num_rows=1, num_columns=9).shape((9,))).bits)


def test_a_file_is_never_larger_than_with_static_tables() -> None:
    """Dense integers without structure keep their table."""
    noise = np.random.default_rng(0).integers(-100, 100, (300, 300)).astype(np.int32)
    layout = [
        Entry(name="noise", shape=(300, 300), dtype="float32"),
        Entry(name="net", shape=(60, 400), dtype="float32"),
    ]
    sections = Sections(
        tensors={"noise": Integers(values=noise, table=0), "net": Integers(values=network_like(), table=1)}
    )
    assert [use.kind for use in planning.plan(layout, sections)] == [section_kinds.INTEGERS, section_kinds.ADAPTIVE]
    data = container.write(HEADER, layout, sections)
    found = container.read(data, layout)
    assert all(np.array_equal(found.tensors[n].values, s.values) for n, s in sections.tensors.items())
    shares = container.take_apart(data, layout).account()
    assert math.isclose(sum(share.size_bytes for share in shares), len(data), abs_tol=1e-6)


def test_trailing_rows_and_columns_of_zeros_cost_next_to_nothing() -> None:
    values = network_like()
    padded = np.zeros((600, 4000), np.int32)
    padded[:60, :400] = values
    sizes = []
    for tensor in (values, padded):
        layout = [Entry(name="w", shape=tensor.shape, dtype="float32")]
        data = container.write(HEADER, layout, Sections(tensors={"w": Integers(values=tensor)}))
        assert np.array_equal(container.read(data, layout).tensors["w"].values, tensor)
        sizes.append(len(data))
    assert sizes[1] - sizes[0] <= 4, "22 bits, in whole words"


def test_the_stream_is_the_same_on_every_machine() -> None:
    """The bytes are committed: a change here makes old files unreadable, and needs a new format version."""
    generator = np.random.default_rng(7)
    kernels = (generator.random((20, 10, 3, 3)) < 0.3) * generator.integers(-20, 21, (20, 10, 3, 3))
    tensors = [network_like(3), kernels.astype(np.int32), network_like(4)[:10, ::7], np.arange(-5, 30, dtype=np.int32)]
    coder = ContextCoder()
    stream = stream_of(*(coder.note(values) for values in tensors))
    assert hashlib.sha256(stream).hexdigest()[:16] == "df2dc32ce70e886a"
    for values, found in zip(tensors, read(stream, *(values.shape for values in tensors)), strict=True):
        assert np.array_equal(found, values)


def test_dense_matrices_are_the_same_on_every_machine() -> None:
    """Counts that take in this row may pass what the rows above could hold; products are cut to 32 bits by 32."""
    generator = np.random.default_rng(8)
    tall = generator.integers(1, 3, (4000, 6)).astype(np.int32)
    tall[generator.random(tall.shape) < 0.002] = 0
    kernels = np.ones((80, 2, 31, 31), np.int32)
    kernels[generator.random(kernels.shape) < 0.002] = 0
    tensors = [tall, tall[:, ::-1], kernels, np.zeros((3, 4), np.int32), kernels[:, :, 0, 0]]
    coder = ContextCoder()
    stream = stream_of(*(coder.note(values) for values in tensors))
    assert hashlib.sha256(stream).hexdigest()[:16] == "2a85ba6aa5973996"
    for values, found in zip(tensors, read(stream, *(values.shape for values in tensors)), strict=True):
        assert np.array_equal(found, values)


@pytest.mark.parametrize("seed", range(5))
def test_a_damaged_stream_decodes_to_something_or_is_refused(seed: int) -> None:
    """It stays within bounds, ends in time, and never raises another error."""
    values = network_like(seed)[:, :100]
    stream = stream_of(ContextCoder().note(values))
    generator = np.random.default_rng(seed)
    for _ in range(20):
        damaged = bytearray(stream)
        damaged[int(generator.integers(len(stream)))] ^= int(generator.integers(1, 256))
        try:
            (decoded,) = read(bytes(damaged), values.shape)
        except RfzError:
            continue
        assert decoded.shape == values.shape


@pytest.mark.parametrize("at_once", [7 * 400, 400, 150, 1])
def test_a_matrix_is_the_same_in_pieces_between_which_the_clock_is_looked_at(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = network_like()[:, :400]
    kernels = np.ascontiguousarray(values[:30, :396]).reshape(30, 44, 3, 3)
    coder = ContextCoder()
    whole = stream_of(*(coder.note(one) for one in (values, kernels)))
    monkeypatch.setattr("trainers.coding.model._AT_ONCE", at_once)
    coder = ContextCoder()
    assert stream_of(*(coder.note(one) for one in (values, kernels))) == whole
    looks: list[None] = []
    reader, coder = StreamReader(whole, lambda: looks.append(None)), ContextCoder()
    for one in (values, kernels):
        assert np.array_equal(coder.read(one.shape, reader), one)
    assert len(looks) > values.size / at_once / 2, "trailing zeros are left out"
