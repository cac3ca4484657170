"""Points read from the ``points.csv`` of ``ratefront export``: the same frame as from MLflow, without a store."""

from __future__ import annotations

import csv
import json
import math
import os
import re
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.keys import REPEAT_KEY
from analysis.points.labels import config_labels, config_text, repeat_words
from analysis.signals import rate_name
from analysis.units import quality_scale
from trainers.nearest import nearest
from trainers.record import COLUMNS, ODD_COLUMNS, OperatingPoint, others_of, text_of

if TYPE_CHECKING:
    import pandas as pd

POINTS = "points.csv"
EXPORTED_COLUMNS: tuple[str, ...] = (*COLUMNS, "num_failed", "params")
"""The columns of a point's row; those of ``ODD_COLUMNS`` follow where a point has them, and what derives from them,
beginning with ``bits_per_``, which is not read. Without ``num_failed``, lucky
seeds alone would make the front."""

_TYPES = {field.name: str(field.type) for field in fields(OperatingPoint)} | {"num_failed": "int", "params": "dict"}
_WANTED = {
    "int": "a whole number that is not negative, below 2^53",
    "float": "a finite number",
    "float | None": "a finite number, or nothing",
    "str": "text without control characters",
    "bool": "True or False",
    "dict": "settings by name, as JSON",
}
_MOST = (1 << 53) - 1
"""The largest whole number: tables hold it exactly."""
_MOST_DIGITS = 40
_UNIT = re.compile(r"[a-z][a-z_]{0,29}")


def is_path(sweep: str) -> bool:
    """Whether ``sweep`` is a path: a sweep's name has no slash and does not end in ``.csv``."""
    return "/" in sweep or os.sep in sweep or sweep.endswith(".csv") or sweep in (".", "..")


def read_points(path: Path | str) -> pd.DataFrame:
    """The points of an exported sweep, in the order of its file, which is by trial.

    Args:
        path: a folder that ``ratefront export`` wrote, or the ``points.csv`` in it.

    Returns:
        ``POINT_COLUMNS``, as ``load_points`` gives them; ``directory`` is the folder. ``run_id`` and ``experiment_id``
        belong to a store and are empty.

    Raises:
        ValueError: there is no such file, or it has no exported points; the message names the line.
        OSError: it cannot be read.
    """
    file = Path(path) / POINTS if Path(path).is_dir() else Path(path)
    if not file.is_file():
        raise ValueError(f"{file} is not there: wanted a folder that ratefront export wrote, or its {POINTS}")
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text, strict=True)
            columns = next(reader, [])
            _check_columns(file, columns)
            rows = [_row(f"{file}, line {reader.line_num}", columns, cells) for cells in reader if cells]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{file} is no CSV file in UTF-8: {error}") from None
    if not rows:
        raise ValueError(f"{file} has no point: wanted a line for each below the names of the columns")
    unknown = {"run_id": "", "experiment_id": "", "directory": str(file.parent)}
    return _labelled([row | unknown for row in rows], str(file))


def load_or_read(tracking_uri: str, sweeps: Sequence[str] = ()) -> pd.DataFrame:
    """The points of sweeps: ``load_points`` for names and ids, ``read_points`` for paths.

    Args:
        tracking_uri: MLflow's address; not asked where all sweeps are paths.
        sweeps: names, ids and paths; when empty, all sweeps of MLflow.

    Raises:
        ValueError: as of both, or a point is there twice.
        ConnectionError: the server does not answer, or refuses.
        OSError: a file cannot be read.
    """
    import pandas as pd

    from analysis.points.mlflow import load_points

    paths = [sweep for sweep in sweeps if is_path(sweep)]
    names = [sweep for sweep in sweeps if not is_path(sweep)]
    found = [read_points(path) for path in dict.fromkeys(paths)]
    if names or not paths:
        found.insert(0, load_points(tracking_uri, names))
    if len(found) == 1:
        return found[0]
    rows: list[dict[str, Any]] = [row for points in found for row in points.to_dict("records")]  # type: ignore[misc]
    return _labelled(rows, " and ".join(sweeps)) if rows else pd.concat(found)


def _labelled(rows: list[dict[str, Any]], where: str) -> pd.DataFrame:
    """``rows`` as a frame with labels. A point that is there twice is refused: it would count as two seeds."""
    from analysis.points.mlflow import as_frame

    seen: set[tuple[Any, ...]] = set()
    for row in rows:
        key = tuple(row.get(name, "") for name in REPEAT_KEY)
        if key in seen:
            raise ValueError(
                f"{where} has {repeat_words(row)} of configuration {row['config_hash']} (point {row['point_id']!r}) of "
                f"sweep {row['sweep_id']} twice: wanted each point once"
            )
        seen.add(key)
    params = [json.loads(row["params"]) for row in rows]
    labels = config_labels(rows, params)
    return as_frame(
        [
            row | {"config": config_text(given), "label": label}
            for row, given, label in zip(rows, params, labels, strict=True)
        ]
    )


def _check_columns(file: Path, columns: list[str]) -> None:
    missing = [name for name in EXPORTED_COLUMNS if name not in columns]
    unknown = [name for name in columns if name not in (*EXPORTED_COLUMNS, *ODD_COLUMNS) and not _is_derived(name)]
    if missing:
        why = "an older export: export the sweep again" if set(COLUMNS) <= set(columns) else "no exported points"
        raise ValueError(f"{file} has no column {missing[0]!r}: it is {why}")
    if unknown or len(columns) > len(set(columns)):
        name = (unknown or [name for name in columns if columns.count(name) > 1])[0]
        raise ValueError(f"{file} has a column {name!r} too many{nearest(name, EXPORTED_COLUMNS, in_order=True)}")


def _row(line: str, columns: list[str], cells: list[str]) -> dict[str, Any]:
    if len(cells) != len(columns):
        raise ValueError(f"{line}: got {len(cells)} values for {len(columns)} columns")
    given = zip(columns, cells, strict=True)
    row = {name: _value(line, name, cell) for name, cell in given if not _is_derived(name)}
    for name, wanted in (("size_bytes", "the length of a file"), ("num_parameters", "those of a network")):
        if row[name] == 0:
            raise ValueError(f"{line}: {name} is 0: wanted {wanted}")
    if row["train_s"] < 0:
        raise ValueError(f"{line}: train_s is {row['train_s']}: wanted seconds")
    for name in ("kl", "output_error"):
        if (row.get(name) or 0.0) < 0:
            raise ValueError(f"{line}: {name} is {row[name]}: wanted a distance, which is not negative")
    if not 0 <= (row.get("agreement") or 0.0) <= 1:
        raise ValueError(f"{line}: agreement is {row['agreement']}: it is a fraction in 0..1, such as 0.981")
    try:
        others_of(row.get("others", ""))
    except ValueError as error:
        raise ValueError(f"{line}: {error}") from None
    unit, count = row.get("signal_unit", ""), row.get("signal_count", 0)
    if bool(unit) != bool(count) or (unit and not _UNIT.fullmatch(unit)):
        raise ValueError(
            f"{line}: signal_count is {count} and signal_unit {unit!r}: wanted a number and a word such as pixel"
        )
    of = row["quality_name"]
    for name in ("quality", "quality_val"):
        if quality_scale(of)[0] == 100 and not 0 <= row[name] <= 1:
            raise ValueError(f"{line}: {name} is {row[name]}: {of} is a fraction in 0..1, such as 0.981")
    return row


def _is_derived(name: str) -> bool:
    return name.startswith(rate_name(""))


def _value(line: str, name: str, text: str) -> Any:
    kind = _TYPES[name]
    if kind == "float | None" and not text:
        return None
    if kind == "str" and text.isprintable():
        return text_of(text)
    try:
        if kind.startswith("float") and len(text) <= _MOST_DIGITS and math.isfinite(float(text)):
            return float(text)
        if kind == "int" and text.isdecimal() and len(text) <= _MOST_DIGITS and int(text) <= _MOST:
            return int(text)
        if kind == "bool" and text in ("True", "False"):
            return text == "True"
        if kind == "dict" and all(isinstance(value, str) for value in json.loads(text).values()):
            return text
    except (ValueError, AttributeError, RecursionError):
        pass
    shown = repr(text if len(text) <= 40 else f"{text[:39]}…")
    raise ValueError(f"{line}: {name} is {shown}: wanted {_WANTED[kind]}")
