"""Everything a training needs, found, checked and built from its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from trainers.architectures.base import MAX_PARAMETERS, Architecture, build, build_on_meta, layout_of
from trainers.arrange import arrange
from trainers.coding import container
from trainers.coding.sections import Sections
from trainers.config import Spec, TrialConfig
from trainers.data.examples import few, spread
from trainers.evaluate import evaluate
from trainers.examination import MOST_EXAMINED, Examined, examine
from trainers.hidden_units import movable, untouched
from trainers.instantiate import check_steps, find_architecture, make_method, make_task
from trainers.methods.base import AbstractMethod, Context
from trainers.modifiers import make_modifiers
from trainers.modifiers.base import AbstractModifier
from trainers.networks.norms import batch_norms
from trainers.networks.parametrizations import load
from trainers.networks.storable import holding, storable
from trainers.networks.tensors import frozen
from trainers.pretrained import initial_values
from trainers.seeding import seed_everything
from trainers.sources import Source
from trainers.tasks.base import Task

_SHARE_OF_MEMORY = 0.25
"""The share of a GPU's free memory that data may take: several trials may share the GPU."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Everything a training needs, before its method touches the network."""

    task: Task
    """Its splits are on the device if they fit there."""
    method: AbstractMethod
    modifiers: tuple[AbstractModifier, ...]
    architecture: Architecture
    header: container.Header
    layout: container.Layout
    macs: int
    fewest: int
    """The fewest examples that the network takes at once."""
    context: Context
    model: nn.Module
    """The plain network with its initial values, drawn or those of ``init_from``."""
    given: Mapping[str, Tensor] | None
    """The values of ``init_from``, on the CPU, where they are those of one whole network."""


@dataclass(frozen=True, kw_only=True)
class Described:
    """A network, described without its memory."""

    architecture: Architecture
    arguments: dict[str, Any]
    as_built: nn.Module
    """The network as its function builds it, on the meta device."""
    plain: nn.Module
    """The same as methods see it and files hold it (``storable``)."""
    layout: container.Layout
    examined: Examined

    def initial_values(self, source: Any, *, field: str = "init_from") -> dict[str, Tensor]:
        """See ``pretrained.initial_values``."""
        return initial_values(
            source, self.as_built, groups=movable(self.examined.groups), own=self.architecture, field=field
        )


def describe(spec: Spec, task: Task, *, max_parameters: int = MAX_PARAMETERS, may_be_frozen: bool = False) -> Described:
    """Build a network without its memory, and examine it; a larger one is refused.

    ``may_be_frozen``: nothing is trained, so no parameter needs a gradient.

    Raises:
        ValueError: it cannot be built, run or stored, or has nothing to train; one line says how.
    """
    found = described_unexamined(spec, task, max_parameters=max_parameters)
    if not any(parameter.requires_grad or may_be_frozen for parameter in found.plain.parameters()):
        kind = "has no parameters" if not list(found.plain.parameters()) else "freezes all of its parameters"
        raise ValueError(f"architecture {spec.name!r} {kind}: nothing to train")
    inputs = few(task.train, MOST_EXAMINED).inputs
    examined = examine(spec.name, found.architecture, found.arguments, found.layout, inputs)
    layout = [replace(entry, built=examined.built.get(entry.name, b"")) for entry in found.layout]
    return replace(found, layout=layout, examined=examined)


def described_unexamined(spec: Spec, task: Task, *, max_parameters: int = MAX_PARAMETERS) -> Described:
    """Build a network without its memory, and without any inputs: no hidden units are known, and no norm is folded.

    Raises:
        ValueError: it cannot be built or stored; one line says how.
    """
    architecture, arguments = find_architecture(spec, task)
    as_built, plain = (
        build_on_meta(spec.name, architecture, arguments, max_parameters=max_parameters) for _ in range(2)
    )
    plain = storable(plain)
    return Described(
        architecture=architecture,
        arguments=arguments,
        as_built=as_built,
        plain=plain,
        layout=layout_of(plain),
        examined=Examined(macs=0, fewest=1, groups=(), kept_norms=frozenset(batch_norms(plain)), written=frozenset()),
    )


def prepare(
    config: TrialConfig,
    device: torch.device,
    task: Task | None = None,
    described: Described | None = None,
    values: Mapping[str, Tensor] | None = None,
    data_workers: int | None = None,
) -> Prepared:
    """Find, check and build what ``config`` names.

    Args:
        config: the trial.
        device: where its network shall be.
        task: its task, where that is loaded already.
        described: its network, where that is described already.
        values: those of its ``init_from``, where they are loaded already.
        data_workers: the processes that read its examples where these are not in memory; None for what the task says.

    Raises:
        ValueError: the configuration is wrong, or a file could not hold its network; one line says how.
    """
    check_steps(config)
    method, modifiers = make_method(config.method), make_modifiers(config.modifiers, method=config.method.name)
    task = task or make_task(config.task)
    if data_workers is not None:
        task = replace(task, data_workers=data_workers)
    described = described or describe(config.architecture, task)
    name, architecture, arguments = config.architecture.name, described.architecture, described.arguments
    header = container.in_fewest_bytes(
        container.Header(
            method=config.method.name, method_version=method.version, architecture=name, arguments=arguments
        )
    )
    container.write_header(header)  # what cannot be written is refused now, not after the training
    if device.type != "cuda" or task.num_bytes <= _SHARE_OF_MEMORY * torch.cuda.mem_get_info(device)[0]:
        task = task.to(device)  # else each batch is moved when it is needed
    validated = spread(task.validation, config.validate_examples) if config.validate_examples else task.validation
    context = Context(
        plain=described.plain,
        loss=task.loss,
        train=task.train,
        validation=task.validation,
        batch_size=config.batch_size,
        total_steps=config.steps,
        device=device,
        validate=lambda model: evaluate(model, validated, task),
        file_size=partial(_file_size, header, described),
        maximise=task.maximise,
        num_samples=0 if task.signal is None else task.signal.count,
        groups=described.examined.groups,
        kept_norms=described.examined.kept_norms,
        written=described.examined.written,
    )
    seed_everything(config.seed, "initialisation")
    model = build(name, architecture, arguments).to(device)
    if values is None:  # counters may be missing
        values = described.initial_values(config.init_from) if config.init_from else {}
    if method.keeps_parametrizations and not any(modifier.needs_weights for modifier in modifiers):
        load(model, values)
    else:
        model = holding(model, values)
    model = in_channels_last(model)  # checkpoints of epr hold latents in this order
    return Prepared(
        task=task,
        method=method,
        modifiers=modifiers,
        architecture=architecture,
        header=header,
        layout=described.layout,
        macs=described.examined.macs,
        fewest=described.examined.fewest,
        context=context,
        model=model,
        given=values if Source.from_dict(config.init_from).is_one_network else None,
    )


def _file_size(header: container.Header, described: Described, sections: Sections) -> int:
    groups = untouched(described.examined.groups, frozen(described.plain))
    return len(container.write(header, described.layout, arrange(sections, groups)))


def in_channels_last(model: nn.Module) -> nn.Module:
    """The network, changed in place, with convolutions that are 1.5 times as fast, and more in bfloat16."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.weight.ndim == 4:  # not of a subclass with several kernels
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model
