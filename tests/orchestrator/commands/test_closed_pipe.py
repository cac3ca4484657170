"""A command whose reader has gone ends quietly, as a program does that SIGPIPE ends."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_PLAY = """
import sys
import typer
from orchestrator.cli import _with_exit_codes
def command():
    {command}
app = typer.Typer()
app.command()(_with_exit_codes(command))
app(prog_name="ratefront")
"""


def run(command: str, *, is_read: bool) -> tuple[int, str]:
    """The exit code and the standard error of a command, whose output goes to a pipe."""
    reader, writer = os.pipe()
    if not is_read:
        os.close(reader)
    code = _PLAY.format(command=command)
    done = subprocess.run([sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    if is_read:
        os.close(reader)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    "command",
    [
        "typer.echo('a row')",
        "sys.stdout.write('a row')",  # it is written at the end
        "from orchestrator.commands.console import open_console; open_console().print('a table')",
        "sys.stdout.write('a row'); raise typer.Exit(1)",
    ],
)
def test_a_closed_pipe_is_no_error(command: str) -> None:
    assert run(command, is_read=False) == (141, "")


def test_a_broken_connection_elsewhere_is_one() -> None:
    assert run("raise BrokenPipeError(32, 'Broken pipe', 'server')", is_read=True) == (
        2,
        "ratefront: [Errno 32] Broken pipe: 'server'\n",
    )
    assert run("raise typer.Exit(1)", is_read=True) == (1, "")
