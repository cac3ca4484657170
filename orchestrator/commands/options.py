"""Options that several commands share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

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


def tracking_uri_or_default(tracking_uri: str | None) -> str:
    from orchestrator.tracking.store import default_tracking_uri

    return tracking_uri or default_tracking_uri()


def allow_own_modules() -> Path:
    """Make modules of the working directory importable; a console script does not have it on its path."""
    folder = Path.cwd()
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return folder
