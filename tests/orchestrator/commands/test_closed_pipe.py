"""A command whose reader has gone ends quietly, as a program does that SIGPIPE ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_PLAY = """
import sys
import typer
from orchestrator import cli
def command():
    {command}
cli.program.command(name="play")(cli._with_exit_codes(command))
cli.main(prog_name="ratefront")
"""


def run(command: str, *arguments: str, is_read: bool) -> tuple[int, str]:
    """The exit code and the standard error of a command, whose output goes to a pipe."""
    reader, writer = os.pipe()
    if not is_read:
        os.close(reader)
    program = [sys.executable, "-c", _PLAY.format(command=command), *(arguments or ["play"])]
    done = subprocess.run(program, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
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


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["sweep", "--help"]])
def test_help_that_nobody_reads_is_no_error(arguments: list[str]) -> None:
    """It is printed before any command runs."""
    assert run("pass", *arguments, is_read=False) == (141, "")


def test_a_mistake_stays_one_where_nobody_reads() -> None:
    code, said = run("pass", "play", "--no-such-option", is_read=False)
    assert code == 2
    assert "No such option" in said
    assert run("raise ValueError('got 3')", is_read=False) == (2, "ratefront: got 3\n")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["play"]])
def test_a_full_disk_is_one_line(arguments: list[str]) -> None:
    code = _PLAY.format(command="sys.stdout.write('a row')")
    with Path("/dev/full").open("w") as full:
        program = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(program, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        2,
        "ratefront: the disk is full (no space left on device): free some space\n",
    )
