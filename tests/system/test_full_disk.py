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

from tests.console import call

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

SWEEP = """
name: full
task: digits
architecture: {name: mlp, hidden: [64]}
method: {name: ptq, bits: {choice: [2, 3, 4, 5, 6, 7]}}
steps: 60
"""


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
    """Run the sweep in ``folder``; the exit code, what it said, and the seconds that it took."""
    (folder / "full.yaml").write_text(SWEEP)
    began_s = time.monotonic()
    done = call(folder, "sweep", "full.yaml", "--yes", "--storage", str(storage), *options)
    return done.returncode, done.stdout + done.stderr, time.monotonic() - began_s


def digests(storage: Path) -> dict[str, str]:
    files = sorted(storage.glob("full-*/trials/*/*.rfz"))
    return {str(path.relative_to(storage)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_sweep_on_a_full_disk_ends_with_one_line_and_goes_on_to_the_same_files(
    tmp_path: Path, empty_store: bytes
) -> None:
    """There is no space for a record: trials whose workers started three times each took minutes before the end."""
    for name in ("quiet", "full"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mlflow.db").write_bytes(empty_store)
    call(tmp_path, "--version")  # the first command waits until the libraries are loaded, which would count as quiet
    code, said, quiet_s = sweep(tmp_path / "quiet", tmp_path / "quiet" / "sweeps")
    assert code == 0, said
    folder, storage = tmp_path / "full", tmp_path / "disk"
    with small_disk(storage, "100k"):
        for options, wanted in (((), 1), (("--resume",), 2)):
            code, said, took_s = sweep(folder, storage, *options)
            assert code == wanted, said
            (line,) = [line for line in said.splitlines() if "the disk is full (no space left on device for" in line]
            assert "free some space" in line
            assert "Traceback" not in said
            assert took_s < 2 * quiet_s + 30
            assert list(storage.glob("full-*/trials/*/.*")) == [], "nothing is left by halves"
        subprocess.run(["mount", "-o", "remount,size=100m", storage], check=True)
        code, said, _ = sweep(folder, storage, "--resume")
        assert code == 0, said
        assert digests(storage) == digests(tmp_path / "quiet" / "sweeps")
