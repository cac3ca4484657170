"""What a command says of a sweep at its end."""

from __future__ import annotations

import io

from rich.console import Console

from orchestrator.commands.outcome import print_outcome, where_to_look


def test_the_end_of_a_sweep_prints_the_links_of_a_server_or_the_command_that_makes_them() -> None:
    assert where_to_look({"pages": {"charts": "http://host/#/a"}, "ui_command": ""}) == [
        *("in MLflow's UI:", "  charts    http://host/#/a", "")
    ]
    assert where_to_look({"pages": {}, "ui_command": "ratefront ui s-1"}) == ["in MLflow's UI: ratefront ui s-1", ""]
    assert where_to_look({"summary": "of an earlier version"}) == []


def test_a_full_disk_is_one_line_that_says_how_to_go_on() -> None:
    result = {"frontier": [], "directory": "d", "summary": "s", "unpublished": "", "spent": "", "interrupted": False}
    shown = io.StringIO()
    print_outcome({**result, "full": "no space left on device: x"}, Console(file=shown, width=200))
    assert shown.getvalue().splitlines()[-1] == (
        "the disk is full (no space left on device: x): free some space, and the same command with --resume goes on"
    )
