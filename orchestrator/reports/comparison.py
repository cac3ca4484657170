"""The sides of a comparison, made from sweeps in MLflow or exported folders, and the comparison's figures."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.reports.files import write_figures
from trainers.nearest import nearest

if TYPE_CHECKING:
    import pandas as pd

    from analysis.comparison.compare import Comparison


class By(StrEnum):
    """What splits the points of sweeps into sides."""

    METHOD = "method"
    ARCHITECTURE = "architecture"


def sides_of(
    tracking_uri: str,
    sweeps: Sequence[str],
    *,
    task: str | None = None,
    by: By | None = None,
    anchor: str | None = None,
) -> dict[str, pd.DataFrame]:
    """The points of each side, by the side's name, the anchor first: what ``compare`` takes.

    Args:
        tracking_uri: MLflow's address.
        sweeps: ids or names, or paths of exported results.
        task: needed where the sweeps have several tasks in common.
        by: None makes each sweep a side; else the points of all sweeps are put together and split by this.
        anchor: the first side, only with ``by``; default: `ptq`, or the first by name where there is no `ptq`.
            Without ``by`` the first sweep is the anchor.

    Raises:
        ValueError: the call was wrong, a sweep has no finished point or no point of the task, or there is one side.
        ConnectionError: the server does not answer.
    """
    if by is None and anchor is not None:
        raise ValueError(f"got --anchor {anchor} without --by: the anchor is the first sweep, so name it first")
    if not sweeps or (by is None and len(sweeps) < 2):
        raise ValueError(
            f"got {len(sweeps)} sweep{'s' * (len(sweeps) != 1)}: wanted at least two, or one with --by method or "
            "--by architecture"
        )
    found = _of_one_task(_points(tracking_uri, sweeps), task)
    return _named(found) if by is None else _split(found, by, anchor)


def write_comparison(
    comparison: Comparison, folder: Path, *, ui_url: str | None = None, published: pd.DataFrame | None = None
) -> tuple[str, ...]:
    """Write ``compare.png``, ``.svg`` and ``.html``, and where there are seeds ``difference.png`` and ``.svg``.

    The same points always give the same bytes.

    Args:
        comparison: what to draw.
        folder: where to write.
        ui_url: where MLflow's UI is.
        published: from ``published_beside``; its curves on the same images are drawn beside the sides.

    Returns:
        The names of the files.

    Raises:
        ValueError: ``ui_url`` is not an http address.
        OSError: a file cannot be written.
    """
    from analysis.comparison.difference_figure import compared_with_seeds, difference_figure
    from analysis.comparison.figure import comparison_figure
    from analysis.comparison.page import comparison_html
    from analysis.drawing.heading import names_text

    first, *others = (side.name for side in comparison.sides)
    title = f"{comparison.task}: {names_text(others, kind='others')} against {first}"
    pages = {"compare": comparison_html(comparison, title=title, ui_url=ui_url, published=published)}
    figures = {"compare": comparison_figure(comparison, title=title, published=published)}
    if compared_with_seeds(comparison):
        figures["difference"] = difference_figure(comparison)
    return write_figures(folder, figures, pages=pages)


def _points(tracking_uri: str, sweeps: Sequence[str]) -> dict[str, pd.DataFrame]:
    """The points of each sweep by the sweep's id, in the order given."""
    from analysis.points.exported import load_or_read

    found: dict[str, pd.DataFrame] = {}
    for name in sweeps:
        points = load_or_read(tracking_uri, [name])
        if points.empty:
            raise ValueError(f"sweep {name!r} has no finished point yet: nothing to compare")
        sweep_id = str(points["sweep_id"].iloc[0])
        if sweep_id in found:
            raise ValueError(f"{name!r} is sweep {sweep_id}, which is given twice; to split one sweep use --by")
        found[sweep_id] = points
    return found


def _of_one_task(found: Mapping[str, pd.DataFrame], task: str | None) -> dict[str, pd.DataFrame]:
    from analysis.configurations.summary import of_task

    if task is None:
        tasks = {sweep_id: set(points["task"]) for sweep_id, points in found.items()}
        shared = sorted(set.intersection(*tasks.values()))
        if not shared:
            texts = [f"{sweep_id} has {', '.join(sorted(names))}" for sweep_id, names in tasks.items()]
            raise ValueError(f"the sweeps share no task: {'; '.join(texts)}; only the same task can be compared")
        if len(set.union(*tasks.values())) > 1:
            options = " or --task ".join(map(shlex.quote, shared))
            raise ValueError(f"the points are of several tasks, of which one is compared: give --task {options}")
        (task,) = shared
    return {sweep_id: of_task(points, task) for sweep_id, points in found.items()}


def _named(found: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The same by the sweep's name; by its id where several sweeps share the name."""
    from analysis.points.mlflow import name_of

    names = [name_of(sweep_id) for sweep_id in found]
    return {
        name if names.count(name) == 1 else sweep_id: points
        for name, (sweep_id, points) in zip(names, found.items(), strict=True)
    }


def _split(found: Mapping[str, pd.DataFrame], by: By, anchor: str | None) -> dict[str, pd.DataFrame]:
    import pandas as pd

    from analysis.keys import REFERENCE_METHOD
    from orchestrator.sweep.overrides import BASELINES  # loads pydantic, and a command needs `By` to start

    points = pd.concat(found.values(), ignore_index=True)
    points = points[points["method"] != REFERENCE_METHOD]
    names = sorted(points[by.value].unique())
    if len(names) < 2:
        only = f"{names[0]!r} is its only {by}" if names else "there are only uncompressed networks"
        raise ValueError(f"{', '.join(found)} cannot be split by {by}: {only}; wanted at least two")
    if anchor is not None and anchor not in names:
        raise ValueError(f"no {by} {anchor!r} there{nearest(anchor, names)}")
    first = BASELINES[0] if anchor is None else anchor
    ordered = sorted(names, key=lambda name: name != first)
    return {name: points[points[by.value] == name] for name in ordered}
