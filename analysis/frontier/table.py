"""Tables for the terminal, of configurations and of sweeps; configurations as a CSV file."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from analysis import fidelity
from analysis.configurations.summary import told
from analysis.frontier.columns import ON_TERMINAL, OTHERS_ON_TERMINAL, Column, Row, shown
from analysis.keys import KEY
from analysis.signals import FITTED, is_fitted
from analysis.units import better_words, quality_words
from trainers.record import cell_of

FIDELITY_WORDS = "how near networks are to the given one (KL, agreement, output error): on validation"
"""What columns of fidelity are measured on."""


_HEADING_CHARACTERS = 14
"""The width of a heading's line."""


def ordered(configurations: pd.DataFrame) -> pd.DataFrame:
    """The frontier from small to large, then the others from the best validation quality down."""
    sign = -1.0 if configurations["maximise"].all() else 1.0
    rank = configurations["file_size_bytes"].where(
        configurations["on_front"], sign * configurations["quality_val_mean"]
    )
    by = ["on_front", "rank", *KEY]
    ascending = [False, *[True] * (len(by) - 1)]
    table = configurations.assign(rank=rank).sort_values(by, ascending=ascending, ignore_index=True)
    return table.drop(columns="rank")


def frontier_csv(configurations: pd.DataFrame) -> str:
    """All columns but the folder on this machine, as CSV. ``file_path`` is relative to the sweep's folder.

    Those of fidelity are there where a trial was given a network.
    """
    return ordered(told(configurations)).drop(columns="file_directory").map(cell_of).to_csv(index=False)


def frontier_table(configurations: pd.DataFrame, *, num_others: int = 10) -> Table:
    """A table that reads well at 100 columns.

    Size and ratio are those of the representative's file, which is the one that ships. Qualities are mean ± sample
    standard deviation over seeds, without a deviation where there is one seed. Settings are those that tell
    configurations apart. Seeds are ``2/3`` where one of three failed.

    Args:
        configurations: from ``summarise``.
        num_others: how many configurations off the frontier to show, best first; a line counts the rest.
    """
    rows = ordered(configurations)
    front, others = rows[rows["on_front"]], rows[~rows["on_front"]]
    name = str(rows["quality_name"].iloc[0]) if len(rows) else "accuracy"
    columns = shown(ON_TERMINAL, configurations)
    table = _table_of(columns, name)
    for row in front.to_dict("records"):
        table.add_row(*_cells(columns, row, mark="●"))
    if len(front) and len(others):
        table.add_section()
    for row in others.head(num_others).to_dict("records"):
        table.add_row(*_cells(columns, row, mark=" "), style="dim")
    num_hidden = max(0, len(others) - num_others)
    more = f"; {num_hidden} more off the frontier" if num_hidden else ""
    if (rows["num_failed"] > 0).any():
        more += "; where a seed failed, a configuration is off the frontier"
    maximise = bool(rows["maximise"].all())
    is_near = rows[[f"{kind}_mean" for kind in fidelity.COLUMNS]].notna().any(axis=None)
    near = f"; {FIDELITY_WORDS}" if is_near else ""
    words = f"{quality_words(name)}{better_words(maximise=maximise)}: mean ± sd over seeds{more}{near}"
    num_files = int(rows["num_files"].max()) if len(rows) else 0
    one = f"means over {num_files} files" if num_files else "one file"
    ships = "" if num_files else ", which ships"
    fitted = f"● frontier; {FITTED}; sizes and rates: {one}, that of the lower-median seed{ships}; {words}"
    chosen = f"● frontier, decided on validation; size and ratio: {one}, that of the seed of lower-median validation"
    table.caption = Text(
        fitted if is_fitted(configurations) else f"{chosen}{ships}; {words}",
        style="dim",
    )
    table.caption_justify = "left"
    return table


def others_table(configurations: pd.DataFrame) -> Table | None:
    """The task's qualities beside its objective along the frontier; None where it has no others."""
    columns = shown(OTHERS_ON_TERMINAL, configurations)
    rows = ordered(configurations[configurations["on_front"]])
    if len(columns) < len(OTHERS_ON_TERMINAL) or rows.empty:
        return None
    table = _table_of(columns, str(rows["quality_name"].iloc[0]))
    for row in rows.to_dict("records"):
        table.add_row(*_cells(columns, row, mark="●"))
    return table


def sweeps_table(sweeps: pd.DataFrame) -> Table:
    """One line for each sweep of ``list_sweeps``; times are UTC."""
    table = _plain_table()
    for heading in ("sweep", "status", "started (UTC)"):
        table.add_column(heading, overflow="fold")
    states = ("finished", "stopped", "failed", "running", "points")
    for heading in states:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in sweeps.to_dict("records"):
        words = [row["sweep_id"], row["status"].lower(), f"{row['started']:%Y-%m-%d %H:%M}"]
        counts = [row[f"num_{name}"] for name in states]
        table.add_row(*(Text(str(cell)) for cell in words + counts))
    return table


def _table_of(columns: Sequence[Column], quality_name: str) -> Table:
    """A table without rows; its headings are broken where names of qualities are long."""
    table = _plain_table()
    for column in columns:
        title = column.title(quality_name).strip()  # a quality may have no unit
        heading = "\n".join(textwrap.wrap(title, _HEADING_CHARACTERS, break_on_hyphens=False, break_long_words=False))
        if column.is_number:
            table.add_column(Text(heading), justify="right", no_wrap=True)
        else:
            table.add_column(Text(heading), overflow="fold")
    return table


def _plain_table() -> Table:
    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")


def _cells(columns: Sequence[Column], row: Row, *, mark: str) -> list[Text]:
    """The cells of a row as plain ``Text``, so that a name such as ``mlp(hidden=[64])`` is no markup."""
    first, *others = (column.format(row) for column in columns)
    return [Text(f"{mark} {first:>7}"), *map(Text, others)]
