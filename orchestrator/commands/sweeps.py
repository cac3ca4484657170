"""Commands that run sweeps: sweep, part, sync."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.commands.options import (
    Storage,
    TrackingUri,
    UiUrl,
    allow_own_modules,
    check_storage,
    tracking_uri_or_default,
)
from orchestrator.commands.source import SweepSource, with_sweep_source

if TYPE_CHECKING:
    from orchestrator.running.result import SweepResult


@with_sweep_source
def sweep(
    source: SweepSource,
    storage: Storage = "sweeps",
    tracking_uri: TrackingUri = None,
    address: Annotated[
        str | None, typer.Option(help="A running Ray cluster; default: Ray is started here.", show_default=False)
    ] = None,
    ui_url: UiUrl = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished sweep.")] = False,
    new: Annotated[bool, typer.Option("--new", help="Start another sweep of the same content.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, however long it may take.")] = False,
    as_json_lines: Annotated[
        bool, typer.Option("--json-lines", help="Print one JSON object for each event, and nothing else.")
    ] = False,
    webhook: Annotated[
        str | None, typer.Option(help="Address that is sent the result as JSON at the end.", show_default=False)
    ] = None,
) -> None:
    """Run a sweep, then print its frontier and write its figures.

    Example: `ratefront sweep digits --set seeds=3`
    """
    from orchestrator.commands.webhook import check_webhook
    from orchestrator.errors import SweepError

    if resume and new:
        raise SweepError("--resume goes on with a sweep and --new starts another: give one of them")
    if webhook is not None:
        check_webhook(webhook)
    check_storage(storage)
    folder = allow_own_modules()
    chosen = source.read()  # a mistaken sweep is refused before what runs a sweep is loaded

    from orchestrator.commands.console import open_console
    from orchestrator.commands.outcome import print_outcome
    from orchestrator.commands.plans import announce
    from orchestrator.running.place import Place
    from orchestrator.running.run import run_sweep
    from orchestrator.views.events import SweepEnded
    from orchestrator.views.live import LiveView
    from orchestrator.views.log import JsonLinesView, write_event
    from orchestrator.views.plain import PlainView

    console = open_console()
    uri = tracking_uri_or_default(tracking_uri)
    place = Place(storage=storage, tracking_uri=uri, import_path=folder, address=address, ui_url=ui_url)
    if as_json_lines:
        result = run_sweep(chosen, place, JsonLinesView(sys.stdout), resume=resume, new=new)
        write_event(SweepEnded(result=result.to_dict()), sys.stdout)
    else:
        view = LiveView(console) if console.is_terminal else PlainView(console)
        before = functools.partial(announce, console=console, here=address is None, ask=not yes)
        result = run_sweep(chosen, place, view, resume=resume, new=new, announce=before)
        print_outcome(result.to_dict(), console)
    if webhook is not None:
        _tell(webhook, result)
    raise typer.Exit(result.exit_code)


def _tell(webhook: str, result: SweepResult) -> None:
    from orchestrator.commands.webhook import post

    failure = post(webhook, result.summary, result.to_dict())
    if failure:
        typer.echo(f"ratefront: the webhook was not told: {failure}", err=True)


@with_sweep_source
def part(
    number: Annotated[int, typer.Option(min=0, help="Which part, from 0.")],
    of: Annotated[int, typer.Option(min=1, help="How many parts there are.")],
    source: SweepSource,
    storage: Annotated[str, typer.Option(help="Folder of all sweeps, which all parts share.")] = "sweeps",
) -> None:
    """Run one part of a sweep without Ray, for schedulers that have arrays of jobs; `sync` logs and draws the whole.

    The same again goes on with it.

    Example: `ratefront part digits --number 3 --of 16 --storage /shared/sweeps`
    """
    from orchestrator.commands.console import open_console
    from orchestrator.running.part import run_part
    from orchestrator.storage.journal import Outcome
    from orchestrator.views.plain import PlainView

    check_storage(storage)
    folder = allow_own_modules()
    chosen = source.read()
    view = PlainView(open_console())
    board = run_part(chosen, number, of, storage=storage, import_path=folder, view=view, say=typer.echo)
    summary = f"part {number} of {of} of sweep {board.sweep_id}: {board.num(Outcome.FINISHED)} of {board.num_trials}"
    typer.echo(f"{summary} trials finished; 'ratefront sync {board.sweep_id}' logs them")
    raise typer.Exit(1 if board.failed else 0)


def sync(
    sweeps: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SWEEP]...", help="Ids; default: all in the storage folder.", show_default=False),
    ] = None,
    storage: Storage = "sweeps",
    tracking_uri: TrackingUri = None,
    ui_url: UiUrl = None,
) -> None:
    """Bring MLflow up to what sweeps left on disk, for instance after its server was away.

    Example: `ratefront sync digits-1a2b3c4d --tracking-uri http://host:5000`
    """
    from orchestrator.commands.console import open_console
    from orchestrator.commands.outcome import unpublished, unreported
    from orchestrator.errors import SweepError
    from orchestrator.running.place import Place
    from orchestrator.running.sync import sync_sweep

    folder = allow_own_modules()
    place = Place(
        storage=storage, tracking_uri=tracking_uri_or_default(tracking_uri), import_path=folder, ui_url=ui_url
    )
    found = sweeps or place.sweep_ids()
    if not found:
        raise SweepError(f"{storage} holds no sweep: give --storage")
    console, is_whole = open_console(), True
    for sweep_id in found:
        try:
            result = sync_sweep(sweep_id, place)
        except SweepError as error:
            if len(found) == 1:
                raise
            typer.echo(f"ratefront: {error}", err=True)  # it costs the other sweeps nothing
            is_whole = False
            continue
        for line in result.damage:
            console.print(line, highlight=False, soft_wrap=True, markup=False)
        if result.unpublished:
            console.print(unpublished(result.to_dict()), highlight=False, soft_wrap=True, markup=False)
            raise typer.Exit(1)
        if result.unreported:
            console.print(unreported(result.to_dict()), highlight=False, soft_wrap=True, markup=False)
        num_logged = result.num_finished - result.num_unlogged
        is_whole = is_whole and not result.num_unlogged
        console.print(f"{result.sweep_id}: {num_logged} finished trials are in MLflow", highlight=False)
    if not is_whole:
        raise typer.Exit(1)
