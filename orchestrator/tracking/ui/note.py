"""Writes the note on a sweep's own run in MLflow: what was asked, what came of it, where to look, how to repeat it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.frontier.columns import IN_NOTE, shown
from analysis.points.labels import path_text
from analysis.signals import SENTENCE, is_fitted
from analysis.units import format_quality, format_size, quality_words
from orchestrator.tracking.publishing import REPORT
from orchestrator.tracking.ui.links import MAX_ROWS, artifact, pages, run
from orchestrator.tracking.ui.markdown import code, words
from trainers import training_settings

if TYPE_CHECKING:
    import pandas as pd

MAX_NOTE_LENGTH = 8000
"""The longest tag of a run that MLflow takes."""

_PICTURE = "frontier/frontier.svg"  # the UI shows pictures at their own size, and the SVG is half as wide as the PNG
_GAP = "&emsp;"  # the UI leaves no gap between columns

_PLAIN = re.compile(r"[\d\s.,\[\]eE+-]*|[A-Za-z0-9]+")
"""A setting that is no markup: numbers, lists of them, a word."""
_MAX_RECOMMENDED, _MAX_REASONS = 8, 3


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a sweep's trials ended, and the sweep's own run."""

    experiment_id: str
    run_id: str
    num_trials: int
    num_finished: int
    num_stopped: int
    failures: Sequence[str]
    """The reason of each trial that failed."""
    versions: Mapping[str, str]
    """Versions by name, from ``environment.versions``."""
    commit: str | None = None


def note(document: Mapping[str, Any], configurations: pd.DataFrame, num_points: int, ending: Ending) -> str:
    """The note as Markdown; the sections that matter least are left out where MLflow would not take all.

    Args:
        document: the sweep, as ``Sweep.to_dict`` gives it.
        configurations: its configurations, at least one, as ``analysis.configurations.summary.summarise`` gives them.
        num_points: how many points it has.
        ending: how its trials ended.
    """
    front = configurations[configurations["on_front"]].sort_values("file_size_bytes")
    sweep_id = str(configurations["sweep_id"].iloc[0])
    sections = [
        _headline(front, configurations),
        _links(sweep_id, num_points, ending),
        f"![The frontier](get-artifact?path={_PICTURE}&run_uuid={ending.run_id})",
        _table(front),
        _asked(document, ending),
        _again(ending),
        _legend(num_points),
    ]
    while len(text := "\n\n".join(section for section in sections if section)) > MAX_NOTE_LENGTH:
        sections.pop()
    return text + "\n"


def _headline(front: pd.DataFrame, configurations: pd.DataFrame) -> str:
    if front.empty:
        return f"**No frontier: of each of the {len(configurations)} configurations a seed failed.**"
    name = str(front["quality_name"].iloc[0])
    smallest, best = front.iloc[0], front.iloc[-1]
    ends = [
        f"{format_quality(row['file_quality'], name)} in {format_size(row['file_size_bytes'])}"
        for row in ([smallest, best] if len(front) > 1 else [best])
    ]
    of_all = (
        f"{len(front)} of {len(configurations)} configurations {'is' if len(front) == 1 else 'are'} on the frontier"
    )
    reached = f"{words(quality_words(name))} {words(' to '.join(ends))}"
    how = SENTENCE if is_fitted(front) else "Chosen on validation, measured on test."
    return f"**{of_all}: {reached}.** {how}"


def _links(sweep_id: str, num_points: int, ending: Ending) -> str:
    there = pages("", ending.experiment_id, ending.run_id, sweep_id, num_points)
    figure = artifact("", ending.experiment_id, ending.run_id, "frontier/frontier.html")
    shown = {
        "charts": there["charts"],
        "table of the frontier": there["frontier"],
        "training curves": there["curves"],
        "interactive figure": figure,
        "report": artifact("", ending.experiment_id, ending.run_id, REPORT),
    }
    return " · ".join(f"[{name}]({url})" for name, url in shown.items())


def _table(front: pd.DataFrame) -> str:
    """A table of the frontier; a long one has evenly spaced rows, its ends among them."""
    if front.empty:
        return ""
    num = min(len(front), _MAX_RECOMMENDED)
    chosen = front.iloc[[round(index * (len(front) - 1) / max(num - 1, 1)) for index in range(num)]]
    name = str(front["quality_name"].iloc[0])
    columns = shown(IN_NOTE, front)
    lines = [
        f"| {' | '.join(words(column.title(name)) for column in columns)} |",
        "".join("|--:" if column.is_number else "|---" for column in columns) + "|",
    ]
    for row in chosen.to_dict("records"):
        texts = [(column, column.format(row)) for column in columns]
        first, *others = (text if column.is_number else code(text) for column, text in texts)
        link = f"[{first}]({run('', row['experiment_id'], row['file_run_id'])})"
        lines.append(f"| {f'{_GAP} | '.join([link, *others])} |")
    more = f" {len(front) - len(chosen)} more are in `frontier/frontier.csv`." if len(chosen) < len(front) else ""
    lines.append(f"\nSizes are of the files that the figure draws, qualities means ± sd over seeds.{more}")
    return "\n".join(lines)


def _asked(document: Mapping[str, Any], ending: Ending) -> str:
    searched = {key: item for key, item in document["search"].items() if key != "name"}
    said = words(", ".join(f"{key} {item}" for key, item in searched.items()))
    kinds = {
        "architecture": [_space(item, with_fixed=True) for item in document["architecture"]],
        "method": [_space(item) for item in document["method"]],
    }
    lines = [f"- task: {_space(document['task'], with_fixed=True)}"]
    lines += [f"- {kind}: {', '.join(some)}" for kind, some in kinds.items()]
    if "modifiers" in document:
        sets = document["modifiers"] if isinstance(document["modifiers"], list) else [document["modifiers"]]
        lines.append(f"- modifiers: {' or '.join(' with '.join(map(code, one)) or 'none' for one in sets)}")
    for name in (name for name in training_settings.DEFAULTS if name in document):
        some = document[name] if isinstance(document[name], list) else [document[name]]
        texts = [_space(one, with_fixed=True) if _is_named(one) else _domain(one) for one in some]
        lines.append(f"- {name}: {' or '.join(texts)}")
    steps = [] if "epochs" in document else [f"{_domain(document['steps'])} steps"]
    seeds = f"{document['seeds']} seed{'s' if document['seeds'] > 1 else ''}"
    lines.append(f"- {', '.join([*steps, seeds])}")
    lines.append(f"- search: {document['search']['name']}{f' ({said})' if said else ''}")
    counts = {"failed": len(ending.failures), "stopped early": ending.num_stopped}
    ends = "".join(f", {count} {what}" for what, count in counts.items() if count)
    lines.append(f"- {ending.num_finished} of {ending.num_trials} trials finished{ends}")
    lines += [f"  - {count} x {code(reason)}" for reason, count in Counter(ending.failures).most_common(_MAX_REASONS)]
    return "\n".join(["### What was asked", "", *lines])


def _is_named(value: Any) -> bool:
    return isinstance(value, Mapping) and "name" in value


def _space(value: Any, *, with_fixed: bool = False) -> str:
    """A task, an architecture or a method with the settings that the sweep varies, or with all settings."""
    if isinstance(value, str):
        return code(value)
    shown = [
        f"{key} {_domain(item)}"
        for key, item in value.items()
        if key != "name" and (with_fixed or isinstance(item, Mapping))
    ]
    return code(value["name"]) + (f" ({', '.join(shown)})" if shown else "")


def _is_path(value: Any) -> bool:
    return isinstance(value, Mapping) and "path" in value


def _domain(value: Any) -> str:
    if not isinstance(value, Mapping):
        return str(value) if _PLAIN.fullmatch(str(value)) else code(value)
    if _is_path(value):
        return code(path_text(value))
    ((kind, items),) = value.items()
    if kind == "choice":
        return code(", ".join(path_text(item) if _is_path(item) else str(item) for item in items))
    return code(f"{kind} {items}")


def _again(ending: Ending) -> str:
    made = [words(f"{name.removeprefix('version.')} {text}") for name, text in ending.versions.items()]
    made += [f"commit {ending.commit}"] if ending.commit else []
    fetch = f"mlflow artifacts download --run-id {ending.run_id} --artifact-path sweep.yaml --dst-path ."
    return f"### Run it again\n\n```\n{fetch}\nratefront sweep sweep.yaml\n```\n\nMade with {', '.join(made)}."


def _legend(num_points: int) -> str:
    lines = [
        "A run's colour is its architecture's in the figure above, and a shade of it for each method after the first; "
        "where there is one architecture, colours are methods. A run's name says its trial, method, seed (`s0`) and "
        "architecture.",
    ]
    if num_points > MAX_ROWS:
        lines.append(
            f"Charts draw the {MAX_ROWS} runs that the table has loaded: of all {num_points} points only a part."
        )
    return "### How to read the charts\n\n" + " ".join(lines)
