"""The columns of the frontier's table: each is written once, and every place that shows the table chooses from them.

To add a column, add a ``Column`` here and name it in the lists of the places that show it; these show those that
``shown`` keeps. ``frontier.csv`` has every
column of ``summarise`` and chooses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from analysis.fidelity import BY_QUALITY_NAME, DISTANCES
from analysis.points.qualities import TEST as ON_TEST
from analysis.points.qualities import directions
from analysis.signals import format_rate, is_fitted, rate_of, split_of
from analysis.units import better_words, format_quality, format_ratio, format_size, quality_scale, quality_words

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[Any, Any]
"""A configuration: one row of ``summarise``, by the names of its columns."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """What a column is called, which numbers it shows of a configuration, and how it writes them."""

    heading: str
    """The heading, in which ``{unit}`` stands for the unit of quality (or nothing), ``{in_unit}`` for the same in
    brackets, ``{quality}`` for the name of the quality."""
    values: tuple[str, ...]
    """The columns of ``summarise`` that it shows: a table of plain data has these instead of text."""
    format: Callable[[Row], str]
    """Writes a cell."""
    is_number: bool = True
    """Whether cells are aligned to the right."""

    def title(self, quality_name: str) -> str:
        """The heading of a table whose quality is ``quality_name``."""
        unit = quality_scale(quality_name)[1].strip()
        return self.heading.format(unit=unit, in_unit=f" ({unit})" if unit else "", quality=quality_words(quality_name))

    def called(self, heading: str) -> Column:
        """The same column under another heading."""
        return replace(self, heading=heading)


def _plain(name: str) -> Callable[[Row], str]:
    """A cell with one column of ``summarise`` as it is."""
    return lambda row: str(row[name])


def _mean(name: str, *, with_unit: bool) -> Callable[[Row], str]:
    """A cell with the mean and the standard deviation of a quality over seeds."""
    return lambda row: format_quality(
        row[f"{name}_mean"], row["quality_name"], spread=row[f"{name}_std"], with_unit=with_unit
    )


def _fidelity(name: str, like: str) -> Callable[[Row], str]:
    """A cell with the mean and the standard deviation of a column of fidelity over seeds, written like a distance."""
    quality_name = DISTANCES[like].quality_name
    return lambda row: format_quality(row[f"{name}_mean"], quality_name, spread=row[f"{name}_std"], with_unit=False)


def _file_quality(*, with_unit: bool) -> Callable[[Row], str]:
    return lambda row: format_quality(row["file_quality"], row["quality_name"], with_unit=with_unit)


def _mean_bytes(row: Row) -> str:
    deviation = f" ± {row['size_bytes_std']:,.0f}" if row["num_seeds"] > 1 else ""
    return f"{row['size_bytes_mean']:,.0f}{deviation}"


def _seeds(row: Row) -> str:
    """``3``, or ``2/3`` where one of three failed."""
    finished, failed = row["num_seeds"], row["num_failed"]
    return f"{finished}/{finished + failed}" if failed else str(finished)


# Sizes and ratios are those of the representative's file, which is what ships.
SIZE = Column(heading="size", values=("file_size_bytes",), format=lambda row: format_size(row["file_size_bytes"]))
BYTES = Column(heading="bytes", values=SIZE.values, format=lambda row: f"{row['file_size_bytes']:,}")
MEAN_BYTES = Column(heading="bytes, mean", values=("size_bytes_mean", "size_bytes_std"), format=_mean_bytes)
RATIO = Column(
    heading="ratio",
    values=("file_compression_ratio",),
    format=lambda row: format_ratio(row["file_compression_ratio"]),
)
RATE = Column(heading="", values=(), format=lambda row: "")
"""Where ``shown`` puts the bits for each sample of a task that is one signal."""

# The unit of quality stands in the heading or in every cell.
_VALIDATION, _TEST = ("quality_val_mean", "quality_val_std"), ("quality_mean", "quality_std")
VALIDATION = Column(heading="{unit} val", values=_VALIDATION, format=_mean("quality_val", with_unit=False))
TEST = Column(heading="{unit} test", values=_TEST, format=_mean("quality", with_unit=False))
FILE_TEST = Column(heading="test{in_unit}", values=("file_quality",), format=_file_quality(with_unit=False))
VALIDATION_IN_UNIT = Column(heading="validation, mean", values=_VALIDATION, format=_mean("quality_val", with_unit=True))
TEST_IN_UNIT = Column(heading="test, mean", values=_TEST, format=_mean("quality", with_unit=True))
FILE_TEST_IN_UNIT = Column(heading="test {quality}", values=("file_quality",), format=_file_quality(with_unit=True))

# How far decoded networks are from the one that was given, on validation; most sweeps have none of it.
KL = Column(heading="KL (nats)", values=("kl_mean", "kl_std"), format=_fidelity("kl", "kl"))
AGREEMENT = Column(
    heading="agreement (%)", values=("agreement_mean", "agreement_std"), format=_fidelity("agreement", "disagreement")
)
OUTPUT_ERROR = Column(
    heading="output error",
    values=("output_error_mean", "output_error_std"),
    format=_fidelity("output_error", "output_error"),
)
_FIDELITY = (KL, AGREEMENT, OUTPUT_ERROR)

OTHERS = Column(heading="", values=(), format=lambda row: "")
"""Where ``shown`` puts a column for each other quality of the task."""

ARCHITECTURE = Column(heading="architecture", values=("architecture",), format=_plain("architecture"), is_number=False)
METHOD = Column(heading="method", values=("method",), format=_plain("method"), is_number=False)
SETTINGS = Column(heading="settings", values=("label",), format=_plain("label"), is_number=False)
CONFIGURATION = Column(
    heading="method",
    values=("architecture", "method", "label"),
    format=lambda row: f"{row['architecture']}, {row['method']} {row['label']}".rstrip(),
    is_number=False,
)
SEEDS = Column(heading="seeds", values=("num_seeds",), format=_seeds)
FILE = Column(
    heading="file",
    values=("file_trial_id", "point_id"),
    format=lambda row: f"{row['file_trial_id']}/{row['point_id']}",
    is_number=False,
)
FILE_SEED = Column(heading="seed", values=("file_seed",), format=_plain("file_seed"))
FILE_RUN = Column(heading="run", values=("file_run_id",), format=_plain("file_run_id"), is_number=False)

_FILE_AND_MEANS = (
    *(SIZE.called("file size"), RATIO, RATE),
    *(VALIDATION.called("mean val{in_unit}"), TEST.called("mean test{in_unit}"), *_FIDELITY),
)
"""Sizes of one file beside means over seeds, under headings that say which is which."""

ON_TERMINAL = (*_FILE_AND_MEANS, ARCHITECTURE, METHOD, SETTINGS.called("config"), SEEDS)
"""``ratefront frontier`` prints these."""
OTHERS_ON_TERMINAL = (SIZE.called("file size"), OTHERS, ARCHITECTURE, METHOD, SETTINGS.called("config"))
"""It prints these below where a task has other qualities, for which there is no room beside the rest."""
IN_NOTE = (*_FILE_AND_MEANS, OTHERS, ARCHITECTURE, METHOD, SETTINGS, SEEDS)
"""The note on a sweep's run in MLflow has these."""
IN_REPORT = (
    *(BYTES, RATIO, RATE, FILE_TEST, TEST.called("mean test{in_unit}"), VALIDATION.called("mean val{in_unit}")),
    *(OTHERS, *_FIDELITY, SEEDS),
    *(ARCHITECTURE.called("network"), METHOD, SETTINGS, FILE),
)
"""The report's page has these."""
IN_README = (
    *(BYTES, RATIO, RATE, FILE_TEST_IN_UNIT, TEST_IN_UNIT, VALIDATION_IN_UNIT),
    *(OTHERS, *_FIDELITY, MEAN_BYTES, CONFIGURATION),
)
"""The README of an exported folder has these, and a link to each file that was kept."""
LOGGED = (
    *(ARCHITECTURE, METHOD, SETTINGS, SIZE, RATIO, RATE, VALIDATION, TEST, OTHERS, *_FIDELITY),
    *(SEEDS, FILE_SEED, FILE_RUN),
)
"""The table among MLflow's artifacts has the ``values`` of these."""


def shown(columns: Sequence[Column], configurations: pd.DataFrame) -> list[Column]:
    """Those of ``columns`` that say something of ``configurations``, and in place of ``OTHERS`` the other qualities.

    Fidelity that was not measured says nothing. Where a distance stands for the quality, the columns of quality say
    nothing that its own does not. Where the task is a signal, validation says what test says, which is ``fitted``.
    """
    fitted, rate = is_fitted(configurations), rate_of(configurations)

    is_judged_by_distance = configurations["quality_name"].isin(BY_QUALITY_NAME).any()
    silent = {name for column in _FIDELITY if configurations[column.values[0]].isna().all() for name in column.values}
    silent |= {*_VALIDATION, *_TEST, "file_quality"} if is_judged_by_distance else set()
    silent |= {*_VALIDATION} if fitted else set()
    split = split_of("", fitted=fitted)
    qualities = directions(configurations["file_others"]).items()
    lists = {OTHERS: [_other(name, split, maximise=maximise) for name, maximise in qualities], RATE: _rate(rate)}
    placed = [one for column in columns for one in lists.get(column, [column])]
    found = [column for column in placed if not silent & set(column.values)]
    return [_fitted(column) if fitted else column for column in found]


def _fitted(column: Column) -> Column:
    is_quality = column.values in (_TEST, FILE_TEST.values)
    return column.called(column.heading.replace("test", "fitted")) if is_quality else column


def _rate(name: str) -> list[Column]:
    """A column with the bits for each sample of a file: none where ``name`` is empty."""
    value = f"file_{name}"
    heading = name.replace("_", " ")
    return [Column(heading=heading, values=(value,), format=lambda row: format_rate(row[value]))] if name else []


def _other(name: str, split: str, *, maximise: bool) -> Column:
    """A column with the mean and the standard deviation of another quality, and which way it is better."""
    unit = quality_scale(name)[1].strip()
    heading = f"{split} {quality_words(name)}{f' ({unit})' if unit else ''}{better_words(maximise=maximise)}"
    mean, deviation = f"{ON_TEST}{name}_mean", f"{ON_TEST}{name}_std"
    return Column(
        heading=heading.replace("{", "{{").replace("}", "}}"),
        values=(mean, deviation),
        format=lambda row: format_quality(row[mean], name, spread=row[deviation], with_unit=False),
    )
