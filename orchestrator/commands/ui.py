"""The command that shows sweeps in MLflow's UI: ui."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.commands.options import TrackingUri, tracking_uri_or_default

if TYPE_CHECKING:
    import pandas as pd


def ui(
    sweep: Annotated[
        str | None,
        typer.Argument(help="Id or name of the one to open; default: the newest.", show_default=False),
    ] = None,
    tracking_uri: TrackingUri = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="On this machine only (127.0.0.1).")] = 5000,
    no_open: Annotated[bool, typer.Option("--no-open", help="Print the links and open no browser.")] = False,
) -> None:
    """Show sweeps in MLflow's UI, with the views that are prepared for them.

    A tracking server has a UI of its own. For any other store one is served on this machine until Ctrl-C, or found
    where it runs already.

    Example: `ratefront ui digits --port 5001`
    """
    from analysis.points.mlflow import list_sweeps, resolve
    from analysis.points.tracking_uri import without_credentials
    from orchestrator.tracking.ui import server

    _refuse_folder(sweep)
    uri = tracking_uri_or_default(tracking_uri)
    sweeps = list_sweeps(uri)
    ids = list(sweeps["sweep_id"])
    chosen = resolve(sweep, ids) if sweep is not None else (ids[0] if ids else None)
    run_id = str(sweeps.set_index("sweep_id").loc[chosen, "run_id"]) if chosen is not None else ""
    shown = sweeps[sweeps["sweep_id"] == chosen] if sweep is not None else sweeps
    if uri.startswith(("http://", "https://")):
        _show(without_credentials(uri), shown, chosen, no_open)
    elif server.is_serving(port, run_id):
        _show(server.address(port), shown, chosen, no_open)
    else:
        with server.served(uri, port) as process:
            _show(server.address(port), shown, chosen, no_open)
            typer.echo("Ctrl-C ends the server", err=True)
            process.wait()


def _refuse_folder(sweep: str | None) -> None:
    """Refuse a folder where a sweep of MLflow's is wanted.

    Raises:
        ValueError: ``sweep`` is a path.
    """
    from analysis.points.exported import is_path
    from orchestrator.tracking.store import address_in

    if sweep is None or not is_path(sweep):
        return
    address = address_in(Path(sweep))
    mend = f"--tracking-uri {address}" if address else "--tracking-uri, where its MLflow is not the default"
    raise ValueError(f"{sweep} is a path: ui wants the id or name of a sweep, and {mend}")


def _show(base: str, sweeps: pd.DataFrame, chosen: str | None, no_open: bool) -> None:
    """Print a link to each sweep, and all links to the chosen one, whose first is opened in the browser."""
    rows = sweeps.to_dict("records")
    for row in (row for row in rows if row["sweep_id"] != chosen):
        typer.echo(f"{row['sweep_id']}  {next(iter(_pages(base, row).values()))}")
    for row in (row for row in rows if row["sweep_id"] == chosen):
        pages = _pages(base, row)
        typer.echo("\n".join([str(chosen), *(f"  {name:8}  {url}" for name, url in pages.items())]))
        if not no_open:
            _open(next(iter(pages.values())))
    sys.stdout.flush()


def _pages(base: str, row: Mapping[Any, Any]) -> dict[str, str]:
    from orchestrator.tracking.ui import links

    experiment_id, run_id, sweep_id = (str(row[name]) for name in ("experiment_id", "run_id", "sweep_id"))
    if row["has_views"]:
        return links.pages(base, experiment_id, run_id, sweep_id, int(row["num_points"]))
    return {
        "points": links.unprepared(base, experiment_id, sweep_id),
        "sweep": links.run(base, experiment_id, run_id),
    }


def _open(url: str) -> None:
    """Open ``url`` in the user's browser, if there is a screen: else Python would start one in the terminal."""
    import webbrowser

    has_screen = sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    )
    if has_screen:
        webbrowser.open(url)
