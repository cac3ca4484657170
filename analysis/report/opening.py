"""The opening of the page: the answer in a paragraph, the question, and what a point is."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from analysis.configurations.best import best
from analysis.configurations.recommended import baseline, unbeaten
from analysis.keys import REFERENCE_METHOD
from analysis.points.labels import TRAINING_SETTINGS, path_text
from analysis.report.markup import Html, bullets, code, element, escaped, facts_list, joined, paragraph, section
from analysis.report.material import Material
from analysis.report.recommendations import chosen, loss_text, recommended_loss
from analysis.units import format_quality, format_ratio, format_size, quality_words

_MOST_BUDGETS, _MOST_NETWORKS = 3, 8
_DIGEST = re.compile("#sha256=[0-9a-f]{64}")
_DOMAINS = ("choice", "integers", "loguniform", "uniform")
"""The keys with which a sweep file names a range or choices instead of a value."""


def heading(material: Material) -> Html:
    """Which sweep this is, how much it measured, and when."""
    num_files, num_trials = len(material.points), len(material.trials)
    last_s = material.trials["ended_at_s"].max()
    when = f", the last of which ended {datetime.fromtimestamp(last_s, UTC):%Y-%m-%d %H:%M} UTC"
    measured = f"{num_files:,} compressed networks from {num_trials:,} trainings"
    return joined(
        [
            element("h1", f"{material.task}: {material.sweep_id}"),
            element("p", measured, when if math.isfinite(last_s) else "", class_="subtitle"),
        ]
    )


def answer(material: Material) -> Html:
    """The best networks at round budgets, and the smallest that is nearly as good as without compression."""
    configurations, name = material.configurations, material.quality_name
    if not configurations["on_front"].any():
        return element("p", "There is no frontier: of each configuration a seed failed.", class_="answer")
    words, front = quality_words(name), material.front
    compressed = front[front["method"] != REFERENCE_METHOD]
    if compressed.empty:
        return element("p", "Nothing compressed is on the frontier.", class_="answer")
    packed = unbeaten(configurations[configurations["method"] != REFERENCE_METHOD])
    found = [(budget, best(packed, max_size_bytes=budget)) for budget in budgets(packed[packed["on_front"]])]
    where = f"{material.split} {words} "
    told = [
        f"in {format_size(budget, trim=True)} {'has ' if first else ''}{where if first else ''}"
        f"{format_quality(row['file_quality'], name)}"
        for first, (budget, row) in zip([True, *[False] * len(found)], found, strict=False)
    ]
    sentences = [f"The best you can ship {', '.join(told)}."]
    start = baseline(configurations)
    if start["method"] == REFERENCE_METHOD:
        sentences.append(
            f"Uncompressed, the best network has {format_quality(start['file_quality'], name)} in "
            f"{format_size(start['uncompressed_bytes'])}."
        )
    smallest = [row for key, row in chosen(configurations).items() if "smallest" in key]
    if smallest and start["method"] == REFERENCE_METHOD:
        row, loss = smallest[0], loss_text(recommended_loss(configurations), name)
        ratio = format_ratio(start["uncompressed_bytes"] / row["file_size_bytes"])
        sentences.append(
            f"The smallest recommended within {loss} of it{'' if material.is_fitted else ' on validation'} takes "
            f"{format_size(row['file_size_bytes'])}, {ratio} smaller, and has "
            f"{format_quality(row['file_quality'], name)}."
        )
    return element("p", " ".join(sentences), class_="answer")


def budgets(front: pd.DataFrame) -> list[float]:
    """Round sizes, at most three, for which different files of the frontier are the best."""
    sizes = front[["file_size_bytes", "size_bytes_mean"]].max(axis=1)
    decades = range(int(math.log10(sizes.min())), int(math.log10(sizes.max())) + 2)
    steps = [step * 10.0**decade for decade in decades for step in (1, 2, 5)]
    round_sizes = [size for size in steps if size >= sizes.min()]
    num_fitting = {size: int((sizes <= size).sum()) for size in round_sizes}
    different = list({num: size for size, num in reversed(num_fitting.items())}.values())[::-1]
    num = min(len(different), _MOST_BUDGETS)
    return [different[round(index * (len(different) - 1) / max(num - 1, 1))] for index in range(num)]


def question(material: Material) -> Html:
    """What the sweep asked, in the words of its file, with explanations for an outsider."""
    document, sizes = material.document, material.points["size_bytes"]
    networks = material.configurations.drop_duplicates("architecture").sort_values("num_parameters")
    facts: dict[str, str] = {
        "task": code(material.task),
        "networks": _networks(networks),
        "methods": bullets(_method(method, material.methods) for method in document["method"]),
        "training": f"{_domain(document['steps'])} steps in batches of {_domain(document['batch_size'])}, "
        f"each configuration with {document['seeds']} seed{'s' if document['seeds'] > 1 else ''}"
        + (f", from {_initial_values(document['init_from'])}" if document.get("init_from") else ""),
        "settings": _settings(document),
        "modifiers": _modifiers(document.get("modifiers", [])),
        "search": _named(document["search"]),
        "early stopping": _named(document["scheduler"]) if "scheduler" in document else "",
        "objectives": ", ".join(document.get("objectives", [])),
        "constraints": ", ".join(document.get("constraints", [])),
        "budget": ", ".join(f"{key} {item}" for key, item in document.get("budget", {}).items()),
        "signal": _signal(material),
        "sizes found": f"{format_size(sizes.min())} to {format_size(sizes.max())}",
    }
    done = (
        "trained with each method"
        if document["steps"] != 0 or "epochs" in document
        else "compressed by each method as they were given"
    )
    lead = paragraph(
        f"How good a network can be shipped in how many bytes? The networks below were {done}, "
        "again and again with other settings, and every result was written to a file."
    )
    return section("question", "The question", lead, facts_list(facts))


def promise(material: Material) -> Html:
    """What a point is, and who chooses."""
    splits = (
        "The task is one signal, and nothing is held out: quality is that of the signal itself, decoded from the file. "
        "It says how well the signal was fitted, and it chooses."
        if material.is_fitted
        else "Validation data chooses (what is on the frontier, what is recommended, when training stops); test "
        "data reports. Test chooses in one place: it takes a file off what is recommended, here and at the "
        "top, where another of the frontier is no larger and better on test."
    )
    return section(
        "promise",
        "What a point is",
        bullets(
            [
                "Every filled point is a file on disk. Its size is the length of that file, with everything the "
                "decoder needs inside: no estimate. 1 kB is 1000 bytes.",
                "Its quality is measured on the network that was decoded from that file.",
                splits,
                "Seeds are repeats: a configuration is on the frontier by its means over seeds, and is drawn where "
                "one of its files is, that of the lower-median seed. A configuration of which a seed failed is not "
                "on it.",
                "Hollow points, where there are any, are what papers print. They were not measured here.",
            ]
        ),
    )


def _signal(material: Material) -> str:
    """How large the signal is, such as ``98,304 pixels``; empty where the task is none."""
    if not material.is_fitted:
        return ""
    counts, unit = material.points["signal_count"], material.points["signal_unit"].iloc[0]
    ends = dict.fromkeys([f"{counts.min():,}", f"{counts.max():,}"])
    return f"{' to '.join(ends)} {unit}{'s' if counts.max() > 1 else ''}"


def _networks(rows: pd.DataFrame) -> Html:
    """Each network with its uncompressed size, or the range of parameters where there are many."""
    if len(rows) > _MOST_NETWORKS:
        ends = [f"{rows['num_parameters'].iloc[index]:,}" for index in (0, -1)]
        return escaped(f"{len(rows)} networks of {' to '.join(ends)} parameters")
    return bullets(
        joined(
            [
                code(row["architecture"]),
                f", {row['num_parameters']:,} parameters, {format_size(row['uncompressed_bytes'])} as plain tensors",
            ]
        )
        for row in rows.to_dict("records")
    )


def _initial_values(given: Any) -> str:
    """A path, without the digest of its content, and what of the file was taken."""
    if not isinstance(given, Mapping):
        return _DIGEST.sub("", given)
    rest = ", ".join(f"{key}: {item}" for key, item in given.items() if key != "path").replace("False", "false")
    return f"{_DIGEST.sub('', given['path'])} ({rest})"


def _settings(document: Mapping[str, Any]) -> Html | str:
    """The optimisers, schedules and other settings that a sweep asked of every method's training."""
    told = []
    for name in (key for key in TRAINING_SETTINGS if key in document):
        given = document[name]
        some = [_named_with_domains(one) for one in (given if isinstance(given, list) else [given])]
        told.append(joined([f"{name} ", joined(some, " or ")]))
    return bullets(told) if told else ""


def _named_with_domains(one: Any) -> Html:
    if not isinstance(one, Mapping) or "name" not in one:
        return code(_domain(one))
    rest = ", ".join(f"{key} {_domain(item)}" for key, item in one.items() if key != "name")
    return joined([code(one["name"]), f" ({rest})" if rest else ""])


def _modifiers(given: Any) -> str:
    """The modifiers that acted on trainings; alternatives are joined with ``or``."""
    sets = given if isinstance(given, list) else [given]
    return " or ".join(" with ".join(one) or "none" for one in sets)


def _method(method: Any, known: Mapping[str, str]) -> Html:
    """A method's name, what it is, and which of its settings were searched."""
    name = method["name"]
    searched = [
        joined([f"{key} ", code(_domain(item))]) for key, item in method.items() if _is_domain(item) or _is_path(item)
    ]
    about = f": {known[name]}" if known.get(name) else ""
    said = [". Searched: ", joined(searched, ", ")] if searched else []
    return joined([code(name), about, *said])


def _named(settings: Mapping[str, Any]) -> str:
    rest = ", ".join(f"{key} {item}" for key, item in settings.items() if key != "name")
    return f"{settings['name']}{f' ({rest})' if rest else ''}"


def _domain(value: Any) -> str:
    """A range as ``0.1 to 3 (loguniform)``, choices and paths as lists."""
    if _is_path(value):
        return path_text(value)
    if not _is_domain(value):
        return str(value)
    ((kind, items),) = value.items()
    return ", ".join(map(_domain, items)) if kind == "choice" else f"{items[0]} to {items[-1]} ({kind})"


def _is_path(value: Any) -> bool:
    return isinstance(value, Mapping) and "path" in value and "name" not in value


def _is_domain(value: Any) -> bool:
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in _DOMAINS
