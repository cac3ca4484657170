"""The command that lists what can be swept."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from orchestrator.cli import program
from orchestrator.sweep.catalogue import catalogue

NAMES = [(kind, row["name"]) for kind, rows in catalogue().items() for row in rows]


@pytest.mark.parametrize("width", [100, 120])
def test_every_registered_name_begins_a_line_of_its_table(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.commands.console._PIPE_WIDTH", width)
    monkeypatch.setenv("COLUMNS", str(width))
    said = CliRunner().invoke(program, ["catalogue"])
    assert said.exit_code == 0, said.output
    lines = said.output.splitlines()
    assert max(map(len, lines)) <= width
    beginnings = [line.split(maxsplit=1)[0] for line in lines if line and not line.startswith(" ")]
    kinds = [beginnings.index(kind) for kind in catalogue()]
    for kind, name in NAMES:
        begin = beginnings.index(kind)
        end = min((index for index in kinds if index > begin), default=len(beginnings))
        assert name in beginnings[begin + 1 : end]


def test_json_has_everything() -> None:
    said = CliRunner().invoke(program, ["catalogue", "--json"])
    assert said.exit_code == 0
    assert json.loads(said.output) == catalogue()


@pytest.mark.parametrize("arguments", [["epr"], ["--method", "epr"]])
def test_an_unknown_argument_is_refused(arguments: list[str]) -> None:
    assert CliRunner().invoke(program, ["catalogue", *arguments]).exit_code == 2


def test_the_helps_of_list_and_catalogue_name_each_other() -> None:
    for command, other in (("list", "catalogue"), ("catalogue", "list")):
        said = CliRunner().invoke(program, [command, "--help"])
        assert f"ratefront {other} lists" in " ".join(said.output.split())
