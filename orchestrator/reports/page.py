"""The report of a sweep, made from its folder and from MLflow: one page for readers who did not run it."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.points.published import SHIPPED_FILES
from orchestrator import environment
from orchestrator.reports.pictures import shown_pictures
from orchestrator.reports.points import points_of_sweep, published_beside
from orchestrator.storage.damage import DamagedError
from orchestrator.storage.journal import RECORD, Ended, Journal, Outcome
from orchestrator.storage.locations import open_journal
from orchestrator.sweep.file import load_document
from orchestrator.sweep.resolve import module_description, registry
from orchestrator.tracking.publishing import REPORT
from trainers.config import Spec

if TYPE_CHECKING:
    import pandas as pd

    from analysis.report.material import Pictured
    from orchestrator.tracking.tracker import Tracker

SWEEP = "sweep.yaml"


def report_of(
    tracking_uri: str,
    sweep: str,
    *,
    ui_url: str | None = None,
    published: Sequence[Path] = SHIPPED_FILES,
    damaged: Callable[[str], None] = lambda line: None,
) -> str | None:
    """The report of a sweep as HTML; None where it has no finished point.

    Args:
        tracking_uri: MLflow's address.
        sweep: id, or name for the newest of that name; its folder must be reachable from here.
        ui_url: address of MLflow's UI, where clicks lead.
        published: files of results printed in papers.
        damaged: is told of each file of a trial that cannot be read, in one line; it costs the page what it says.

    Raises:
        ValueError: there is no such sweep, its folder cannot be reached from here, or ``published`` is wrong.
    """
    points = points_of_sweep(tracking_uri, sweep)
    if points.empty:
        return None
    journal = open_journal(str(points["directory"].iloc[0]))
    if not journal.file(SWEEP).is_file():
        raise ValueError(
            f"{journal.location} is not there: the sweep's folder has moved, or is on another machine; MLflow has the "
            f"report of the sweep's end, {REPORT} among the artifacts of its run {points['sweep_id'].iloc[0]}"
        )
    return written_from(journal, points, ui_url=ui_url, published=published, damaged=damaged)


def written_from(
    journal: Journal,
    points: pd.DataFrame,
    *,
    ui_url: str | None = None,
    published: Sequence[Path] = SHIPPED_FILES,
    damaged: Callable[[str], None] = lambda line: None,
) -> str:
    """The report of a sweep whose points are loaded already.

    Args:
        journal: the sweep's journal.
        points: the sweep's points, at least one, as ``analysis.points.mlflow.load_points`` gives them.
        ui_url, published, damaged: as for ``report_of``.
    """
    import pandas as pd

    from analysis.configurations.summary import summarise
    from analysis.keys import KEY
    from analysis.report.curves import shown
    from analysis.report.material import CURVE_COLUMNS, TRIAL_COLUMNS, Material
    from analysis.report.page import page
    from analysis.report.recommendations import chosen

    journal.fetch_all()
    configurations = summarise(points)
    document = load_document(journal.file(SWEEP))
    drawn = points.merge(shown(configurations)[KEY], on=KEY)["trial_id"].unique()
    reports = [{"trial_id": trial_id, **row} for trial_id in drawn for row in journal.progress(trial_id)]
    found = {row["file_path"]: _shares(journal, row["file_path"]) for row in chosen(configurations).values()}
    material = Material(
        document=document,
        sweep_file=journal.file(SWEEP).read_text(encoding="utf-8"),
        points=points,
        configurations=configurations,
        published=published_beside(points, published),
        trials=pd.DataFrame(_trials(journal, damaged), columns=list(TRIAL_COLUMNS)),
        curves=pd.DataFrame(reports, columns=list(CURVE_COLUMNS)),
        shares={file: shares for file, shares in found.items() if shares is not None},
        methods={method["name"]: _about(method["name"]) for method in document["method"]},
        commit=environment.commit() or "",
        pictures=_pictures(journal, configurations, points),
        ui_url=ui_url,
    )
    return page(material)


def log_report(tracker: Tracker, journal: Journal, points: pd.DataFrame, *, ui_url: str | None) -> str:
    """Make the report and log it to MLflow; an error is returned, never raised.

    Args:
        tracker: the sweep's tracker.
        journal, points, ui_url: as for ``written_from``.

    Returns:
        Why there is no report, in one line; empty where there is.
    """
    try:
        tracker.report(written_from(journal, points, ui_url=ui_url))
    except Exception as error:  # whatever it is, all that was measured is in MLflow already
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    return ""


def _trials(journal: Journal, damaged: Callable[[str], None]) -> list[dict[str, Any]]:
    """The rows of the trials: one whose record is damaged has failed, one that cannot be told any more has none."""
    rows = []
    for trial_id in journal.trial_ids():
        try:
            rows.append(_trial(journal, trial_id, damaged))
        except DamagedError as error:
            damaged(str(error))
    return rows


def _trial(journal: Journal, trial_id: str, damaged: Callable[[str], None]) -> dict[str, Any]:
    """The trial's row in the report; without points, its training time is that of its last report.

    Raises:
        DamagedError: the file that says what the trial is cannot be read.
    """
    config = journal.config(trial_id)
    assert config is not None, "it began"
    try:
        ended = journal.ended(trial_id)
    except DamagedError as error:
        damaged(str(error))
        ended = Ended(outcome=Outcome.FAILED, reason=f"its {RECORD} is damaged", ended_at_s=math.nan)
    points = ended.points if ended is not None else ()
    seconds = [point.train_s for point in points] or [row["train_s"] for row in journal.progress(trial_id)]
    return {
        "trial_id": trial_id,
        "seed": config["seed"],
        "architecture": str(Spec.from_dict("architecture", config["architecture"])),
        "method": config["method"]["name"],
        "outcome": ended.outcome.value if ended is not None else "unfinished",
        "reason": ended.reason if ended is not None else "",
        "train_s": max(seconds, default=0.0),
        "environment": journal.environment(trial_id),
        "ended_at_s": ended.ended_at_s if ended is not None else math.nan,
    }


def _pictures(journal: Journal, configurations: pd.DataFrame, points: pd.DataFrame) -> list[Pictured]:
    """The pictures of the first images, from the files beside the points."""
    from analysis.report.material import Decoded, Pictured

    return [
        Pictured(
            name=image.name.partition("#")[0],
            original=image.original,
            decoded=[
                Decoded(
                    size_bytes=row["size_bytes"],
                    quality=row["quality"],
                    label=f"{row['method']} {row['label']}".rstrip(),
                    png=png,
                )
                for row, png in zip(image.points, image.decoded, strict=True)
            ],
        )
        for image in shown_pictures(journal, configurations, points)
    ]


def _shares(journal: Journal, file: str) -> pd.DataFrame | None:
    """Where a file's bytes go, read from the table written beside it; None where that is missing or damaged."""
    import pandas as pd

    from analysis.report.material import SHARE_COLUMNS
    from trainers.record import text_of

    path = journal.file(str(Path(file).with_suffix(".sections.csv")))
    try:
        with path.open(encoding="utf-8", newline="") as text:
            table = pd.DataFrame(csv.DictReader(text), columns=list(SHARE_COLUMNS))
        names = table["name"].map(text_of, na_action="ignore")
        return table.assign(name=names).astype({"size_bytes": "float64"})
    except (OSError, ValueError, csv.Error):
        return None


def _about(method: str) -> str:
    """What a method is: the first line of its file."""
    return module_description(registry("method")[method]).rstrip(".")
