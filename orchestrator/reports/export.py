"""A sweep's outcome as a small folder that others can check: points, the frontier's files and figure, what ran."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.frontier.columns import IN_README, shown
from analysis.points.exported import POINTS
from analysis.points.published import SHIPPED_FILES
from analysis.signals import SENTENCE, is_fitted
from orchestrator.errors import SweepError
from orchestrator.reports.files import write_figures
from orchestrator.reports.pictures import shown_pictures
from orchestrator.reports.points import points_csv, points_of_sweep, published_beside
from orchestrator.storage.damage import DamagedError
from orchestrator.storage.journal import Journal
from orchestrator.storage.locations import open_journal
from orchestrator.storage.measured import read_measured
from orchestrator.sweep.file import load_document
from orchestrator.tracking.ui.markdown import code, words
from trainers.record import write_atomically

if TYPE_CHECKING:
    import pandas as pd

README, SWEEP, FILES = "README.md", "sweep.yaml", "frontier"
_ALWAYS_THERE = ("task", "architecture", "method")
_GONE = "missing or changed since it was measured"


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was written of a sweep."""

    num_kept: int
    """Files of the frontier."""
    damage: tuple[str, ...]
    """What was wrong with files that are left out, in a line for each."""


def export(
    tracking_uri: str,
    sweep: str,
    folder: Path,
    *,
    max_file_size_bytes: float,
    published: Sequence[Path] = SHIPPED_FILES,
) -> Exported:
    """Write ``points.csv``, ``frontier/*.rfz``, ``frontier.svg``, ``.png``, ``sweep.yaml`` and ``README.md``.

    The files kept are those that represent the configurations on the frontier, one for each file that the task has in
    turn; beside those of the first images are their pictures. ``points.csv`` has every point, with the columns of
    ``points.points_csv``, and ``exported.read_points`` reads
    it. The ``path`` of a kept file is
    relative to ``folder``, that of any other file to the sweep's folder.

    Args:
        tracking_uri: MLflow's address.
        sweep: id, or name for the newest of that name; its folder must be reachable from here.
        folder: where to; an earlier export there is replaced.
        max_file_size_bytes: larger files are left out.
        published: files of results printed in papers; the figure alone shows those that belong there.

    Returns:
        What was written. A file that is missing, has changed or is damaged is left out, and costs the others nothing.

    Raises:
        ValueError: the sweep has no finished point, its folder is not there, or ``published`` is wrong.
    """
    from analysis.configurations.summary import representing, summarise
    from analysis.frontier.figure import frontier_figure
    from analysis.frontier.table import ordered

    points = points_of_sweep(tracking_uri, sweep)
    if points.empty:
        raise ValueError(f"sweep {sweep!r} has no finished point yet: nothing to export")
    beside = published_beside(points, published)
    configurations = ordered(summarise(points))
    front = configurations[configurations["on_front"]]
    kept = {
        row["path"]: f"{FILES}/{row['trial_id']}-{row['point_id']}.rfz"
        for row in representing(front, points).to_dict("records")
        if row["size_bytes"] <= max_file_size_bytes
    }
    journal = open_journal(str(points["directory"].iloc[0]))
    sweep_file = journal.file(SWEEP)
    if not sweep_file.is_file():
        raise ValueError(f"{journal.location} is not there: the sweep's folder has moved, or is on another machine")
    digests = dict(zip(points["path"], points["sha256"], strict=True))
    files, damage = _read(journal, kept, digests)
    for old in [*(folder / FILES).glob("*.rfz"), *(folder / FILES).glob("*.png")]:
        old.unlink()
    for image in shown_pictures(journal, configurations, points):
        file, _, digits = image.name.partition("#")
        name = f"original-{Path(file).stem}-{digits}.png" if file else "original.png"
        write_atomically(folder / FILES / name, image.original)
        for row, png in zip(image.points, image.decoded, strict=True):
            if kept.get(row["path"]) in files:
                write_atomically((folder / kept[row["path"]]).with_suffix(".png"), png)
    for name, content in files.items():
        write_atomically(folder / name, content)
    moved = {path: name for path, name in kept.items() if name in files}
    write_atomically(folder / POINTS, points_csv(points.assign(path=points["path"].replace(moved))).encode())
    damage += _copy_sweep(sweep_file, folder / SWEEP)
    sweep_id = str(points["sweep_id"].iloc[0])
    title = f"{points['task'].iloc[0]}: {sweep_id}"
    write_figures(folder, {"frontier": frontier_figure(configurations, points, title=title, published=beside)})
    journal.fetch_all()
    links = {path: f"[{Path(name).stem}]({name})" if path in moved else _GONE for path, name in kept.items()}
    text = _readme(sweep_id, points, front, links, _environments(journal, points, damage))
    write_atomically(folder / README, text.encode())
    return Exported(num_kept=len(files), damage=tuple(damage))


def _read(journal: Journal, kept: dict[str, str], digests: dict[str, str]) -> tuple[dict[str, bytes], list[str]]:
    """The content of the files that are as they were measured, by their new name; a line for each that is not."""
    files: dict[str, bytes] = {}
    damage: list[str] = []
    for path, name in kept.items():
        try:
            files[name] = read_measured(journal, path, digests[path])
        except DamagedError as error:
            damage.append(str(error))
    return files, damage


def _copy_sweep(sweep_file: Path, target: Path) -> list[str]:
    """Copy the sweep file, unless it is damaged; then a line says so, and no older one stays there.

    What it names need not be importable here.
    """
    try:
        lacking = [key for key in _ALWAYS_THERE if key not in load_document(sweep_file)]
        why = f"it has no {' and no '.join(lacking)}" if lacking else ""
    except SweepError as error:
        why = str(error)
    if why:
        target.unlink(missing_ok=True)
        return [f"{sweep_file} is damaged ({why})"]
    write_atomically(target, sweep_file.read_bytes())
    return []


def _environments(journal: Journal, points: pd.DataFrame, damage: list[str]) -> Counter[tuple[tuple[str, str], ...]]:
    """What the trials ran on, counted; a line is added to ``damage`` for each of which nothing says that."""
    counted: Counter[tuple[tuple[str, str], ...]] = Counter()
    for trial_id in points["trial_id"].unique():
        try:
            counted[tuple(journal.environment(trial_id).items())] += 1
        except (DamagedError, FileNotFoundError) as error:
            damage.append(str(error))
    return counted


def _readme(
    sweep_id: str,
    points: pd.DataFrame,
    front: pd.DataFrame,
    links: dict[str, str],
    environments: Counter[tuple[tuple[str, str], ...]],
) -> str:
    """A page with the frontier as a table, the command that runs the sweep, and what the trials ran on."""
    architectures, task = " and ".join(map(words, points["architecture"].unique())), code(points["task"].iloc[0])
    seeds = f"{points['seed'].nunique()} seed{'s' * (points['seed'].nunique() > 1)}"
    lines = [
        f"# {sweep_id}",
        "",
        f"{architectures} on {task}: {len(points)} points, {seeds}. The frontier:",
        "",
        "![The frontier](frontier.svg)",
        "",
        *_table(front, links),
        "",
        *_explained(front),
        "",
        "Run it again, from this folder:",
        "",
        f"    ratefront sweep {SWEEP}",
        "",
        "It ran on:",
        "",
    ]
    for environment, num_trials in environments.items():
        lines.append(f"- {num_trials} trials: " + ", ".join(words(f"{key} {value}") for key, value in environment))
    return "\n".join([*lines, f"- training: {_training(points)}", ""])


def _explained(front: pd.DataFrame) -> list[str]:
    """How to read the table."""
    num_files = int(front["num_files"].max()) if len(front) else 0
    what = (
        f"A row is one configuration. {SENTENCE}"
        if is_fitted(front)
        else "A row is one configuration, chosen on validation."
    )
    if num_files:
        return [
            f"{what} Size and quality are means over the task's",
            f"{num_files} files, of the lower-median seed; points.csv has them one by one. Means and standard",
            "deviations are over seeds. The linked file is that of the middle one; the others are beside it.",
        ]
    if is_fitted(front):
        return [
            f"{what} Size and quality are those of its file:",
            "that of the lower-median seed. Means and standard deviations are over seeds.",
        ]
    return [
        "A row is one configuration, chosen on validation. Size and test quality are those of its file: that of the",
        "lower-median validation seed. Means and standard deviations are over seeds.",
    ]


def _table(front: pd.DataFrame, links: dict[str, str]) -> list[str]:
    """The frontier's table, as lines of Markdown."""
    name = str(front["quality_name"].iloc[0])
    columns = shown(IN_README, front)
    headings = [*(words(column.title(name)) for column in columns), "file"]
    lines = [headings, ["---"] * len(headings)]
    for row in front.to_dict("records"):
        link = links.get(row["file_path"], "too large to keep")
        lines.append([*(words(column.format(row)) for column in columns), link])
    return [f"| {' | '.join(line)} |" for line in lines]


def _training(points: pd.DataFrame) -> str:
    from analysis.units import format_duration

    seconds = points.groupby("trial_id")["train_s"].max()  # a point of a path has what was trained until then
    together, median = format_duration(seconds.sum()), format_duration(seconds.median())
    return f"{together} of all trials together, median {median} a trial"
