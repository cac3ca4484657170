"""Machine code is never stale: an edit of any source is another file. Without a place to write, it works as well."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainers.coding import machine_code
from trainers.coding.compiled import jit, symbols
from trainers.coding.compiled.learning import Shape
from trainers.coding.compiled.symbols import NUM_COUNTERS
from trainers.coding.machine_code import ENVIRONMENT, Packed, cache_folder, call

JIT = Path(jit.__file__).read_text()
CALLEE = "from .jit import compiled\n\n@compiled\ndef twice(x):\n    return {} * x\n"
ENTRIES = """
from .callee import twice
from .jit import compiled

@compiled
def again(x):
    return twice(x) + 1

ENTRIES = {"again": (again, (1,))}
"""
PROGRAM = """
import sys
from pathlib import Path
{first}
from trainers.coding import machine_code
machine_code._SOURCES = Path(sys.argv[1])
machine_code.ENTRIES = {{"again": (None, (1,))}}
print(machine_code.call("again", 5), "numba" in sys.modules)
"""
COMPILED, LOADED = "compiling the coder, once on this machine: some ten seconds\n", ""


def package(folder: Path, factor: int = 2) -> Path:
    """A small package, whose entry calls what stands in another file."""
    folder.mkdir(exist_ok=True)
    texts = {"__init__": "", "jit": JIT, "entries": ENTRIES, "callee": CALLEE.format(factor)}
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def calling(sources: Path, *, first: str = "", **environment: str) -> tuple[str, str]:
    """What a process says that calls the small package's entry with 5; ``first`` runs before."""
    program = PROGRAM.format(first=first)
    said = subprocess.run(
        [sys.executable, "-c", program, sources],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return said.stdout, said.stderr


def test_an_edit_of_a_callee_is_compiled_and_places_do_not_matter(tmp_path: Path) -> None:
    sources, cache = tmp_path / "sources", {ENVIRONMENT: str(tmp_path / "cache")}
    assert calling(package(sources), **cache) == ("11 True\n", COMPILED)
    assert calling(package(sources), **cache) == ("11 False\n", LOADED), "what loads it needs no numba"
    assert calling(package(sources, 3), **cache) == ("16 True\n", COMPILED)
    assert calling(package(tmp_path / "elsewhere", 3), **cache) == ("16 False\n", LOADED)


def test_a_cache_that_cannot_be_written_is_enough_where_it_is_complete(tmp_path: Path) -> None:
    sources, cache = package(tmp_path / "sources"), tmp_path / "cache"
    calling(sources, **{ENVIRONMENT: str(cache)})
    never = "import builtins\nfrom pathlib import Path\n"
    for verb in ("mkdir", "touch", "write_bytes"):
        never += f"Path.{verb} = None\n"
    assert calling(sources, first=never, **{ENVIRONMENT: str(cache)}) == ("11 False\n", LOADED)


def test_where_nothing_can_be_written_one_line_says_so_and_it_works(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said, warned = calling(package(tmp_path / "sources"), **{ENVIRONMENT: str(tmp_path / "file" / "cache")})
    assert said == "11 True\n"
    assert "Not a directory" in warned
    assert f"set {ENVIRONMENT} to a folder that can be written" in warned
    assert warned.count("\n") == 1


def test_a_full_disk_is_one_that_cannot_be_written(tmp_path: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))"
    said, warned = calling(package(tmp_path / "sources"), first=limit, **{ENVIRONMENT: str(tmp_path / "cache")})
    assert said == "11 True\n"
    assert "compiled code cannot be kept" in warned
    assert "Traceback" not in warned
    assert not list((tmp_path / "cache").glob("*.o*")), "nothing half-written is left"


def test_a_damaged_file_is_made_anew(tmp_path: Path) -> None:
    sources, cache = package(tmp_path / "sources"), tmp_path / "cache"
    calling(sources, **{ENVIRONMENT: str(cache)})
    (path,) = cache.glob("*.o")
    whole = path.read_bytes()
    for damaged in (whole[:100], whole[:-1] + b"?"):
        path.write_bytes(damaged)
        assert calling(sources, **{ENVIRONMENT: str(cache)}) == ("11 True\n", COMPILED)
    assert calling(sources, **{ENVIRONMENT: str(cache)}) == ("11 False\n", LOADED)


def test_a_user_without_a_home_can_code(tmp_path: Path) -> None:
    nobody = (
        "import os, pwd\nfor name in ('HOME', 'XDG_CACHE_HOME', 'RATEFRONT_CACHE'): os.environ.pop(name, None)\n"
        "def unknown(uid): raise KeyError(uid)\npwd.getpwuid = unknown"
    )
    said, warned = calling(package(tmp_path / "sources"), first=nobody)
    assert said == "11 True\n"
    assert "compiled code cannot be kept" in warned


def test_what_is_compiled_once_is_not_loaded_to_find_that_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    call("count", np.zeros(0, np.int32), 0, np.zeros((NUM_COUNTERS, 1), np.int64))
    loaded: list[None] = []
    monkeypatch.setattr(machine_code, "_functions", lambda: loaded.append(None))
    machine_code.compile_once()
    assert loaded == [], "this process has compiled it, or one before it"
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
    machine_code.compile_once()
    assert loaded == [None], "in another cache folder there is nothing"


def test_what_numba_is_told_makes_another_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NUMBA_BOUNDSCHECK", raising=False)
    path = machine_code._path()
    monkeypatch.setenv("NUMBA_BOUNDSCHECK", "1")
    assert machine_code._path() != path


@pytest.mark.parametrize("values", [np.zeros(4), np.zeros((2, 2), np.int32), np.zeros(8, np.int32)[::2]])
def test_arguments_of_another_type_are_refused(values: Any) -> None:
    """Machine code would take their bytes for something else."""
    with pytest.raises(TypeError, match="takes a contiguous int32 array of 1 dimension"):
        call("count", values, 0, np.zeros((NUM_COUNTERS, 1), np.int64))
    with pytest.raises(TypeError, match="takes Port: got Shape"):
        call("read_bit", 1, Packed(Shape(0, 1, 0)))
    with pytest.raises(ValueError, match="zip"):
        call("read_bit", 1)


def test_an_index_out_of_bounds_is_an_error_where_that_is_looked_for(tmp_path: Path) -> None:
    program = (
        "import numpy as np; from trainers.coding.machine_code import call\n"
        "call('look_up', np.array([3], np.int32), 0, np.zeros(2, np.int32), np.zeros(1, np.int32))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "NUMBA_BOUNDSCHECK": "1"},
        capture_output=True,
        text=True,
    )
    assert said.stderr.endswith("IndexError: look_up left the bounds of an array\n")


def test_compiled_code_says_what_its_source_says() -> None:
    """The sources are plain Python, too."""
    values = np.random.default_rng(0).integers(-3, 4, 100).astype(np.int32)
    counts, same = np.zeros((2, NUM_COUNTERS, 7), np.int64)
    call("count", values, -3, counts)
    symbols.count(values, -3, same)
    assert counts.sum() == len(values)
    assert (counts == same).all()


def test_the_environment_says_where(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv(ENVIRONMENT)
    assert cache_folder().name == "ratefront"
