"""Sweeps from the command line: a whole sweep from flags, or changes to a file's fields as ``key=value``."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from inspect import signature
from typing import Any

from orchestrator.errors import SweepError
from orchestrator.sweep.definition import MAPPINGS, Sweep
from orchestrator.sweep.fields import is_signal_task
from orchestrator.sweep.resolve import lookup
from orchestrator.sweep.yaml_text import parse_yaml
from trainers import training_settings
from trainers.config import Spec
from trainers.nearest import nearest

_SPECS = ("task", "architecture", "method")
_EXAMPLES = {"optimiser": "sgd", "schedule": "cosine"}
BASELINES = ("ptq", "uncompressed")
"""The methods that every other has to beat: plain quantisation, and the network as it is."""
_POINTS_OF_A_PATH = 6
_LEAST_STEPS = 10 * _POINTS_OF_A_PATH
"""A training with fewer has no time to pass a range."""


_LENGTHS = {"steps": "epochs", "epochs": "steps"}
"""Two ways of saying how long a training is: who sets one leaves the other out."""


def spec_from_flag(kind: str, text: str) -> Any:
    """What ``--task`` and ``--architecture`` say: a name, or ``{name: ..., argument: ...}``.

    Raises:
        SweepError: it is no YAML; one line says where.
    """
    try:
        return parse_yaml(text, source=f"--{kind}") if text.lstrip().startswith("{") else text
    except ValueError as error:
        raise SweepError(str(error)) from error


def document_from_flags(*, task: Any, architecture: Any, method: str, baselines: bool = True) -> dict[str, Any]:
    """The document of a sweep that is named after its parts; ``Sweep`` has the defaults of all else.

    Args:
        task: name, or ``module:callable``, or a mapping with a name and arguments.
        architecture: likewise.
        method: name.
        baselines: put ``BASELINES`` beside the method.
    """
    names = (Spec.from_dict(kind, item).name for kind, item in (("task", task), ("architecture", architecture)))
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join([*names, method]))
    beside = [name for name in BASELINES if name != method] if baselines else []
    return {"name": name, "task": task, "architecture": architecture, "method": [method, *beside]}


def with_paths(document: dict[str, Any]) -> dict[str, Any]:
    """Let two trainings pass the range of a rate knob, one up and one down, where nothing is said of it or the search.

    They take a third of the steps that a training for each of six values takes; docs/paths.md has what they find. Where
    the task is one signal there is only the one up: latent grids that a large penalty empties do not fill again.
    """
    steps = document.get("steps")
    if "search" in document or (isinstance(steps, int) and steps < _LEAST_STEPS):
        return document
    given = document["method"]
    specs = [Spec.from_dict("method", item) for item in (given if isinstance(given, list) else [given])]
    signal = is_signal_task(document["task"])
    return {**document, "method": [{**_passing(spec, signal=signal), **spec.to_dict()} for spec in specs]}


def aimed(document: dict[str, Any], sizes: list[str]) -> dict[str, Any]:
    """Let each method that can aim at the size of its file do so, once at each of ``sizes``.

    Raises:
        SweepError: no method of the sweep can.
    """
    given = document.get("method", [])
    specs = [Spec.from_dict("method", item) for item in (given if isinstance(given, list) else [given])]
    knobs = [getattr(lookup("method", spec.name), "rate_knob", None) for spec in specs]
    if not any(knob is not None and knob.aims for knob in knobs):
        names = ", ".join(spec.name for spec in specs)
        raise SweepError(f"--max-size: {names} cannot aim at a size: wanted a sweep with method epr")
    size = sizes[0] if len(sizes) == 1 else sizes
    changed = [
        {**spec.to_dict(), **({knob.field: {"size": size}} if knob is not None and knob.aims else {})}
        for spec, knob in zip(specs, knobs, strict=True)
    ]
    return {**document, "method": changed}


def _passing(spec: Spec, *, signal: bool) -> dict[str, Any]:
    """The setting of a rate knob that is passed both ways, or only up; empty for other methods."""
    knob = getattr(lookup("method", spec.name), "rate_knob", None)
    if knob is None or not knob.both_ways:
        return {}
    knob = knob.on(signal=signal)
    ends = [(knob.low, knob.high)] if signal else [(knob.low, knob.high), (knob.high, knob.low)]
    paths = [{"path": {"from": first, "to": last, "points": _POINTS_OF_A_PATH}} for first, last in ends]
    return {knob.field: {"choice": paths}}


def apply_overrides(document: dict[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """A copy of ``document``, changed by ``key=value`` in order; values are YAML.

    ``steps=100`` sets a field and ``method=epr`` a whole entry. ``method.lam=0.5`` sets the argument of each method
    that has it, ``method.epr.lam=0.5`` that of the methods named ``epr``; likewise task, architecture, optimiser and
    schedule.
    ``modifiers.disout=true`` adds a modifier and ``modifiers.disout.alpha=5`` sets its field.
    ``search.num_trials=5`` and ``resources.gpu=1`` set one entry of a section; so do scheduler, budget and init_from.

    Raises:
        SweepError: an override is malformed, or addresses nothing; or there are ``steps`` and ``epochs``.
    """
    changed = copy.deepcopy(document)
    overrides = list(overrides)
    lengths = [override for override in overrides if override.partition("=")[0] in _LENGTHS]
    if len({override.partition("=")[0] for override in lengths}) > 1:
        raise SweepError(f"{' and '.join(lengths)} say how long a training is: wanted one of them")
    for override in overrides:
        path, equals, text = override.partition("=")
        if not (path and equals and text):
            raise SweepError(f"override {override!r}: wanted key=value, such as steps=100")
        try:
            _set(changed, path, parse_yaml(text, source=path))
        except SweepError:
            raise
        except ValueError as error:
            raise SweepError(f"override {override!r}: {error}") from error
    return changed


def _set(document: dict[str, Any], path: str, value: Any) -> None:
    section, dot, rest = path.partition(".")
    if not dot:
        if path not in Sweep.model_fields:
            raise SweepError(f"unknown field {path!r}{nearest(path, Sweep.model_fields)}")
        document[path] = value
        if path in _LENGTHS:
            document.pop(_LENGTHS[path], None)
    elif section in training_settings.NAMED and section not in document:
        raise SweepError(f"{path!r} needs {section} itself first, as in --set {section}={_EXAMPLES[section]}")
    elif section in (*_SPECS, *training_settings.NAMED):
        _set_argument(document, section, rest, value)
    elif section == "modifiers":
        _set_modifier(document, rest, value)
    elif section == "init_from":
        given = document.get("init_from", "")
        document[section] = {**(given if isinstance(given, Mapping) else {"path": given}), rest: value}
    elif section in ("search", "scheduler"):
        given = Spec.from_dict(section, document.get(section) or getattr(Sweep.from_dict(document), section))
        document[section] = {**given.to_dict(), rest: value}
    elif section in MAPPINGS:
        given = document.get(section, {})
        if not isinstance(given, Mapping):
            raise SweepError(f"{section} is {given!r}: wanted a mapping, such as {MAPPINGS[section]}")
        document[section] = {**given, rest: value}
    else:
        valid = (*_SPECS, *training_settings.NAMED, "init_from", "modifiers", "search", "scheduler", *MAPPINGS)
        raise SweepError(f"unknown field {path!r}{nearest(path, [f'{name}.{rest}' for name in valid])}")


def _set_modifier(document: dict[str, Any], rest: str, value: Any) -> None:
    """Set a modifier, or one field of it, in every alternative set.

    Args:
        document: changed in place.
        rest: a modifier's name, or a name, a dot and one of its fields.
        value: what the modifier or the field is set to.
    """
    given = document.get("modifiers", {})
    name, dot, field = rest.partition(".")
    changed: list[Any] = []
    for one in given if isinstance(given, list) else [given]:
        if not isinstance(one, Mapping):
            raise SweepError(f"modifiers is {given!r}: wanted a mapping from names to settings, or a list of such")
        there = one.get(name, {})
        settings = {**(there if isinstance(there, Mapping) else {}), field: value} if dot else value
        changed.append({**one, name: settings})
    document["modifiers"] = changed if isinstance(given, list) else changed[0]


def _refuse_part_of_setting(section: str, rest: str, parameters: Mapping[str, Iterable[str]]) -> None:
    """Refuse ``lam.path`` and ``epr.lam.path``: an override sets a whole setting.

    Args:
        section: ``task``, ``architecture``, ``method``, ``optimiser`` or ``schedule``.
        rest: what follows it in the override.
        parameters: the settings of each spec, by its name.

    Raises:
        SweepError: ``rest`` goes on after the name of a setting.
    """
    for name, known in parameters.items():
        spec = f"{name}." if rest.startswith(f"{name}.") else ""
        setting, dot, part = rest.removeprefix(spec).partition(".")
        if dot and setting in known:
            whole = f"{section}.{spec}{setting}"
            mend = f"'{whole}={{path: [...]}}'" if part.startswith("path") else f"{whole}=VALUE"
            raise SweepError(f"'{section}.{rest}' is a part of {setting}: wanted the whole setting, as in --set {mend}")


def _set_argument(document: dict[str, Any], section: str, rest: str, value: Any) -> None:
    """Set one argument of every spec that takes it, or only of those named, where ``rest`` begins with a name."""
    name, dot, argument = rest.rpartition(".")
    given = document.get(section, [])
    specs = [Spec.from_dict(section, item) for item in (given if isinstance(given, list) else [given])]
    parameters = {spec.name: signature(lookup(section, spec.name)).parameters for spec in specs}
    if name and name not in parameters:
        _refuse_part_of_setting(section, rest, parameters)
        raise SweepError(f"{section}.{rest} addresses no {section} of this sweep{nearest(name, parameters)}")
    candidates = {key: known for key, known in parameters.items() if name in ("", key)}
    addressed = {
        key
        for key, known in candidates.items()
        if argument in known or any(item.kind is item.VAR_KEYWORD for item in known.values())
    }
    if not addressed:
        valid = {f"{section}.{name}{dot}{item}" for known in candidates.values() for item in known}
        raise SweepError(f"unknown field '{section}.{rest}'{nearest(f'{section}.{rest}', valid)}")
    changed = [spec.to_dict() | ({argument: value} if spec.name in addressed else {}) for spec in specs]
    document[section] = changed if isinstance(given, list) else changed[0]
