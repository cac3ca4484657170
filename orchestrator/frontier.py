"""From what MLflow holds to a folder of figures, a table on the terminal, and the runs to tag."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.published import SHIPPED
from trainers.record import write_atomically

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console


@dataclass(frozen=True, kw_only=True, eq=False)
class WrittenFrontier:
    """The files of a frontier, what they show, and its runs in MLflow."""

    folder: Path
    configurations: pd.DataFrame
    """As ``analysis.frontier.summarise`` gives them."""
    points: pd.DataFrame
    """What it was given."""
    pareto_run_ids: tuple[str, ...]
    """All seeds of the configurations on the front."""
    representative_run_ids: tuple[str, ...]
    """The drawn ones."""


Select = Callable[["pd.DataFrame"], "pd.DataFrame"]
"""Which points take part."""


def configurations_of(
    tracking_uri: str, sweeps: Sequence[str], *, task: str | None = None, select: Select | None = None
) -> pd.DataFrame:
    """The configurations of some sweeps, or of all, as ``analysis.frontier.summarise`` gives them."""
    from analysis.frontier import summarise

    points = points_of(tracking_uri, sweeps, task)
    return summarise(points if select is None else select(points))


def points_of(tracking_uri: str, sweeps: Sequence[str], task: str | None = None) -> pd.DataFrame:
    """The points of one task, as ``analysis.load.load_points`` gives them; a path is a folder of exported results."""
    from analysis.exported import load_or_read
    from analysis.frontier import of_task

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
    """The points of one sweep whose folder is needed as well: exported results have not all of it."""
    from analysis.exported import is_path

    if is_path(sweep):
        raise ValueError(f"{sweep} is a folder of exported results: wanted the id or the name of a sweep")
    return points_of(tracking_uri, [sweep])


def published_beside(points: pd.DataFrame, files: Sequence[Path], *, is_whole: bool = True) -> pd.DataFrame:
    """What papers print, of ``files``; figures draw of it what belongs beside ``points``.

    Args:
        points: what is drawn.
        files: those of the project and of the user.
        is_whole: whether no more points will come: only then a file of which nothing belongs there is a mistake.

    Raises:
        ValueError: a user's own file is wrong, or nothing of it belongs there.
        OSError: it cannot be read.
    """
    import pandas as pd

    from analysis.published import COLUMNS, belonging, read_published

    tables = {file: read_published(file) for file in files}
    for file, table in tables.items():
        if is_whole and file != SHIPPED and belonging(table, points).empty:
            raise ValueError(
                f"no row of {file} belongs on this figure: wanted task {_names(points, 'task')}, "
                f"architecture {_names(points, 'architecture')} and quality_name {_names(points, 'quality_name')}"
            )
    return pd.concat(tables.values(), ignore_index=True) if tables else pd.DataFrame(columns=list(COLUMNS))


def _names(points: pd.DataFrame, column: str) -> str:
    return " or ".join(map(repr, sorted(points[column].unique())))


def write_figures(
    configurations: pd.DataFrame, points: pd.DataFrame, folder: Path, *, title: str, published: pd.DataFrame
) -> None:
    """``frontier.png`` and ``.svg``; the same points draw the same files."""
    import io

    from analysis.plots import frontier_figure

    figure = frontier_figure(configurations, points, title=title, published=published)
    for kind in ("png", "svg"):
        picture = io.BytesIO()
        figure.savefig(picture, format=kind, dpi=200, metadata={"Date": None} if kind == "svg" else None)
        write_atomically(folder / f"frontier.{kind}", picture.getvalue())


def write_frontier(
    tracking_uri: str,
    sweeps: Sequence[str],
    folder: Path,
    *,
    task: str | None = None,
    ui_url: str | None = None,
    published: Sequence[Path] = (SHIPPED,),
    is_whole: bool = True,
    select: Select | None = None,
) -> WrittenFrontier | None:
    """Write ``frontier.png``, ``.svg``, ``.html`` and ``.csv``; None where there is no finished point.

    Of what papers print, the files ``published``, the figures have what belongs there (``is_whole``: as in
    ``published_beside``), the CSV file nothing. ``select`` says which points take part.
    """
    from analysis.frontier import KEY, summarise
    from analysis.interactive import frontier_html
    from analysis.tables import frontier_csv

    points = points_of(tracking_uri, sweeps, task)
    if points.empty:
        return None
    points = points if select is None else select(points)
    configurations = summarise(points)
    title = f"{points['task'].iloc[0]}: {', '.join(sorted(points['sweep_id'].unique()))}"
    rows = published_beside(points, published, is_whole=is_whole)
    write_figures(configurations, points, folder, title=title, published=rows)
    page = frontier_html(configurations, points, title=title, ui_url=ui_url, published=rows)
    write_atomically(folder / "frontier.html", page.encode())
    write_atomically(folder / "frontier.csv", frontier_csv(configurations).encode())
    front = configurations[configurations["on_front"]]
    return WrittenFrontier(
        folder=folder,
        configurations=configurations,
        points=points,
        pareto_run_ids=tuple(points.merge(front[KEY], on=KEY)["run_id"]),
        representative_run_ids=tuple(front["file_run_id"]),
    )


def print_frontier(configurations: pd.DataFrame, folder: Path | str, console: Console) -> None:
    """The table, and where the figures are."""
    from analysis.tables import frontier_table

    console.print(frontier_table(configurations))
    console.print(f"\nfigures: {folder}/frontier.png, .svg, .html, .csv", highlight=False, soft_wrap=True)
