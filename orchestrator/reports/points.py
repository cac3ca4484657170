"""The points that a report shows, from MLflow or from exported folders, and the printed results beside them."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.points.exported import EXPORTED_COLUMNS
from analysis.points.published import SHIPPED_FILES
from analysis.signals import rate_of
from trainers.record import ODD_COLUMNS, cell_of

if TYPE_CHECKING:
    import pandas as pd


Select = Callable[["pd.DataFrame"], "pd.DataFrame"]
"""Chooses the points that take part."""


def configurations_of(
    tracking_uri: str, sweeps: Sequence[str], *, task: str | None = None, select: Select | None = None
) -> pd.DataFrame:
    """The configurations of some sweeps, or of all, as ``analysis.configurations.summary.summarise`` gives them."""
    from analysis.configurations.summary import summarise

    points = points_of(tracking_uri, sweeps, task)
    return summarise(points if select is None else select(points))


def points_of(tracking_uri: str, sweeps: Sequence[str], task: str | None = None) -> pd.DataFrame:
    """The points of one task, as ``load_points`` gives them; a path is a folder of exported results."""
    from analysis.configurations.summary import of_task
    from analysis.points.exported import load_or_read

    points = load_or_read(tracking_uri, sweeps)
    if task is not None and not points.empty:
        return of_task(points, task)
    tasks = sorted(points["task"].unique())
    if len(tasks) > 1:
        raise ValueError(
            f"the points are of several tasks, of which a frontier shows one: give --task "
            f"{' or --task '.join(map(shlex.quote, tasks))}"
        )
    return points


def points_of_sweep(tracking_uri: str, sweep: str) -> pd.DataFrame:
    """The points of one sweep whose folder is needed as well; exported results, which lack parts of it, are refused."""
    from analysis.points.exported import is_path

    if is_path(sweep):
        raise ValueError(f"{sweep} is a folder of exported results: wanted the id or the name of a sweep")
    return points_of(tracking_uri, [sweep])


def points_csv(points: pd.DataFrame) -> str:
    """Points as ``points.csv``, by trial; ``exported.read_points`` reads it.

    The columns are ``exported.EXPORTED_COLUMNS``, those of ``ODD_COLUMNS`` that say something and, of a signal, the
    bits for each sample, which reading derives anew.
    """
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    odd = [name for name, usual in ODD_COLUMNS.items() if _differs(points[name], usual).any()]
    if rate := rate_of(points):
        points = points.assign(**{rate: 8 * points["size_bytes"] / points["signal_count"]})
    columns = [*EXPORTED_COLUMNS, *odd, *([rate] if rate else [])]
    writer.writerow(columns)
    for row in points.sort_values(["trial_id", "point_id"])[columns].itertuples(index=False):
        cells = zip(columns, row, strict=True)
        writer.writerow("" if name in odd and value != value else cell_of(value) for name, value in cells)
    return table.getvalue()


def _differs(column: pd.Series, usual: Any) -> pd.Series:
    return column.notna() if usual is None else column != usual


def published_beside(
    points: pd.DataFrame, files: Sequence[Path], *, is_whole: bool = True, are_curves: bool = False
) -> pd.DataFrame:
    """The results printed in papers, from ``files``; figures draw those that belong beside ``points``.

    Args:
        points: the points that are drawn.
        files: ``SHIPPED_FILES`` and then the user's own, whose rows are asked for; or none.
        are_curves: whether only curves on images are wanted.
        is_whole: whether no more points will come; only then is a file without a row that belongs there a mistake.

    Raises:
        ValueError: a user's own file is wrong, or none of its rows belongs there.
        OSError: a file cannot be read.
    """
    import pandas as pd

    from analysis.points.published import TABLE_COLUMNS, belonging, read_published

    if not files:
        return pd.DataFrame(columns=list(TABLE_COLUMNS))
    tables = [read_published(file, is_asked=place >= len(SHIPPED_FILES)) for place, file in enumerate(files)]
    tables = [table[table["images"] != ""] for table in tables] if are_curves else tables
    for file, table in list(zip(files, tables, strict=True))[len(SHIPPED_FILES) :]:
        if is_whole and belonging(table, points).empty:
            of_images = (table["images"] != "").any()
            images = ", and images of one size" if of_images else f", architecture {_names(points, 'architecture')}"
            raise ValueError(
                f"no row of {file} belongs on this figure: wanted task {_names(points, 'task')}{images} "
                f"and quality_name {_names(points, 'quality_name')}"
            )
    return pd.concat(tables, ignore_index=True)


def _names(points: pd.DataFrame, column: str) -> str:
    return " or ".join(map(repr, sorted(points[column].unique())))
