"""``ratefront compress --weights-only``: the tensors of a checkpoint, without an architecture and without data."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from orchestrator.commands.options import write_out

if TYPE_CHECKING:
    from trainers.state_dicts import StateDict
    from trainers.weights_only import WeightsOnly, Written

_STEP = 0.25
"""The step where nobody says one: some four bits a weight, and a squared error of half a percent."""
_METHODS = ("obs", "ecq")
_NETWORK = "NETWORK"


def compress_weights(
    network: str,
    target: Path,
    *,
    method: str,
    max_bytes: int | None,
    steps_grid: str | None,
    key: str,
    ignore: Sequence[str],
    as_json: bool,
    say: Callable[[str], None],
) -> Callable[[], None]:
    """Write the file; return what prints what was found.

    Args:
        network: a file or a folder.
        target: where the file is written.
        method: ``obs`` or ``ecq``: without data both round to the nearest, at one step.
        max_bytes: of the file; the finest step that fits is shipped.
        steps_grid: steps, such as ``0.1,0.25``; of several ``max_bytes`` says which one is shipped.
        key, ignore: as in ``read_state_dict``.
        as_json: print data.
        say: is told what is being done.

    Raises:
        ValueError: a mistake of the user's, in one line.
        StoredWronglyError: the file does not decode to what was meant.
    """
    from trainers.state_dicts import read_state_dict
    from trainers.weights_only import WeightsOnly

    if method not in _METHODS:
        raise ValueError(f"--method is {method!r}: with --weights-only wanted {' or '.join(_METHODS)}")
    steps = None if steps_grid is None else _steps(steps_grid)
    if steps is not None and len(steps) > 1 and max_bytes is None:
        raise ValueError(f"--steps-grid is {steps_grid!r}: of several steps --max-size says which file to ship")
    say("reading")
    given = read_state_dict(Path(network).expanduser(), key=key, ignore=ignore, field=_NETWORK)
    whole = WeightsOnly(given, what=network)
    say("writing and comparing")
    if steps is None and max_bytes is not None:
        found = [whole.within(max_bytes)]
    else:
        found = [whole.written(step) for step in sorted(steps or [_STEP])]
    fitting = [one for one in found if max_bytes is None or len(one.data) <= max_bytes]
    if not fitting:
        least = min(found, key=lambda one: len(one.data))
        raise ValueError(
            f"{max_bytes:,} bytes cannot be reached: the smallest is {len(least.data):,} bytes at step {least.step:g}; "
            "give coarser steps, or no --steps-grid"
        )
    shipped = fitting[0]
    write_out(target, shipped.data)
    return lambda: _print(given, whole, found, shipped, target, as_json=as_json)


def _steps(text: str) -> list[float]:
    from trainers import checks
    from trainers.weights_only import LEAST_STEP, MOST_STEP

    try:
        steps = [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"--steps-grid is {text!r}: wanted numbers, such as 0.1,0.25,0.5") from None
    if len(set(steps)) < len(steps):
        raise ValueError(f"--steps-grid is {text!r}: wanted each once")
    for step in steps:
        checks.number("--steps-grid", step, low=LEAST_STEP, high=MOST_STEP)
    return steps


def _print(
    given: StateDict, whole: WeightsOnly, found: Sequence[Written], shipped: Written, target: Path, *, as_json: bool
) -> None:
    from rich.table import Table

    from analysis.units import format_ratio
    from orchestrator.commands.console import open_console
    from trainers.echo import printable
    from trainers.tensor_files import few

    digest = hashlib.sha256(shipped.data).hexdigest()
    if as_json:
        typer.echo(json.dumps(_as_data(given, whole, found, shipped, target, digest), indent=1))
        return
    table = Table(box=None, header_style="bold")
    for column in ("step", "bytes", "ratio", "weights' error", ""):
        table.add_column(column, justify="right")
    for one in found:
        cells = (f"{one.step:.4g}", f"{len(one.data):,}", format_ratio(one.ratio), f"{one.relative_error:.3g}")
        is_shipped = one is shipped
        table.add_row(*cells, "<- shipped" if is_shipped else "", style="bold" if is_shipped else "")
    console = open_console()
    console.print(table)
    lines = [
        f"{shipped.num_rounded} of {len(given.tensors)} tensors are rounded; the error is squared, over the squares "
        "of their weights. No network was run, so nothing is known of its quality.",
        *([f"left out, since they are no tensors: {few(given.left_out)}"] if given.left_out else []),
        f"{target}: {len(shipped.data):,} bytes, decoded and compared, sha256 {digest}",
        _next(whole, target),
    ]
    for line in lines:
        console.print(printable(line), markup=False, highlight=False, soft_wrap=True)


def _as_data(
    given: StateDict, whole: WeightsOnly, found: Sequence[Written], shipped: Written, target: Path, digest: str
) -> dict[str, Any]:
    points = [
        {
            "step": one.step,
            "size_bytes": len(one.data),
            "weights_error": one.relative_error,
            "num_rounded": one.num_rounded,
            "is_shipped": one is shipped,
        }
        for one in found
    ]
    return {
        "file": str(target),
        "sha256": digest,
        "size_bytes": len(shipped.data),
        "uncompressed_bytes": whole.uncompressed_bytes,
        "num_tensors": len(given.tensors),
        "left_out": given.left_out,
        "max_parameters": whole.max_parameters,
        "points": points,
    }


def _next(whole: WeightsOnly, target: Path) -> str:
    """The command that gives the tensors back."""
    from trainers.architectures.base import MAX_PARAMETERS

    large = ["--max-parameters", str(whole.max_parameters)] if whole.max_parameters > MAX_PARAMETERS else []
    return shlex.join(["ratefront", "decode", str(target), *large])
