"""What a network is calibrated and measured on: a task, a file of inputs, their shape alone, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from trainers.compression.inputs import empty_task, random_task, read_inputs, task_of
from trainers.config import Spec
from trainers.instantiate import make_task
from trainers.lookup import check_complete, find
from trainers.methods import METHODS
from trainers.tasks import MEASURING, TASKS
from trainers.tasks.base import Task


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The examples that a network is calibrated and measured on."""

    task: Task
    has_targets: bool
    """Whether the task's quality means something."""
    is_real: bool
    """Whether its inputs are examples, on which networks may be compared; else they are drawn at random, or none."""
    has_inputs: bool
    """Whether it has inputs of the network's shape."""


def find_evidence(
    *,
    task: Spec | None = None,
    calibration: Path | None = None,
    input_shape: Sequence[int] | None = None,
    of_classes: bool = True,
) -> Evidence:
    """Load what is known of the network's inputs: a task, a file of inputs, their shape, or nothing.

    Without a task ``of_classes`` says whether outputs (batch, 2 or more) are compared as logits of classes.

    Raises:
        ValueError: the data is unavailable or wrong; one line says what.
    """
    if task is not None:
        return Evidence(task=_loaded(task), has_targets=True, is_real=True, has_inputs=True)
    if calibration is not None:
        inputs = task_of(read_inputs(calibration), of_classes=of_classes)
        return Evidence(task=inputs, has_targets=False, is_real=True, has_inputs=True)
    made = empty_task() if input_shape is None else random_task(input_shape)
    return Evidence(task=made, has_targets=False, is_real=False, has_inputs=input_shape is not None)


def _loaded(spec: Spec) -> Task:
    """The task, with fewer examples to train on where that is sooner loaded."""
    if spec.name not in MEASURING:
        return make_task(spec)
    check_complete("task", spec.name, TASKS[spec.name], spec.arguments)
    return MEASURING[spec.name](**spec.arguments)


def method_without_data(method: Spec, no_data: str, evidence: Evidence) -> Spec:
    """The method with the source of calibration that is asked for where there are no examples.

    Raises:
        ValueError: the method cannot be calibrated like that; one line says why.
    """
    if method.arguments.get("recalibrate"):
        raise ValueError("recalibrate measures norms, and there are no examples: wanted a task or a file of inputs")
    if "calibration" not in {field.name for field in fields(find("method", method.name, METHODS))}:
        if no_data != "none":
            raise ValueError(f"method {method.name!r} is not calibrated: wanted no other no_data than none")
        return method
    asked = method.arguments.get("calibration", no_data)
    if asked == "real":
        raise ValueError("calibration is 'real', and there are no examples: wanted a task or a file of inputs")
    if asked != "none" and not evidence.has_inputs:
        raise ValueError(
            f"calibration is {asked!r}, and the network's input shape is not known: wanted it (--input-shape)"
        )
    return Spec(name=method.name, arguments={**method.arguments, "calibration": asked})
