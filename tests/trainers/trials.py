"""Small trials: a configuration for every method, and a network with the method attached as in ``train``."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch
from torch import nn

from tests.trainers.networks import CLUSTERS, NORMED, ODD
from trainers.coding import container
from trainers.coding.section_kinds import Build
from trainers.config import Spec, TrialConfig
from trainers.data.examples import few
from trainers.instantiate import find_architecture, make_task
from trainers.loop.progress import Progress
from trainers.methods import METHODS
from trainers.methods.base import AbstractMethod, Batch, Context, Moment
from trainers.methods.parts.grid import STEPS
from trainers.preparation import prepare
from trainers.tasks.base import Task
from trainers.train import train

FIRST = Moment(step=0, phase_step=0, num_phase_steps=10)

ARCHITECTURES: dict[str, dict[str, Any]] = {
    "mlp": {"name": "mlp", "hidden": [8]},
    "cnn": {"name": "cnn", "channels": [3]},
    "normed": {"name": NORMED},
    "odd": {"name": ODD},
}


VARIANTS: dict[str, dict[str, Any]] = {
    **{name: {"name": name} for name in METHODS},
    "coreset-sample": {"name": "coreset", "choose": "sample"},
    "espn-rewind": {"name": "espn", "then": "rewind"},
    "lcs-line": {"name": "lcs", "subspace": "line"},
    "lcs-quantised": {"name": "lcs", "compression": "quantised", "subspace": "line"},
    "lcs-structured": {"name": "lcs", "compression": "structured", "subspace": "line"},
    "low_rank-svd": {"name": "low_rank", "ranks": "svd"},
    "low_rank-uniform": {"name": "low_rank", "ranks": "svd_uniform", "finetune": 0.0},
    "magnitude-path": {"name": "magnitude", "keep_ratio": {"path": [0.5, 0.2]}},
    "magnitude-one-shot": {"name": "magnitude", "schedule": "one_shot"},
    "epr-learned": {"name": "epr", "density": "learned"},
    "epr-path": {"name": "epr", "lam": {"path": [3.2, 0.8, 0.2]}},
    "epr-size": {"name": "epr", "lam": {"size": "20kB"}},
    "epr-dft": {"name": "epr", "decoder": "dft", "groups": "layer"},
    "ptq-channel": {"name": "ptq", "granularity": "channel"},
    "ecq-network": {"name": "ecq", "unit": "network", "recalibrate": True},
    "obs-one-pass": {"name": "obs", "propagation": 0.0, "rate": 0.1},
    "ptq-calibrated": {"name": "ptq", "calibration": "real", "recalibrate": True},
    "qat-path": {"name": "qat", "bits": {"path": [4, "ternary", 1]}, "float_share": 0.2},
    "qat-channel": {"name": "qat", "granularity": "channel", "float_share": 0.3},
    "qat-binary": {"name": "qat", "bits": 1, "scale": "spread"},
    "epr-dft-learned": {"name": "epr", "decoder": "dft", "density": "learned"},
}
"""The contract of methods is checked on these: each registered name, and settings that are almost other methods."""

EARLY_POINTS = {
    "epr-path": ["lam3.2", "lam0.8"],
    "magnitude-path": [f"keep0.5-step{step:g}" for step in STEPS],
    "qat-path": ["bits4", "bitsternary"],
}
"""The ids of points that are stored before the last phase."""

STRUCTURED = {"coreset", "spike_slab"}
"""The methods that refuse a network without hidden units, such as ``odd``."""


def method_arguments(name: str) -> dict[str, Any]:
    """The argument that a method needs and has no default for: its rate knob, in the middle of its useful range."""
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
    """A training of six steps of one epoch each.

    Methods that transform kernels always get a network with kernels; those that remove hidden units, one with units.
    """
    if VARIANTS[method].get("decoder") == "dft" and architecture in ("mlp", "odd"):
        architecture = "cnn"
    is_structured = VARIANTS[method]["name"] in STRUCTURED or VARIANTS[method].get("compression") == "structured"
    if is_structured and architecture == "odd":
        architecture = "normed"
    return TrialConfig.from_dict(
        {
            "task": CLUSTERS,
            "architecture": ARCHITECTURES[architecture],
            "method": {**method_arguments(VARIANTS[method]["name"]), **VARIANTS[method]},
            "steps": 6,
            "batch_size": 96,
            **changes,
        }
    )


def run(config: TrialConfig, directory: Path, **options: Any) -> tuple[dict[str, bytes], list[Progress]]:
    """Train; returns the files keyed by point id, and the reports without times."""
    reports: list[Progress] = []
    points = train(config, lambda progress: reports.append(without_time(progress)), directory, **options)
    return {point.point_id: Path(point.path).read_bytes() for point in points}, reports


def without_time(progress: Progress) -> Progress:
    return dataclasses.replace(progress, train_s=0.0)


@dataclass(frozen=True, kw_only=True)
class Attached:
    """What ``train`` has before the first step, and the given network before the method was attached."""

    task: Task
    method: AbstractMethod
    context: Context
    given: dict[str, torch.Tensor]
    model: nn.Module
    header: container.Header
    layout: container.Layout

    @property
    def batch(self) -> Batch:
        return few(self.task.train, 48)


def attach(config: TrialConfig, *, noise: float = 0.0) -> Attached:
    """Attach the method of ``config`` to a fresh network; ``noise`` shifts its parameters (zeros, too) at random."""
    prepared = prepare(config, torch.device("cpu"))
    with torch.no_grad():
        for parameter in prepared.model.parameters():
            parameter.add_(noise * torch.randn_like(parameter))
    given = {name: tensor.clone() for name, tensor in prepared.model.state_dict().items()}
    return Attached(
        task=prepared.task,
        method=prepared.method,
        context=prepared.context,
        given=given,
        model=prepared.method.attach(prepared.model, prepared.context),
        header=prepared.header,
        layout=prepared.layout,
    )


def architecture_of(config: TrialConfig) -> Any:
    """The callable, as a user who trusts a file passes it."""
    return find_architecture(config.architecture, make_task(config.task))[0]


def built_by(config: TrialConfig) -> Build:
    """Builds the whole numbers and truth values of a trial's network, which its files leave out."""

    def build() -> dict[str, npt.NDArray[Any]]:
        with torch.random.fork_rng(devices=[]):
            state = architecture_of(config)(**attach(config).header.arguments).state_dict()
        return {name: tensor.numpy() for name, tensor in state.items() if not tensor.is_floating_point()}

    return build


def spec(name: str, **arguments: Any) -> Spec:
    return Spec(name=name, arguments=arguments)
