"""A comparison as tables for the terminal and as plain data for scripts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from analysis.comparison.compare import BOOTSTRAP_SEED, Comparison, Side
from analysis.comparison.verdict import verdicts
from analysis.fidelity import BY_QUALITY_NAME
from analysis.fronts.attainment import difference
from analysis.fronts.bd_rate import Delta, Interval
from analysis.units import better_words, format_quality, format_size, quality_scale, quality_words

MEANS = "a point is a mean over seeds"
POINTS = (
    f"{MEANS}, or the mean of neighbours that test puts in the wrong order (sizes: geometric): no file need have its "
    "size"
)
"""What the sizes of these tables are."""


def comparison_tables(comparison: Comparison) -> list[Table]:
    """Three tables: the fronts, each side against the anchor, bytes at equal qualities. Readable at 100 columns."""
    return [_fronts(comparison), _deltas(comparison), *([_sizes(comparison)] if comparison.levels else [])]


def comparison_dict(comparison: Comparison) -> dict[str, Any]:
    """Every number and sentence as plain data for JSON; None for what is not defined."""
    corner = comparison.scale.reference
    return {
        "task": comparison.task,
        "quality_name": comparison.quality_name,
        "maximise": corner.maximise,
        "anchor": comparison.anchor.name,
        "scale": vars(comparison.scale),
        "reference": {"size_bytes": corner.size_bytes, "quality": corner.quality},
        "bootstrap_seed": BOOTSTRAP_SEED,
        "fronts": [_side_dict(side) for side in comparison.sides],
        "against_anchor": [
            {
                "name": against.name,
                "bd_rate_percent": _delta_dict(against.rate, against.rate_interval),
                "bd_quality": _delta_dict(against.quality, against.quality_interval),
                "attainment_difference": _difference_dict(comparison, side),
                "reason": against.reason or None,
                "verdict": verdict,
            }
            for side, against, verdict in zip(
                comparison.sides[1:], comparison.against, verdicts(comparison), strict=True
            )
        ],
        "size_bytes_at": [
            {"quality": level.quality}
            | {side.name: size for side, size in zip(comparison.sides, level.size_bytes, strict=True)}
            for level in comparison.levels
        ],
    }


def _points(comparison: Comparison) -> str:
    return MEANS if comparison.is_fitted else POINTS


def _fronts(comparison: Comparison) -> Table:
    name = comparison.quality_name
    table = _table(
        "front",
        *("points", "seeds", "steps", "seconds", "smallest", "best", "hypervolume", "deviation", "epsilon", "IGD+"),
    )
    for side in comparison.sides:
        table.add_row(
            Text(side.name),
            str(len(side.front)),
            str(_num_seeds(side)),
            " - ".join(f"{steps:,}" for steps in sorted(set(side.num_steps))),
            f"{side.train_s:,.3g}" if side.train_s < 1000 else f"{side.train_s:,.0f}",
            format_size(side.front.size_bytes[0]),
            format_quality(side.front.quality[-1], name),
            f"{side.hypervolume:.4f}",
            f"{side.deviation:.4f}" if math.isfinite(side.deviation) else "-",
            f"{side.lacks.epsilon:.4f}",
            f"{side.lacks.igd_plus:.4f}",
        )
    box_text, corner = comparison.scale.describe(name), comparison.scale.reference
    way = better_words(maximise=corner.maximise)
    table.caption = Text(
        f"steps and median seconds of the trainings on the front; {comparison.split} {quality_words(name)}{way}; "
        f"{_points(comparison)}; a share of the box from {box_text}: hypervolume (more is better), deviation of seeds "
        "(Vorob'ev), and what a front lacks of all together (epsilon, IGD+; less is better)",
        style="dim",
    )
    return table


def _deltas(comparison: Comparison) -> Table:
    factor, unit = quality_scale(comparison.quality_name)
    shown_in = {"%": "percentage points", "": "its own units"}.get(unit.strip(), unit.strip())
    points = f", in {shown_in}{better_words(maximise=comparison.anchor.front.maximise)}"
    distance = BY_QUALITY_NAME.get(comparison.quality_name)
    quality = distance.short if distance else quality_words(comparison.quality_name)
    table = _table(
        f"against {comparison.anchor.name}",
        *("BD-rate", "interval", "Akima", "overlap"),
        *(f"BD-{quality}", "interval", "Akima", "overlap"),
    )
    written: Callable[[float], str] = lambda value: f"{factor * value:+{'.3g' if distance else '.2f'}}"  # noqa: E731
    for against in comparison.against:
        rate = _delta_cells(against.rate, against.rate_interval, lambda value: f"{value:+.1f}", " %")
        gain = _delta_cells(against.quality, against.quality_interval, written, " dB" if unit == " dB" else "")
        table.add_row(Text(against.name), *rate, *gain)
    intervals = [one.rate_interval or one.quality_interval for one in comparison.against]
    unit = "files, the same of both" if comparison.anchor.repeats.files else "seeds"
    told = {
        f"; {100 * one.level:.0f} % intervals: bootstrap over {unit}, itself of seed {BOOTSTRAP_SEED}"
        for one in intervals
        if one
    }
    means = (
        f"mean difference of bytes at equal {quality}, and of {quality} at equal bytes{points}; PCHIP"
        f"{' over the logarithm of the distance' if distance else ''}, beside it Akima"
    )
    table.caption = Text(means + "".join(told), style="dim")
    return table


def _sizes(comparison: Comparison) -> Table:
    """Bytes at equal qualities, one row for each side, so that many sides fit."""
    name = comparison.quality_name
    quality = quality_words(name)
    levels = [format_quality(level.quality, name) for level in comparison.levels]
    table = _table(f"{comparison.split} {quality}", *(heading for level in levels for heading in (level, "ratio")))
    for index, side in enumerate(comparison.sides):
        sizes = [(level.size_bytes[index], level.size_bytes[0]) for level in comparison.levels]
        cells = ((format_size(size), f"{size / first:.2f}" if index else "") for size, first in sizes)
        table.add_row(Text(side.name), *(text for pair in cells for text in pair))
    anchor = comparison.anchor.name
    table.caption = Text(
        f"bytes of the smallest point that is at least as good, never between two points; "
        f"{_points(comparison)}; ratio to {anchor}",
        style="dim",
    )
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column(Text(first), overflow="fold")
    for heading in others:
        table.add_column(Text(heading), justify="right", overflow="fold")
    table.caption_justify = "left"
    return table


def _delta_cells(
    delta: Delta | None, interval: Interval | None, write: Callable[[float], str], unit: str
) -> tuple[str, str, str, str]:
    if delta is None:
        return "-", "-", "-", "-"
    spread = "-" if interval is None else f"{write(interval.low)} to {write(interval.high)}"
    return f"{write(delta.pchip)}{unit}", spread, write(delta.akima), f"{100 * delta.overlap:.0f} %"


def _side_dict(side: Side) -> dict[str, Any]:
    return {
        "name": side.name,
        "sweep_ids": sorted(side.configurations["sweep_id"].unique()),
        "num_seeds": _num_seeds(side),
        **({"num_files": len(side.repeats.files)} if side.repeats.files else {}),
        "num_steps": list(side.num_steps),
        "train_s_median": side.train_s,
        "hypervolume": side.hypervolume,
        "vorobev_deviation": _finite(side.deviation),
        "epsilon": side.lacks.epsilon,
        "epsilon_factor": _finite(side.lacks.epsilon_factor),
        "igd_plus": side.lacks.igd_plus,
        "front": [
            {"size_bytes": size, "quality": quality}
            for size, quality in zip(side.front.size_bytes.tolist(), side.front.quality.tolist(), strict=True)
        ],
    }


def _num_seeds(side: Side) -> int:
    """The fewest seeds of any configuration on the side's front."""
    if not side.repeats.files:
        return side.repeats.min_seeds_on_front
    rows = side.configurations
    return int(rows.loc[rows["on_front"], "num_seeds"].min())


def _difference_dict(comparison: Comparison, side: Side) -> dict[str, float] | None:
    """The shares of the scale's box where the side's seeds attain more often, and less often, than the anchor's."""
    if not (comparison.anchor.seeds and side.seeds):
        return None
    found = difference(comparison.anchor.seeds, side.seeds, comparison.scale.reference)
    return {"gained": found.gained / comparison.scale.area, "lost": found.lost / comparison.scale.area}


def _delta_dict(delta: Delta | None, interval: Interval | None) -> dict[str, Any] | None:
    return None if delta is None else {**vars(delta), "interval": None if interval is None else vars(interval)}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
