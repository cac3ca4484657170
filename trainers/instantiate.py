"""Makes objects from specs: the task with its data, the architecture with its arguments, the method with settings."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor, nn

from trainers.architectures import lookup_architecture
from trainers.architectures.base import Architecture, build, complete
from trainers.architectures.macs import Real
from trainers.config import Spec
from trainers.lookup import check_complete, find, resolve
from trainers.methods import METHODS
from trainers.methods.base import AbstractMethod
from trainers.tasks import TASKS
from trainers.tasks.base import Task


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


def make_task(spec: Spec) -> Task:
    """Make the task with its data; it is registered or the user's own.

    Raises:
        ValueError: the name or an argument is wrong, or the data is unavailable; one line says which.
    """
    function = resolve("task", spec.name, TASKS, allow_import=True)
    check_complete("task", spec.name, function, spec.arguments)
    task = function(**spec.arguments)
    if not isinstance(task, Task):
        raise ValueError(f"task {spec.name!r} returned {type(task).__name__}: wanted a trainers.tasks.base.Task")
    return task


def find_architecture(spec: Spec, task: Task) -> tuple[Architecture, dict[str, Any]]:
    """Return the architecture's function and its non-default arguments, completed by what the task gives.

    The function is a registered one, timm's or the user's own.
    """
    function = lookup_architecture(spec.name, allow_import=True)
    return function, complete(function, spec.arguments, input_shape=task.input_shape, num_outputs=task.num_outputs)


def real_network(spec: Spec, task: Task) -> Real:
    """Return what builds the network on the CPU, once, and gives an example of the task: ``macs.count_macs`` has it."""

    @functools.cache
    def built() -> tuple[nn.Module, Tensor]:
        architecture, arguments = find_architecture(spec, task)
        with torch.random.fork_rng(devices=[]):
            return build(spec.name, architecture, arguments), task.train.inputs[:1].cpu()

    return built
