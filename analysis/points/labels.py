"""The settings of configurations as text: all of them, or a short label that tells configurations apart."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from trainers.path_label import is_path, path_label

TRAINING_SETTINGS = (
    *("optimiser", "schedule", "precision", "clip", "ema", "accumulate"),
    *("epochs", "validate_examples"),
)
"""What a sweep may ask of any method's training, in the order of ``trainers/training_settings.py``; each is there where
it is set."""
_TRAINING = ("steps", "batch_size", *TRAINING_SETTINGS)
_BETWEEN = re.compile(r" (?=[^\s=\[{(]+=)")
"""The space before a setting's name; those within a value, such as a list, are part of it."""
_SETTINGS = ("method.", "modifiers.")


def config_text(params: Mapping[str, str]) -> str:
    """Every setting of the method, then of the training: ``bits=4 learning_rate=0.005 steps=2000 batch_size=64``.

    Settings of modifiers are among those of the method, and begin with the modifier's name: ``disout.alpha=5``.

    Args:
        params: settings by their names in MLflow: ``method.<field>``, ``steps``, ``batch_size``, ``optimiser``.
    """
    return " ".join(f"{name}={params[key]}" for key, name in _shown(tuple(params)))


@lru_cache
def _shown(params: tuple[str, ...]) -> list[tuple[str, str]]:
    """The parameters that ``config_text`` shows, in its order, with their names: the same for thousands of runs."""
    keys = [*settings_of(params), *training_of(params)]
    return [(key, setting_name(key)) for key in keys]


def repeat_words(row: Mapping[str, Any]) -> str:
    """Which repeat of its configuration a point is, such as ``seed 1`` or ``seed 0 on kodim03.png#1f0a3c``."""
    file = row.get("task_file", "")
    return f"seed {row['seed']}{f' on {file}' if file else ''}"


def path_text(given: Mapping[str, Any]) -> str:
    """A path of a rate knob, as a sweep file has it: ``3.2, 0.8, 0.2 in turn``."""
    path = given["path"]
    if isinstance(path, Mapping):
        return f"{path['from']} to {path['to']} in {path['points']} points"
    return f"{', '.join(map(str, path))} in turn"


def settings_of(params: Iterable[str]) -> list[str]:
    """The names among ``params`` that are settings of the method, then those of modifiers."""
    return [key for prefix in _SETTINGS for key in sorted(params) if key.startswith(prefix)]


def training_of(params: Iterable[str]) -> list[str]:
    """The names among ``params`` that say how it was trained: ``optimiser`` is followed by ``optimiser.momentum``."""
    given = sorted(params)
    return [key for name in _TRAINING for key in given if key == name or key.startswith(f"{name}.")]


def varied_settings(params: Sequence[Mapping[str, str]]) -> list[str]:
    """The names of the settings, of method and training, that differ between ``params``.

    An optimiser's momentum differs only between those that have one: its name tells them from the others.
    """
    names = {name for given in params for name in given}
    found = {key: {given.get(key) for given in params} for key in (*settings_of(names), *training_of(names))}
    return [key for key, some in found.items() if len(some - {None} if _is_of_training(key) else some) > 1]


def _is_of_training(key: str) -> bool:
    return key.partition(".")[0] in TRAINING_SETTINGS and "." in key


def setting_name(key: str) -> str:
    """``method.lam`` as ``lam``, ``modifiers.disout.alpha`` as ``disout.alpha``."""
    for prefix in _SETTINGS:
        key = key.removeprefix(prefix)
    return key


def method_variants(methods: Sequence[str], configs: Sequence[str]) -> list[str]:
    """Each method with its settings that are words and vary between rows, such as ``epr density=learned``.

    Args:
        methods: (num_rows,).
        configs: (num_rows,), as ``config_text`` writes them.
    """
    settings = [
        {key: "path" if _path_in(text) else text for key, text in (word.split("=", 1) for word in words if "=" in word)}
        for words in map(_BETWEEN.split, configs)
    ]
    values: dict[tuple[str, str], set[str]] = defaultdict(set)
    num_given: Counter[tuple[str, str]] = Counter()
    for method, own in zip(methods, settings, strict=True):
        for key, value in own.items():
            values[method, key].add(value)
            num_given[method, key] += 1
    num_rows = Counter(methods)
    # a setting that some rows lack varies too
    differs = {key for key, found in values.items() if len(found) > 1 or num_given[key] < num_rows[key[0]]}
    return [
        " ".join([method, *(f"{k}={v}" for k, v in own.items() if (method, k) in differs and not is_number(v))])
        for method, own in zip(methods, settings, strict=True)
    ]


def config_labels(rows: Sequence[Mapping[str, Any]], params: Sequence[Mapping[str, str]]) -> list[str]:
    """One label for each row, such as ``lam=0.3`` or ``bits=4``; empty where nothing needs to be told apart.

    A label shows the settings of method and training that differ between the rows of one task and method, with as few
    digits as keep numbers apart. It shows the point where one trial yields several, and the sweep where rows would
    otherwise have the same text.

    Args:
        rows: (num_rows,), with ``task``, ``architecture``, ``method``, ``sweep_id``, ``trial_id`` and ``point_id``.
        params: (num_rows,), settings as ``config_text`` takes them.
    """
    alike: dict[tuple[str, str], list[Mapping[str, str]]] = defaultdict(list)
    point_ids: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row, given in zip(rows, params, strict=True):
        alike[row["task"], row["method"]].append(given)
        point_ids[row["sweep_id"], row["trial_id"]].add(row["point_id"])
    shown = {
        key: {setting: (setting_name(setting), texts) for setting, texts in _differing(group).items()}
        for key, group in alike.items()
    }

    labels = []
    for row, given in zip(rows, params, strict=True):
        texts = shown[row["task"], row["method"]]
        words = [f"{name}={text[given[key]]}" for key, (name, text) in texts.items() if key in given]
        if len(point_ids[row["sweep_id"], row["trial_id"]]) > 1 or any(map(_path_in, given.values())):
            words.append(f"point={row['point_id']}")
        labels.append(" ".join(words))
    return _told_apart(rows, labels)


def _told_apart(rows: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> list[str]:
    """``labels`` with the sweep added where two sweeps ran the same configuration."""
    names = [(row["task"], row["architecture"], row["method"], label) for row, label in zip(rows, labels, strict=True)]
    sweep_ids: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for row, name in zip(rows, names, strict=True):
        sweep_ids[name].add(row["sweep_id"])
    return [
        f"{label} sweep={row['sweep_id']}".lstrip() if len(sweep_ids[name]) > 1 else label
        for row, name, label in zip(rows, names, labels, strict=True)
    ]


def _differing(group: Sequence[Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """The parameters that differ within ``group``, and the text of each of their values."""
    return {key: _short(list({given[key] for given in group if key in given})) for key in varied_settings(group)}


def _short(values: Sequence[str]) -> dict[str, str]:
    """Numbers drawn from a range at three digits, such as ``0.2913857`` as ``0.291``; at more where that merges two."""
    for num_digits in range(3, 17):
        texts = {value: _rounded(value, num_digits) for value in values}
        if len(set(texts.values())) == len(texts):
            return texts
    return {value: value for value in values}


def _rounded(value: str, num_digits: int) -> str:
    if (path := _path_in(value)) is not None:
        return path_label(path, num_digits)
    return f"{float(value):.{num_digits}g}" if is_number(value) and not value.lstrip("-").isdigit() else value


def _path_in(value: str) -> Mapping[str, Any] | None:
    """The path of a rate knob that a setting's text is, JSON as sweeps write it; None where it is something else."""
    if not value.startswith('{"first": '):
        return None
    try:
        given = json.loads(value)
    except ValueError:  # a text that MLflow cut off
        return None
    return given if is_path(given) else None


def is_number(value: str) -> bool:
    """Whether a setting's text is a number."""
    try:
        float(value)
    except ValueError:
        return False
    return True
