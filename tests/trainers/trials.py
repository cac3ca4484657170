"""Small trials: a configuration for every method, and a network with the method attached as ``train`` has it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tests.trainers.networks import CLUSTERS, NORMED, ODD
from trainers.architectures.base import build, build_on_meta, layout_of
from trainers.coding import container
from trainers.config import Spec, TrialConfig
from trainers.evaluate import evaluate
from trainers.instantiate import find_architecture, make_method, make_task
from trainers.loop import Progress
from trainers.methods import METHODS
from trainers.methods.base import AbstractMethod, Batch, Context
from trainers.seeding import seed_everything
from trainers.tasks.base import Task
from trainers.train import train

ARCHITECTURES: dict[str, dict[str, Any]] = {
    "mlp": {"name": "mlp", "hidden": [8]},
    "cnn": {"name": "cnn", "channels": [3]},
    "normed": {"name": NORMED},
    "odd": {"name": ODD},
}


def method_arguments(name: str) -> dict[str, Any]:
    """What a method needs and has no default for: its rate knob, in the middle of its useful range."""
    kind = METHODS[name]
    missing = dataclasses.MISSING
    required = [f.name for f in dataclasses.fields(kind) if f.default is missing and f.default_factory is missing]
    knob = kind.rate_knob
    if knob is None or knob.field not in required:
        values = {}
    elif knob.values:
        values = {knob.field: knob.values[len(knob.values) // 2]}
    else:
        assert knob.low is not None
        assert knob.high is not None
        values = {knob.field: (knob.low * knob.high) ** 0.5 if knob.log else (knob.low + knob.high) / 2}
    assert list(values) == required, f"every field of {name} has a default, but for the rate knob"
    return values


def configuration(method: str, architecture: str = "mlp", /, **changes: Any) -> TrialConfig:
    """Six steps of one epoch each."""
    return TrialConfig.from_dict(
        {
            "task": CLUSTERS,
            "architecture": ARCHITECTURES[architecture],
            "method": {"name": method, **method_arguments(method)},
            "steps": 6,
            "batch_size": 96,
            **changes,
        }
    )


def run(config: TrialConfig, directory: Path, **options: Any) -> tuple[dict[str, bytes], list[Progress]]:
    """Train: the files by point id, and what was reported, without times."""
    reports: list[Progress] = []
    points = train(config, lambda progress: reports.append(without_time(progress)), directory, **options)
    return {point.point_id: Path(point.path).read_bytes() for point in points}, reports


def without_time(progress: Progress) -> Progress:
    return dataclasses.replace(progress, train_s=0.0)


@dataclass(frozen=True, kw_only=True)
class Attached:
    """What ``train`` has before the first step, and the given network as it was."""

    task: Task
    method: AbstractMethod
    context: Context
    given: dict[str, torch.Tensor]
    model: nn.Module
    header: container.Header
    layout: container.Layout

    @property
    def batch(self) -> Batch:
        return self.task.train.inputs[:48], self.task.train.targets[:48]


def attach(config: TrialConfig, *, noise: float = 0.0) -> Attached:
    """The method of ``config`` on a fresh network, whose parameters (zeros among them) ``noise`` shifts at random."""
    method, task = make_method(config.method), make_task(config.task)
    function, arguments = find_architecture(config.architecture, task)
    plain = build_on_meta(config.architecture.name, function, arguments)

    def batches(split: str) -> Any:
        data = {"train": task.train, "validation": task.validation}[split]
        yield data.inputs, data.targets

    context = Context(
        plain=plain,
        loss=task.loss,
        num_train=len(task.train),
        total_steps=config.steps,
        device=torch.device("cpu"),
        batches=batches,
        validate=lambda model: evaluate(model, task.validation, task),
    )
    seed_everything(config.seed, "initialisation")
    model = build(config.architecture.name, function, arguments)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(noise * torch.randn_like(parameter))
    given = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    header = container.Header(
        method=config.method.name,
        method_version=method.version,
        architecture=config.architecture.name,
        arguments=arguments,
    )
    attached = method.attach(model, context)
    return Attached(
        task=task,
        method=method,
        context=context,
        given=given,
        model=attached,
        header=header,
        layout=layout_of(plain),
    )


def architecture_of(config: TrialConfig) -> Any:
    """The callable, as a user who trusts a file passes it."""
    return find_architecture(config.architecture, make_task(config.task))[0]


def spec(name: str, **arguments: Any) -> Spec:
    return Spec(name=name, arguments=arguments)
