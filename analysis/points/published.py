"""Rows printed in papers, each with its source: drawn beside measured points, never part of a frontier."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.units import quality_scale
from trainers.nearest import nearest

if TYPE_CHECKING:
    import pandas as pd

SHIPPED = Path(__file__).with_name("published.csv")
"""Rows that papers print about the networks of our recipes. No paper defines its KB; here 1 KB is 1000 bytes."""

COLUMNS: tuple[str, ...] = ("task", "architecture", "method", "size_bytes", "quality_name", "quality")
COLUMNS += ("counted", "source", "where", "reference")
COUNTED = {
    "payload": "entropy-coded payload only, without what its decoder needs beside it",
    "file": "all that the decoder needs",
    "unstated": "not known whether tables and headers are counted",
}
"""What the bytes of a row count."""

_MOST_BYTES = 1 << 53


def read_published(file: Path) -> pd.DataFrame:
    """The rows of a CSV file, in its order.

    Returns:
        ``COLUMNS``: ``task`` and ``architecture`` by the names that sweeps write, ``size_bytes``, test ``quality`` as
        in ``points.csv`` (accuracy is a fraction), ``counted``, the legend's ``source`` (authors and year), ``where``
        the row stands in the source (table, page), and the whole ``reference``.

    Raises:
        ValueError: the file has no such rows; the message names the line.
        OSError: it cannot be read.
    """
    import pandas as pd

    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text, strict=True)
            columns = [name.strip() for name in next(reader, [])]
            _check_columns(file, columns)
            rows = [
                _row(f"{file}, line {reader.line_num}", columns, cells)
                for cells in reader
                if any(cell.strip() for cell in cells)
            ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{file} is no CSV file in UTF-8: {error}") from None
    return pd.DataFrame(rows, columns=list(COLUMNS))


def belonging(published: pd.DataFrame, drawn: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``published`` that belong beside ``drawn``, in their order and without repeats.

    A row belongs where three things agree. The task has the same name: whatever the split and the augmentation, it is
    the same data set. The architecture is drawn: it has the same name and all arguments that the row names. The quality
    has the same name.

    Args:
        published: ``COLUMNS``.
        drawn: the points or configurations that are drawn.

    Returns:
        ``COLUMNS`` and ``beside``: the architecture, as ``drawn`` writes it, that the row belongs to.
    """
    tasks = {_parts(task)[0] for task in drawn["task"].unique()}
    names, architectures = set(drawn["quality_name"].unique()), list(drawn["architecture"].unique())
    beside = [
        next((one for one in architectures if _is_named(row["architecture"], one)), "")
        if _parts(row["task"])[0] in tasks and row["quality_name"] in names
        else ""
        for row in published.to_dict("records")
    ]
    table = published.assign(beside=beside)
    return table[table["beside"] != ""].drop_duplicates(ignore_index=True)


def _is_named(row: str, drawn: str) -> bool:
    (name, arguments), (drawn_name, drawn_arguments) = _parts(row), _parts(drawn)
    return name == drawn_name and arguments <= drawn_arguments


def _parts(text: str) -> tuple[str, set[str]]:
    """The name and the arguments of such as ``resnet_cifar(depth=20, width=4)``."""
    name, _, inside = re.sub(r"\s", "", text).partition("(")
    return name, set(re.split(r",(?=[A-Za-z_]\w*=)", inside.removesuffix(")"))) - {""}


def _check_columns(file: Path, columns: list[str]) -> None:
    missing = [name for name in COLUMNS if name not in columns]
    unknown = [name for name in columns if name not in COLUMNS]
    if missing:
        raise ValueError(f"{file} has no column {missing[0]!r}: its first line has to be {','.join(COLUMNS)}")
    if unknown or len(columns) > len(COLUMNS):
        name = (unknown or [name for name in columns if columns.count(name) > 1])[0]
        raise ValueError(f"{file} has a column {name!r} too many{nearest(name, COLUMNS, in_order=True)}")


def _row(line: str, columns: list[str], cells: list[str]) -> dict[str, str | int | float]:
    if len(cells) != len(columns):
        raise ValueError(
            f"{line}: got {len(cells)} values for {len(columns)} columns: a text with a comma needs quotes"
        )
    row = {name: " ".join(cell.split()) for name, cell in zip(columns, cells, strict=True)}
    for name, text in row.items():
        if not text:
            raise ValueError(f"{line}: {name} is empty: every row needs all of {', '.join(COLUMNS)}")
    if row["counted"] not in COUNTED:
        raise ValueError(f"{line}: counted is {row['counted']!r}: wanted {', '.join(COUNTED)}")
    size, quality = _number(row["size_bytes"]), _number(row["quality"])
    if not (1 <= size <= _MOST_BYTES and size.is_integer()):
        raise ValueError(f"{line}: size_bytes is {row['size_bytes']!r}: wanted a whole number of bytes, such as 8560")
    if not math.isfinite(quality):
        raise ValueError(f"{line}: quality is {row['quality']!r}: wanted a number")
    if quality_scale(row["quality_name"])[0] == 100 and not 0 <= quality <= 1:
        name = row["quality_name"]
        raise ValueError(f"{line}: quality is {row['quality']!r}: {name} is a fraction in 0..1, such as 0.981")
    return {**row, "size_bytes": int(size), "quality": quality}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
