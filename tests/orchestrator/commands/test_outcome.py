"""What a command says of a sweep at its end."""

from __future__ import annotations

from orchestrator.commands.outcome import where_to_look


def test_the_end_of_a_sweep_prints_the_links_of_a_server_or_the_command_that_makes_them() -> None:
    assert where_to_look({"pages": {"charts": "http://host/#/a"}, "ui_command": ""}) == [
        *("in MLflow's UI:", "  charts    http://host/#/a", "")
    ]
    assert where_to_look({"pages": {}, "ui_command": "ratefront ui s-1"}) == ["in MLflow's UI: ratefront ui s-1", ""]
    assert where_to_look({"summary": "of an earlier version"}) == []
