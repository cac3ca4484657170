"""Speed of whole ``.rfz`` files against bare constriction; bytes against order-0 entropy, static tables, xz and zstd.

    python -m benchmarks.coder                              # all three parts: about three minutes
    python -m benchmarks.coder --part symbols               # or network, or bytes
    python -m benchmarks.coder --part bytes a.rfz b.rfz     # with the integers of trained files

Needs the package zstandard, or Python 3.14, for zstd.
"""

from __future__ import annotations

import argparse
import importlib
import lzma
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import constriction
import numpy as np
import numpy.typing as npt
import torch

from benchmarks.report import print_machine, print_table, quartiles
from trainers.architectures import ARCHITECTURES
from trainers.architectures.base import build_on_meta, layout_of
from trainers.coding import container, planning, tables
from trainers.coding.coder import information_bits
from trainers.coding.section_kinds import Encoding
from trainers.coding.sections import Entry, Integers, Layout, Raw, Section, Sections
from trainers.compressed import open_compressed

Array = npt.NDArray[np.int32]
T = TypeVar("T")

_HEADER = container.Header(method="epr", method_version=1, architecture="resnet50")
_SUCCESS = (0.99, 0.95, 0.85, 0.6, 0.25)  # the parameter of two geometric variables; their difference is an integer
_SEED = 0


@dataclass(frozen=True, kw_only=True)
class Case:
    """The content of one file."""

    name: str
    layout: Layout
    sections: Sections

    @property
    def tables(self) -> list[list[Array]]:
        """The tensors of each table."""
        groups: dict[int, list[Array]] = {}
        for section in self.sections.tensors.values():
            if isinstance(section, Integers):
                groups.setdefault(section.table, []).append(section.values)
        return list(groups.values())

    @property
    def num_integers(self) -> int:
        return sum(values.size for group in self.tables for values in group)


@dataclass(frozen=True, kw_only=True)
class Round:
    """The seconds of each part, measured once."""

    plan: float
    """The part of ``write`` that chooses how each tensor is stored."""
    write: float
    read: float
    to_symbols: float
    """Counting the integers and numbering them from zero, which constriction needs before it encodes."""
    encode: float
    decode: float
    from_symbols: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE.rfz", help="trained files, for their bytes")
    parser.add_argument("--part", choices=("symbols", "network", "bytes"), help="only this one")
    parser.add_argument("--rounds", type=int, default=9, help="of each measurement; of the network a third")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print_machine(torch.device("cpu"))
    one_round(matrix_case("any", structured(_generator(), (9, 9))))  # loads what was compiled
    if arguments.part in (None, "symbols"):
        show_speed("one matrix of 1000 x 1000", iid_cases(), arguments.rounds)
    if arguments.part in (None, "network"):
        show_speed("ResNet-50", [resnet50_case(two_sided_geometric)], max(1, arguments.rounds // 3))
        show_speed("ResNet-50", [resnet50_case(structured), resnet50_case(dense)], 1)
    if arguments.part in (None, "bytes"):
        show_bytes(
            [*map(trained_case, arguments.files), matrix_case("synthetic", structured(_generator(), (600, 800)))]
        )


def iid_cases() -> list[Case]:
    return [matrix_case("i.i.d.", two_sided_geometric(_generator(), (1000, 1000), success)) for success in _SUCCESS]


def matrix_case(name: str, values: Array) -> Case:
    layout = [Entry(name="weight", shape=values.shape, dtype="float32")]
    return Case(name=name, layout=layout, sections=Sections(tensors={"weight": Integers(values=values)}))


def resnet50_case(draw: Callable[[np.random.Generator, tuple[int, ...]], Array]) -> Case:
    """ResNet-50 as epr stores it: one table each for convolutions, last layer and its biases; norms folded, here 0."""
    generator = _generator()
    layout = layout_of(build_on_meta("resnet50", ARCHITECTURES["resnet50"], {}))
    table = {"fc.weight": 1, "fc.bias": 2}
    tensors: dict[str, Section] = {
        entry.name: Integers(values=draw(generator, entry.shape), table=table.get(entry.name, 0))
        if len(entry.shape) > 1 or entry.name in table
        else Raw(values=np.zeros(entry.shape, entry.dtype))
        for entry in layout
    }
    name = "i.i.d." if draw is two_sided_geometric else draw.__name__
    return Case(name=name, layout=layout, sections=Sections(tensors=tensors))


def trained_case(path: Path) -> Case:
    opened = open_compressed(path)
    layout = layout_of(opened.plain)
    return Case(name=path.name, layout=layout, sections=container.read(opened.data, layout))


def two_sided_geometric(generator: np.random.Generator, shape: tuple[int, ...], success: float = 0.9) -> Array:
    return (generator.geometric(success, shape) - generator.geometric(success, shape)).astype(np.int32)


def structured(
    generator: np.random.Generator, shape: tuple[int, ...], density: float = 0.05, success: float = 0.7
) -> Array:
    """Draw one non-zero in twenty. Outputs, the fullest first, and inputs differ in density, as training leaves it."""
    num_rows, num_columns = shape[:2] if len(shape) > 1 else (1, *shape)
    rows = np.sort(generator.lognormal(size=num_rows))[::-1]
    densities = np.outer(rows, generator.lognormal(size=num_columns))
    densities = np.minimum(density * densities / densities.mean(), 0.9).reshape(*shape[:2], *[1] * (len(shape) - 2))
    magnitudes = generator.geometric(success, shape) * generator.choice([-1, 1], shape)
    return np.where(generator.random(shape) < densities, magnitudes, 0).astype(np.int32)


def dense(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Draw four non-zeros of ten: 2.0 bits for each value in version 1 of the format."""
    return structured(generator, shape, density=0.7, success=0.5)


def show_speed(title: str, cases: Sequence[Case], num_rounds: int) -> None:
    heads = ["", "bits", "seconds", "plan", "M/s", "coder M/s", "ratio", "program M/s", "ratio"]
    rows = [row for case in cases for row in speed_rows(case, [one_round(case) for _ in range(num_rounds)])]
    print_table(f"{title}, {cases[0].num_integers:,} integers, n = {num_rounds}", heads, rows)


def speed_rows(case: Case, rounds: list[Round]) -> Iterator[list[str]]:
    """Yield rows for writing and reading: medians, and ratios to constriction alone and to a program around it."""
    plan = f"{np.median([one.plan for one in rounds]):.3f}"
    write = [(one.write, one.encode, one.to_symbols + one.encode) for one in rounds]
    read = [(one.read, one.decode, one.decode + one.from_symbols) for one in rounds]
    for name, seconds, planning_s in (("write", write, plan), ("read", read, "")):
        ours, coder, program = np.median(seconds, axis=0)
        millions = case.num_integers / 1e6
        yield [
            f"{case.name}, {name}",
            f"{order0_bits(case) / case.num_integers:.2f}",
            f"{ours:.3f}",
            planning_s,
            f"{millions / ours:.1f}",
            f"{millions / coder:.1f}",
            quartiles([bare / own for own, bare, _ in seconds]),
            f"{millions / program:.1f}",
            quartiles([bare / own for own, _, bare in seconds]),
        ]


def one_round(case: Case) -> Round:
    """Time each part once, and check its result."""
    groups = case.tables
    to_symbols_s, symbols = timed(lambda: [to_symbols(group) for group in groups])
    encode_s, words = timed(lambda: bare_encode(symbols))
    decode_s, decoded = timed(lambda: bare_decode(words, symbols))
    from_symbols_s, values = timed(lambda: [one + low for group, low in decoded for one in group])
    wanted = [one for group in groups for one in group]
    assert all(np.array_equal(one, other.ravel()) for one, other in zip(values, wanted, strict=True))

    plan, plan_s = planning.plan, 0.0

    def timed_plan(layout: Layout, sections: Sections, **settings: Any) -> list[Encoding]:
        nonlocal plan_s
        plan_s, encodings = timed(lambda: plan(layout, sections, **settings))
        return encodings

    with mock.patch.object(planning, "plan", timed_plan):
        write_s, data = timed(lambda: container.write(_HEADER, case.layout, case.sections))
    read_s, sections = timed(lambda: container.read(data, case.layout))
    for name, section in case.sections.tensors.items():
        assert np.array_equal(sections.tensors[name].values, section.values), name
    return Round(
        plan=plan_s,
        write=write_s,
        read=read_s,
        to_symbols=to_symbols_s,
        encode=encode_s,
        decode=decode_s,
        from_symbols=from_symbols_s,
    )


@dataclass(frozen=True, kw_only=True)
class Symbols:
    """The integers of one table, tensor by tensor, shifted so that ``low`` becomes 0; and how often each occurs."""

    low: int
    counts: npt.NDArray[np.float64]
    tensors: list[Array]


def to_symbols(group: list[Array]) -> Symbols:
    low, high = min(int(one.min()) for one in group), max(int(one.max()) for one in group)
    tensors = [one.ravel() - np.int32(low) for one in group]
    counts = sum((np.bincount(one, minlength=high - low + 1) for one in tensors), start=np.zeros((), np.int64))
    return Symbols(low=low, counts=counts.astype(np.float64), tensors=tensors)


def bare_encode(symbols: list[Symbols]) -> npt.NDArray[np.uint32]:
    encoder = constriction.stream.queue.RangeEncoder()
    for group in symbols:
        model = constriction.stream.model.Categorical(group.counts, perfect=False)
        for one in group.tensors:
            encoder.encode(one, model)
    words: npt.NDArray[np.uint32] = encoder.get_compressed()
    return words


def bare_decode(words: npt.NDArray[np.uint32], symbols: list[Symbols]) -> list[tuple[list[Array], np.int32]]:
    decoder = constriction.stream.queue.RangeDecoder(words)
    found = []
    for group in symbols:
        model = constriction.stream.model.Categorical(group.counts, perfect=False)
        found.append(([decoder.decode(model, len(one)) for one in group.tensors], np.int32(group.low)))
    return found


def timed(call: Callable[[], T]) -> tuple[float, T]:
    """Seconds of this process on the CPU, which other work on the machine disturbs least."""
    started = time.process_time()
    result = call()
    return time.process_time() - started, result


def show_bytes(cases: Iterable[Case]) -> None:
    zstd = find_zstd()
    heads = ["bytes of", "integers", "zeros", "ours", "order-0", "tables", "xz", "zstd", "file"]
    rows = []
    for case in cases:
        data = container.write(_HEADER, case.layout, case.sections)
        names = {name for name, section in case.sections.tensors.items() if isinstance(section, Integers)}
        shares = container.take_apart(data, case.layout).account()
        ours = sum(one.size_bytes for one in shares if one.part == "table" or one.name in names)
        zeros = sum(np.count_nonzero(values == 0) for group in case.tables for values in group) / case.num_integers
        flat = np.concatenate([values.ravel() for group in case.tables for values in group])
        packed = flat.astype(np.min_scalar_type(-int(np.abs(flat).max()) - 1)).tobytes()
        sizes = [order0_bits(case) / 8, static_bytes(case), len(lzma.compress(packed, preset=9 | lzma.PRESET_EXTREME))]
        rows.append(
            [case.name, f"{case.num_integers:,}", f"{zeros:.1%}", f"{ours:,.0f}"]
            + [f"{size:,.0f} ({size / ours:.2f})" for size in sizes]
            + [f"{len(zstd(packed)):,} ({len(zstd(packed)) / ours:.2f})" if zstd else "-", f"{len(data):,}"]
        )
    print_table("integers alone, in brackets how many times ours; xz -9e and zstd -19 have them as int8", heads, rows)
    if zstd is None:
        print("zstd: missing; Python 3.14 has it, and so has the package zstandard")


def order0_bits(case: Case) -> float:
    """The entropy of the integers of each table, without the table."""
    counts = [tables.count(group).counts for group in case.tables]
    return float(sum((one * (np.log2(one.sum()) - np.log2(one))).sum() for one in counts))


def static_bytes(case: Case) -> float:
    """The bytes of all integers coded with static tables, including the tables."""
    stored = bytearray()
    bits = 0.0
    for group in case.tables:
        table = tables.count(group)
        tables.write_table(stored, table)
        bits += float(table.counts @ information_bits(table.counts))
    return len(stored) + bits / 8


def find_zstd() -> Callable[[bytes], bytes] | None:
    """zstd at level 19, from Python 3.14 or from the package zstandard."""
    for name in ("compression.zstd", "zstandard"):
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        compress: Callable[[bytes, int], bytes] = module.compress
        return lambda data: compress(data, 19)
    return None


def _generator() -> np.random.Generator:
    return np.random.default_rng(_SEED)


if __name__ == "__main__":
    main()
