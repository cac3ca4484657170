"""Compiled code is never stale: an edit of any source is another copy. Without a place to write, it works as well."""

from __future__ import annotations

import importlib
import logging
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
CALLEE = "from .jit import compiled\n\n@compiled\ndef twice(x):\n    return {} * x\n"


def package(folder: Path, factor: int) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in {"__init__": "", "jit": JIT, "caller": CALLER, "callee": CALLEE.format(factor)}.items():
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


def test_where_nothing_can_be_written_one_line_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING):
        assert import_copy(package(tmp_path / "sources", 2), tmp_path / "file" / "cache") == ""
    (record,) = caplog.records
    assert "cannot be written" in record.getMessage()
    assert f"set {ENVIRONMENT} to a folder that can be" in record.getMessage()


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
