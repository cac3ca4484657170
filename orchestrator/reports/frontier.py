"""The frontier of sweeps that MLflow holds: a folder of figures, a table on the terminal, and the runs to tag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.points.published import SHIPPED_FILES
from orchestrator.reports.files import write_figures
from orchestrator.reports.points import Select, points_of, published_beside
from trainers.record import write_atomically

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console


@dataclass(frozen=True, kw_only=True, eq=False)
class WrittenFrontier:
    """A frontier in files, what the files show, and the frontier's runs in MLflow."""

    folder: Path
    configurations: pd.DataFrame
    """The configurations of all sweeps together, from ``summarise``."""
    points: pd.DataFrame
    """The points that the configurations summarise."""
    pareto_run_ids: tuple[str, ...]
    """Runs of all seeds of the configurations on the front."""
    representative_run_ids: tuple[str, ...]
    """Runs of the representative files, one for each configuration on the front."""


def write_frontier(
    tracking_uri: str,
    sweeps: Sequence[str],
    folder: Path,
    *,
    task: str | None = None,
    ui_url: str | None = None,
    published: Sequence[Path] = SHIPPED_FILES,
    is_whole: bool = True,
    select: Select | None = None,
) -> WrittenFrontier | None:
    """Write ``frontier.png``, ``.svg``, ``.html`` and ``.csv``; None where there is no finished point.

    Args:
        tracking_uri: MLflow's address.
        sweeps: ids or names, or paths of exported results.
        folder: where the files are written.
        task: needed where the sweeps have several.
        ui_url: address of MLflow's UI, where clicks lead.
        published: files of results printed in papers; the figures show those that belong there, the CSV file none.
        is_whole: as for ``published_beside``.
        select: chooses the points that take part; default: all.
    """
    from analysis.configurations.summary import summarise
    from analysis.drawing.heading import names_text
    from analysis.frontier.figure import frontier_figure
    from analysis.frontier.page import frontier_html
    from analysis.frontier.table import frontier_csv
    from analysis.keys import KEY

    points = points_of(tracking_uri, sweeps, task)
    if points.empty:
        return None
    points = points if select is None else select(points)
    configurations = summarise(points)
    title = f"{points['task'].iloc[0]}: {names_text(sorted(points['sweep_id'].unique()), kind='sweeps')}"
    rows = published_beside(points, published, is_whole=is_whole)
    figure = frontier_figure(configurations, points, title=title, published=rows)
    page = frontier_html(configurations, points, title=title, ui_url=ui_url, published=rows)
    write_figures(folder, {"frontier": figure}, pages={"frontier": page})
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
    """Print the table, that of other qualities where there are any, and where the figures are."""
    from analysis.frontier.table import frontier_table, others_table

    console.print(frontier_table(configurations))
    others = others_table(configurations)
    if others is not None:
        console.print("", others)
    console.print(f"\nfigures: {folder}/frontier.png, .svg, .html, .csv", highlight=False, soft_wrap=True)
