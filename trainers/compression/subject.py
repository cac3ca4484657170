"""What is compressed: a given network with its architecture, and what is known of its inputs."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from trainers.architectures import lookup_architecture
from trainers.architectures.base import MAX_PARAMETERS
from trainers.coding import container
from trainers.compression.inputs import empty_task, random_task, read_inputs, task_of
from trainers.compression.knobs import KNOBS
from trainers.config import Spec, TrialConfig
from trainers.instantiate import make_method, make_task
from trainers.lookup import check_complete, find, is_import_path, one_line
from trainers.methods import METHODS
from trainers.preparation import Described, Prepared, describe, described_unexamined, prepare
from trainers.pretrained import BUILT_BY, PRETRAINED, read_pinned
from trainers.sources import Source
from trainers.tasks import MEASURING, TASKS
from trainers.tasks.base import Task

COMPRESSED = ".rfz"
_BATCH_SIZE = 64
"""The examples that are measured at once on a CPU: what a network makes of more leaves its caches."""
_NETWORK = "NETWORK"
"""What messages call the given network."""


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


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A given network, ready to be compressed."""

    trial: Prepared
    config: TrialConfig
    method: Spec
    """As it was asked for; that of ``config`` has a value of its knob."""
    evidence: Evidence
    max_parameters: int


def find_evidence(
    *, task: Spec | None = None, calibration: Path | None = None, input_shape: Sequence[int] | None = None
) -> Evidence:
    """Load what is known of the network's inputs: a task, a file of inputs, their shape, or nothing.

    Raises:
        ValueError: the data is unavailable or wrong; one line says what.
    """
    if task is not None:
        return Evidence(task=_loaded(task), has_targets=True, is_real=True, has_inputs=True)
    if calibration is not None:
        return Evidence(task=task_of(read_inputs(calibration)), has_targets=False, is_real=True, has_inputs=True)
    made = empty_task() if input_shape is None else random_task(input_shape)
    return Evidence(task=made, has_targets=False, is_real=False, has_inputs=input_shape is not None)


def _loaded(spec: Spec) -> Task:
    """The task, with fewer examples to train on where that is sooner loaded."""
    if spec.name not in MEASURING:
        return make_task(spec)
    check_complete("task", spec.name, TASKS[spec.name], spec.arguments)
    return MEASURING[spec.name](**spec.arguments)


def find_network(source: Source, chosen: Spec | None) -> Spec | None:
    """Find the architecture of a given network; None where nobody says it.

    Args:
        source: the network.
        chosen: the architecture that was asked for. A file that holds its arguments gives them, where it has none.

    Raises:
        ValueError: there is no such file or network, or the file names somebody's own code, which was not asked for.
    """
    if source.path in PRETRAINED:
        return chosen or Spec.from_dict("architecture", BUILT_BY[source.path])
    path, content = read_pinned(source.path, field=_NETWORK)
    if path.suffix != COMPRESSED:
        return chosen
    try:
        header = container.read_header(content)
    except ValueError as error:
        raise ValueError(f"{_NETWORK}: {path} cannot be read ({error})") from error
    if chosen is None:
        if is_import_path(header.architecture):
            raise ValueError(
                f"{_NETWORK}: architecture {header.architecture!r} is somebody's own code, which is not imported "
                f"because a file names it; if you trust it, say --architecture {header.architecture}"
            )
        return Spec(name=header.architecture, arguments=header.arguments)
    is_same = chosen.name == header.architecture and not chosen.arguments
    return Spec(name=chosen.name, arguments=header.arguments) if is_same else chosen


def known_shape(spec: Spec) -> list[int] | None:
    """The input shape that an architecture's arguments say, or its defaults."""
    shape = spec.arguments.get("input_shape", _default(spec, "input_shape"))
    return list(shape) if isinstance(shape, list | tuple) and all(isinstance(size, int) for size in shape) else None


def open_subject(
    source: Source,
    architecture: Spec,
    method: Spec,
    evidence: Evidence,
    *,
    device: torch.device,
    max_parameters: int = MAX_PARAMETERS,
) -> Subject:
    """Build and check the network with its values.

    Raises:
        ValueError: the network, its values or the method are wrong, or do not fit; one line says how.
    """
    task, knob = evidence.task, KNOBS[method.name]
    if device.type == "cpu":
        task = replace(task, evaluation_batch_size=min(task.evaluation_batch_size, _BATCH_SIZE))
    if not evidence.has_targets:
        architecture = _completed(architecture, evidence)
    described = _described(architecture, evidence, max_parameters)
    config = TrialConfig(
        task=Spec(name="given"),
        architecture=architecture,
        method=knob.settings(method, knob.default(method))[0],
        steps=0,
        init_from=source.to_dict(),
    )
    values = described.initial_values(source.to_dict(), field=_NETWORK)
    trial = prepare(config, device, task, described, values)
    return Subject(trial=trial, config=config, method=method, evidence=evidence, max_parameters=max_parameters)


def _described(architecture: Spec, evidence: Evidence, max_parameters: int) -> Described:
    """The network without its memory; examined where it can be run."""
    if not evidence.has_inputs:
        return described_unexamined(architecture, evidence.task, max_parameters=max_parameters)
    try:
        return describe(architecture, evidence.task, max_parameters=max_parameters)
    except ValueError:
        raise
    except Exception as error:  # a network may raise anything where inputs are of the wrong type
        inputs = evidence.task.train.inputs
        raise ValueError(
            f"architecture {architecture.name!r} does not run on inputs of shape {tuple(inputs.shape[1:])}, "
            f"{inputs.dtype} ({one_line(error)}): wanted inputs as its forward takes them"
        ) from error


def _completed(spec: Spec, evidence: Evidence) -> Spec:
    """The architecture with the number of outputs that it has by default, since no task says one."""
    parameters = inspect.signature(lookup_architecture(spec.name, allow_import=True)).parameters
    if "input_shape" in {*parameters} - {*spec.arguments} and not evidence.has_inputs:
        raise ValueError(f"architecture {spec.name!r} needs input_shape: wanted --input-shape, such as 3,32,32")
    if "num_outputs" in spec.arguments or "num_outputs" not in parameters:
        return spec
    default = _default(spec, "num_outputs")
    if default is None:
        raise ValueError(
            f"architecture {spec.name!r} needs num_outputs, which a task would say: wanted a task, or a mapping such "
            f"as '{{name: \"{spec.name}\", num_outputs: 10}}'"
        )
    return Spec(name=spec.name, arguments={**spec.arguments, "num_outputs": default})


def _default(spec: Spec, argument: str) -> Any:
    function = lookup_architecture(spec.name, allow_import=True)
    parameter = inspect.signature(function).parameters.get(argument)
    return None if parameter is None or parameter.default is parameter.empty else parameter.default


def method_without_data(method: Spec, no_data: str, evidence: Evidence) -> Spec:
    """The method with the source of calibration that is asked for where there are no examples.

    Raises:
        ValueError: the method cannot be calibrated like that; one line says why.
    """
    fields = vars(find("method", method.name, METHODS))["__dataclass_fields__"]
    if "calibration" not in fields:
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


def check_method(method: Spec) -> None:
    """Refuse a method that cannot compress a network as it is, or settings that it does not have.

    Raises:
        ValueError: one line says which.
    """
    find("method", method.name, METHODS)
    if method.name not in KNOBS:
        raise ValueError(f"method {method.name!r} is for trainings: wanted one of {', '.join(KNOBS)}")
    knob = KNOBS[method.name]
    make_method(knob.settings(method, knob.default(method))[0])
