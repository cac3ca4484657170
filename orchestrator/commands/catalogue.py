"""The command that lists what can be swept: catalogue."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import typer

from orchestrator.commands.options import Json

if TYPE_CHECKING:
    from rich.table import Table

_COST = (
    "cost: the time of one training over that of a plain training of as many steps (docs/methods.md); points: one "
    "training gives a point for each combination of these settings. A method's other settings: --json."
)
_OWN = {
    "architectures": "Also timm:NAME, a model of timm's where it is installed, and module:callable, your own.",
    "tasks": "Also module:callable, your own.",
}


def catalogue(as_json: Json = False) -> None:
    """List what can be swept: methods, networks, tasks, modifiers, training settings, searches, recipes.

    `ratefront list` lists the sweeps that ran.

    Example: `ratefront catalogue`
    """
    from orchestrator.commands.console import open_console
    from orchestrator.sweep.catalogue import catalogue as find_all

    found = find_all()
    if as_json:
        typer.echo(json.dumps(found, indent=1, allow_nan=False))
        return
    console = open_console()
    for kind, rows in found.items():
        console.print(_methods_table(rows) if kind == "methods" else _table(kind, rows), "")


def _methods_table(rows: Iterable[Mapping[str, Any]]) -> Table:
    table = _plain_table("methods", "rate knob", "cost", "points", caption=_COST)
    table.columns[2].justify = "right"
    for row in rows:
        cost = "-" if row["cost"] is None else f"{row['cost']:g}"
        _add(table, row["name"], _knob(row["rate_knob"]), cost, " x ".join(row["point_fields"]), row["description"])
    return table


def _table(kind: str, rows: Iterable[Mapping[str, Any]]) -> Table:
    have_arguments = any("arguments" in row for row in rows)
    table = _plain_table(kind, *["arguments"] * have_arguments, caption=_OWN.get(kind, ""))
    for row in rows:
        arguments = [", ".join(map(_argument, row["arguments"]))] if have_arguments else []
        _add(table, row["name"], *arguments, row["description"])
    return table


def _plain_table(*headings: str, caption: str) -> Table:
    """A table without lines; the last column, which takes the width that is left, says what each entry is."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    table.caption, table.caption_justify = Text(caption, style="dim") if caption else None, "left"
    for heading in (*headings, "what it is"):
        table.add_column(heading, overflow="fold", no_wrap=heading in (headings[0], "cost", "points"))
    return table


def _add(table: Table, *cells: str) -> None:
    """Plain ``Text``: ``hidden=[300, 100]`` is no markup."""
    from rich.text import Text

    table.add_row(*map(Text, cells))


def _knob(knob: Mapping[str, Any] | None) -> str:
    """``bits 2, 3, 4`` or ``lam 0.05 to 5``."""
    if knob is None:
        return "-"
    [(kind, content)] = knob["domain"].items()
    values = ", ".join(map(str, content)) if kind == "choice" else " to ".join(f"{end:g}" for end in content)
    return f"{knob['field']} {values}"


def _argument(argument: Mapping[str, Any]) -> str:
    """``hidden=[300, 100]``; the name alone where a sweep has to give it."""
    return argument["name"] if argument["is_required"] else f"{argument['name']}={json.dumps(argument['default'])}"
