"""The kinds of section in a file: one codec for each, which writes it, reads it and accounts for its bytes.

A new kind is added here.

A tensor may have bytes before the stream, in the order of the architecture, and symbols in the stream.
"""

from __future__ import annotations

import abc
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
import numpy.typing as npt

from trainers.coding import adaptive, structure, tables
from trainers.coding.bytestream import Reader, RfzError, put_varint, unzigzag, zigzag
from trainers.coding.coder import Decoder, Encoder, information_bits
from trainers.coding.contexts import ContextCoder
from trainers.coding.forms import matrix_shape
from trainers.coding.grid_model import GridModel
from trainers.coding.model import Notes
from trainers.coding.sections import MOST_EXPONENT, Entry, Integers, Raw, Section, Sections, digest
from trainers.coding.stream import StreamReader

NUM_KINDS = {1: 8, 2: 16}
"""The numbers of kinds that there may be, by the version of the format."""
_CHUNK = 1 << 20
_NUM_WIDTHS = structure.MAX_WIDTH + 1
RAW, HALF, INTEGERS, CONSTANT, ADAPTIVE, MADE, SCALED, GRID, BUILT = range(9)
NAMES = ("raw", "half", "integers", "constant", "adaptive", "made", "scaled", "grid", "built")
"""What kinds are called, by their numbers."""


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How one tensor is stored; the meaning of ``argument`` depends on the kind."""

    entry: Entry
    kind: int
    argument: int
    notes: Notes | None = field(default=None, repr=False)
    """The bits of an adaptive tensor or of a grid; set when writing."""
    table: tables.Table | None = field(default=None, repr=False)
    """The frequency table of integers that are not adaptive; set when writing."""
    exponent: int = 0
    """That of a tensor of kind ``SCALED``; set when writing."""

    @property
    def unscaled(self) -> Encoding:
        """How the integers are stored, without their exponent."""
        if self.kind != SCALED:
            return self
        table, is_adaptive = divmod(self.argument, 2)
        return replace(self, kind=ADAPTIVE if is_adaptive else INTEGERS, argument=table, exponent=0)


@dataclass(frozen=True, kw_only=True)
class Coded:
    """One tensor as read, and what it takes in the file."""

    section: Section | None
    """None if the method computes the tensor from its factors."""
    stored_bytes: int = 0
    """Bytes before the stream, without tables."""
    coded_bits: float = 0.0
    """Bits in the stream: -log2 p of its symbols, with the probabilities they were coded with."""
    table_bytes: dict[str, int] = field(default_factory=dict)
    """Tables stored with this tensor, by name; later tensors may share them."""
    built: bytes = b""
    """``digest`` of the values of kind ``BUILT``."""


Build = Callable[[], Mapping[str, npt.NDArray[np.generic]]]
"""Builds the architecture; returns the values of its tensors that are no floats, by name."""
DIGEST_BYTES = 4
AnyDecoder = Decoder | StreamReader
Finish = Callable[[AnyDecoder], Coded]


class AbstractCodec(abc.ABC):
    """Writes or reads all tensors of one kind in one file, in the order of the architecture."""

    @abc.abstractmethod
    def write(self, encoding: Encoding, sections: Sections, out: bytearray, encoder: Encoder) -> None:
        """Append what comes before the stream to ``out``, and the symbols to ``encoder``."""

    @abc.abstractmethod
    def read(self, encoding: Encoding, reader: Reader) -> Finish:
        """Read what comes before the stream; return a function that reads the symbols.

        Raises:
            RfzError: this is not what ``write`` can have written; ``Finish`` raises it too.
        """


class Plain(AbstractCodec):
    """Kinds ``RAW`` and ``HALF``: all values as they are, in the architecture's dtype or as float16. No argument."""

    def write(self, encoding: Encoding, sections: Sections, out: bytearray, encoder: Encoder) -> None:
        out += _little_endian(sections.tensors[encoding.entry.name].values)

    def read(self, encoding: Encoding, reader: Reader) -> Finish:
        _check_argument(encoding, at_most=0)
        values = _take(reader, encoding.entry, encoding.entry.num_values, half=encoding.kind == HALF).reshape(
            encoding.entry.shape
        )
        return lambda decoder: Coded(section=Raw(values=values), stored_bytes=values.nbytes)


class Constant(AbstractCodec):
    """Kind ``CONSTANT``: all values have the same bits.

    Argument: 0 if the value is zero, 1 if it is stored; + 2 if it is float16 and the architecture's dtype is another.
    """

    def write(self, encoding: Encoding, sections: Sections, out: bytearray, encoder: Encoder) -> None:
        out += _little_endian(sections.tensors[encoding.entry.name].values.reshape(-1)[: encoding.argument % 2])

    def read(self, encoding: Encoding, reader: Reader) -> Finish:
        _check_argument(encoding, at_most=3)
        value = _take(reader, encoding.entry, encoding.argument % 2, half=encoding.argument >= 2)
        one = value[0] if len(value) else np.zeros((), value.dtype)
        values = np.broadcast_to(one, encoding.entry.shape)  # takes the memory of one value
        return lambda decoder: Coded(section=Raw(values=values), stored_bytes=value.nbytes)


class Made(AbstractCodec):
    """Kind ``MADE``: the method computes the tensor from its factors. No argument, and nothing is stored."""

    def write(self, encoding: Encoding, sections: Sections, out: bytearray, encoder: Encoder) -> None:
        pass

    def read(self, encoding: Encoding, reader: Reader) -> Finish:
        _check_argument(encoding, at_most=0)
        return lambda decoder: Coded(section=None)


class Built(AbstractCodec):
    """Kind ``BUILT``: whole numbers or truth values that the architecture has when it is built. No argument.

    The first bytes of their digest are stored.
    """

    def __init__(self, build: Build) -> None:
        """``build`` is called once, when a tensor is of this kind."""
        self._build = functools.cache(build)

    def write(self, encoding: Encoding, sections: Sections, out: bytearray, encoder: Encoder) -> None:
        out += encoding.entry.built[:DIGEST_BYTES]

    def read(self, encoding: Encoding, reader: Reader) -> Finish:
        _check_argument(encoding, at_most=0)
        entry, wanted = encoding.entry, reader.take(DIGEST_BYTES)
        if entry.raw_dtype.kind not in "biu" or entry.dtype == "bfloat16":
            raise RfzError(
                f"the file is malformed: tensor {entry.name!r} of {entry.dtype} is left to the architecture: wanted "
                "whole numbers or truth values"
            )

        def finish(decoder: AnyDecoder) -> Coded:
            values = self._build().get(entry.name)
            is_alike = values is not None and (values.shape, values.dtype) == (entry.shape, entry.raw_dtype)
            found = digest(values) if values is not None and is_alike else b""
            if values is None or found[:DIGEST_BYTES] != wanted:
                raise RfzError(
                    f"tensor {entry.name!r} was left out of the file as what its architecture builds, and this program "
                    f"builds another: its digest is {found[:DIGEST_BYTES].hex() or 'none'}, wanted {wanted.hex()}: use "
                    "the architecture that the file was written for"
                )
            return Coded(section=Raw(values=values), stored_bytes=DIGEST_BYTES, built=found)

        return finish


class StaticTables(AbstractCodec):
    """Kind ``INTEGERS``: symbols coded with a table of their exact counts.

    Argument: the number of the table, which is stored with the first tensor that uses it.
    """

    def __init__(self, encodings: Sequence[Encoding]) -> None:
        """``encodings``: all tensors of this kind, and those of kind ``SCALED`` as of this kind."""
        self._totals: dict[int, int] = {}
        for encoding in encodings:
            self._totals[encoding.argument] = self._totals.get(encoding.argument, 0) + encoding.entry.num_values
        self._tables: dict[int, tables.Table] = {}
        self._left: dict[int, npt.NDArray[np.int64]] = {}

    def write(self, encoding: Encoding, sections: Sections, out: bytearray, encoder: Encoder) -> None:
        table = encoding.table
        assert table is not None
        if encoding.argument not in self._tables:
            tables.write_table(out, table)
            self._tables[encoding.argument] = table
        values = cast(Integers, sections.tensors[encoding.entry.name]).values
        encoder.encode(table.index(values.ravel()), table.counts)

    def read(self, encoding: Encoding, reader: Reader) -> Finish:
        table_bytes = {}
        if encoding.argument not in self._tables:
            start = reader.position
            table = tables.read_table(reader, self._totals[encoding.argument])
            self._tables[encoding.argument], self._left[encoding.argument] = table, table.counts
            table_bytes[f"table {encoding.argument}"] = reader.position - start
        return lambda decoder: self._decode(encoding, table_bytes, decoder)

    def _decode(self, encoding: Encoding, table_bytes: dict[str, int], decoder: AnyDecoder) -> Coded:
        table = self._tables[encoding.argument]
        found = np.zeros(len(table.counts), np.int64)
        pieces = []
        for start in range(0, encoding.entry.num_values, _CHUNK):
            indices = decoder.decode(table.counts, min(_CHUNK, encoding.entry.num_values - start))
            found += tables.count_from([indices], 0, len(table.counts))
            pieces.append(table.values(indices))
        values = pieces[0] if len(pieces) == 1 else np.concatenate([np.zeros(0, np.int32), *pieces])
        # The counts are exact and sum to the number of symbols decoded with them, so in a wrong stream, even under a
        # recomputed checksum, some symbol occurs too often.
        self._left[encoding.argument] = self._left[encoding.argument] - found
        if (self._left[encoding.argument] < 0).any():
            raise RfzError("the coded stream is damaged: its symbols do not match their frequency table")
        return Coded(
            section=Integers(values=values.reshape(encoding.entry.shape), table=encoding.argument),
            coded_bits=float(found @ information_bits(table.counts)),
            table_bytes=table_bytes,
        )


class Contexts(AbstractCodec):
    """Kind ``ADAPTIVE``: integers coded by a model that learns from all tensors of the kind, without a stored table.

    Argument: as for ``INTEGERS``. Everything is in the stream: see contexts.py.
    """

    def __init__(self) -> None:
        self._coder = ContextCoder()

    def write(self, encoding: Encoding, sections: Sections, out: bytearray, encoder: Encoder) -> None:
        _write_notes(encoding, encoder)

    def read(self, encoding: Encoding, reader: Reader) -> Finish:
        def finish(decoder: AnyDecoder) -> Coded:
            return _read_modelled(self._coder, encoding, decoder)

        return finish


class Grids(AbstractCodec):
    """Kind ``GRID``: integers on planes, coded point by point by a model that learns from all tensors of the kind.

    Argument: as for ``INTEGERS``. The last two axes are lines and columns. Everything is in the stream: see
    grid_model.py.
    """

    def __init__(self) -> None:
        self._model = GridModel()

    def write(self, encoding: Encoding, sections: Sections, out: bytearray, encoder: Encoder) -> None:
        _write_notes(encoding, encoder)

    def read(self, encoding: Encoding, reader: Reader) -> Finish:
        shape = encoding.entry.shape
        if len(shape) < 2:
            raise RfzError(
                f"the file is malformed: tensor {encoding.entry.name!r} of shape {shape} is a grid: wanted two axes or "
                "more"
            )

        def finish(decoder: AnyDecoder) -> Coded:
            return _read_modelled(self._model, encoding, decoder)

        return finish


class Adaptive(AbstractCodec):
    """Kind ``ADAPTIVE`` of version 1: integers coded as a matrix by ``adaptive.code``. It is only read.

    Argument: as for ``INTEGERS``. Rows are the first axis, columns the others; a tensor of one axis is one row.
    Trailing rows and columns of zeros are left out. Before the stream: the number of rows left; if there are any, the
    number of columns left, then the width of their grid + 65 * coarseness.
    """

    def __init__(self) -> None:
        self._num_steps = 0
        """The steps of the matrices read so far, without those that could take no fewer."""

    def write(self, encoding: Encoding, sections: Sections, out: bytearray, encoder: Encoder) -> None:
        raise NotImplementedError("files are written in version 2")

    def read(self, encoding: Encoding, reader: Reader) -> Finish:
        start = reader.position
        num_rows, num_columns = matrix_shape(encoding.entry.shape)
        live_rows = reader.varint()
        live_columns = reader.varint() if live_rows else 0
        coarseness, width = divmod(reader.varint() if live_rows else 0, _NUM_WIDTHS)
        if live_rows > num_rows or live_columns > num_columns or (live_rows and not live_columns):
            raise RfzError(
                f"the file is malformed: tensor {encoding.entry.name!r} has {num_rows} rows of {num_columns} columns, "
                f"{live_rows} of {live_columns} are said to be stored"
            )
        if coarseness > adaptive.MAX_COARSENESS:
            raise RfzError(f"the file is malformed: coarseness {coarseness}, at most {adaptive.MAX_COARSENESS} may be")
        if width > live_columns:
            raise RfzError(f"the file is malformed: a grid of width {width} where {live_columns} columns are stored")
        num_steps = adaptive.num_steps((live_rows, live_columns), coarseness) if live_rows else 0
        if live_rows and not num_steps:
            raise RfzError(
                f"the file is malformed: {live_rows} rows of tensor {encoding.entry.name!r} are too many at once"
            )
        self._num_steps += num_steps if coarseness < adaptive.MAX_COARSENESS else 0
        if self._num_steps > adaptive.MOST_STEPS:  # the writer makes its steps coarser until there are fewer
            raise RfzError(
                f"the file is malformed: its matrices take {self._num_steps} steps or more: at most "
                f"{adaptive.MOST_STEPS} may be"
            )
        stored_bytes = reader.position - start

        def finish(decoder: AnyDecoder) -> Coded:
            assert isinstance(decoder, Decoder), "files of version 1 have one"
            before = decoder.information_bits
            values = np.zeros((num_rows, num_columns), np.int32)
            if live_rows:
                live = values[:live_rows, :live_columns]
                live[:] = adaptive.code(live, width, coarseness, lambda ones, _: decoder.decode_bits(ones))
            section = Integers(values=values.reshape(encoding.entry.shape), table=encoding.argument)
            return Coded(section=section, stored_bytes=stored_bytes, coded_bits=decoder.information_bits - before)

        return finish


class Scaled(AbstractCodec):
    """Kind ``SCALED``: integers whose step has an exponent, stored as a varint, zigzag, before what else is stored.

    Argument: 2 * the number of the table + 1 if the integers are coded as those of kind ``ADAPTIVE``.
    """

    def __init__(self, inner: Mapping[int, AbstractCodec]) -> None:
        """``inner``: the codecs of ``INTEGERS`` and ``ADAPTIVE``."""
        self._inner = inner

    def write(self, encoding: Encoding, sections: Sections, out: bytearray, encoder: Encoder) -> None:
        put_varint(out, zigzag(encoding.exponent))
        unscaled = encoding.unscaled
        self._inner[unscaled.kind].write(unscaled, sections, out, encoder)

    def read(self, encoding: Encoding, reader: Reader) -> Finish:
        start = reader.position
        exponent = unzigzag(reader.varint())
        if not 0 < abs(exponent) <= MOST_EXPONENT:
            raise RfzError(
                f"the file is malformed: tensor {encoding.entry.name!r} has exponent {exponent}: wanted one that is "
                f"not 0, of {MOST_EXPONENT} at most"
            )
        num_bytes, unscaled = reader.position - start, encoding.unscaled
        finish = self._inner[unscaled.kind].read(unscaled, reader)

        def finish_scaled(decoder: AnyDecoder) -> Coded:
            coded = finish(decoder)
            section = replace(cast(Integers, coded.section), exponent=exponent)
            return replace(coded, section=section, stored_bytes=coded.stored_bytes + num_bytes)

        return finish_scaled


def build_nothing() -> Mapping[str, npt.NDArray[np.generic]]:
    """Where nobody knows the architecture."""
    return {}


def codecs_for(encodings: Sequence[Encoding], version: int, build: Build = build_nothing) -> dict[int, AbstractCodec]:
    """Return a codec for each kind, for one file of a version of the format; ``build`` is that of kind ``BUILT``.

    Raises:
        ValueError: a kind is unknown.
    """
    plain = Plain()
    of_integers = [
        one for one in (encoding.unscaled for encoding in encodings) if one.kind in (INTEGERS, ADAPTIVE, GRID)
    ]
    integers = StaticTables([encoding for encoding in of_integers if encoding.kind == INTEGERS])
    adaptive_integers = Adaptive() if version == 1 else Contexts()
    codecs: dict[int, AbstractCodec] = {
        RAW: plain,
        HALF: plain,
        INTEGERS: integers,
        CONSTANT: Constant(),
        ADAPTIVE: adaptive_integers,
        MADE: Made(),
        SCALED: Scaled({INTEGERS: integers, ADAPTIVE: adaptive_integers}),
    }
    if version > 1:
        codecs |= {GRID: Grids(), BUILT: Built(build)}
    for encoding in encodings:
        if encoding.kind not in codecs:
            raise ValueError(
                f"tensor {encoding.entry.name!r} is of kind {encoding.kind}, this ratefront knows {sorted(codecs)}: "
                "use a newer ratefront"
            )
    numbers = sorted({encoding.argument for encoding in of_integers})
    if numbers != list(range(len(numbers))):
        raise ValueError(f"tables are numbered {numbers}: wanted 0 to {len(numbers) - 1} without a gap")
    return codecs


def _write_notes(encoding: Encoding, encoder: Encoder) -> None:
    notes = encoding.notes
    assert notes is not None, "the plan notes what it chooses"
    for start in range(0, len(notes.bits), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        encoder.encode_bits(notes.bits[chunk].astype(np.int64), notes.ones[chunk].astype(np.int64))


def _read_modelled(model: ContextCoder | GridModel, encoding: Encoding, decoder: AnyDecoder) -> Coded:
    assert isinstance(decoder, StreamReader), "files of version 2 have one"
    before = decoder.information_bits
    values = model.read(encoding.entry.shape, decoder)
    return Coded(section=Integers(values=values, table=encoding.argument), coded_bits=decoder.information_bits - before)


def _check_argument(encoding: Encoding, *, at_most: int) -> None:
    if encoding.argument > at_most:
        raise RfzError(
            f"the file is malformed: tensor {encoding.entry.name!r} has argument {encoding.argument} "
            f"of kind {encoding.kind}, at most {at_most} may be"
        )


def _take(reader: Reader, entry: Entry, num_values: int, *, half: bool) -> npt.NDArray[np.generic]:
    dtype = (np.dtype("float16") if half else entry.raw_dtype).newbyteorder("<")
    values = np.frombuffer(reader.take(num_values * dtype.itemsize), dtype)
    if dtype.kind == "b" and (values.view(np.uint8) > 1).any():
        raise RfzError(f"the file is malformed: tensor {entry.name!r} holds a truth value that is not 0 or 1")
    return values.astype(dtype.newbyteorder("="))


def _little_endian(values: npt.NDArray[np.generic]) -> bytes:
    return values.astype(values.dtype.newbyteorder("<")).tobytes()
