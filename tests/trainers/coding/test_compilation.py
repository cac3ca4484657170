"""Compiled code is never stale: an edit of any source is another copy. Without a place to write, it works as well."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from trainers.coding import compilation
from trainers.coding.compilation import ENVIRONMENT, cache_folder, import_copy
from trainers.coding.compiled import jit

JIT = Path(jit.__file__).read_text()
CALLER = "from .callee import twice\nfrom .jit import called\n\n@called\ndef again(x):\n    return twice(x) + 1\n"
BEGINNING = "from .caller import again\n\ndef compile_all():\n    again(1)\n"
CALLEE = "from .jit import compiled\n\n@compiled\ndef twice(x):\n    return {} * x\n"


def package(folder: Path, factor: int) -> Path:
    folder.mkdir(exist_ok=True)
    texts = {"__init__": "", "jit": JIT, "beginning": BEGINNING, "caller": CALLER, "callee": CALLEE.format(factor)}
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def again(name: str, x: int) -> int:
    return int(importlib.import_module(f"{name}.caller").again(x))


def test_an_edit_of_a_callee_is_compiled(tmp_path: Path) -> None:
    """numba would look at the caller's file alone, which is the same."""
    first = import_copy(package(tmp_path / "sources", 2), tmp_path / "cache")
    assert again(first, 5) == 11
    assert list((tmp_path / "cache").glob("*/__pycache__/*.nbi")), "numba keeps what it compiled"
    second = import_copy(package(tmp_path / "sources", 3), tmp_path / "cache")
    assert again(second, 5) == 16
    assert first != second
    assert import_copy(package(tmp_path / "elsewhere", 3), tmp_path / "cache") == second, "places do not matter"


def test_another_process_finds_what_was_compiled(tmp_path: Path) -> None:
    sources, cache = package(tmp_path / "sources", 2), tmp_path / "cache"
    program = (
        "import importlib, sys; from pathlib import Path; from trainers.coding.compilation import import_copy\n"
        "caller = importlib.import_module(import_copy(Path(sys.argv[1]), Path(sys.argv[2])) + '.caller')\n"
        "print(caller.again(5), sum(caller.again.stats.cache_hits.values()))"
    )
    said = [
        subprocess.run([sys.executable, "-c", program, sources, cache], capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert [one.stdout.split() for one in said] == [["11", "0"], ["11", "1"]]


def test_what_is_compiled_once_is_not_loaded_to_find_that_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    compilation.compiled_module("beginning")
    loaded: list[str] = []
    monkeypatch.setattr(compilation, "compiled_module", loaded.append)
    compilation.compile_once()
    assert loaded == [], "this process has compiled it, or one before it"
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
    compilation.compile_once()
    assert loaded == ["beginning"], "in another cache folder there is nothing"


def loading(tmp_path: Path, cache: Path, *, limit: str = "") -> subprocess.CompletedProcess[str]:
    """A process that loads a small package, and says under which name; ``limit`` runs before."""
    program = (
        f"{limit}\nimport sys; from pathlib import Path; from trainers.coding import compilation\n"
        "compilation._SOURCES = Path(sys.argv[1])\nprint(compilation._package())"
    )
    return subprocess.run(
        [sys.executable, "-c", program, package(tmp_path / "sources", 2)],
        env={**os.environ, ENVIRONMENT: str(cache)},
        capture_output=True,
        text=True,
        check=True,
    )


def test_where_nothing_can_be_written_one_line_says_so_and_it_works(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = loading(tmp_path, tmp_path / "file" / "cache")
    assert said.stdout == "trainers.coding.compiled\n"
    assert "Not a directory" in said.stderr
    assert f"set {ENVIRONMENT} to a folder that can be written" in said.stderr
    assert said.stderr.count("\n") == 1


def test_a_disk_with_room_for_the_sources_alone_is_one_that_cannot_be_written(tmp_path: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))"
    said = loading(tmp_path, tmp_path / "cache", limit=limit)
    assert said.stdout == "trainers.coding.compiled\n"
    assert "compiled code cannot be kept" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_damaged_cache_is_made_anew(tmp_path: Path) -> None:
    """Something took a source away; what numba keeps was cut; a process died before it was through."""
    cache = tmp_path / "cache"
    first = loading(tmp_path, cache)
    assert "compiling the coder, once on this machine" in first.stderr
    assert loading(tmp_path, cache).stderr == ""
    (folder,) = cache.glob("coder-*")
    (folder / "callee.py").unlink()
    assert loading(tmp_path, cache).stdout == first.stdout
    for path in folder.glob("__pycache__/*.nbi"):
        path.write_bytes(path.read_bytes()[:10])
    again = loading(tmp_path, cache)
    assert (again.stdout, "Traceback" in again.stderr) == (first.stdout, False)
    assert loading(tmp_path, cache).stderr == ""
    (folder / "complete").unlink()
    assert "compiling the coder" in loading(tmp_path, cache).stderr


def test_what_numba_is_told_makes_another_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sources = package(tmp_path / "sources", 2)
    folder = compilation._folder(sources, tmp_path)
    monkeypatch.setenv("NUMBA_BOUNDSCHECK", "1")
    assert compilation._folder(sources, tmp_path) != folder


def test_loading_leaves_scipy_as_it_is_for_others() -> None:
    """numba's linear algebra works, and so does scipy's; nothing of it but one module was loaded."""
    program = (
        "import sys; from trainers.coding.compilation import compiled_module; compiled_module('beginning')\n"
        "print('scipy.linalg' in sys.modules)\nimport numba, numpy as np\n"
        "print(numba.njit(lambda a: a @ a)(np.eye(2))[0, 0])\n"
        "import scipy.linalg, scipy.linalg.blas\n"
        "print(scipy.linalg.det(2 * np.eye(2)), scipy.linalg.cython_blas is sys.modules['scipy.linalg.cython_blas'])"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["False", "1.0", "4.0", "True"]


def test_a_user_without_a_home_can_code() -> None:
    program = (
        "import os, pwd; os.environ.pop('HOME', None)\n"
        "def nobody(uid): raise KeyError(uid)\npwd.getpwuid = nobody\n"
        "from trainers.coding import compilation\nprint(compilation._package())"
    )
    environment = {name: value for name, value in os.environ.items() if name not in (ENVIRONMENT, "XDG_CACHE_HOME")}
    said = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout == "trainers.coding.compiled\n"
    assert "compiled code cannot be kept" in said.stderr


def test_the_sources_work_without_a_copy() -> None:
    """Read-only containers compile in memory; a small function shows it."""
    from trainers.coding.compiled import arithmetic

    assert not jit.IS_CACHED
    steps = np.array([1 << 16, 1 << 15])
    assert arithmetic.learned((1 << 31) | 1, 1, 2, steps) == ((3 << 30) | 2)
    assert compilation.compiled_module("jit").IS_CACHED


def test_the_environment_says_where(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv(ENVIRONMENT)
    assert cache_folder().name == "ratefront"
