"""Commands that decode a file show on a terminal how far that is."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.commands.files import decode

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
