"""What a command prints about a sweep that has ended, wherever it ran."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def print_outcome(result: Mapping[str, Any], console: Console) -> None:
    """Print the frontier, where the figures are, and how the trials ended.

    Args:
        result: ``SweepResult.to_dict()``.
        console: where to print.
    """
    import pandas as pd

    from orchestrator.reports.frontier import print_frontier
    from orchestrator.storage.bucket import join

    if result["frontier"]:
        rows = pd.DataFrame(result["frontier"]).fillna(math.nan)  # JSON has no NaN
        print_frontier(rows, join(result["directory"], "frontier"), console)
    lines = ["", *where_to_look(result), *result.get("damage", ()), result["summary"]]
    if result["unpublished"]:
        lines.append(unpublished(result))
    if result.get("unreported"):
        lines.append(unreported(result))
    if result["spent"]:
        lines.append(f"{result['spent']}: a larger budget and --resume go on")
    if result.get("full"):
        lines.append(
            f"the disk is full ({result['full']}): free some space, and the same command with --resume goes on"
        )
    if result["interrupted"]:
        lines.append("stopped; the same command with --resume goes on")
    console.print("\n".join(lines), highlight=False, soft_wrap=True, markup=False)


def where_to_look(result: Mapping[str, Any]) -> list[str]:
    """Links into MLflow's UI, or the command that opens it."""
    if result.get("pages"):
        return ["in MLflow's UI:", *(f"  {name:8}  {url}" for name, url in result["pages"].items()), ""]
    return [f"in MLflow's UI: {result['ui_command']}", ""] if result.get("ui_command") else []


def unpublished(result: Mapping[str, Any]) -> str:
    """What to do where not everything could be logged to MLflow."""
    return (
        f"MLflow does not hold everything: {result['unpublished']}\n"
        f"nothing is lost: it is in {result['directory']}, and 'ratefront sync {result['sweep_id']}' logs it later"
    )


def unreported(result: Mapping[str, Any]) -> str:
    """What to do where the report could not be made."""
    return f"the report was not made ({result['unreported']}): 'ratefront report {result['sweep_id']}' tries again"
