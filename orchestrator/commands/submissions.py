"""Commands for sweeps that run elsewhere: submit, jobs, logs, attach, cancel."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.commands.options import Json, allow_own_modules, check_storage
from orchestrator.commands.source import SweepSource, with_sweep_source

if TYPE_CHECKING:
    from orchestrator.submission.base import AbstractSubmitter
    from orchestrator.submission.jobs import Job

SubmittedSweep = Annotated[
    str | None,
    typer.Argument(metavar="[SWEEP]", help="Its id or the beginning of it; default: the last.", show_default=False),
]


@with_sweep_source
def submit(
    to: Annotated[
        str,
        typer.Option(metavar="TARGET|FILE.yaml", help="ray, kuberay, slurm or here; or a file with 'to' and settings."),
    ],
    source: SweepSource,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--with", metavar="KEY=VALUE", help="A setting of the target, such as nodes=4.", show_default=False
        ),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            help="Folder of all sweeps, as the cluster's nodes see it, or a bucket, such as s3://bucket/sweeps.",
            show_default=False,
        ),
    ] = None,
    tracking_uri: Annotated[
        str | None,
        typer.Option(help="MLflow's address as the cluster sees it; default: MLFLOW_TRACKING_URI.", show_default=False),
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Environment of its processes; nothing secret.", show_default=False),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option(metavar="MODULE", help="A module of this folder that your own import late.", show_default=False),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Follow it, as attach does.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print all that would be sent; submit nothing.")] = False,
) -> None:
    """Run a sweep on a cluster; the same again goes on with it.

    Example: `ratefront submit digits --to slurm --with nodes=4 --storage /shared/sweeps --tracking-uri http://host:5000`
    """
    from orchestrator.submission.jobs import Job, remember
    from orchestrator.submission.prepare import choose_submitter, prepare_submission

    folder = allow_own_modules()
    target, submitter = choose_submitter(to, settings or [])
    if submitter.is_here and storage is not None:
        check_storage(storage)
    sweep = source.read()
    submission = prepare_submission(
        sweep, storage=storage, tracking_uri=tracking_uri, env=env or [], folder=folder, include=include or []
    )
    if dry_run:
        typer.echo(submitter.render(submission))
        return
    found = submitter.find(submission)
    handle = found or submitter.submit(submission)
    typer.echo(
        f"sweep {submission.sweep_id} is there already: {target} {handle}"
        if found
        else f"submitted sweep {submission.sweep_id}: {target} {handle}"
    )
    job = Job(
        sweep_id=submission.sweep_id,
        target=target,
        settings=submitter.model_dump(),
        handle=handle,
        storage=submission.storage,
        tracking_uri=submission.tracking_uri,
    )
    remember(job)
    if watch or submitter.is_here:
        _follow(job, submitter)
    elif found is None:
        typer.echo(f"'ratefront attach {job.sweep_id}' shows it, 'ratefront cancel {job.sweep_id}' ends it")


def jobs(as_json: Json = False) -> None:
    """List what was submitted from here, and how it stands.

    Example: `ratefront jobs`
    """
    from datetime import datetime

    from rich.table import Table

    from orchestrator.commands.console import open_console
    from orchestrator.submission.jobs import all_jobs, damaged_records
    from orchestrator.submission.prepare import submitter_of
    from trainers.echo import shortened

    for path in damaged_records():
        print(f"ratefront: {path} is no record of a submission: remove it", file=sys.stderr)
    rows = []
    for job in all_jobs():
        try:
            state, trouble = submitter_of(job).status(job.handle).value, ""
        except ValueError as error:  # one cluster that does not answer hides none of the others
            state, trouble = "unknown", str(error)
        rows.append({**vars(job), "state": state, "trouble": trouble})
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    console = open_console()
    if not rows:
        console.print("nothing was submitted from here")
        return
    table = Table(box=None, header_style="bold")
    for column in ("sweep", "target", "state", "submitted", "handle", "storage"):
        table.add_column(column, overflow="fold")
    for row in rows:
        submitted = datetime.fromtimestamp(row["submitted_at_s"]).strftime("%Y-%m-%d %H:%M")
        table.add_row(row["sweep_id"], row["target"], row["state"], submitted, row["handle"], row["storage"])
    console.print(table, markup=False)
    for row in rows:
        if row["trouble"]:
            console.print(
                f"{row['sweep_id']}: {shortened(row['trouble'], 1000)}", highlight=False, markup=False, soft_wrap=True
            )


def logs(
    sweep: SubmittedSweep = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until it is over.")] = False,
) -> None:
    """Print what a submitted sweep has said, line by line as it was written; of control characters only colours.

    Example: `ratefront logs digits-1a2b3c4d --follow`
    """
    from orchestrator.submission.jobs import find_job
    from orchestrator.submission.prepare import submitter_of
    from orchestrator.views.printable import lines_of

    job = find_job(sweep)
    for line in submitter_of(job).logs(job.handle, follow=follow):
        for shown in lines_of(line):
            typer.echo(shown)


def attach(sweep: SubmittedSweep = None) -> None:
    """Show a submitted sweep as if it ran here, until it is over. Ctrl-C stops the showing, not the sweep.

    Example: `ratefront attach digits-1a2b3c4d`
    """
    from orchestrator.submission.jobs import find_job
    from orchestrator.submission.prepare import submitter_of

    job = find_job(sweep)
    _follow(job, submitter_of(job))


def cancel(sweep: SubmittedSweep = None) -> None:
    """End a submitted sweep. What has finished is kept, and submitting it again goes on.

    Example: `ratefront cancel digits-1a2b3c4d`
    """
    from orchestrator.submission.jobs import find_job
    from orchestrator.submission.prepare import submitter_of

    job = find_job(sweep)
    submitter = submitter_of(job)
    state = submitter.status(job.handle)
    if state.is_over:
        typer.echo(f"sweep {job.sweep_id} is {state.value} already")
        return
    submitter.cancel(job.handle)
    typer.echo(f"cancelled sweep {job.sweep_id}: {job.target} {job.handle}; submitting it again goes on")


def _follow(job: Job, submitter: AbstractSubmitter) -> None:
    """Show a submitted sweep to its end, and exit as ``sweep`` would have."""
    from rich.text import Text

    from orchestrator.commands.console import open_console
    from orchestrator.commands.outcome import print_outcome
    from orchestrator.running.result import exit_code_of
    from orchestrator.views.live import LiveView
    from orchestrator.views.log import show_log
    from orchestrator.views.plain import PlainView
    from orchestrator.views.printable import lines_of

    console = open_console()
    view = LiveView(console) if console.is_terminal else PlainView(console)

    def say(line: str) -> None:
        for shown in lines_of(line):
            console.print(Text.from_ansi(shown, style="dim"), soft_wrap=True)

    try:
        result = show_log(submitter.logs(job.handle, follow=True), view, otherwise=say)
    except KeyboardInterrupt:
        console.print(
            f"\nthe sweep goes on: 'ratefront attach {job.sweep_id}' shows it again, "
            f"'ratefront cancel {job.sweep_id}' ends it",
            highlight=False,
            soft_wrap=True,
        )
        raise
    if result is not None:
        print_outcome(result, console)
        raise typer.Exit(exit_code_of(result))
    state = submitter.status(job.handle)
    print(f"ratefront: sweep {job.sweep_id} is {state.value} and has not said how it ended", file=sys.stderr)
    raise typer.Exit(0 if state.value == "finished" else 1)
