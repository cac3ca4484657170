"""Commands that run sweeps: sweep, plan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.commands.options import Json, TrackingUri, UiUrl, allow_own_modules, tracking_uri_or_default

if TYPE_CHECKING:
    from orchestrator.sweep import Sweep
    from orchestrator.tune import SweepResult

Source = Annotated[
    str | None,
    typer.Argument(metavar="RECIPE|FILE.yaml", help="A shipped recipe, or a sweep file.", show_default=False),
]
TaskName = Annotated[str | None, typer.Option("--task", help="Task, or module:callable.", show_default=False)]
ArchitectureName = Annotated[
    str | None, typer.Option("--architecture", help="Architecture, or module:callable.", show_default=False)
]
MethodName = Annotated[str | None, typer.Option("--method", help="Compression method.", show_default=False)]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one field, such as method.lam=0.1.", show_default=False),
]
Name = Annotated[str | None, typer.Option(help="Name of the sweep and its experiment.", show_default=False)]


def sweep(
    source: Source = None,
    task: TaskName = None,
    architecture: ArchitectureName = None,
    method: MethodName = None,
    overrides: Overrides = None,
    name: Name = None,
    storage: Annotated[Path, typer.Option(help="Folder of all sweeps; on a cluster, one that all nodes share.")] = Path(
        "sweeps"
    ),
    tracking_uri: TrackingUri = None,
    address: Annotated[
        str | None, typer.Option(help="A running Ray cluster; default: Ray is started here.", show_default=False)
    ] = None,
    ui_url: UiUrl = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished sweep.")] = False,
    new: Annotated[bool, typer.Option("--new", help="Start another sweep of the same content.")] = False,
) -> None:
    """Run a sweep, then print its frontier and write its figures.

    Example: `ratefront sweep digits --set seeds=3`
    """
    from orchestrator import tune
    from orchestrator.commands.console import open_console
    from orchestrator.frontier import print_frontier
    from orchestrator.sweep import SweepError

    if resume and new:
        raise SweepError("--resume goes on with a sweep and --new starts another: give one of them")
    folder = allow_own_modules()
    chosen = _read(source, task, architecture, method, overrides, name)
    console = open_console()
    uri = tracking_uri_or_default(tracking_uri)
    place = tune.Place(storage=storage, tracking_uri=uri, import_path=folder, address=address, ui_url=ui_url)
    result = tune.run(chosen, place, console, resume=resume, new=new)
    if result.frontier is not None:
        print_frontier(result.frontier, console)
    failed = f", {result.num_failed} failed" if result.num_failed else ""
    stopped = f", {result.num_stopped} stopped early" if result.num_stopped else ""
    console.print(
        f"\nsweep {result.sweep_id}: {result.num_finished} of {result.num_trials} trials finished{stopped}{failed}",
        highlight=False,
    )
    if result.unpublished:
        console.print(_unpublished(result), highlight=False, soft_wrap=True, markup=False)
        raise typer.Exit(1)
    if result.interrupted:
        console.print("stopped; the same command with --resume goes on", highlight=False)
        raise typer.Exit(130)
    if result.num_failed or not result.num_finished:
        raise typer.Exit(1)


def sync(
    sweeps: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SWEEP]...", help="Ids; default: all in the storage folder.", show_default=False),
    ] = None,
    storage: Annotated[Path, typer.Option(help="Folder of all sweeps.")] = Path("sweeps"),
    tracking_uri: TrackingUri = None,
    ui_url: UiUrl = None,
) -> None:
    """Bring MLflow up to what sweeps left on disk, for instance after its server was away.

    Example: `ratefront sync digits-1a2b3c4d --tracking-uri http://host:5000`
    """
    from orchestrator import tune
    from orchestrator.commands.console import open_console
    from orchestrator.sweep import SweepError

    folder = allow_own_modules()
    found = [storage / name for name in sweeps or []] or sorted(path.parent for path in storage.glob("*/sweep.yaml"))
    if not found:
        raise SweepError(f"{storage} holds no sweep: give --storage")
    place = tune.Place(
        storage=storage, tracking_uri=tracking_uri_or_default(tracking_uri), import_path=folder, ui_url=ui_url
    )
    console = open_console()
    for directory in found:
        result = tune.sync(directory, place)
        if result.unpublished:
            console.print(_unpublished(result), highlight=False, soft_wrap=True, markup=False)
            raise typer.Exit(1)
        console.print(f"{result.sweep_id}: {result.num_finished} finished trials are in MLflow", highlight=False)


def _unpublished(result: SweepResult) -> str:
    return (
        f"MLflow does not hold everything: {result.unpublished}\n"
        f"nothing is lost: it is in {result.directory}, and 'ratefront sync {result.sweep_id}' logs it later"
    )


def plan(
    source: Source = None,
    task: TaskName = None,
    architecture: ArchitectureName = None,
    method: MethodName = None,
    overrides: Overrides = None,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Show what a sweep would run; starts nothing.

    Example: `ratefront plan digits --set seeds=3`
    """
    from rich.markup import escape
    from rich.table import Table

    from orchestrator.commands.console import open_console
    from orchestrator.study import plan as trials_of
    from trainers.config import Spec

    allow_own_modules()
    chosen = _read(source, task, architecture, method, overrides, name)
    trials = trials_of(chosen)
    if as_json:
        rows = [{"trial_id": trial.trial_id, **trial.config.to_dict()} for trial in trials]
        typer.echo(json.dumps({"sweep_id": chosen.sweep_id, "trials": rows}, indent=1))
        return
    console = open_console()
    if chosen.searcher.is_adaptive:
        most = chosen.search["num_trials"]
        console.print(
            f"sweep {chosen.sweep_id}: search {chosen.search['name']!r} proposes up to {most} configurations "
            f"as results come in, x {chosen.seeds} seeds = {most * chosen.seeds} trials at most",
            highlight=False,
        )
        return
    first_seed = [trial.config for trial in trials if trial.config.seed == chosen.seed]
    table = Table(box=None, header_style="bold")
    for column in ("task", "architecture", "method", "steps"):
        table.add_column(column)
    for config in first_seed:
        same = [other.method.arguments for other in first_seed if other.method.name == config.method.name]
        varied = {
            key: value for key, value in config.method.arguments.items() if any(one[key] != value for one in same)
        }
        shown = Spec(name=config.method.name, arguments=varied)
        cells = (config.task, config.architecture, shown, f"{config.steps:,}")
        table.add_row(*(escape(str(cell)) for cell in cells))
    console.print(table)
    total = sum(trial.config.steps for trial in trials)
    gpu = f" and {chosen.resources.gpu:g} GPU" if chosen.resources.gpu else ""
    console.print(
        f"\nsweep {chosen.sweep_id}: {len(first_seed)} configurations x {chosen.seeds} seeds = {len(trials)} trials, "
        f"{total:,} optimiser steps; each trial has {chosen.resources.cpu} CPU{gpu}",
        highlight=False,
    )
    if chosen.init_from:
        console.print(escape(f"initial values: {chosen.init_from.partition('#sha256=')[0]}"), highlight=False)


def _read(
    source: str | None,
    task: str | None,
    architecture: str | None,
    method: str | None,
    overrides: list[str] | None,
    name: str | None,
) -> Sweep:
    """The sweep of a recipe or file, or of flags alone; flags and ``--set`` change what a file says."""
    from orchestrator.overrides import apply_overrides, document_from_flags
    from orchestrator.recipes import find_recipe
    from orchestrator.sweep import Sweep, SweepError, load_document

    flags = {"task": task, "architecture": architecture, "method": method, "name": name}
    given = {key: value for key, value in flags.items() if value is not None}
    if source is not None:
        document = {**load_document(find_recipe(source)), **given}
    elif task is None or architecture is None or method is None:
        missing = ", ".join(f"--{key}" for key in ("task", "architecture", "method") if key not in given)
        raise SweepError(f"nothing to run: give a recipe or a sweep file, or {missing} as well")
    else:
        document = {**document_from_flags(task=task, architecture=architecture, method=method), **given}
    return Sweep.from_dict(apply_overrides(document, overrides or []), source=source or "")
