"""The row that every measured file becomes: the contract between trainers, orchestrator and analysis."""

from __future__ import annotations

import json
import math
import os
import re
import uuid
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from trainers.echo import echo
from trainers.full_disk import naming


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """One compressed file on disk and what was measured on the network decoded from it."""

    sweep_id: str
    trial_id: str
    point_id: str
    task: str
    architecture: str
    """The name with its arguments, such as ``mlp(hidden=[64])``, as legends show it."""
    method: str
    config_hash: str
    """Identifies the configuration without its seed and its file in turn, so that repeats share it."""
    seed: int
    num_parameters: int
    macs: int
    """Multiply-accumulates of one forward pass on one example."""
    num_steps: int
    """Optimiser steps over all phases."""
    train_s: float
    size_bytes: int
    """Length of the file: everything the decoder needs is inside."""
    uncompressed_bytes: int
    """Bytes of the plain ``state_dict`` as stored in memory."""
    quality: float
    """Measured on the test split. Reported, never used to choose."""
    quality_val: float
    """Measured on the validation split. Everything that chooses uses this."""
    quality_name: str
    maximise: bool
    sha256: str
    path: str
    zero_weights: str = ""
    """The names of the weight tensors of the decoded network that are all zero, with commas between; mostly none."""
    is_constant: bool = False
    """Whether the decoded network's outputs are the same whatever its inputs: then it was destroyed."""
    kl: float | None = None
    """How far the decoded network's classes are from those of the network that was given (``init_from``): the mean of
    the Kullback-Leibler divergence over validation examples, in nats. None where no network was given, as below."""
    agreement: float | None = None
    """The share of validation examples for which both name the same class, in 0..1."""
    output_error: float | None = None
    """The relative squared error of the outputs on validation, where these are no classes."""
    others: str = ""
    """The task's other qualities, as ``others_text`` writes them; mostly none."""
    signal_unit: str = ""
    """What the signal is made of that the task is fitted to, such as ``pixel``; empty where the task is no signal."""
    signal_count: int = 0
    """How many of these it has."""
    task_file: str = ""
    """The file that this repeat of the configuration has, where the task has several in turn: its name and the first
    digits of its digest."""

    @property
    def compression_ratio(self) -> float:
        return self.uncompressed_bytes / self.size_bytes

    @property
    def bits_per_parameter(self) -> float:
        return 8 * self.size_bytes / self.num_parameters

    @property
    def bits_per_sample(self) -> float | None:
        """The bits of the file for each sample of the signal; None where the task is no signal."""
        return 8 * self.size_bytes / self.signal_count if self.signal_count else None


COLUMNS: tuple[str, ...] = tuple(field.name for field in fields(OperatingPoint) if field.default is MISSING)
"""What every row has."""
ODD_COLUMNS: Mapping[str, Any] = MappingProxyType(
    {field.name: field.default for field in fields(OperatingPoint) if field.default is not MISSING}
)
"""What only some rows have, and the value that it stands for elsewhere."""


def to_row(point: OperatingPoint) -> dict[str, Any]:
    """Return plain data, in the order of ``COLUMNS``, then of those of ``ODD_COLUMNS`` that say something."""
    row = asdict(point)
    return {name: value for name, value in row.items() if name in COLUMNS or value != ODD_COLUMNS[name]}


def from_row(row: dict[str, Any]) -> OperatingPoint:
    """The inverse of ``to_row``.

    Raises:
        ValueError: a column is missing or unknown.
    """
    missing = [name for name in COLUMNS if name not in row]
    unknown = sorted(set(row) - {*COLUMNS, *ODD_COLUMNS})
    if missing or unknown:
        raise ValueError(f"not an operating point: missing columns {missing}, unknown columns {unknown}")
    return OperatingPoint(**row)


@dataclass(frozen=True, kw_only=True)
class OtherQuality:
    """A quality of a point beside the objective."""

    maximise: bool
    quality: float
    """Measured on the test split."""
    quality_val: float
    """Measured on the validation split."""


def others_text(others: Mapping[str, OtherQuality]) -> str:
    """Other qualities by name, as a line of JSON that fits in a cell; empty where there are none."""
    plain = {name: vars(one) for name, one in others.items()}
    return json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":")) if plain else ""


def others_of(text: str) -> dict[str, OtherQuality]:
    """The inverse of ``others_text``.

    Raises:
        ValueError: ``text`` is anything else.
    """
    if not text:
        return {}
    try:
        found = {name: OtherQuality(**one) for name, one in json.loads(text).items()}
        if all(name.isprintable() and _is_measured(one) for name, one in found.items()):
            return found
    except (ValueError, TypeError, AttributeError, RecursionError):
        pass
    raise ValueError(f"others is {echo(text)}: wanted qualities by name, as JSON: maximise, quality and quality_val")


def _is_measured(one: OtherQuality) -> bool:
    numbers = (one.quality, one.quality_val)
    are_numbers = all(isinstance(number, int | float) and not isinstance(number, bool) for number in numbers)
    return isinstance(one.maximise, bool) and are_numbers and all(map(math.isfinite, numbers))


_FORMULA = re.compile(r"'*[=+\-@\t\r]")
"""The beginning of a text that a spreadsheet would compute, perhaps after quotes of ours."""


def cell_of(value: Any) -> Any:
    """``value`` for a CSV file: a text that a spreadsheet would take for a formula gets a quote before it."""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def text_of(cell: str) -> str:
    """The inverse of ``cell_of``."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def write_atomically(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` so that a reader sees the old file or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with naming(path, len(data)):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as readable JSON, atomically; NaN is refused because JSON has none."""
    write_atomically(path, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> Any:
    return json.loads(path.read_text())
