"""Commands that read measured sweeps: frontier, export, best, list, ui."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.commands.options import Json, TrackingUri, UiUrl, tracking_uri_or_default

if TYPE_CHECKING:
    import pandas as pd

TaskOption = Annotated[str | None, typer.Option("--task", help="Only this task.", show_default=False)]


def frontier(
    sweeps: Annotated[
        list[str] | None, typer.Argument(metavar="[SWEEP ...]", help="Ids or names; default: all.", show_default=False)
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for frontier.png, .svg, .html and .csv.")] = Path("frontier"),
    task: TaskOption = None,
    tracking_uri: TrackingUri = None,
    ui_url: UiUrl = None,
    as_json: Json = False,
) -> None:
    """Print the frontier of one or many sweeps and write its figures.

    Example: `ratefront frontier digits --out figures`
    """
    from orchestrator.commands.console import open_console
    from orchestrator.frontier import configurations_of, print_frontier, write_frontier

    uri = tracking_uri_or_default(tracking_uri)
    if as_json:
        typer.echo(configurations_of(uri, sweeps or [], task=task).to_json(orient="records", indent=1))
        return
    written = write_frontier(uri, sweeps or [], out, task=task, ui_url=ui_url)
    if written is None:
        typer.echo("ratefront: no finished point yet: run a sweep first", err=True)
        raise typer.Exit(1)
    print_frontier(written.configurations, written.folder, open_console())


def export(
    sweep: Annotated[str, typer.Argument(help="Id or name.")],
    out: Annotated[Path, typer.Option(help="Folder to write to; an earlier export there is replaced.")],
    max_file_size: Annotated[str, typer.Option(help="Larger files are left out.")] = "100kB",
    tracking_uri: TrackingUri = None,
) -> None:
    """Write what others need to check a sweep: points.csv, the frontier's files, the figure, how it was made.

    Example: `ratefront export digits --out results/digits`
    """
    from analysis.units import parse_size
    from orchestrator.export import export as write

    uri = tracking_uri_or_default(tracking_uri)
    num_kept = write(uri, sweep, out, max_file_size_bytes=parse_size(max_file_size))
    typer.echo(f"{out}: README.md, points.csv, sweep.yaml, frontier.svg, .png, {num_kept} files in frontier/")


def best(
    sweep: Annotated[str | None, typer.Argument(help="Id or name; default: all.", show_default=False)] = None,
    max_size: Annotated[str | None, typer.Option(help="Byte budget, such as 10kB.", show_default=False)] = None,
    min_accuracy: Annotated[
        float | None, typer.Option(help="Least validation quality, such as 0.98.", show_default=False)
    ] = None,
    task: TaskOption = None,
    tracking_uri: TrackingUri = None,
    as_json: Json = False,
) -> None:
    """Name the file to ship: the best within a budget, or the smallest that is good enough.

    Example: `ratefront best digits --max-size 1kB`
    """
    from analysis.frontier import best as choose
    from analysis.units import format_quality, format_size, parse_size
    from orchestrator.export import read_measured
    from orchestrator.frontier import configurations_of

    if (max_size is None) == (min_accuracy is None):
        raise ValueError("give one of --max-size (such as 10kB) and --min-accuracy (such as 0.98)")
    uri = tracking_uri_or_default(tracking_uri)
    configurations = configurations_of(uri, [sweep] if sweep else [], task=task)
    budget = parse_size(max_size) if max_size is not None else None
    chosen = choose(configurations, max_size_bytes=budget, min_quality=min_accuracy)
    file = Path(chosen["file_directory"]) / chosen["file_path"]
    try:
        read_measured(file, chosen["file_sha256"])
    except ValueError as error:
        typer.echo(f"ratefront: {error}; its copy in MLflow: {_download(chosen, uri)}", err=True)
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(json.dumps({"file": str(file), **json.loads(chosen.to_json())}))
        return
    quality, validation = (
        format_quality(chosen[f"file_{key}"], chosen["quality_name"]) for key in ("quality", "quality_val")
    )
    typer.echo(file)
    typer.echo(
        f"{format_size(chosen['file_size_bytes'])} ({chosen['file_size_bytes']:,} bytes), {chosen['quality_name']} "
        f"{quality} on test, {validation} on validation; "
        f"{chosen['architecture']}, {chosen['method']} {chosen['config']}, seed {chosen['file_seed']}"
    )


def _download(chosen: pd.Series, tracking_uri: str) -> str:
    """The command that fetches the file from the run which measured it."""
    from analysis.addresses import without_credentials

    return (
        f"MLFLOW_TRACKING_URI={shlex.quote(without_credentials(tracking_uri))} mlflow artifacts download "
        f"--run-id {chosen['file_run_id']} --artifact-path {shlex.quote(chosen['point_id'] + '.rfz')} --dst-path ."
    )


def list_sweeps(tracking_uri: TrackingUri = None, as_json: Json = False) -> None:
    """List the sweeps in MLflow, newest first.

    Example: `ratefront list`
    """
    from analysis import load
    from analysis.tables import sweeps_table
    from orchestrator.commands.console import open_console

    sweeps = load.list_sweeps(tracking_uri_or_default(tracking_uri))
    if as_json:
        typer.echo(sweeps.to_json(orient="records", indent=1, date_format="iso"))
    else:
        open_console().print(sweeps_table(sweeps))


def ui(
    tracking_uri: TrackingUri = None,
    port: Annotated[int, typer.Option(help="On this machine only (127.0.0.1).")] = 5000,
) -> None:
    """Serve MLflow's UI on this machine until Ctrl-C, and print where each sweep's runs are.

    Example: `ratefront ui --port 5001`
    """
    from analysis import load

    uri = tracking_uri_or_default(tracking_uri)
    base = uri.rstrip("/") if uri.startswith("http") else f"http://127.0.0.1:{port}"
    for row in load.list_sweeps(uri).itertuples():
        # without the type the UI opens on an empty page for language models
        typer.echo(f"{row.sweep_id}  {base}/#/experiments/{row.experiment_id}/runs?workflowType=machine_learning")
    if uri.startswith("http"):
        return
    program = shutil.which(
        "mlflow", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    )
    if program is None:
        raise ValueError("the program mlflow is not installed beside this Python: reinstall ratefront")
    sys.stdout.flush()
    arguments = ["server", "--backend-store-uri", uri, "--host", "127.0.0.1", "--port", str(port)]
    os.execv(program, [program, *arguments])
