"""The reader in C, a second implementation of the format, reads what Python reads, and no file leads it astray."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from trainers.coding import container, section_kinds
from trainers.coding.sections import Integers, Layout
from trainers.compressed import Opened, open_bytes

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
NATIVE = ROOT / "trainers" / "coding" / "native"
MAIN = Path(__file__).parent / "native" / "reader_main.c"
FILES = [*sorted((ROOT / "tests" / "golden").glob("**/*.rfz")), *sorted((ROOT / "results").glob("*/frontier/*.rfz"))]
SMALL = [*sorted((ROOT / "tests" / "golden").glob("*.rfz")), *sorted((ROOT / "results").glob("digits_demo/*/*.rfz"))]

STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-g", "-O1"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
DTYPES = {
    "float32": 0,
    "float64": 1,
    "float16": 2,
    "bfloat16": 3,
    "bool": 4,
    "uint8": 5,
    "int8": 5,
    "int16": 6,
    "int32": 7,
    "int64": 8,
}
"""The numbers that rfz.h gives them."""
MADE, NO_ARITHMETIC, NO_FLOATS, NO_INT8 = 5, -8, -9, -10
SECTION = np.dtype([("numbers", "<i4", 7), ("scale", "<f4")])
OUTCOMES = 12
"""Files that were read, and one number for each error."""


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test's program, compiled by the system's compiler."""
    program = tmp_path_factory.mktemp("native") / "reader"
    subprocess.run(
        ["cc", *STRICT, *SANITIZERS, f"-I{NATIVE}", NATIVE / "rfz.c", MAIN, "-o", program], check=True, timeout=300
    )
    return program


def described(layout: Layout) -> str:
    """What the program reads of a network."""
    lines = [f"{DTYPES[entry.dtype]} {len(entry.shape)} {' '.join(map(str, entry.shape))}" for entry in layout]
    return "\n".join([f"{container.fingerprint(layout).hex()} {len(layout)}", *lines, ""])


def opened(path: Path) -> Opened:
    """A file, in the newest version."""
    found = open_bytes(path.read_bytes(), allow_import=True)
    return open_bytes(found.recoded(), allow_import=True)


def put(folder: Path, name: str, one: Opened) -> list[Path]:
    """Write a description and a file, as the program's arguments."""
    network, path = folder / f"{name}.network", folder / f"{name}.rfz"
    network.write_text(described(one.form.layout))
    path.write_bytes(one.data)
    return [network, path]


def decoded(output: bytes) -> Iterator[tuple[list[int], npt.NDArray[np.int32], npt.NDArray[np.float32]]]:
    """The numbers, the integers and the floats of each section that the program wrote."""
    position = 0
    while position < len(output):
        (section,) = np.frombuffer(output, SECTION, count=1, offset=position)
        numbers = section["numbers"].tolist()
        count = numbers[2] * numbers[3]
        position += SECTION.itemsize
        integers = np.frombuffer(output, "<i4", count=count, offset=position)
        floats = np.frombuffer(output, "<f4", count=count, offset=position + 4 * count)
        position += 8 * count
        yield numbers, integers, floats


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_committed_file_decodes_as_in_python(path: Path, reader: Path, tmp_path: Path) -> None:
    one = opened(path)
    sections, state = one.sections, one.state_dict()
    found = subprocess.run([reader, "dump", *put(tmp_path, "one", one)], check=True, capture_output=True, timeout=300)
    stored = [sections.tensors.get(entry.name) for entry in one.form.layout] + list(sections.factors)
    num_scalar = len(sections.vectors[0]) if sections.vectors else 0
    parts = list(decoded(found.stdout))
    assert len(parts) == len(stored)
    for index, ((is_tensor, kind, *_, exponent, result, _), integers, floats) in enumerate(parts):
        section = stored[index]
        if isinstance(section, Integers):
            np.testing.assert_array_equal(integers, section.values.ravel())
            assert exponent == section.exponent
        if not is_tensor:
            continue
        entry = one.form.layout[index]
        # kernels of Fourier coefficients have a vector of their own, after that of all other steps
        is_fourier = isinstance(section, Integers) and one.header.method == "epr" and section.table >= num_scalar
        if kind == MADE or is_fourier:
            assert result == NO_ARITHMETIC
        elif not state[entry.name].is_floating_point():
            assert result == NO_FLOATS
        else:
            assert result == 0
            assert floats.tobytes() == state[entry.name].float().numpy().tobytes()


def test_committed_files_have_sections_of_every_kind(reader: Path, tmp_path: Path) -> None:
    kinds = set()
    for path in SMALL:
        found = subprocess.run(
            [reader, "dump", *put(tmp_path, "one", opened(path))], check=True, capture_output=True, timeout=300
        )
        kinds |= {numbers[1] for numbers, _, _ in decoded(found.stdout)}
    assert kinds == set(range(len(section_kinds.NAMES)))


def test_no_damaged_file_leads_it_astray(reader: Path, tmp_path: Path) -> None:
    """The sanitizers end the program where it reads, writes or computes what C does not define."""
    arguments = [argument for index, path in enumerate(SMALL) for argument in put(tmp_path, str(index), opened(path))]
    found = subprocess.run([reader, "mutate", "1", "10000", *arguments], check=True, capture_output=True, timeout=600)
    words = found.stdout.split()
    outcomes = [int(number) for number in words[1 : 1 + OUTCOMES]]
    assert sum(outcomes) == 10000
    assert outcomes[0] > 500  # some are read whole, so that the rest of the code is reached
    assert all(outcomes[1:7])
