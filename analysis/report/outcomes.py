"""How trainings ended, why some failed or were stopped, and what they took."""

from __future__ import annotations

import re

import pandas as pd

from analysis.report.markup import Html, element, note, paragraph, section, table
from analysis.report.material import Material
from analysis.units import format_duration

_MOST_REASONS = 12
_NUMBER = re.compile(r"[-+]?\d[\d.,]*(e[-+]?\d+)?", re.IGNORECASE)


def outcomes(material: Material) -> Html:
    """How many trainings ended how, and why; reasons that differ only in numbers are one."""
    trials = material.trials
    counts = trials["outcome"].value_counts()
    said = [f"{counts[name]:,} {words}" for name, words in _WORDS.items() if counts.get(name)]
    parts: list[Html] = [paragraph(f"Of {len(trials):,} trainings {', '.join(said)}.")]
    for outcome, title in (("failed", "Failed"), ("stopped", "Stopped early")):
        rows = trials[trials["outcome"] == outcome]
        if rows.empty:
            continue
        groups = grouped(rows)
        lines = [[f"{row['num']:,}", row["reason"], row["trial_id"]] for row in groups.to_dict("records")]
        parts += [
            element("h3", title),
            table(["trainings", "why", "such as"], lines[:_MOST_REASONS], numbers=(0,)),
        ]
        if len(lines) > _MOST_REASONS:
            parts.append(note(f"And {len(lines) - _MOST_REASONS} more reasons, of one or a few each."))
    if counts.get("failed"):
        parts.append(
            note(
                "A configuration of which a seed failed is not on the frontier: its luckier seeds do not speak for it."
            )
        )
    parts += _odd(material)
    return section("outcomes", "What failed, and what was stopped", *parts)


def _odd(material: Material) -> list[Html]:
    """Files of trainings that finished and should be looked at twice."""
    points = material.points
    found: list[Html] = []
    for rows, words in (
        (points[points["is_constant"]], "computes the same whatever its inputs: recommended is none of them"),
        (
            points[points["zero_weights"] != ""],
            "has a layer whose weights are all zero, which some networks can afford",
        ),
    ):
        if len(rows):
            row = rows.iloc[0]
            zeros = f": {row['zero_weights']}" if row["zero_weights"] else ""
            found.append(
                note(f"Of {len(rows):,} of {len(points):,} files the network {words}. Such as {row['path']}{zeros}.")
            )
    return found


_WORDS = {"finished": "finished", "failed": "failed", "stopped": "were stopped early", "unfinished": "did not end"}


def grouped(trials: pd.DataFrame) -> pd.DataFrame:
    """Reasons, the most frequent first. Those that differ only in numbers are one, shown by the first of them.

    Args:
        trials: ``TRIAL_COLUMNS``.

    Returns:
        ``num``, and the first trial's ``reason`` and ``trial_id``.
    """
    alike = trials["reason"].map(lambda reason: _NUMBER.sub("0", reason))
    found = trials.groupby(alike, sort=False).agg(
        num=("trial_id", "size"), reason=("reason", "first"), trial_id=("trial_id", "first")
    )
    return found.sort_values("num", ascending=False, kind="stable", ignore_index=True)


def costs(material: Material) -> Html:
    """Seconds of training, by network and method."""
    trials = material.trials
    total_s = float(trials["train_s"].sum())
    groups = trials[trials["train_s"] > 0].groupby(["architecture", "method"])["train_s"].agg(["size", "sum", "median"])
    groups = groups.sort_values("sum", ascending=False, kind="stable")
    rows = [
        [
            *(*names, f"{row['size']:,.0f}", format_duration(row["sum"])),
            *(_share(row["sum"], total_s), format_duration(row["median"])),
        ]
        for names, row in zip(groups.index, groups.to_dict("records"), strict=True)
    ]
    lost = {
        words: float(trials.loc[trials["outcome"] == outcome, "train_s"].sum())
        for outcome, words in (("failed", "that failed"), ("stopped", "that were stopped early"))
    }
    spent = [
        f"{format_duration(seconds)} ({_share(seconds, total_s)}) for trainings {words}"
        for words, seconds in lost.items()
        if seconds
    ]
    more = f", of it {' and '.join(spent)}" if spent else ""
    return section(
        "costs",
        "What it took",
        paragraph(f"{format_duration(total_s)} of training, all trainings together{more}."),
        table(["network", "method", "trainings", "together", "share", "median"], rows, numbers=range(2, 6)),
        note("Seconds of training alone: loading data, writing, evaluating and waiting for a place are not in them."),
    )


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.0%}" if whole else "-"
