"""Commands that decode a file show on a terminal how far that is, and write what they should."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from safetensors.torch import load_file
from typer.testing import CliRunner

from orchestrator.cli import program
from orchestrator.commands.files import decode
from tests.trainers.coding import forgery

GOLDEN = Path(__file__).parents[2] / "golden" / "tiny.rfz"


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_bar_is_shown_while_a_file_is_decoded_on_a_terminal(
    is_terminal: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = io.StringIO()
    console = Console(file=drawn, force_terminal=is_terminal, width=100)
    monkeypatch.setattr("orchestrator.commands.console.open_console", lambda **_: console)
    decode(GOLDEN, out=tmp_path / "network.safetensors")
    assert (f"reading {GOLDEN.name}" in drawn.getvalue()) is is_terminal
    assert ("100%" in drawn.getvalue()) is is_terminal
    assert (tmp_path / "network.safetensors").exists()


@pytest.mark.parametrize("command", [["inspect"], ["decode"], ["recode"], ["evaluate", "--task", "digits"]])
@pytest.mark.parametrize(
    ("limit", "message"),
    [
        (["--max-parameters", "10"], "wanted at most 10"),
        (["--max-seconds", "1e-9"], "takes more than 1e-09 s: give a larger max_seconds"),
        (["--max-seconds", "-1"], "max_seconds is -1.0: wanted "),
    ],
)
def test_what_a_file_of_a_stranger_may_cost_is_limited(
    command: list[str], limit: list[str], message: str, tmp_path: Path
) -> None:
    out = ["--out", str(tmp_path / "network.pt")] if command in (["decode"], ["recode"]) else []
    said = CliRunner().invoke(program, [command[0], str(GOLDEN), *command[1:], *limit, *out])
    assert said.exit_code == 2
    assert message in said.stderr
    assert said.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_without_its_architecture_is_decoded_under_all_its_names_and_not_run(tmp_path: Path) -> None:
    path, out = tmp_path / "net.rfz", tmp_path / "net.safetensors"
    path.write_bytes(forgery.checkpoint())
    said = CliRunner().invoke(program, ["decode", str(path), "--out", str(out)])
    assert said.stdout == f"{out}: 8 tensors, {72 + 4 + 20 + 20 + 4 + 1 + 81} values\n"
    found = load_file(out)
    assert {name: (str(one.dtype), tuple(one.shape)) for name, one in found.items()} == {
        "conv.weight": ("torch.float32", (4, 2, 3, 3)),
        "conv.bias": ("torch.float32", (4,)),
        "head.weight": ("torch.bfloat16", (5, 4)),
        "last.weight": ("torch.bfloat16", (5, 4)),
        "head": ("torch.float64", (2, 2)),
        "steps": ("torch.int64", ()),
        "mask": ("torch.bool", (9, 9)),
        "empty": ("torch.float32", (0, 3)),
    }
    shown = CliRunner().invoke(program, ["inspect", str(path)]).stdout
    assert "method ecq 1, architecture tensors(7, without a network)" in shown
    assert "times smaller than the tensors' " in shown
    for command in (["evaluate", str(path), "--task", "digits"], ["evaluate", str(path), "--task", "digits", "--json"]):
        refused = CliRunner().invoke(program, command)
        assert refused.exit_code == 2
        assert "the file holds tensors without a network, which cannot be run" in refused.stderr
        assert refused.stderr.count("\n") == 1


def test_inspect_names_how_tensors_are_stored() -> None:
    command = ["inspect", str(GOLDEN.parent / "tiny_grids.rfz"), "--architecture", "tests.golden.regenerate:latents"]
    shown = CliRunner().invoke(program, command).stdout
    assert [line.split()[:4] for line in shown.splitlines() if ".values" in line] == [
        ["tensor", "0.values", "grid", "18x20"],
        ["tensor", "1.values", "grid", "2x7x9"],
    ]
    shares = json.loads(CliRunner().invoke(program, [*command, "--json"]).stdout)["shares"]
    assert {share["name"]: share["kind"] for share in shares if share["part"] == "tensor"} == {
        "0.values": "grid",
        "1.values": "grid",
        "2.weight": "adaptive",
        "2.bias": "constant",
    }


def test_a_file_is_written_anew_in_the_newest_version(tmp_path: Path) -> None:
    old, new = GOLDEN.parent / "version_1" / GOLDEN.name, tmp_path / "new.rfz"
    said = CliRunner().invoke(program, ["recode", str(old), "--out", str(new)])
    assert said.exit_code == 0
    assert said.stdout == f"{new}: 96 bytes in format version 2; {old} has 102\n"
    assert new.read_bytes() == GOLDEN.read_bytes()


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "new.rfz"
    said = CliRunner().invoke(program, ["recode", str(tmp_path / "none.rfz"), "--out", str(out)])
    assert said.exit_code == 2
    assert str(out.parent) in said.stderr
    assert "none.rfz" not in said.stderr
    assert said.stderr.count("\n") == 1


MISTAKES = """
import torch
from dataclasses import replace
from trainers.data.map_style import MapStyle
from trainers.tasks import TASKS

class Torn(torch.utils.data.Dataset):
    def __len__(self):
        return 10

    def __getitem__(self, number):
        raise KeyError("picture 7")

def torn():
    return replace(TASKS["digits"](), test=Torn())

def wide():
    task = TASKS["digits"]()
    return replace(task, test=MapStyle([(torch.zeros(1, 8, 8, dtype=torch.float64), 0)]))
"""


def test_a_network_is_not_blamed_for_what_the_task_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mistaken_tasks.py").write_text(MISTAKES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    file = str(next((Path(__file__).parents[3] / "results" / "digits_demo" / "frontier").glob("*epr*.rfz")))
    torn = CliRunner().invoke(program, ["evaluate", file, "--task", "mistaken_tasks:torn"])
    assert (torn.exit_code, torn.stderr) == (2, "ratefront: task 'mistaken_tasks:torn', test: KeyError: 'picture 7'\n")
    wide = CliRunner().invoke(program, ["evaluate", file, "--task", "mistaken_tasks:wide"])
    assert wide.exit_code == 2
    assert "; inputs are float64 and the network's parameters float32: wanted the same" in wide.stderr


def test_a_file_is_measured_against_the_network_that_it_was_made_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An untouched copy is no distance away."""
    file = str(next((Path(__file__).parents[3] / "results" / "digits_demo" / "frontier").glob("*epr*.rfz")))
    decode(Path(file), out=tmp_path / "network.safetensors")
    capsys.readouterr()
    given = ["--given", str(tmp_path / "network.safetensors")]
    said = CliRunner().invoke(program, ["evaluate", file, "--task", "digits", "--json", *given])
    assert said.exit_code == 0, said.stderr
    assert json.loads(said.stdout)["fidelity"] == {"kl": 0.0, "agreement": 1.0}
    plain = CliRunner().invoke(program, ["evaluate", file, "--task", "digits", "--json"])
    assert not {"fidelity", "others"} & set(json.loads(plain.stdout))
    several = ["evaluate", file, "--task", "{name: digits, top: [2], calibration: true}", *given]
    found = json.loads(CliRunner().invoke(program, [*several, "--json"]).stdout)["others"]
    assert list(found) == ["top-2 accuracy", "negative log-likelihood", "expected calibration error"]
    words = CliRunner().invoke(program, several).stdout
    assert f", top-2 accuracy {found['top-2 accuracy']:.4g}, negative log-likelihood " in words
    assert words.endswith(" kl 0, agreement 1 on test\n")
    parts = CliRunner().invoke(program, ["evaluate", file, "--task", "digits", "--given", "fusion(a.pth, b.pth)"])
    assert parts.stderr.startswith("ratefront: --given is 'fusion(a.pth, b.pth)': wanted one whole network")
