"""The recommended files and how to fetch and check them; how much smaller files get at which loss."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis.configurations.recommended import baseline, recommended, sizes_within, to_recommend
from analysis.keys import REFERENCE_METHOD
from analysis.report.markup import Html, code, element, facts_list, folded, note, paragraph, section, table
from analysis.report.material import Material
from analysis.signals import rate_words
from analysis.units import format_quality, format_ratio, format_size, quality_scale, quality_words
from trainers.record import others_of

_LOSSES = (0.005, 0.01, 0.02)
"""Losses of accuracy; of another quality that is never negative, shares of the baseline's."""
_DECIBELS = (0.5, 1.0, 2.0)
_SHARES_OF_RANGE = (0.01, 0.02, 0.05)
"""Losses of a quality that has no zero to count from, in shares of the frontier's range."""


def losses(configurations: pd.DataFrame) -> list[float]:
    """Three losses to ask about, in units of quality."""
    return _derived(configurations)[0]


def losses_words(configurations: pd.DataFrame) -> str:
    """Why these losses: how they follow from what the quality is."""
    return _derived(configurations)[1]


def _derived(configurations: pd.DataFrame) -> tuple[list[float], str]:
    name = str(configurations["quality_name"].iloc[0])
    factor, unit = quality_scale(name)
    if factor == 100:
        return list(_LOSSES), "The losses are points of accuracy, as everybody counts them."
    if unit.strip() == "dB":
        more = _percentages(10 ** (loss / 10) - 1 for loss in _DECIBELS)
        return list(_DECIBELS), f"The losses are in dB, which are ratios: they mean {more} more squared error."
    quality = configurations["quality_val_mean"]
    start = float(baseline(configurations)["quality_val_mean"])
    if start > 0 and (quality.dropna() >= 0).all():
        shares = _percentages(_LOSSES)
        words = f"The losses are {shares} of the quality that they are counted from, since it is never negative here."
        return [share * start for share in _LOSSES], words
    front = quality[configurations["on_front"]]
    spread = float(front.max() - front.min()) or abs(start) or 1.0
    shares = _percentages(_SHARES_OF_RANGE)
    words = f"The losses are {shares} of the frontier's range: {quality_words(name)} has no zero to count from."
    return [share * spread for share in _SHARES_OF_RANGE], words


def _percentages(shares: Iterable[float]) -> str:
    """Three shares as ``0.5, 1 and 2 %``."""
    *first, last = (f"{100 * share:.2g}" for share in shares)
    return f"{', '.join(first)} and {last} %"


def recommended_loss(configurations: pd.DataFrame) -> float:
    """The middle loss: the smallest recommended configuration may lose this much."""
    return losses(configurations)[1]


def loss_text(loss: float, quality_name: str) -> str:
    """A loss of accuracy in points, ``1 point`` for 1 %; other losses as ``0.5 dB`` or ``0.35``."""
    factor, unit = quality_scale(quality_name)
    return f"{loss * factor:g} point{'s' * (loss * factor != 1)}" if factor == 100 else f"{loss:.3g}{unit}"


def chosen(configurations: pd.DataFrame) -> dict[str, pd.Series]:
    """The recommended configurations by the reasons for them; empty where none is fit to be recommended."""
    candidates = to_recommend(configurations)
    if not ((candidates["num_failed"] == 0) & np.isfinite(candidates["quality_val_mean"])).any():
        return {}
    found: dict[str, pd.Series] = {}
    for name, row in recommended(configurations, max_loss=recommended_loss(configurations)).items():
        same = [other for other, known in found.items() if known["file_path"] == row["file_path"]]
        if same:
            found[f"{same[0]}, {name}"] = found.pop(same[0])
        else:
            found[name] = row
    return found


def recommendations(material: Material) -> Html:
    """A card for each recommended file, and the commands that fetch and check it."""
    rows = chosen(material.configurations)
    if not rows:
        return section(
            "recommended",
            "Recommended",
            paragraph("Nothing: of each compressed configuration a seed failed, or destroyed the network."),
        )
    start = baseline(material.configurations)
    loss = loss_text(recommended_loss(material.configurations), material.quality_name)
    what = "uncompressed network" if start["method"] == REFERENCE_METHOD else "network of all (none is uncompressed)"
    on_validation = "" if material.is_fitted else ", on validation"
    why = {
        "smallest": f"the smallest within {loss} of the best {what}{on_validation}",
        "knee": "where the frontier bends: from here on, better costs many more bytes",
        "best": f"the best compressed network{on_validation.lstrip(',')}, whatever its size",
    }
    cards = [
        _card(material, key.capitalize(), "; ".join(why[name] for name in key.split(", ")), row)
        for key, row in rows.items()
    ]
    commands = [
        part
        for key, row in rows.items()
        for part in (element("h3", f"To fetch and check: {key}"), element("pre", _commands(material, row)))
    ]
    return section(
        "recommended",
        "Recommended",
        element("div", *cards, class_="cards"),
        note(f"{_how_chosen(material)} Paths are relative to the sweep's folder."),
        *commands,
        note(
            "MLFLOW_TRACKING_URI says where the sweep is logged; with the sweep's folder at hand the first line is not "
            "needed. The others compare the file with what was measured, measure it again, and write its weights."
        ),
    )


def _how_chosen(material: Material) -> str:
    if material.is_fitted:
        return (
            "Each is chosen by the means over its seeds. The file is that of the lower-median seed: not the luckiest."
        )
    return (
        "Each is chosen by the means over its seeds on validation data. The file is that of the seed with the "
        "lower-median validation quality: not the luckiest. A file that another of the frontier beats on test "
        "without being larger is left out: there validation and test disagree."
    )


def _card(material: Material, title: str, why: str, row: pd.Series) -> Html:
    name = material.quality_name
    seeds = f"{row['num_seeds']} seed{'s' if row['num_seeds'] > 1 else ''}"
    mean = format_quality(row["quality_mean"], name, spread=row["quality_std"])
    on_test = "" if material.is_fitted else " on test"
    rate = {"rate": words} if (words := rate_words(row.to_dict())) else {}
    facts = {
        "over seeds": f"{mean}{on_test}, {seeds}",
        **{
            f"{quality_words(other)}{on_test}": format_quality(one.quality, other)
            for other, one in others_of(row["file_others"]).items()
        },
        "network": row["architecture"],
        "method": f"{row['method']} {row['label']}".rstrip(),
        "bytes": f"{row['file_size_bytes']:,}",
        **rate,
        **({"over files": f"means over {row['num_files']}; below is that of one of them"} if row["num_files"] else {}),
        "file": row["file_path"],
        "sha256": code(row["file_sha256"]),
        **({"all zero": row["file_zero_weights"]} if row["file_zero_weights"] else {}),
    }
    quality = format_quality(row["file_quality"], name)
    said = f"{format_ratio(row['file_compression_ratio'])} smaller, {quality_words(name)} {quality}{on_test}"
    large = element("p", format_size(row["file_size_bytes"]), element("small", said), class_="large")
    heading = (element("h3", title), element("p", why, class_="why"))
    return element(
        "div", *heading, large, facts_list(facts), folded("all settings", paragraph(row["config"])), class_="card"
    )


def _commands(material: Material, row: pd.Series) -> str:
    """The commands that fetch, check, evaluate and decode a file."""
    file = f"{row['point_id']}.rfz"
    quoted, task = shlex.quote(file), shlex.quote(_task(_own_task(material, row)))
    called = str(row["architecture"]).partition("(")[0]
    own = f" --architecture {shlex.quote(called)}" if ":" in called and not called.startswith("timm:") else ""
    return (
        f"mlflow artifacts download --run-id {row['file_run_id']} --artifact-path {quoted} --dst-path .\n"
        f"echo {shlex.quote(row['file_sha256'] + '  ' + file)} | sha256sum --check\n"
        f"ratefront evaluate {quoted} --task {task}{own}\n"
        f"ratefront decode {quoted} --out network.safetensors{own}"
    )


def _own_task(material: Material, row: pd.Series) -> Any:
    """The task of a file: where there are files in turn, with its own."""
    task = material.document["task"]
    if not row["num_files"]:
        return task
    [params] = material.points.loc[material.points["path"] == row["file_path"], "params"].map(json.loads)
    own = {name: params[f"task.{name}"] for name, value in task.items() if isinstance(value, Mapping)}
    return {**task, **own}


def _task(task: Any) -> str:
    """The task as ``evaluate --task`` takes it: a name, or a mapping on one line."""
    if isinstance(task, Mapping):
        return json.dumps(task) if set(task) > {"name"} else str(task["name"])
    return str(task)


def ratios(material: Material) -> Html:
    """How much smaller files are than the uncompressed network, at three losses."""
    configurations, name = material.configurations, material.quality_name
    if not configurations["on_front"].any():
        return Html()
    start, asked = baseline(configurations), losses(configurations)
    found = sizes_within(configurations, asked)
    rows = []
    for loss in asked:
        kept = found[found["max_loss"] == loss].to_dict("records")
        within = f"within {loss_text(loss, name)}"
        if not kept or kept[0]["method"] == REFERENCE_METHOD:
            rows.append([within, "-", "-", "-", "nothing compressed is that good", ""])
            continue
        row = kept[0]
        rows.append(
            [
                within,
                format_ratio(row["ratio"]),
                format_size(row["file_size_bytes"]),
                format_quality(row["file_quality"], name),
                row["architecture"],
                f"{row['method']} {row['label']}".rstrip(),
            ]
        )
    is_plain, fitted = start["method"] == REFERENCE_METHOD, material.is_fitted
    measured, validation = (format_quality(start[f"{key}_mean"], name) for key in ("quality", "quality_val"))
    measured = measured if fitted else f"{validation} on validation and {measured} on test"
    of_what = "the best uncompressed network" if is_plain else "the best network of all, since none is uncompressed"
    return section(
        "ratios",
        "How much smaller",
        paragraph(
            f"Counted from {of_what}: {start['architecture']}, {format_size(start['uncompressed_bytes'])} as plain "
            f"tensors, {measured}, means over {start['num_seeds']} seed{'s' if start['num_seeds'] > 1 else ''}."
        ),
        table(
            [f"loss{'' if fitted else ' on validation'}", "ratio", "size", material.split, "network", "method"],
            rows,
            numbers=(1, 2, 3),
        ),
        note(
            "A ratio is the plain tensors of that network over the length of this file, whatever its architecture: a "
            "smaller network that is as good counts as compression. "
            f"{'' if fitted else 'Validation chooses; test is beside it. '}{losses_words(configurations)}"
        ),
    )
