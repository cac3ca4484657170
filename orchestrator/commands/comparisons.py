"""The command that compares measured sweeps, or the methods and architectures of one: compare."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

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
from orchestrator.reports.comparison import By


def compare(
    sweeps: Annotated[
        list[str],
        typer.Argument(metavar="A [B ...]", help="Ids, names, or folders of exported results; A is the anchor."),
    ],
    by: Annotated[
        By | None, typer.Option(help="Compare the methods or the architectures within A.", show_default=False)
    ] = None,
    anchor: Annotated[
        str | None,
        typer.Option(
            help="With --by: what the others are measured against; ptq, or the first by name, if not given.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the figures and compare.html.")] = Path("compare"),
    task: TaskOption = None,
    tracking_uri: TrackingUri = None,
    ui_url: UiUrl = None,
    fidelity: FidelityOption = None,
    judge_by: JudgeBy = None,
    max_steps: MaxSteps = None,
    max_train_s: MaxTrainS = None,
    published: PublishedFile = None,
    no_published: NoPublished = False,
    as_json: Json = False,
) -> None:
    """Say which of several frontiers is better and by how much: bytes at equal accuracy, with an interval over seeds.

    Example: `ratefront compare digits digits_long`

    Within one sweep: `ratefront compare digits --by method --anchor epr`
    """
    import pandas as pd

    from analysis.comparison.compare import compare as measure
    from analysis.comparison.tables import comparison_dict, comparison_tables
    from analysis.comparison.verdict import verdicts
    from analysis.configurations.summary import within_cost
    from orchestrator.commands.console import open_console
    from orchestrator.reports.comparison import sides_of, write_comparison
    from orchestrator.reports.points import published_beside

    if not as_json:
        check_writable(out, option="--out")
    uri, printed = tracking_uri_or_default(tracking_uri), published_files(published, no_published)
    if as_json and published is not None:
        raise ValueError("--published is drawn on figures, which --json does not write: give one of the two")
    sides = sides_of(uri, sweeps, task=task, by=by, anchor=anchor)
    judge = judging(fidelity, judge_by)
    judged = {
        name: judge(within_cost(rows, max_steps=max_steps, max_train_s=max_train_s)) for name, rows in sides.items()
    }
    beside = published_beside(pd.concat(judged.values()), printed, are_curves=True)
    found = measure(judged)
    if as_json:
        typer.echo(json.dumps(comparison_dict(found), indent=1, allow_nan=False))
        return
    files = write_comparison(found, out, ui_url=ui_url, published=beside)
    console = open_console()
    for table in comparison_tables(found):
        console.print(table, "")
    console.print("\n".join(verdicts(found)), highlight=False, soft_wrap=True, markup=False)
    console.print(f"\nfigures: {out}: {', '.join(files)}", highlight=False, soft_wrap=True, markup=False)
