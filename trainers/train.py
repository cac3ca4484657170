"""One trial, from configuration to measured files: the story from top to bottom."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import math
import re
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from trainers.architectures.base import Architecture, build, build_on_meta, layout_of
from trainers.architectures.graph import unit_groups
from trainers.architectures.macs import Real, count_macs
from trainers.arrange import arrange
from trainers.coding import container
from trainers.coding.sections import check_sections
from trainers.compressed import open_compressed
from trainers.config import TrialConfig
from trainers.determinism import denormals_flushed, deterministic
from trainers.divergence import REMEDY, DivergedError
from trainers.evaluate import evaluate
from trainers.hidden_units import UnitGroup
from trainers.instantiate import find_architecture, make_method, make_task, real_network
from trainers.loop.checkpoint import CheckpointFile
from trainers.loop.phases import run_phases
from trainers.loop.progress import Progress
from trainers.loop.training import Training
from trainers.methods.base import AbstractMethod, Batch, Context
from trainers.modifiers import make_modifiers
from trainers.modifiers.base import AbstractModifier
from trainers.pretrained import initial_values
from trainers.record import OperatingPoint, write_atomically
from trainers.seeding import seed_everything
from trainers.tasks.base import Split, Task

_SHARE_OF_MEMORY = 0.25
"""The share of a GPU's free memory that data may take: several trials may share the GPU."""
_POINT_ID = re.compile(r"[A-Za-z0-9._-]+")
_MOST_TRACED = 100
_traced: dict[str, tuple[int, tuple[UnitGroup, ...]]] = {}


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
    context: Context
    model: nn.Module
    """The plain network with its initial values, drawn or those of ``init_from``."""


def prepare(config: TrialConfig, device: torch.device, task: Task | None = None) -> Prepared:
    """Find, check and build what ``config`` names; ``task`` is its task, where that is loaded already.

    Raises:
        ValueError: the configuration is wrong, or a file could not hold its network; one line says how.
    """
    method, modifiers = make_method(config.method), make_modifiers(config.modifiers, method=config.method.name)
    task = task or make_task(config.task)
    architecture, arguments = find_architecture(config.architecture, task)
    plain = build_on_meta(config.architecture.name, architecture, arguments)
    layout = layout_of(plain)
    real = real_network(config.architecture, task)
    macs, groups = _trace(plain, f"{config.architecture.name} {arguments} {layout}", task, real)
    header = container.Header(
        method=config.method.name,
        method_version=method.version,
        architecture=config.architecture.name,
        arguments=arguments,
    )
    container.write_header(header)  # what cannot be written is refused now, not after the training
    if device.type != "cuda" or task.num_bytes <= _SHARE_OF_MEMORY * torch.cuda.mem_get_info(device)[0]:
        task = task.to(device)  # else each batch is moved when it is needed
    seen = {"train": task.train, "validation": task.validation}
    context = Context(
        plain=plain,
        loss=task.loss,
        num_train=len(task.train),
        total_steps=config.steps,
        device=device,
        batches=lambda split: _batches(seen[split], config.batch_size, device),
        validate=lambda model: evaluate(model, task.validation, task),
        maximise=task.maximise,
        groups=groups,
    )
    if context.num_parameters == 0:
        raise ValueError(f"architecture {config.architecture.name!r} has no parameters: nothing to train")
    seed_everything(config.seed, "initialisation")
    model = build(config.architecture.name, architecture, arguments).to(device)
    if config.init_from:
        values = initial_values(config.init_from, plain, groups=groups, own=architecture)
        model.load_state_dict(values, strict=False)  # checked; counters may be missing
    for module in model.modules():
        # 1.5 times as fast, and more in bfloat16; checkpoints of epr hold latents in this order
        if isinstance(module, nn.Conv2d):
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Prepared(
        task=task,
        method=method,
        modifiers=modifiers,
        architecture=architecture,
        header=header,
        layout=layout,
        macs=macs,
        context=context,
        model=model,
    )


def _trace(plain: nn.Module, identity: str, task: Task, real: Real) -> tuple[int, tuple[UnitGroup, ...]]:
    """The multiply-accumulates and hidden units of ``plain``; a process traces a network once for all its trials."""
    example = (task.input_shape, task.train.inputs.dtype)
    key = f"{identity} {example}"
    if key not in _traced:
        if len(_traced) >= _MOST_TRACED:
            _traced.clear()
        _traced[key] = (count_macs(plain, *example, real=real), unit_groups(plain, *example))
    return _traced[key]


@denormals_flushed()
def train(
    config: TrialConfig,
    report: Callable[[Progress], None],
    directory: Path,
    *,
    sweep_id: str = "",
    trial_id: str = "",
    device: str | torch.device = "cpu",
    checkpoint_interval_s: float = 5.0,
    saved: Callable[[], None] = lambda: None,
    task: Task | None = None,
) -> list[OperatingPoint]:
    """Train, write each operating point to ``directory/<point id>.rfz``, and score what those files decode to.

    Beside each file ``<point id>.sections.csv`` says where its bytes go.

    Continues from ``directory/checkpoint.pt`` if there is one, and leaves it there: ``forget_checkpoint`` removes it
    once the points are recorded. ``saved`` is called after each checkpoint. ``task`` is that of ``config``, if it is
    loaded already. The same config and seed give the same bytes on the same machine, device, number of threads and
    versions.

    Raises:
        DivergedError: the loss, a parameter, the quality or what a file would hold became NaN or infinite.
        ValueError: the configuration is wrong, or the method's points are; one line says how.
    """
    device = torch.device(device)
    trial = prepare(config, device, task)
    task, context = trial.task, trial.context
    with deterministic(device):
        modifications = [one.attach(trial.model, context, task, config.architecture) for one in trial.modifiers]
        model = trial.method.attach(trial.model, context)
        training = Training(
            config=config,
            task=task,
            method=trial.method,
            context=context,
            modifications=modifications,
            report=report,
        )
        file = CheckpointFile(_checkpoint_path(directory), interval_s=checkpoint_interval_s, saved=saved)
        trained = run_phases(training, model, file)
        seed_everything(config.seed, "points")
        points: dict[str, OperatingPoint] = {}
        with _divergence_explained(config):
            for point_id, sections in trial.method.points(trained.model, context):
                _check_point_id(point_id, points)
                path = directory / f"{point_id}.rfz"
                check_sections(trial.layout, sections)
                arranged = arrange(sections, context.groups)
                write_atomically(path, container.write(trial.header, trial.layout, arranged))
                opened = open_compressed(path, architecture=trial.architecture)
                decoded = opened.network().to(device)
                write_atomically(path.with_suffix(".sections.csv"), _table(opened.account()))
                data = path.read_bytes()
                points[point_id] = OperatingPoint(
                    sweep_id=sweep_id,
                    trial_id=trial_id,
                    point_id=point_id,
                    task=str(config.task),
                    architecture=str(config.architecture),
                    method=config.method.name,
                    config_hash=config.config_hash,
                    seed=config.seed,
                    num_parameters=context.num_parameters,
                    macs=trial.macs,
                    num_steps=trained.num_steps,
                    train_s=trained.train_s,
                    size_bytes=len(data),
                    uncompressed_bytes=sum(tensor.nbytes for tensor in context.plain.state_dict().values()),
                    quality=_finite(evaluate(decoded, task.test, task)),
                    quality_val=_finite(evaluate(decoded, task.validation, task)),
                    quality_name=task.quality_name,
                    maximise=task.maximise,
                    sha256=hashlib.sha256(data).hexdigest(),
                    path=str(path),
                )
    if not points:
        raise ValueError(f"method {config.method.name!r} yielded no operating point: wanted at least one")
    return list(points.values())


def forget_checkpoint(directory: Path) -> None:
    """Remove what ``train`` would resume from."""
    _checkpoint_path(directory).unlink(missing_ok=True)


def _checkpoint_path(directory: Path) -> Path:
    return directory / "checkpoint.pt"


def _table(sizes: Iterable[container.PartSize]) -> bytes:
    """The sizes as CSV with the columns ``part``, ``name`` and ``size_bytes``; they sum to the file's length."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["part", "name", "size_bytes"])
    writer.writerows([size.part, size.name, f"{size.size_bytes:.3f}"] for size in sizes)
    return table.getvalue().encode()


def _check_point_id(point_id: str, taken: Container[str]) -> None:
    if not _POINT_ID.fullmatch(point_id):
        raise ValueError(f"point id {point_id!r} is no file name: wanted letters, digits, '.', '_' and '-'")
    if point_id in taken:
        raise ValueError(f"point id {point_id!r} was yielded twice: wanted another for each operating point")


@contextlib.contextmanager
def _divergence_explained(config: TrialConfig) -> Iterator[None]:
    """Add the step and the remedy to a divergence that finite parameters hid, such as a step beyond float16."""
    try:
        yield
    except DivergedError as error:
        raise DivergedError(f"after step {config.steps}, the last: {error}; {REMEDY}") from error


def _finite(quality: float) -> float:
    if not math.isfinite(quality):
        raise DivergedError(f"the decoded network's quality is {quality}")
    return quality


def _batches(split: Split, batch_size: int, device: torch.device) -> Iterator[Batch]:
    for start in range(0, len(split), batch_size):
        chosen = slice(start, start + batch_size)  # copied: see evaluate
        yield split.inputs[chosen].to(device, copy=True), split.targets[chosen].to(device, copy=True)
