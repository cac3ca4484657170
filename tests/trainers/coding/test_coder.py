"""Integers to bytes and back: varints, frequency tables, the range coder, the container."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trainers.coding import container, section_kinds, tables
from trainers.coding.bytestream import RfzError
from trainers.coding.coder import Decoder, Encoder, information_bits
from trainers.coding.container import Header
from trainers.coding.header import in_fewest_bytes, seal, tokenizer_bytes, write_header
from trainers.coding.sections import Entry, Integers, Raw, Section, Sections
from trainers.divergence import DivergedError

INT32 = np.iinfo(np.int32)
HEADER = Header(method="epr", method_version=1, architecture="mlp", arguments={"hidden": [3]})

shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
small = st.integers(-3, 3)
anything = st.one_of(small, st.integers(INT32.min, INT32.max), st.sampled_from([INT32.min, INT32.max, 0]))
fast = settings(max_examples=150, deadline=None)


@given(
    st.lists(
        st.integers(1, 12).flatmap(
            lambda k: st.tuples(
                st.lists(st.integers(1, 10**6), min_size=k, max_size=k),
                st.lists(st.integers(0, k - 1), max_size=30),
            )
        ),
        max_size=4,
    )
)
@fast
def test_decoding_inverts_encoding(parts: list[tuple[list[int], list[int]]]) -> None:
    encoder = Encoder()
    for counts, indices in parts:
        encoder.encode(np.array(indices, np.int32), np.array(counts))
    stream = encoder.finish()
    assert len(stream) % 4 == 0
    decoder = Decoder(stream)
    for counts, indices in parts:
        assert decoder.decode(np.array(counts), len(indices)).tolist() == indices
    decoder.finish()
    if all(len(counts) == 1 or not indices for counts, indices in parts):
        assert stream == b"", "what is certain costs nothing"


@pytest.mark.parametrize("num_symbols", [2, 17, 3000])
def test_information_is_the_length_of_the_stream(num_symbols: int) -> None:
    rng = np.random.default_rng(num_symbols)
    weights = rng.exponential(size=num_symbols) ** 3
    indices = rng.choice(num_symbols, size=200_000, p=weights / weights.sum()).astype(np.int32)
    counts = np.bincount(indices, minlength=num_symbols) + (np.arange(num_symbols) < 2)
    used = np.flatnonzero(counts)
    table = tables.Table(symbols=used.astype(np.int32), counts=counts[used])
    encoder = Encoder()
    encoder.encode(table.index(indices), table.counts)
    bits = information_bits(table.counts)[table.index(indices)].sum()
    assert abs(8 * len(encoder.finish()) - bits) <= 64 + 1e-3 * bits
    entropy = -np.sum(table.counts * np.log2(table.counts / table.total))
    assert bits <= entropy * 1.01 + 64


def test_information_is_that_of_the_coders_own_probabilities() -> None:
    """This holds for each single symbol, even a rare one: it is coded so often that a difference of 1e-3 bits shows."""
    for counts in ([1, 2**27], [1] * 300 + [10**7], [5, 3, 1, 1], [1] * 60_000):
        bits = information_bits(np.array(counts))
        assert math.isclose(np.sum(2.0**-bits), 1, rel_tol=1e-9)
        for symbol in (0, len(counts) - 1):
            encoder = Encoder()
            encoder.encode(np.full(100_000, symbol, np.int32), np.array(counts))
            assert abs(8 * len(encoder.finish()) - 100_000 * bits[symbol]) <= 100


def test_a_certain_symbol_has_no_information() -> None:
    assert information_bits(np.array([7])).tolist() == [0]
    assert information_bits(np.zeros(0, np.int64)).tolist() == []


@pytest.mark.parametrize("stream", [b"\0\0\0", b"\0\0\0\0\0"])
def test_a_stream_of_broken_words_is_refused(stream: bytes) -> None:
    with pytest.raises(RfzError, match="no whole number of 32-bit words"):
        Decoder(stream)


def test_a_stream_with_too_much_or_too_little_is_refused() -> None:
    encoder = Encoder()
    counts = np.array([1, 1, 1])
    encoder.encode(np.array([0, 1, 2] * 40, np.int32), counts)
    longer = Decoder(encoder.finish() + b"\1\2\3\4" * 4)
    longer.decode(counts, 120)
    with pytest.raises(RfzError, match="left over"):
        longer.finish()
    with pytest.raises(RfzError, match="empty where symbols should be"):
        Decoder(b"").decode(counts, 1)
    for unread in (b"\0\0\0\0", b"\xff" * 8):
        with pytest.raises(RfzError, match="left over"):
            Decoder(unread).finish()


@st.composite
def files(draw: Any) -> tuple[list[Entry], Sections]:
    """A layout with sections of all kinds; tables numbered without a gap."""
    layout: list[Entry] = []
    tensors: dict[str, Section] = {}
    kinds = draw(st.lists(st.sampled_from(["integers", "raw", "half", "constant", "constant half"]), max_size=6))
    num_tables = draw(st.integers(1, 3))
    tables_used: dict[int, int] = {}
    for index, kind in enumerate(kinds):
        name, shape = f"layer.{index}", draw(shapes)
        section: Section
        if kind == "integers":
            elements = draw(st.sampled_from([st.just(0), st.just(-7), small, anything]))
            number = tables_used.setdefault(draw(st.integers(0, num_tables - 1)), len(tables_used))
            exponent = draw(st.sampled_from([0, 0, 1, -13, 1100, -1100]))
            values = draw(hnp.arrays(np.int32, shape, elements=elements))
            section, dtype = Integers(values=values, table=number, exponent=exponent), "float32"
        elif kind.endswith("half"):
            elements = st.just(draw(finite(16))) if kind == "constant half" else finite(16)
            section, dtype = Raw(values=draw(hnp.arrays(np.float16, shape, elements=elements))), "float32"
        else:
            dtype = draw(
                st.sampled_from(
                    ["float32", "float64", "float16", "bfloat16", "int64", "int32", "int8", "uint8", "bool"]
                )
            )
            stored = Entry(name=name, shape=shape, dtype=dtype).raw_dtype
            bits = {"float16": 16, "float32": 32, "float64": 64}.get(dtype)
            elements = finite(bits) if bits else hnp.from_dtype(stored)
            if dtype == "bfloat16":
                elements = st.integers(0, 0xFFFF).filter(lambda one: one & 0x7F80 != 0x7F80)
            if kind == "constant":
                elements = st.just(draw(elements))
            section = Raw(values=draw(hnp.arrays(stored, shape, elements=elements)))
        layout.append(Entry(name=name, shape=shape, dtype=dtype))
        tensors[name] = section
    vectors = draw(st.lists(hnp.arrays(np.float16, st.integers(0, 5), elements=finite(16)), max_size=3))
    return layout, Sections(tensors=tensors, vectors=tuple(vectors))


def finite(bits: Any) -> Any:
    return st.floats(width=bits, allow_nan=False, allow_infinity=False)


@given(files())
@settings(max_examples=150, deadline=None)
def test_a_file_is_read_as_it_was_written(file: tuple[list[Entry], Sections]) -> None:
    layout, sections = file
    data = container.write(HEADER, layout, sections)
    assert container.read_header(data) == HEADER
    again = container.read(data, layout)
    assert list(again.tensors) == [entry.name for entry in layout]
    for name, section in sections.tensors.items():
        found = again.tensors[name]
        assert found.values.dtype == section.values.dtype
        assert found.values.shape == section.values.shape
        assert found.values.tobytes() == section.values.tobytes()
        if isinstance(section, Integers):
            assert isinstance(found, Integers)
            assert (found.table, found.exponent) == (section.table, section.exponent)
    assert [vector.tobytes() for vector in again.vectors] == [vector.tobytes() for vector in sections.vectors]
    assert container.write(HEADER, layout, again) == data
    shares = container.take_apart(data, layout).account()
    assert math.isclose(sum(share.size_bytes for share in shares), len(data), abs_tol=1e-6)
    (rounding,) = [share.size_bytes for share in shares if share.part == "rounding"]
    assert -1e-6 <= rounding <= 8 + 0.01 * len(data)


@given(files(), st.data())
@settings(max_examples=100, deadline=None)
def test_every_single_damaged_byte_is_noticed(file: tuple[list[Entry], Sections], data: st.DataObject) -> None:
    layout, sections = file
    good = bytearray(container.write(HEADER, layout, sections))
    position = data.draw(st.integers(0, len(good) - 1))
    good[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(RfzError):
        container.read(bytes(good), layout)


ONE = [Entry(name="w", shape=(2,), dtype="float32")]


def one(section: Section, **kwargs: Any) -> Sections:
    return Sections(tensors={"w": section}, **kwargs)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        (one(Raw(values=np.array([1, np.nan], np.float32))), "section 'w' holds NaN or infinity: refused"),
        (one(Raw(values=np.array([1, -np.inf], np.float16))), "section 'w' holds NaN or infinity: refused"),
        (one(Raw(values=np.zeros(3, np.float32))), "section 'w' has shape (3,): wanted (2,)"),
        (one(Raw(values=np.zeros(2, np.float64))), "section 'w' has dtype float64: wanted float32, or its float16"),
        (one(Integers(values=np.zeros(2, np.int64))), "section 'w' has dtype int64, table 0: wanted int32, from 0"),
        (one(Integers(values=np.zeros(2, np.int32), table=-1)), "section 'w' has dtype int32, table -1: wanted int32, "
         "from 0"),
        (one(Integers(values=np.zeros(2, np.int32), table=1)), "tables are numbered [1]: wanted 0 to 0 without a gap"),
        (one(Integers(values=np.zeros(2, np.int32), exponent=1101)), "section 'w' has exponent 1101: wanted 1100 at "
         "most"),
        (Sections(tensors={}), "sections are []: wanted one for each tensor, in order: ['w']"),
        (one(Raw(values=np.zeros(2, np.float32)), vectors=(np.array([np.inf], np.float16),)),
         "a vector must be one-dimensional, float16 and finite"),
        (one(Raw(values=np.zeros(2, np.float32)), vectors=(np.zeros((1, 1), np.float16),)),
         "a vector must be one-dimensional, float16 and finite"),
    ],
)  # fmt: skip
def test_sections_that_do_not_fit_are_refused(sections: Sections, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        container.write(HEADER, ONE, sections)
    assert str(caught.value) == message


def size_of(section: Raw, dtype: str) -> int:
    """The bytes that the file has for a tensor beyond its kind."""
    layout = [Entry(name="w", shape=section.values.shape, dtype=dtype)]
    data = container.write(HEADER, layout, one(section))
    found = container.read(data, layout).tensors["w"].values
    assert found.tobytes() == section.values.tobytes()
    assert found.dtype == section.values.dtype
    shares = {share.part: share.size_bytes for share in container.take_apart(data, layout).account()}
    assert shares["header"] == len(container.write_header(HEADER)) + 4 + 1 + 1
    assert shares["rounding"] == 0
    return int(shares["tensor"])


@pytest.mark.parametrize(
    ("values", "dtype", "size_bytes"),
    [
        (np.zeros((30, 40), np.float32), "float32", 0),
        (np.zeros(9, np.float16), "float32", 0),
        (np.zeros((), np.int64), "int64", 0),
        (np.zeros(3, bool), "bool", 0),
        (np.zeros((0, 5), np.float64), "float64", 0),
        (np.ones((30, 40), np.float32), "float32", 4),
        (np.full(9, 0.1, np.float16), "float32", 2),
        (np.full(9, 0.1, np.float16), "float16", 2),
        (np.array(12345), "int64", 8),
        (np.ones(3, bool), "bool", 1),
        (np.full(7, -0.0, np.float32), "float32", 4),
        (np.array([0.0, -0.0], np.float32), "float32", 8),
        (np.array([1, 2], np.uint8), "uint8", 2),
        (np.array([0, 0x3F80], np.uint16), "bfloat16", 4),
        (np.zeros(5, np.uint16), "bfloat16", 0),
        (np.full(5, 0x3F80, np.uint16), "bfloat16", 2),
        (np.full(5, 0.1, np.float16), "bfloat16", 2),
    ],
)
def test_what_is_the_same_everywhere_is_stored_once_and_zeros_not_at_all(
    values: npt.NDArray[Any], dtype: str, size_bytes: int
) -> None:
    assert size_of(Raw(values=values), dtype) == size_bytes


@pytest.mark.parametrize(
    ("entry", "values", "kind", "message"),
    [
        (("float32", 2), np.zeros(2, np.float32), 3 + 16 * 4,
         "the file is malformed: tensor 'w' has argument 4 of kind 3, at most 3 may be"),
        (("float32", 2), np.zeros(2, np.float32), 0 + 16 * 1,
         "the file is malformed: tensor 'w' has argument 1 of kind 0, at most 0 may be"),
        (("int64", 2), np.zeros(2, np.int64), 3 + 16 * 2,
         "the file is malformed: section 'w' has dtype float16: wanted int64, or its float16"),
        (("float32", 2), np.zeros(2, np.float32), 9, "the file is malformed: tensor 'w' is of kind 9, "
         "this ratefront knows [0, 1, 2, 3, 4, 5, 6, 7, 8]: use a newer ratefront"),
        (("float32", 2), np.zeros(2, np.float32), 3 + 16 * 1,
         "the file is malformed: 4 bytes wanted where 0 are left"),
    ],
)  # fmt: skip
def test_a_kind_that_does_not_fit_is_refused(
    entry: tuple[str, int], values: npt.NDArray[Any], kind: int, message: str
) -> None:
    layout = [Entry(name="w", shape=(entry[1],), dtype=entry[0])]
    data = bytearray(container.write(HEADER, layout, one(Raw(values=values)))[:-4])
    assert data[-1] == section_kinds.CONSTANT
    data[-1] = kind
    with pytest.raises(RfzError) as caught:
        container.read(seal(data), layout)
    assert str(caught.value) == message


@pytest.mark.parametrize("bits", [0x7F80, 0xFF80, 0x7FC0, 0x7F81])
def test_bfloat16_bits_of_nan_and_infinity_are_refused(bits: int) -> None:
    layout = [Entry(name="w", shape=(2,), dtype="bfloat16")]
    with pytest.raises(DivergedError, match="section 'w' holds NaN or infinity"):
        container.write(HEADER, layout, one(Raw(values=np.array([0, bits], np.uint16))))
    with pytest.raises(ValueError, match="has dtype float32: wanted the bits of bfloat16 as uint16, or its float16"):
        container.write(HEADER, layout, one(Raw(values=np.zeros(2, np.float32))))


def test_a_constant_truth_value_is_zero_or_one() -> None:
    layout = [Entry(name="w", shape=(2,), dtype="bool")]
    data = bytearray(container.write(HEADER, layout, one(Raw(values=np.ones(2, bool))))[:-4])
    data[-1] = 2
    with pytest.raises(RfzError, match="tensor 'w' holds a truth value that is not 0 or 1"):
        container.read(seal(data), layout)


def test_a_table_is_shared_and_stored_with_the_first_tensor_that_uses_it() -> None:
    """Large numbers without any structure keep a table: there is nothing to learn."""
    names = ("a", "b", "c")
    layout = [Entry(name=name, shape=(1500,), dtype="float32") for name in names]
    values = np.random.default_rng(0).integers(0, 100, (3, 1500)).astype(np.int32)
    sections = Sections(
        tensors={name: Integers(values=v, table=table) for name, v, table in zip(names, values, (1, 0, 1), strict=True)}
    )
    data = container.write(HEADER, layout, sections)
    tables_and_stream = data[len(container.write_header(HEADER)) + 4 + 1 + 3 : -4]
    stored = bytearray()
    for numbers in (values[::2], values[1]):
        tables.write_table(stored, tables.count([numbers]))
    assert tables_and_stream.startswith(stored)
    shares = [(share.part, share.name) for share in container.take_apart(data, layout).account()]
    assert [name for part, name in shares if part == "table"] == ["table 1", "table 0"]


def test_tensors_of_a_table_may_have_different_exponents_at_the_cost_of_their_bytes() -> None:
    names = ("a", "b", "c")
    layout = [Entry(name=name, shape=(40,), dtype="float32") for name in names]
    values = np.arange(40, dtype=np.int32) % 7

    def size_of_exponents(*exponents: int) -> int:
        sections = Sections(
            tensors={name: Integers(values=values, exponent=e) for name, e in zip(names, exponents, strict=True)}
        )
        data = container.write(HEADER, layout, sections)
        assert [one.section.exponent for one in container.take_apart(data, layout).coded] == list(exponents)
        shares = container.take_apart(data, layout).account()
        assert math.isclose(sum(share.size_bytes for share in shares), len(data), abs_tol=1e-6)
        return len(data)

    plain = size_of_exponents(0, 0, 0)
    assert size_of_exponents(0, 5, 0) == plain + 1
    assert size_of_exponents(-30, 5, 1000) == plain + 1 + 1 + 2


def test_integers_and_floats_keep_apart() -> None:
    """A counter cannot be stored as float16: it would come back as another number."""
    layout = [Entry(name="w", shape=(2,), dtype="int64")]
    with pytest.raises(ValueError, match="has dtype float16: wanted int64"):
        container.write(HEADER, layout, one(Raw(values=np.zeros(2, np.float16))))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": math.nan}, "are no plain data: nan is not finite"),
        ({"x": object()}, "are no plain data: a value is object, wanted what JSON has"),
        ({"x": [[[[[[[[[[1]]]]]]]]]]}, "are no plain data: they nest deeper than 8"),
        ({"x": "y" * 5000}, "a file's header has no room for 5005 bytes (at most 4096)"),
    ],
)
def test_a_header_that_could_not_be_read_back_is_not_written(arguments: dict[str, Any], message: str) -> None:
    header = Header(method="epr", method_version=1, architecture="mlp", arguments=arguments)
    with pytest.raises(ValueError) as caught:
        container.write(header, ONE, one(Raw(values=np.zeros(2, np.float32))))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "other",
    [
        [Entry(name="v", shape=(2,), dtype="float32")],
        [Entry(name="w", shape=(1, 2), dtype="float32")],
        [Entry(name="w", shape=(2,), dtype="float64")],
        [],
        [*ONE, *ONE],
    ],
)
def test_a_file_of_another_architecture_is_refused(other: list[Entry]) -> None:
    data = container.write(HEADER, ONE, one(Raw(values=np.zeros(2, np.float32))))
    with pytest.raises(RfzError, match="the file was written for another version of architecture 'mlp'"):
        container.read(data, other)


def test_inputs_are_never_written_to() -> None:
    values = np.array([1, 2], np.int32)
    values.flags.writeable = False
    data = container.write(HEADER, ONE, one(Integers(values=values)))
    np.testing.assert_array_equal(container.read(data, ONE).tensors["w"].values, values)


def test_long_arguments_are_deflated_where_that_takes_fewer_bytes() -> None:
    many = "".join(f"\0{one:04d}" for one in range(200))
    for arguments, is_deflated in (
        ({"characters": "a" * 400}, False),
        ({"characters": "".join(map(chr, range(33, 800)))}, True),
        ({"pieces": many}, True),
        ({"pieces": many * 9}, True),  # there would be no room for them
    ):
        header = in_fewest_bytes(Header(method="epr", method_version=1, architecture="gpt", arguments=arguments))
        assert header.is_deflated == is_deflated, arguments
        size = len(write_header(header))
        assert size - tokenizer_bytes(header) == (18 if is_deflated else 16)
        assert size < 1500
    assert tokenizer_bytes(HEADER) == 0
