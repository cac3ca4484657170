"""Options that several commands share."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import tempfile
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import pandas as pd

TrackingUri = Annotated[
    str | None,
    typer.Option(
        help="MLflow's address; default: MLFLOW_TRACKING_URI, else SQLite in mlflow.db here.", show_default=False
    ),
]
UiUrl = Annotated[
    str | None,
    typer.Option(help="Address of the MLflow UI, so that a click on a point opens its run.", show_default=False),
]
Storage = Annotated[
    str,
    typer.Option(
        help="Folder of all sweeps, on a cluster one that all nodes share; or a bucket, such as s3://bucket/sweeps."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
PublishedFile = Annotated[
    Path | None,
    typer.Option(
        "--published",
        help="Also draw what this CSV file has of papers (docs/frontiers.md); or `kodak`: their curves on these "
        "images, beside any images.",
        show_default=False,
    ),
]
NoPublished = Annotated[bool, typer.Option("--no-published", help="Draw only what is measured.")]
MaxSteps = Annotated[
    int | None, typer.Option(min=0, help="Only trainings of at most so many steps.", show_default=False)
]
MaxTrainS = Annotated[
    float | None,
    typer.Option(min=0, help="Only trainings of at most so many seconds (median over seeds).", show_default=False),
]


class FidelityName(StrEnum):
    """The distances of ``analysis.fidelity.DISTANCES``."""

    KL = "kl"
    DISAGREEMENT = "disagreement"
    OUTPUT_ERROR = "output_error"


FidelityOption = Annotated[
    FidelityName | None,
    typer.Option(
        "--fidelity",
        help="Judge by how near networks are to the given one (init_from), not by the task's quality; lower is better.",
        show_default=False,
    ),
]
JudgeBy = Annotated[
    str | None,
    typer.Option(
        "--judge-by",
        metavar="QUALITY",
        help="Judge by another quality that the task measures, such as 'top-5 accuracy', not by its objective.",
        show_default=False,
    ),
]
TaskOption = Annotated[str | None, typer.Option("--task", help="Only this task.", show_default=False)]


def tracking_uri_or_default(tracking_uri: str | None) -> str:
    """The address that was given, or else MLflow's own default here."""
    from orchestrator.tracking.store import default_tracking_uri

    return tracking_uri or default_tracking_uri()


def judging(fidelity: FidelityName | None, quality: str | None = None) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """What puts a distance or another quality in place of the objective of points, where one is asked for.

    A line says, once, of how many points it is not known.

    Raises:
        ValueError: both are asked for.
    """
    said: set[str] = set()
    if fidelity is not None and quality is not None:
        raise ValueError("got --fidelity and --judge-by: give one of them")

    def judged(points: pd.DataFrame) -> pd.DataFrame:
        from analysis.fidelity import judged_by
        from analysis.points.qualities import judged_by_quality

        if fidelity is not None:
            having, line = judged_by(points, fidelity.value)
        elif quality is not None:
            having, line = judged_by_quality(points, quality)
        else:
            return points
        if line and line not in said:
            said.add(line)
            typer.echo(f"ratefront: {line}", err=True)
        return having

    return judged


def check_writable(place: Path, *, option: str, is_file: bool = False) -> None:
    """Refuse a place that cannot be written to, before anything is computed. Nothing is left there.

    Args:
        place: a folder, or a file in one; it may be missing, and its folders as well.
        option: the name of the option that gave it.
        is_file: whether ``place`` is a file.

    Raises:
        ValueError: it cannot be written to.
    """
    folder = place.absolute().parent if is_file else place.absolute()
    wanted = "a file in a folder" if is_file else "a folder"
    try:
        if is_file and place.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        there = next(one for one in (folder, *folder.parents) if one.exists())
        tempfile.TemporaryFile(dir=there).close()
    except OSError as error:
        raise ValueError(
            f"{option} {place} cannot be written ({error.strerror}): wanted {wanted} that can be written to"
        ) from error


def write_out(path: Path, data: bytes) -> None:
    """Write a file that an option names; folders that were made for it go again where it cannot be written."""
    from trainers.record import write_atomically

    made = [folder for folder in path.absolute().parents if not folder.exists()]
    try:
        write_atomically(path, data)
    except BaseException:
        with contextlib.suppress(OSError):  # what others put there stays
            for folder in made:
                folder.rmdir()
        raise


def check_storage(storage: str) -> None:
    """Refuse a folder of sweeps that cannot be written to. A bucket is not asked.

    Raises:
        ValueError: it cannot be written to.
    """
    from orchestrator.storage.bucket import is_remote

    if not is_remote(storage):
        check_writable(Path(storage), option="--storage")


def published_files(own: Path | None, hidden: bool) -> list[Path]:
    """The files of published results to draw: those that ship, and then the user's ``own``.

    ``kodak`` for an own file asks for the curves that ship, beside any images.

    Raises:
        ValueError: an own file is given, and none is to be drawn.
    """
    from analysis.points.image_sets import IMAGE_SETS
    from analysis.points.published import SHIPPED_FILES, SHIPPED_IMAGES

    if own is not None and hidden:
        raise ValueError("got --published and --no-published: give one of them")
    if own is not None and str(own) in IMAGE_SETS and not own.exists():
        own = SHIPPED_IMAGES
    return [] if hidden else [*SHIPPED_FILES, *([own] if own is not None else [])]


def allow_own_modules() -> Path:
    """Make modules of the working directory importable, which a console script does not have on its path.

    Returns:
        The working directory.
    """
    folder = Path.cwd()
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return folder
