"""What reaches a terminal of texts that others wrote: letters and colours, and nothing that it obeys."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console
from rich.live import Live
from rich.table import Table

from orchestrator.views.printable import Printable, PrintableHook, lines_of

TITLE, CLIPBOARD, UP = "\x1b]0;owned\x07", "\x1b]52;c;cm0gLXJm\x07", "\x1b[2A"


def console() -> Console:
    made = Console(file=io.StringIO(), width=80, force_terminal=True)
    made.push_render_hook(PrintableHook())
    return made


def said(console: Console) -> str:
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("hostile", [TITLE, CLIPBOARD, UP, "\x9b2J", "a\u202eb", "\r"])
def test_a_console_shows_control_characters_and_sends_none(hostile: str) -> None:
    used = console()
    table = Table(hostile)
    table.add_row(hostile, style="red")
    used.print(hostile, markup=False)
    used.print(table)
    used.print(f"[red]a{hostile}b[/red]")
    text = re.sub(r"\x1b\[[0-9;]*m", "", said(used))  # rich's own colours
    assert [one for one in text if one != "\n" and not one.isprintable()] == []


def test_lines_tables_and_colours_are_as_without_it() -> None:
    plain = Console(file=io.StringIO(), width=80, force_terminal=True)
    for used in (plain, guarded := console()):
        table = Table("name", "size")
        table.add_row("0.weight", "12 B", style="dim")
        used.print(table)
        used.print("[red]two\nlines[/red], the second of which is longer than the eighty characters of the terminal")
        used.print("a" * 200, soft_wrap=True)
    assert said(guarded) == said(plain)


def test_a_live_picture_moves_the_cursor_and_its_texts_do_not() -> None:
    used = console()
    with Live(
        Printable(used.render_str(f"a{UP}b", markup=False, highlight=False)), console=used, auto_refresh=False
    ) as live:
        live.refresh()
        used.print("a line above")
    assert "a\\x1b[2Ab" in said(used)
    assert UP not in said(used)
    assert "\x1b[2K" in said(used), "rich's own"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("plain", ["plain"]),
        ("", [""]),
        ("\x1b[31mred\x1b[0m done", ["\x1b[31mred\x1b[0m done\x1b[0m"]),
        ("\x1b[1;38;2;0;0;255mblue", ["\x1b[1;38;2;0;0;255mblue\x1b[0m"]),
        (f"a{TITLE}b", ["a\\x1b]0;owned\\x07b"]),
        (f"a{CLIPBOARD}", ["a\\x1b]52;c;cm0gLXJm\\x07"]),
        (f"a{UP}\x1b[2Kb", ["a\\x1b[2A\\x1b[2Kb"]),
        (" 10%\r 20%\r\n", [" 10%", " 20%"]),
        ("a\tb", ["a       b"]),
    ],
)
def test_of_a_log_only_colours_pass(line: str, shown: list[str]) -> None:
    assert lines_of(line) == shown
