"""The command that tries searchers and schedulers on a recorded sweep: replay."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.commands.options import Json, allow_own_modules

if TYPE_CHECKING:
    from orchestrator.replay.recording import RecordedSweep
    from orchestrator.replay.simulation import Curve

_SHARES = (0.1, 1 / 3, 0.5, 1.0)
_ENOUGH = 0.99


def replay(
    recorded: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of a sweep that ran.", show_default=False)],
    searchers: Annotated[
        list[str] | None,
        typer.Option(
            "--searcher",
            metavar="NAME|{...}",
            help="To try; may be said again. Default: all but gp, which is slow.",
            show_default=False,
        ),
    ] = None,
    schedulers: Annotated[
        list[str] | None,
        typer.Option(
            "--scheduler", metavar="NAME|{...}", help="To try; may be said again. Default: none.", show_default=False
        ),
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Simulated runs of each, with other search seeds.")] = 10,
    workers: Annotated[int, typer.Option(min=1, help="Trainings at once.")] = 2,
    as_json: Json = False,
) -> None:
    """Try searchers and schedulers on the trainings of a sweep that ran, in simulated time.

    Example: `ratefront replay sweeps/digits-1a2b3c4d --searcher tpe --scheduler none --scheduler mo_asha`
    """
    from orchestrator.replay.recording import RecordedSweep
    from orchestrator.replay.simulation import replay as simulate
    from orchestrator.replay.simulation import whole_hypervolume
    from orchestrator.search.searchers import SEARCHERS
    from orchestrator.sweep.yaml_text import parse_yaml
    from trainers.echo import printable

    allow_own_modules()
    known = RecordedSweep.load(recorded, damaged=lambda line: typer.echo(f"ratefront: {printable(line)}", err=True))
    whole = whole_hypervolume(known)
    if not whole:
        raise ValueError(
            f"{recorded}: by means over seeds no configuration comes near the front of single seeds, so hypervolumes "
            "are 0 and compare nothing: wanted a sweep of more configurations"
        )
    pairs = itertools.product(searchers or [name for name in SEARCHERS if name != "gp"], schedulers or ["none"])
    sweeps = {  # all, before the first takes its time: one may be wrong
        (searcher, scheduler): _with(
            known, parse_yaml(searcher, source="--searcher"), parse_yaml(scheduler, source="--scheduler")
        )
        for searcher, scheduler in pairs
    }
    rows = []
    for (searcher, scheduler), sweep in sweeps.items():
        curves = [simulate(known, sweep, search_seed=seed, num_workers=workers) for seed in range(repeats)]
        rows.append(_row(searcher, scheduler, curves, known.train_s, whole))
    if as_json:
        typer.echo(json.dumps({"train_s": known.train_s, "hypervolume": whole, "rows": rows}, indent=1))
        return
    _print(known, rows, repeats, workers)


def _with(known: RecordedSweep, search: Any, scheduler: Any) -> Any:
    """The recorded sweep with another scheduler and another search, which may try all that was recorded."""
    from orchestrator.search.searchers import SEARCHERS
    from orchestrator.sweep.definition import Sweep
    from trainers.config import Spec

    given = Spec.from_dict("search", search)
    wants_number = given.name in SEARCHERS and "num_trials" in SEARCHERS[given.name].__dataclass_fields__
    arguments = {"num_trials": len(known.configurations)} if wants_number else {}
    document = {**known.sweep.to_dict(), "search": {**arguments, **given.to_dict()}, "scheduler": scheduler}
    return Sweep.from_dict(document)


def _row(searcher: str, scheduler: str, curves: list[Curve], train_s: float, whole: float) -> dict[str, Any]:
    from statistics import fmean, median, pstdev

    reached = [[curve.at(share * train_s) / whole for curve in curves] for share in _SHARES]
    enough = [curve.until(_ENOUGH * whole) for curve in curves]
    found = [cost / train_s for cost in enough if cost is not None]
    return {
        "searcher": searcher,
        "scheduler": scheduler,
        "shares": list(_SHARES),
        "mean": [fmean(one) for one in reached],
        "sd": [pstdev(one) for one in reached],
        "num_enough": len(found),
        "median_share_until_enough": median(found) if 2 * len(found) > len(curves) else None,
        "share_in_all": fmean(curve.cost_s[-1] / train_s for curve in curves),
    }


def _print(known: RecordedSweep, rows: list[dict[str, Any]], repeats: int, workers: int) -> None:
    from rich.table import Table

    from analysis.units import format_quality, format_size
    from orchestrator.commands.console import open_console

    table = Table(box=None, header_style="bold")
    for column in ("searcher", "scheduler"):
        table.add_column(column, overflow="fold")
    for column in (*(f"at {share:.0%}" for share in _SHARES), f"until {_ENOUGH:.0%}", "in all"):
        table.add_column(column, justify="right")
    for row in rows:
        reached = [f"{mean:.1%} ± {100 * sd:.1f}" for mean, sd in zip(row["mean"], row["sd"], strict=True)]
        enough = row["median_share_until_enough"]
        until = "-" if enough is None else f"{enough:.0%}"
        table.add_row(row["searcher"], row["scheduler"], *reached, until, f"{row['share_in_all']:.0%}")
    console = open_console()
    console.print(table)
    reference, (first, *_) = known.reference(), known.points()
    console.print(
        f"\n{len(known.configurations)} recorded configurations, {known.train_s:,.0f} training seconds; mean ± sd of "
        f"{repeats} runs, {workers} trainings at once.\nHypervolume on validation, as a share of that of all, after a "
        f"share of their training seconds; and the median share until {_ENOUGH:.0%}.\nIts corner: "
        f"{format_size(reference.size_bytes)}, {format_quality(reference.quality, first.quality_name)}.",
        highlight=False,
        soft_wrap=True,
    )
