"""Commands that read measured sweeps: frontier, export, best, list."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.commands.closed_pipe import what_is_wrong
from orchestrator.commands.options import (
    FidelityOption,
    Json,
    JudgeBy,
    MaxSteps,
    MaxTrainS,
    NoPublished,
    PublishedFile,
    TaskOption,
    TrackingUri,
    UiUrl,
    check_writable,
    judging,
    published_files,
    tracking_uri_or_default,
)
from trainers.echo import printable

if TYPE_CHECKING:
    import pandas as pd

    from orchestrator.reports.frontier import WrittenFrontier

_LONGEST_S = 86_400.0


def frontier(
    sweeps: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SWEEP ...]", help="Ids, names, or folders of exported results; default: all.", show_default=False
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for frontier.png, .svg, .html and .csv.")] = Path("frontier"),
    task: TaskOption = None,
    tracking_uri: TrackingUri = None,
    ui_url: UiUrl = None,
    fidelity: FidelityOption = None,
    judge_by: JudgeBy = None,
    published: PublishedFile = None,
    no_published: NoPublished = False,
    max_steps: MaxSteps = None,
    max_train_s: MaxTrainS = None,
    watch: Annotated[bool, typer.Option("--watch", help="Follow a running sweep until it ends, or Ctrl-C.")] = False,
    interval: Annotated[
        float | None, typer.Option(help="With --watch: seconds between two looks; default: 10.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Print the frontier of one or many sweeps and write its figures.

    Example: `ratefront frontier digits --out figures`

    While it runs: `ratefront frontier digits --watch`

    Against the network that trials started from: `ratefront frontier resnet20 --fidelity kl`
    """
    from analysis.configurations.summary import told, within_cost
    from analysis.points.exported import is_path
    from orchestrator.commands.console import open_console
    from orchestrator.reports.frontier import print_frontier, write_frontier
    from orchestrator.reports.points import configurations_of, published_beside

    if not as_json:
        check_writable(out, option="--out")
    uri, files = tracking_uri_or_default(tracking_uri), published_files(published, no_published)
    if fidelity is not None and published is not None:
        raise ValueError("--published: papers print no distance from your network: leave it or --fidelity out")
    judge = judging(fidelity, judge_by)

    def select(points: pd.DataFrame) -> pd.DataFrame:
        return judge(within_cost(points, max_steps=max_steps, max_train_s=max_train_s))

    draw = partial(write_frontier, uri, sweeps or [], out, task=task, ui_url=ui_url, published=files, select=select)
    if interval is not None and not (watch and 0 < interval <= _LONGEST_S):
        raise ValueError(f"got --interval {interval:g}: wanted seconds, up to a day, and --watch with it")
    paths = [sweep for sweep in sweeps or [] if is_path(sweep)]
    if watch and paths:
        raise ValueError(f"{paths[0]} is a folder of exported results, which do not change: --watch needs a sweep")
    if as_json:
        if published is not None or watch:
            option = "--published" if published is not None else "--watch"
            raise ValueError(f"{option} is drawn on figures, which --json does not write: give one of the two")
        found = told(configurations_of(uri, sweeps or [], task=task, select=select))
        typer.echo(found.to_json(orient="records", indent=1))
        return
    written = _watched(uri, sweeps or [], partial(draw, is_whole=False), interval) if watch else draw()
    if written is None:
        typer.echo("ratefront: no finished point yet: run a sweep first", err=True)
        raise typer.Exit(1)
    if watch:
        published_beside(written.points, files)  # now an own file without a row that belongs there is a mistake
    else:
        print_frontier(written.configurations, written.folder, open_console())


def _watched(
    uri: str, sweeps: list[str], draw: Callable[[], WrittenFrontier | None], interval_s: float | None
) -> WrittenFrontier | None:
    from analysis.points.mlflow import list_sweeps
    from orchestrator.commands.console import open_console
    from orchestrator.reports.watch import INTERVAL_S, watch

    return watch(partial(list_sweeps, uri, sweeps), draw, open_console(), interval_s=interval_s or INTERVAL_S)


def export(
    sweep: Annotated[str, typer.Argument(help="Id or name.")],
    out: Annotated[Path, typer.Option(help="Folder to write to; an earlier export there is replaced.")],
    max_file_size: Annotated[str, typer.Option(help="Larger files are left out.")] = "100kB",
    tracking_uri: TrackingUri = None,
    published: PublishedFile = None,
    no_published: NoPublished = False,
) -> None:
    """Write what others need to check a sweep: points.csv, the frontier's files, the figure, how it was made.

    Example: `ratefront export digits --out results/digits`
    """
    from orchestrator.reports.export import export as write
    from trainers.sizes import parse_size

    check_writable(out, option="--out")
    uri, files = tracking_uri_or_default(tracking_uri), published_files(published, no_published)
    written = write(uri, sweep, out, max_file_size_bytes=parse_size(max_file_size), published=files)
    typer.echo(f"{out}: README.md, points.csv, sweep.yaml, frontier.svg, .png, {written.num_kept} files in frontier/")
    for line in written.damage:
        typer.echo(f"ratefront: {printable(line)}; it is left out", err=True)
    if written.damage:
        raise typer.Exit(1)


def best(
    sweep: Annotated[str | None, typer.Argument(help="Id or name; default: all.", show_default=False)] = None,
    max_size: Annotated[str | None, typer.Option(help="Byte budget, such as 10kB.", show_default=False)] = None,
    quality: Annotated[
        float | None,
        typer.Option(
            "--quality",
            "--min-accuracy",
            help="Validation quality to reach (of --judge-by, or the distance of --fidelity), such as 0.98: at least "
            "this, or at most where lower is better.",
            show_default=False,
        ),
    ] = None,
    fidelity: FidelityOption = None,
    judge_by: JudgeBy = None,
    task: TaskOption = None,
    tracking_uri: TrackingUri = None,
    as_json: Json = False,
) -> None:
    """Name the file to ship: the best within a budget, or the smallest that is good enough.

    Where a task has files in turn, limits hold for the mean over them, and the file of each is named.

    Example: `ratefront best digits --max-size 1kB`

    The nearest to the network that trials started from: `ratefront best resnet20 --max-size 60kB --fidelity kl`
    """
    import pandas as pd

    from analysis.configurations.best import best as choose
    from analysis.configurations.summary import summarise, told
    from analysis.fronts.over_files import has_files, over_files
    from analysis.keys import KEY
    from analysis.signals import rate_words
    from analysis.units import format_quality, format_size, quality_words
    from orchestrator.reports.points import points_of
    from orchestrator.storage.bucket import join
    from orchestrator.storage.locations import open_journal
    from orchestrator.storage.measured import read_measured
    from trainers.record import others_of
    from trainers.sizes import parse_size

    if (max_size is None) == (quality is None):
        raise ValueError("give one of --max-size (such as 10kB) and --quality (such as 0.98)")
    uri = tracking_uri_or_default(tracking_uri)
    points = points_of(uri, [sweep] if sweep else [], task)
    configurations = told(summarise(judging(fidelity, judge_by)(points)))
    budget = parse_size(max_size) if max_size is not None else None
    chosen = choose(configurations, max_size_bytes=budget, min_quality=quality)
    file = join(chosen["file_directory"], chosen["file_path"])
    of_file = {**{key: chosen[key] for key in KEY}, "seed": chosen["file_seed"]}
    repeats = points[(points[list(of_file)] == pd.Series(of_file)).all(axis=1)].sort_values("task_file")
    files = {row["path"]: row for row in repeats.to_dict("records")}
    for path, row in files.items():
        try:
            read_measured(open_journal(row["directory"]), path, row["sha256"])
        except (ValueError, OSError) as error:
            copy = _download(str(row["run_id"]), str(row["point_id"]), uri)
            typer.echo(f"ratefront: {what_is_wrong(error)}; its copy in MLflow: {copy}", err=True)
            raise typer.Exit(1) from None
    if as_json:
        several = {row["task_file"]: join(row["directory"], path) for path, row in files.items() if row["task_file"]}
        beside_it = {"files": several} if several else {}
        typer.echo(json.dumps({"file": file, **beside_it, **json.loads(chosen.to_json())}))
        return
    for path, row in files.items():
        typer.echo(printable(join(row["directory"], path)))
    own = over_files(repeats).iloc[0]
    name = str(own["quality_name"])
    fitted = own["signal_count"] > 0
    on_test, on_validation = (" (fitted)", "") if fitted else (" on test", " on validation")

    def on_both(test: float, validation: float, name: str) -> str:
        """A quality on each split; a signal has only one."""
        said = f"{format_quality(test, name)}{on_test}"
        return said if fitted else f"{said}, {format_quality(validation, name)}{on_validation}"

    near = ""
    if fidelity is not None:
        distance = format_quality(chosen["file_quality_val"], chosen["quality_name"])
        near = f", {quality_words(chosen['quality_name'])} {distance}{on_validation}"
    rate = f", {words}" if (words := rate_words(chosen.to_dict())) else ""
    others = others_of(own["others"])
    if judge_by in others:
        near = f", {judge_by} {on_both(chosen['file_quality'], chosen['file_quality_val'], judge_by)}"
        del others[judge_by]
    beside = "".join(f", {other} {format_quality(one.quality, other)}{on_test}" for other, one in others.items())
    of_all = f"mean over {len(files)} files: " if has_files(repeats) else ""
    said = (
        f"{of_all}{format_size(chosen['file_size_bytes'])} ({chosen['file_size_bytes']:,} bytes){rate}{near}, "
        f"{quality_words(name) if fitted else name} {on_both(own['quality'], own['quality_val'], name)}{beside}; "
        f"{chosen['architecture']}, {chosen['method']} {chosen['config']}, seed {chosen['file_seed']}"
    )
    typer.echo(printable(said))


def _download(run_id: str, point_id: str, tracking_uri: str) -> str:
    """The command that fetches a point's file from the run which measured it."""
    from analysis.points.tracking_uri import without_credentials

    return (
        f"MLFLOW_TRACKING_URI={shlex.quote(without_credentials(tracking_uri))} mlflow artifacts download "
        f"--run-id {run_id} --artifact-path {shlex.quote(point_id + '.rfz')} --dst-path ."
    )


def list_sweeps(tracking_uri: TrackingUri = None, as_json: Json = False) -> None:
    """List the sweeps in MLflow, newest first.

    `ratefront catalogue` lists what can be swept.

    Example: `ratefront list`
    """
    from analysis.frontier.table import sweeps_table
    from analysis.points import mlflow as load
    from orchestrator.commands.console import open_console

    sweeps = load.list_sweeps(tracking_uri_or_default(tracking_uri))
    if as_json:
        typer.echo(sweeps.to_json(orient="records", indent=1, date_format="iso"))
    else:
        open_console().print(sweeps_table(sweeps))
