"""The code that a submission carries to a cluster, as wheels."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from orchestrator.submission.wheels import own_modules, pack, ratefront_wheel


def test_the_same_files_make_the_same_wheel_and_others_another_name() -> None:
    first, again = pack("own", "0", {"b.py": b"2", "a.py": b"1"}), pack("own", "0", {"a.py": b"1", "b.py": b"2"})
    assert first == again
    assert pack("own", "0", {"a.py": b"1", "b.py": b"3"}).filename != first.filename
    assert first.filename.startswith("own-0+g")


def test_our_wheel_is_installed_without_a_network_and_runs(tmp_path: Path) -> None:
    wheel = ratefront_wheel()
    (tmp_path / wheel.filename).write_bytes(wheel.content)
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-cache-dir"]
    subprocess.run([*install, f"--target={tmp_path / 'there'}", str(tmp_path / wheel.filename)], check=True)
    script = (
        "import orchestrator; from importlib import metadata; from orchestrator.submission.slurm import Slurm;"
        "from orchestrator.sweep.recipes import find_recipe; "
        "print(orchestrator.__file__, metadata.version('ratefront'), len(Slurm().script()), find_recipe('digits'))"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "there")}
    said = subprocess.run(
        [sys.executable, "-P", "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout.split()
    assert said[0].startswith(str(tmp_path))
    assert said[1] == wheel.filename.split("-")[1]
    assert said[3].startswith(str(tmp_path))


def test_a_wheel_requires_nothing_since_pip_would_look_for_it() -> None:
    with zipfile.ZipFile(BytesIO(ratefront_wheel().content)) as archive:
        (metadata,) = (archive.read(name) for name in archive.namelist() if name.endswith("METADATA"))
        names = archive.namelist()
    assert b"Requires-Dist" not in metadata
    assert not [name for name in names if "__pycache__" in name]


def test_a_wheel_has_every_file_of_ours() -> None:
    with zipfile.ZipFile(BytesIO(ratefront_wheel().content)) as archive:
        names = set(archive.namelist())
    root = Path(__file__).parents[3]
    files = (path for package in ("analysis", "orchestrator", "trainers") for path in (root / package).rglob("*.*"))
    ours = {path.relative_to(root).as_posix() for path in files if "__pycache__" not in path.parts}
    assert "trainers/tasks/digits.csv.gz" in ours
    assert ours <= names


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").write_text("")
    (tmp_path / "mine" / "net.py").write_text("def net(): ...")
    (tmp_path / "mine" / ".git").mkdir()
    (tmp_path / "mine" / ".git" / "large").write_text("no")
    (tmp_path / "other.py").write_text("")
    (tmp_path / "late.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in ("mine", "mine.net", "other"):
        sys.modules.pop(name, None)


def test_own_modules_are_those_that_were_imported_from_the_folder(folder: Path) -> None:
    assert own_modules(folder) == {}
    __import__("mine.net")
    assert sorted(own_modules(folder)) == ["mine/__init__.py", "mine/net.py"]
    __import__("other")
    assert sorted(own_modules(folder, ["late"])) == ["late.py", "mine/__init__.py", "mine/net.py", "other.py"]
    with pytest.raises(ValueError, match="there is neither nowhere/ nor nowhere"):
        own_modules(folder, ["nowhere"])


def test_a_module_that_would_hide_ours_does_not_travel(folder: Path) -> None:
    (folder / "analysis.py").write_text("")
    with pytest.raises(ValueError, match="has the name of a package of ratefront"):
        own_modules(folder, ["analysis"])
