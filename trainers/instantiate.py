"""Makes objects from specs: the task with its data, the architecture with its arguments, the method with settings."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from trainers.architectures import lookup_architecture
from trainers.architectures.base import Architecture, complete
from trainers.coding.header import TOKENIZER
from trainers.config import Spec, TrialConfig, is_in_turn
from trainers.echo import echo
from trainers.lookup import check_complete, find, one_line, resolve
from trainers.methods import METHODS
from trainers.methods.base import AbstractMethod
from trainers.path_label import is_aim, is_path
from trainers.paths import completed
from trainers.tasks import EXCERPTS, TASKS
from trainers.tasks.base import Excerpt, Task


def make_method(spec: Spec) -> AbstractMethod:
    """Make the method with its hyper-parameters.

    Raises:
        ValueError: the name, a field or a value is wrong; one line says which.
    """
    kind = find("method", spec.name, METHODS)
    check_complete("method", spec.name, kind, spec.arguments)
    try:
        return kind(**spec.arguments)
    except ValueError as error:
        raise ValueError(f"method {spec.name!r}: {error}") from error


def check_settings(config: TrialConfig) -> None:
    """Refuse an optimiser in place of one that the method owns.

    Raises:
        ValueError: one line says why it does.
    """
    owns = find("method", config.method.name, METHODS).owns_optimiser
    if owns and config.optimiser != Spec.own():
        others = ", ".join(other for other, kind in METHODS.items() if not kind.owns_optimiser)
        raise ValueError(
            f"optimiser is {config.optimiser.name!r}, and method {config.method.name!r} owns its optimiser ({owns}): "
            f"leave optimiser out, or use one of {others}"
        )


def check_steps(config: TrialConfig) -> None:
    """Refuse a training of zero steps in which something was to be learned.

    Raises:
        ValueError: the method learns what it stores, passes a path, or the training is another than the method's own;
            one line says which.
    """
    if config.trains:
        return
    name, arguments = config.method.name, config.method.arguments
    learns = find("method", name, METHODS).learns
    if learns:
        others = ", ".join(other for other, kind in METHODS.items() if not kind.learns)
        raise ValueError(
            f"steps is 0, and method {name!r} has to learn {learns}: wanted steps, or a method that takes a network "
            f"as it is: {others}"
        )
    for field, value in arguments.items():
        if is_path(completed(value)):
            raise ValueError(
                f"steps is 0, and method {name!r} passes a path of {field} while it trains: wanted steps, or a single "
                "value"
            )
    for field, value in arguments.items():
        if is_aim(value):
            raise ValueError(
                f"steps is 0, and method {name!r} steers {field} to a size while it trains: wanted steps, or a number"
            )
    if config.modifiers:
        raise ValueError(
            f"steps is 0, and modifier {min(config.modifiers)!r} changes only how a network is trained: wanted steps, "
            "or no modifiers"
        )
    for name in config.settings:
        if name != "precision":
            raise ValueError(
                f"steps is 0, and {name!r} changes only how a network is trained: wanted steps, or no {name}"
            )


def task_text(spec: Spec) -> str:
    """The text by which points of one task are known: without what changes the form of its examples alone."""
    form = getattr(TASKS.get(spec.name), "form_fields", ())
    return str(replace(spec, arguments={name: value for name, value in spec.arguments.items() if name not in form}))


def make_task(spec: Spec) -> Task:
    """Make the task with its data; it is registered or the user's own.

    Raises:
        ValueError: the name or an argument is wrong, or the data is unavailable; one line says which.
    """
    function = resolve("task", spec.name, TASKS, allow_import=True)
    check_complete("task", spec.name, function, spec.arguments)
    for name, value in spec.arguments.items():
        if is_in_turn(value):
            raise ValueError(f"task {spec.name!r}: {name} names files in turn, and wanted is one of them: {name}: PATH")
    try:
        task = function(**spec.arguments)
    except (ValueError, OSError, MemoryError):
        raise
    except Exception as error:  # a user's own task may raise anything
        if "unexpected keyword argument 'input_shape'" in str(error):
            raise ValueError(
                f"task {spec.name!r} gives Task an input_shape, as tasks did before losses were given networks: wanted "
                "supervised(...) of trainers.tasks.base in place of Task(...), without input_shape"
            ) from error
        raise ValueError(f"task {spec.name!r} cannot be made: {type(error).__name__}: {one_line(error)}") from error
    if not isinstance(task, Task):
        raise ValueError(f"task {spec.name!r} returned {type(task).__name__}: wanted a trainers.tasks.base.Task")
    return task


def measuring(spec: Spec, arguments: Mapping[str, Any]) -> Spec:
    """The task with which a file's network is measured: what it leaves open and the network knows is filled in.

    Args:
        spec: the task as a user gave it.
        arguments: those of the file's architecture.
    """
    known = getattr(TASKS.get(spec.name), "network_fields", ())
    return replace(spec, arguments={**{name: arguments[name] for name in known if name in arguments}, **spec.arguments})


def check_tokens(task: Task, architecture: Architecture, arguments: Mapping[str, Any]) -> None:
    """Refuse a task whose tokens are other ones than a file's network has: their numbers would mean something else.

    Args:
        task: the task with which the network is to be measured.
        architecture: the file's.
        arguments: those of the file's architecture.

    Raises:
        ValueError: they are others; one line says which.
    """
    taken = [name for name in TOKENIZER if name in task.offers and name in inspect.signature(architecture).parameters]
    if any(arguments.get(name, "") != task.offers[name] for name in taken):
        has, wants = (
            next((f"{name} {echo(said[name])}" for name in TOKENIZER if said.get(name)), "bytes")
            for said in (arguments, task.offers)
        )
        raise ValueError(
            f"the tokens of the task are {wants}, and those of the network {has}: wanted the same, such as by "
            "vocabulary: bytes, or by no vocabulary where the network has characters or pieces"
        )


def make_excerpt(spec: Spec) -> Excerpt:
    """Load as much of the task's data as a plan needs; raises what ``make_task`` raises."""
    if spec.name not in EXCERPTS:
        return Excerpt.whole(make_task(spec))
    check_complete("task", spec.name, TASKS[spec.name], spec.arguments)
    return EXCERPTS[spec.name](**spec.arguments)


def find_architecture(spec: Spec, task: Task) -> tuple[Architecture, dict[str, Any]]:
    """Return the architecture's function and its non-default arguments, completed by what the task gives.

    The function is a registered one, timm's or the user's own.

    Raises:
        ValueError: there is none, or it does not take what its file has to say of the task; one line says which.
    """
    function = lookup_architecture(spec.name, allow_import=True)
    for name in task.kept:
        if name not in inspect.signature(function).parameters:
            raise ValueError(
                f"architecture {spec.name!r} takes no {name}, and without them a file does not say what its network's "
                f"tokens are: wanted an argument {name}, a text that the network may leave alone"
            )
    return function, complete(function, spec.arguments, **{"input_shape": task.input_shape, **task.offers})
