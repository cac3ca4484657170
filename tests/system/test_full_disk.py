"""A sweep on a small file system that is full: it ends by itself with one line, and goes on to the same files."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.console import PROGRAM, clean_environment

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

SWEEP = """
name: full
task: digits
architecture: {name: mlp, hidden: [64]}
method: {name: ptq, bits: {choice: [2, 3, 4, 5, 6, 7]}}
steps: 60
"""
_ENDS_WITHIN_S = 150
"""Longer than a start of Ray on a busy machine; with three starts of a worker for each trial it was 200 s and more."""


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A file system of its own in ``folder``."""
    if os.geteuid() != 0:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("mounting needs root")
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def sweep(folder: Path, storage: Path, *options: str) -> tuple[int, str, float]:
    """Run the sweep; the exit code, what it said, and the seconds that it took."""
    (folder / "full.yaml").write_text(SWEEP)
    command = [PROGRAM, "sweep", "full.yaml", "--yes", "--storage", str(storage), *options]
    began_s = time.monotonic()
    done = subprocess.run(
        command, cwd=folder, env=clean_environment(), capture_output=True, text=True, timeout=600, check=False
    )
    return done.returncode, done.stdout + done.stderr, time.monotonic() - began_s


def digests(storage: Path) -> dict[str, str]:
    files = sorted(storage.glob("full-*/trials/*/*.rfz"))
    return {str(path.relative_to(storage)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("size", ["100k", "224k"])
def test_a_sweep_on_a_full_disk_ends_with_one_line_and_goes_on_to_the_same_files(size: str, tmp_path: Path) -> None:
    """On the first there is no space for a record, on the second for those of some trials."""
    code, said, _ = sweep(tmp_path, tmp_path / "quiet")
    assert code == 0, said
    storage = tmp_path / "disk"
    with small_disk(storage, size):
        code, said, took_s = sweep(tmp_path, storage)
        assert code == 1, said
        (line,) = [
            line for line in said.splitlines() if line.startswith("the disk is full (no space left on device for")
        ]
        assert line.endswith("free some space, and the same command with --resume goes on")
        assert "Traceback" not in said
        assert took_s < _ENDS_WITHIN_S
        assert list(storage.glob("full-*/trials/*/.*")) == [], "nothing is left by halves"
        code, said, took_s = sweep(tmp_path, storage, "--resume")
        assert code in (1, 2), said
        assert "Traceback" not in said
        assert took_s < _ENDS_WITHIN_S
        subprocess.run(["mount", "-o", "remount,size=100m", storage], check=True)
        code, said, _ = sweep(tmp_path, storage, "--resume")
        assert code == 0, said
        assert digests(storage) == digests(tmp_path / "quiet")
