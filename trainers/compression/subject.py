"""What is compressed: a given network with its architecture and its values, checked against its examples."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from typing import Any

import torch

from trainers.architectures import lookup_architecture, tensors
from trainers.architectures.base import MAX_PARAMETERS, build_on_meta
from trainers.coding import container
from trainers.compression.evidence import Evidence
from trainers.compression.knobs import KNOBS
from trainers.config import Spec, TrialConfig
from trainers.data.examples import Examples, InMemory, few
from trainers.instantiate import find_architecture
from trainers.lookup import is_import_path, one_line
from trainers.preparation import Described, Prepared, describe, described_unexamined, prepare
from trainers.pretrained import BUILT_BY, PRETRAINED, read_pinned
from trainers.sources import Source
from trainers.tasks.base import Task
from trainers.trees import mapped, shape_text, type_text

COMPRESSED = ".rfz"
_BATCH_SIZE = 64
"""The examples that are measured at once on a CPU: what a network makes of more leaves its caches."""
_NETWORK = "NETWORK"
"""What messages call the given network."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A given network, ready to be compressed."""

    trial: Prepared
    config: TrialConfig
    method: Spec
    """As it was asked for; that of ``config`` has a value of its knob."""
    evidence: Evidence
    max_parameters: int


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
    if header.architecture == tensors.NAME:  # which is no network
        return chosen
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
        task = _in_dtype_of(architecture, task, max_parameters)
    described = _described(architecture, task, evidence, max_parameters)
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


def _in_dtype_of(architecture: Spec, task: Task, max_parameters: int) -> Task:
    """The task with real inputs in the type of the network's parameters."""
    function, arguments = find_architecture(architecture, task)
    network = build_on_meta(architecture.name, function, arguments, max_parameters=max_parameters)
    dtype = next((one.dtype for one in network.parameters() if one.is_floating_point()), torch.float32)
    if dtype == torch.float32:
        return task
    return task.with_splits(lambda split: _in_dtype(split, dtype))


def _in_dtype(split: Examples, dtype: torch.dtype) -> Examples:
    if not isinstance(split, InMemory):
        return split
    return replace(split, inputs=mapped(lambda one: one.to(dtype) if one.is_floating_point() else one, split.inputs))


def _described(architecture: Spec, task: Task, evidence: Evidence, max_parameters: int) -> Described:
    """The network without its memory; examined where it can be run."""
    if not evidence.has_inputs:
        return described_unexamined(architecture, task, max_parameters=max_parameters)
    try:
        return describe(architecture, task, max_parameters=max_parameters, may_be_frozen=True)
    except ValueError:
        raise
    except Exception as error:  # a network may raise anything where inputs are of the wrong type
        inputs = few(task.train, 1).inputs
        raise ValueError(
            f"architecture {architecture.name!r} does not run on inputs of shape {shape_text(inputs)}, "
            f"{type_text(inputs)} ({one_line(error)}): wanted inputs as its forward takes them"
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
