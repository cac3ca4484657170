"""Files of sweeps as people write them, and an error that names the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import SweepError
from orchestrator.search.domains import Choice
from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.file import load_sweep
from tests.orchestrator.samples import document

NEEDED = "a sweep needs task, architecture and method"


def test_a_written_file_is_the_same_sweep(tmp_path: Path) -> None:
    sweep = Sweep.from_dict(document(method=["epr", "ptq"]))
    (tmp_path / "any.yaml").write_text(sweep.to_yaml())
    assert load_sweep(tmp_path / "any.yaml") == sweep


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def test_a_file_names_its_sweep_and_reads_as_people_mean_it(tmp_path: Path) -> None:
    path = write(tmp_path, "task: digits\narchitecture: mlp\nmethod: {name: epr, lam: [1e-3, 2E+1, .5, -1.5e2]}\n")
    sweep = load_sweep(path)
    assert sweep.name == "mine"
    assert sweep.method[0].arguments["lam"] == Choice([0.001, 20.0, 0.5, -150.0])
    assert load_sweep(write(tmp_path, path.read_text() + "name: 2026-01-01\n")).name == "2026-01-01"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("task: digits\nmethod: [epr\n", ":3: expected ',' or ']', but got '<stream end>'"),
        ("task: digits\nsteps: 5\ntask: mnist\n", ":3: 'task' is given twice"),
        ("task: \x00", ": unacceptable character #x0000: special characters are not allowed"),
        ("", ": a sweep is None: wanted a mapping with task, architecture and method"),
        ("task: digits\narchitecture: mlp\n", f": method is missing: {NEEDED}"),
    ],
)
def test_an_error_in_a_file_names_the_file(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(SweepError) as error:
        load_sweep(path)
    assert str(error.value) == f"{path}{message}"


def test_a_file_that_cannot_be_read_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(SweepError) as error:
        load_sweep(tmp_path / "absent.yaml")
    assert str(error.value) == f"cannot read {tmp_path / 'absent.yaml'}: No such file or directory"
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(SweepError) as error:
        load_sweep(tmp_path / "binary.yaml")
    assert str(error.value) == f"cannot read {tmp_path / 'binary.yaml'}: it is no UTF-8 text"
