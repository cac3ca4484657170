"""A sweep's outcome as a small folder that others can check: points, the frontier's files and figure, what ran."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.frontier.columns import IN_README
from analysis.points.exported import EXPORTED_COLUMNS, POINTS
from analysis.points.published import SHIPPED
from orchestrator.reports.files import write_figures
from orchestrator.reports.points import points_of_sweep, published_beside
from orchestrator.storage.bucket import join
from orchestrator.storage.journal import Journal
from orchestrator.storage.locations import open_journal
from trainers.record import ODD_COLUMNS, cell_of, write_atomically

if TYPE_CHECKING:
    import pandas as pd

README, SWEEP, FILES = "README.md", "sweep.yaml", "frontier"


def export(
    tracking_uri: str,
    sweep: str,
    folder: Path,
    *,
    max_file_size_bytes: float,
    published: Sequence[Path] = (SHIPPED,),
) -> int:
    """Write ``points.csv``, ``frontier/*.rfz``, ``frontier.svg``, ``.png``, ``sweep.yaml`` and ``README.md``.

    The files kept are those that represent the configurations on the frontier. ``points.csv`` has every point, with
    the columns ``exported.EXPORTED_COLUMNS``, and ``exported.read_points`` reads it. The ``path`` of a kept file is
    relative to ``folder``, that of any other file to the sweep's folder.

    Args:
        tracking_uri: MLflow's address.
        sweep: id, or name for the newest of that name; its folder must be reachable from here.
        folder: where to; an earlier export there is replaced.
        max_file_size_bytes: larger files are left out.
        published: files of results printed in papers; the figure alone shows those that belong there.

    Returns:
        How many files were kept.

    Raises:
        ValueError: the sweep has no finished point, a file is missing or has changed, or ``published`` is wrong.
    """
    from analysis.configurations.summary import summarise
    from analysis.frontier.figure import frontier_figure
    from analysis.frontier.table import ordered

    points = points_of_sweep(tracking_uri, sweep)
    if points.empty:
        raise ValueError(f"sweep {sweep!r} has no finished point yet: nothing to export")
    beside = published_beside(points, published)
    configurations = ordered(summarise(points))
    front = configurations[configurations["on_front"]]
    kept = {
        row["file_path"]: f"{FILES}/{row['file_trial_id']}-{row['point_id']}.rfz"
        for row in front[front["file_size_bytes"] <= max_file_size_bytes].to_dict("records")
    }
    journal = open_journal(str(points["directory"].iloc[0]))
    sweep_file = journal.file(SWEEP)
    if not sweep_file.is_file():
        raise ValueError(f"{journal.location} is not there: the sweep's folder has moved, or is on another machine")
    digests = dict(zip(points["path"], points["sha256"], strict=True))
    files = {name: read_measured(journal, path, digests[path]) for path, name in kept.items()}
    for old in (folder / FILES).glob("*.rfz"):
        old.unlink()
    for name, content in files.items():
        write_atomically(folder / name, content)
    write_atomically(folder / POINTS, _rows(points.assign(path=points["path"].replace(kept))).encode())
    write_atomically(folder / SWEEP, sweep_file.read_bytes())
    sweep_id = str(points["sweep_id"].iloc[0])
    title = f"{points['task'].iloc[0]}: {sweep_id}"
    write_figures(folder, {"frontier": frontier_figure(configurations, points, title=title, published=beside)})
    journal.fetch_all()
    text = _readme(sweep_id, points, front, kept, journal)
    write_atomically(folder / README, text.encode())
    return len(files)


def read_measured(journal: Journal, name: str, sha256: str) -> bytes:
    """The content of a measured file, whose path ``name`` is relative to the sweep's folder.

    Raises:
        ValueError: the file is missing, or has changed since it was measured.
    """
    path, shown = journal.file(name), join(journal.location, name)
    if not path.is_file():
        raise ValueError(f"{shown} is not there: it has moved, or lies on another machine")
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ValueError(f"{shown} has changed: its sha256 is {found}, measured was {sha256}")
    return content


def _rows(points: pd.DataFrame) -> str:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    odd = [name for name, usual in ODD_COLUMNS.items() if (points[name] != usual).any()]
    columns = [*EXPORTED_COLUMNS, *odd]
    writer.writerow(columns)
    for row in points.sort_values(["trial_id", "point_id"])[columns].itertuples(index=False):
        writer.writerow(map(cell_of, row))
    return table.getvalue()


def _readme(sweep_id: str, points: pd.DataFrame, front: pd.DataFrame, kept: dict[str, str], journal: Journal) -> str:
    """A page with the frontier as a table, the command that runs the sweep, and what the trials ran on."""
    architectures, task = " and ".join(points["architecture"].unique()), points["task"].iloc[0]
    seeds = f"{points['seed'].nunique()} seed{'s' * (points['seed'].nunique() > 1)}"
    environments = Counter(tuple(journal.environment(trial_id).items()) for trial_id in points["trial_id"].unique())
    lines = [
        f"# {sweep_id}",
        "",
        f"{architectures} on `{task}`: {len(points)} points, {seeds}. The frontier:",
        "",
        "![The frontier](frontier.svg)",
        "",
        *_table(front, kept),
        "",
        "A row is one configuration, chosen on validation. Size and test quality are those of its file: that of the",
        "lower-median validation seed. Means and standard deviations are over seeds.",
        "",
        "Run it again, from this folder:",
        "",
        f"    ratefront sweep {SWEEP}",
        "",
        "It ran on:",
        "",
    ]
    for environment, num_trials in environments.items():
        lines.append(f"- {num_trials} trials: " + ", ".join(f"{key} {value}" for key, value in environment))
    return "\n".join([*lines, f"- training: {_training(points)}", ""])


def _table(front: pd.DataFrame, kept: dict[str, str]) -> list[str]:
    """The frontier's table, as lines of Markdown."""
    name = str(front["quality_name"].iloc[0])
    headings = [*(column.title(name) for column in IN_README), "file"]
    lines = [headings, ["---"] * len(headings)]
    for row in front.to_dict("records"):
        file = kept.get(row["file_path"])
        link = f"[{Path(file).stem}]({file})" if file else "too large to keep"
        lines.append([*(column.format(row) for column in IN_README), link])
    return [f"| {' | '.join(line)} |" for line in lines]


def _training(points: pd.DataFrame) -> str:
    from analysis.units import format_duration

    seconds = points.drop_duplicates("trial_id")["train_s"]
    together, median = format_duration(seconds.sum()), format_duration(seconds.median())
    return f"{together} of all trials together, median {median} a trial"
