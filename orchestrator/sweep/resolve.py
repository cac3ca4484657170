"""From names in a sweep to registered objects. Registries load torch, so each is imported when first asked for."""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.search.domains import AbstractDomain, Choice, RealRange
from orchestrator.search.space import LISTS_ARE_CHOICES, SpecSpace
from trainers import pinned, training_settings
from trainers.config import EACH, Spec, is_in_turn
from trainers.echo import echo
from trainers.lookup import check_complete, find, is_import_path, is_timm, is_transformers, resolve
from trainers.paths import completed
from trainers.sources import values_identity

if TYPE_CHECKING:
    from trainers.methods.base import RateKnob

FROM_TASK = frozenset({"characters", "context", "input_shape", "num_outputs", "num_tokens", "pieces", "size"})
"""The arguments that an architecture gets from its task, unless a sweep says otherwise."""


_SINGLE = (bool, int, float, str)


def registry(kind: str) -> Mapping[str, Callable[..., Any]]:
    """The registry of tasks, architectures, methods, modifiers, optimisers or schedules.

    Args:
        kind: ``task``, ``architecture``, ``method``, ``modifier``, ``optimiser`` or ``schedule``.
    """
    if kind in training_settings.NAMED:
        return training_settings.NAMED[kind]
    if kind == "task":
        from trainers.tasks import TASKS

        return TASKS
    if kind == "architecture":
        from trainers.architectures import ARCHITECTURES

        return ARCHITECTURES
    if kind == "modifier":
        from trainers.modifiers import MODIFIERS

        return MODIFIERS
    from trainers.methods import METHODS

    return METHODS


def lookup(kind: str, name: str) -> Callable[..., Any]:
    """What a sweep means by a name: a registered object, timm's, or the user's own task or architecture, imported.

    The sweep is the user's as well, so the code that it names may run.

    Raises:
        ValueError: there is no such object.
    """
    if kind in (
        "method",
        "modifier",
        *training_settings.NAMED,
    ):  # a file names the method that decodes it, so methods are registered
        return find(kind, name, registry(kind))
    if kind == "architecture" and (is_timm(name) or is_transformers(name)):
        from trainers.architectures import lookup_architecture

        return lookup_architecture(name, allow_import=False)
    return resolve(kind, name, registry(kind), allow_import=True)


def is_signal(task: str) -> bool:
    """Whether a task, by its name, is one signal."""
    return bool(getattr(lookup("task", task), "is_signal", False))


def resolve_spec(kind: str, spec: SpecSpace, *, signal: bool = False) -> SpecSpace:
    """``spec`` with every argument, checked by signature: an open rate knob gets its domain, the others their defaults.

    So a sweep's identity, and what is logged of a trial, do not change when a default does.

    Args:
        kind: as ``registry`` takes it.
        spec: a name with arguments.
        signal: whether the sweep's task is one signal, for the domain of a rate knob.

    Raises:
        ValueError: the name or an argument is wrong.
    """
    function = lookup(kind, spec.name)
    parameters = inspect.signature(function).parameters
    arguments = dict(spec.arguments)
    if kind == "architecture" and is_transformers(spec.name):
        from trainers.model_folder import without_folder  # loads torch

        arguments = dict(without_folder(Spec(name=spec.name, arguments=arguments)).arguments)
    knob = getattr(function, "rate_knob", None) if kind == "method" else None
    if knob is not None and knob.field not in arguments:
        arguments[knob.field] = knob_domain(knob.on(signal=signal))
    from_task = FROM_TASK & set(parameters) if kind == "architecture" else set()
    if kind == "architecture" and is_import_path(spec.name):  # a task may offer more, and only its data says what
        from_task |= {name for name, one in parameters.items() if one.default is one.empty}
    check_complete(kind, spec.name, function, {**dict.fromkeys(from_task), **arguments})
    if kind not in LISTS_ARE_CHOICES:
        _refuse_lists_for_single_values(f"{kind} {spec.name!r}", arguments, parameters)
    left_out = {*from_task, *getattr(function, "later_fields", ())}
    for name, parameter in parameters.items():
        if name not in left_out and parameter.default is not parameter.empty and _is_plain(parameter.default):
            default = _plain(parameter.default)
            # a list, such as a method's grid of steps, would be read back as choices
            is_list = kind in LISTS_ARE_CHOICES and isinstance(default, list)
            arguments.setdefault(name, Choice([default]) if is_list else default)
    floats = {name for name, parameter in parameters.items() if _is_real(parameter.annotation)}
    if knob is not None and "Mapping" in str(parameters[knob.field].annotation):  # it may be a path
        arguments[knob.field] = _completed(arguments[knob.field])
    arguments = {name: as_float(value) if name in floats else value for name, value in arguments.items()}
    if kind == "modifier":
        for name in getattr(function, "sources", ()):
            arguments[name] = _pinned(name, arguments[name])
    file_field = getattr(function, "file_field", "") if kind == "task" else ""
    for name, value in arguments.items():
        if _has_files_in_turn(value) and (name != file_field or not is_in_turn(value)):
            wanted = f"only {file_field} of" if file_field else "only an argument that names a file of"
            raise ValueError(f"{kind} {spec.name!r}: {name} is {echo(value)}: {wanted} a task may have files in turn")
    if file_field and arguments[file_field]:
        arguments[file_field] = _pinned_file(file_field, arguments[file_field])
    return SpecSpace(name=spec.name, arguments=dict(sorted(arguments.items())))


def _refuse_lists_for_single_values(
    where: str, arguments: Mapping[str, Any], parameters: Mapping[str, inspect.Parameter]
) -> None:
    """Refuse a list where one number or word is wanted: under a method it would be choices, and here it is a value.

    Raises:
        ValueError: an argument is a list, and its annotation or default says that it is no sequence.
    """
    for name, value in arguments.items():
        if isinstance(value, list) and name in parameters and _is_single(parameters[name]):
            raise ValueError(
                f"{where}: {name} is {value}, and wanted is one value: a list is handed over whole here, and is not "
                f"choices as under a method; {name}: {{choice: {value}}} tries each"
            )


def _completed(value: Any) -> Any:
    """A rate knob's setting with the defaults of each path in it written out."""
    return Choice([completed(item) for item in value.values]) if isinstance(value, Choice) else completed(value)


def _is_real(annotation: Any) -> bool:
    """Whether a parameter is a real number, as far as its function says, or something else that is none."""
    return annotation is float or str(annotation).split(" | ")[0] == "float"


def _is_single(parameter: inspect.Parameter) -> bool:
    """Whether a parameter is a number, a word or a truth value, as far as its function says."""
    if parameter.annotation is parameter.empty:
        return isinstance(parameter.default, _SINGLE)
    annotation = parameter.annotation
    named = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    return {word.strip() for word in named.split("|")} <= {"None", *(one.__name__ for one in _SINGLE)}


def knob_domain(knob: RateKnob) -> AbstractDomain:
    """The values of a method's rate knob that a sweep tries where it says nothing else."""
    if knob.values:
        return Choice(list(knob.values))
    assert knob.low is not None
    assert knob.high is not None
    return RealRange(knob.low, knob.high, log=knob.log)


def description(entry: Callable[..., Any]) -> str:
    """What a registered object is, in a line: the first line of its docstring."""
    return (inspect.getdoc(entry) or "").partition("\n")[0].replace("``", "")


def module_description(entry: Callable[..., Any]) -> str:
    """What a method or modifier is, in a line: the first line of its file."""
    return (sys.modules[entry.__module__].__doc__ or "").strip().partition("\n")[0]


def source_digests(names: Iterable[str]) -> dict[str, str]:
    """SHA-256 of the file of each ``module:callable`` among ``names``: with other code it is another sweep."""
    files = {}
    for name in sorted(set(filter(is_import_path, names))):
        path = getattr(sys.modules.get(name.partition(":")[0]), "__file__", None)
        if path is not None:
            files[name.partition(":")[0]] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return files


def _pinned(name: str, value: Any) -> Any:
    """A file's absolute path and the digest of its content, by which workers find and check it."""
    from trainers.pretrained import pin  # loads torch

    if isinstance(value, Choice):
        return Choice([_pinned(name, item) for item in value.values])
    return pin(value, field=name) if isinstance(value, str) else value


def _pinned_file(name: str, value: Any) -> Any:
    """The same for a file that is no network."""
    if isinstance(value, Choice):
        return Choice([_pinned_file(name, item) for item in value.values])
    if is_in_turn(value):
        return {EACH: _pinned_files(name, value[EACH])}
    return pinned.pin(value, field=name, wanted="a file") if isinstance(value, str) else value


def _pinned_files(name: str, files: Any) -> list[str]:
    """Pin files that a task has in turn.

    Raises:
        ValueError: there are none, one is there twice or cannot be read, or it is no list of paths.
    """
    if not isinstance(files, list) or not files or not all(isinstance(one, str) and one for one in files):
        raise ValueError(f"{name}.{EACH} is {echo(files)}: wanted a list of at least one path")
    first: dict[str, str] = {}
    for one in (pinned.pin(one, field=name, wanted="a file") for one in files):
        path, digest = pinned.text_of(one), values_identity(one)
        if digest in first:
            raise ValueError(f"{name}.{EACH}: {path} has the content of {first[digest]}: wanted each file once")
        first[digest] = path
    return [f"{path}#sha256={digest}" for digest, path in first.items()]


def _has_files_in_turn(value: Any) -> bool:
    return any(map(is_in_turn, value.values)) if isinstance(value, Choice) else is_in_turn(value)


def _is_plain(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return value is not None


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


def as_float(value: Any) -> Any:
    """``1`` and ``1.0`` are one setting where a real number is wanted."""
    if isinstance(value, Choice):
        return Choice([as_float(item) for item in value.values])
    if isinstance(value, Mapping) and "path" in value:
        return {**value, "path": _as_floats(value["path"])}
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _as_floats(path: Any) -> Any:
    """The values of a path, or its ends, as real numbers; their number stays whole."""
    if isinstance(path, Mapping):
        return {key: item if key == "points" else as_float(item) for key, item in path.items()}
    return [as_float(item) for item in path] if isinstance(path, list) else path
