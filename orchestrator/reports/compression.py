"""What ``ratefront compress`` made of a network: as a table, and as data."""

from __future__ import annotations

import hashlib
import shlex
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from analysis.units import format_quality, format_ratio
from trainers.compression.compress import Compressed
from trainers.compression.knobs import KNOBS
from trainers.compression.subject import Subject
from trainers.echo import printable
from trainers.lookup import is_import_path


def as_data(found: Compressed, subject: Subject, target: Path, tested: float | None) -> dict[str, Any]:
    """Everything about the files as plain data; what was not measured is None."""
    label = KNOBS[subject.method.name].label
    rows = [
        {
            label: one.value,
            "size_bytes": one.size_bytes,
            "quality_val": one.quality,
            "loss_val": one.loss,
            **vars(one.fidelity),
            "is_shipped": one is found.shipped,
        }
        for one in found.candidates
    ]
    return {
        "file": str(target),
        "sha256": hashlib.sha256(found.shipped.data).hexdigest(),
        "size_bytes": found.shipped.size_bytes,
        "uncompressed_bytes": found.uncompressed_bytes,
        "method": subject.method.to_dict(),
        "architecture": subject.config.architecture.to_dict(),
        "num_validation_examples": found.num_examples,
        "quality_name": subject.trial.task.quality_name if subject.evidence.has_targets else None,
        "given_quality_val": found.given_quality,
        "quality_test": tested,
        "points": rows,
    }


def print_compressed(
    found: Compressed,
    subject: Subject,
    target: Path,
    console: Console,
    *,
    tested: float | None,
    task: str | None,
    given: str | None,
) -> None:
    """Print the files, the one that is shipped, and the command that measures it again.

    Args:
        found: the files.
        subject: the network that they are of.
        target: where the one to ship was written.
        console: to print to.
        tested: the quality of the one to ship on test examples.
        task: as the user named it.
        given: the path or name of the given network, where that says all.
    """
    name = subject.trial.task.quality_name
    table = _table(found, name, KNOBS[subject.method.name].label)
    console.print(table)
    digest = hashlib.sha256(found.shipped.data).hexdigest()
    on_test = "" if tested is None else f", {name} {format_quality(tested, name)} on test"
    lines = [
        _measured_on(found, name),
        f"{target}: {found.shipped.size_bytes:,} bytes{on_test}, sha256 {digest}",
        _next(target, subject.trial.header.architecture, task, given),
    ]
    for line in lines:
        console.print(printable(line), markup=False, highlight=False, soft_wrap=True)


def _table(found: Compressed, quality_name: str, label: str) -> Table:
    rows = [
        {
            label: f"{one.value:.4g}",
            "bytes": f"{one.size_bytes:,}",
            "ratio": format_ratio(found.uncompressed_bytes / one.size_bytes),
            printable(quality_name): "" if one.quality is None else format_quality(one.quality, quality_name),
            "KL": _digits(one.fidelity.kl),
            "agreement": "" if one.fidelity.agreement is None else f"{one.fidelity.agreement:.2%}",
            "output error": _digits(one.fidelity.output_error),
            "": "<- shipped" if one is found.shipped else "",
        }
        for one in found.candidates
    ]
    table = Table(box=None, header_style="bold")
    columns = [column for column in rows[0] if any(row[column] for row in rows)]
    for column in columns:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*(row[column] for column in columns), style="bold" if row[""] else "")
    return table


def _measured_on(found: Compressed, quality_name: str) -> str:
    if not found.num_examples:
        return "measured: sizes alone, since there are no examples"
    if all(one.distance is None for one in found.candidates):
        return (
            f"measured: sizes alone, since on {found.num_examples:,} validation examples the given network's outputs "
            "cannot be compared: they are NaN, infinite or all zero, or of another shape each time"
        )
    line = f"measured on {found.num_examples:,} validation examples against the given network"
    if found.given_quality is None and found.num_classes is not None:
        line += f", whose outputs are taken for logits of {found.num_classes} classes (else: --outputs numbers)"
    if found.given_quality is not None:
        line += f", whose {quality_name} there is {format_quality(found.given_quality, quality_name)}"
    return line


def _next(target: Path, architecture: str, task: str | None, given: str | None) -> str:
    """The command that measures the file, or reads it."""
    own = ["--architecture", architecture] if is_import_path(architecture) else []  # never imported as a file names it
    if task is None:
        return shlex.join(["ratefront", "decode", str(target), *own])
    reference = ["--given", given] if given else []
    return shlex.join(["ratefront", "evaluate", str(target), *own, "--task", task, *reference])


def _digits(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
