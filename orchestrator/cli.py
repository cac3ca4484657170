"""The command line. Each command imports what it needs when it runs, so that the program starts fast."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Annotated, Any

import typer

from orchestrator.commands import (
    bundles,
    catalogue,
    codecs,
    comparisons,
    compress,
    files,
    frontiers,
    plans,
    replays,
    reports,
    submissions,
    sweeps,
    ui,
)
from orchestrator.commands.closed_pipe import ended_by_a_closed_pipe, nobody_reads, what_is_wrong
from orchestrator.commands.plain_characters import use_plain_characters

program = typer.Typer(
    name="ratefront",
    help="The best accuracy you can ship in N bytes: sweeps of compressed trainings, and their measured frontier.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        from importlib import metadata

        typer.echo(f"ratefront {metadata.version('ratefront')}")
        raise typer.Exit


@program.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    use_plain_characters()


_COMMANDS: dict[str, Callable[..., None]] = {
    "sweep": sweeps.sweep,
    "plan": plans.plan,
    "submit": submissions.submit,
    "jobs": submissions.jobs,
    "logs": submissions.logs,
    "attach": submissions.attach,
    "cancel": submissions.cancel,
    "part": sweeps.part,
    "sync": sweeps.sync,
    "replay": replays.replay,
    "frontier": frontiers.frontier,
    "compare": comparisons.compare,
    "report": reports.report,
    "export": frontiers.export,
    "best": frontiers.best,
    "list": frontiers.list_sweeps,
    "catalogue": catalogue.catalogue,
    "ui": ui.ui,
    "compress": compress.compress,
    "inspect": files.inspect,
    "decode": files.decode,
    "recode": files.recode,
    "evaluate": files.evaluate,
    "bundle": bundles.bundle,
    "codecs": codecs.codecs,
}


def _with_exit_codes(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the exit codes of ratefront.

    0: done. 1: a trial failed, or nothing was produced. 2: the call was wrong, which one line explains. 130: Ctrl-C.
    141: nobody reads the output any more (``main``).
    """

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        except (ValueError, OSError) as error:
            if isinstance(error, BrokenPipeError) and nobody_reads():
                raise
            typer.echo(f"ratefront: {what_is_wrong(error)}", err=True)
            raise typer.Exit(2) from None

    return run


for name, command in _COMMANDS.items():
    program.command(name=name)(_with_exit_codes(command))


def main(prog_name: str | None = None) -> None:
    """Run the command line: the script ``ratefront``."""
    with ended_by_a_closed_pipe():
        program(prog_name=prog_name)
