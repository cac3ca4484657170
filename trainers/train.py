"""One trial, from configuration to measured files: the story from top to bottom."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

import torch

from trainers.architectures.base import build, build_on_meta, count_macs, layout_of
from trainers.coding import container
from trainers.compressed import load_compressed
from trainers.config import TrialConfig
from trainers.evaluate import evaluate
from trainers.instantiate import find_architecture, make_method, make_task
from trainers.loop import Loop, Report
from trainers.methods.base import Batch, Context
from trainers.record import OperatingPoint, write_atomically
from trainers.seeding import seed_everything
from trainers.tasks.base import Split

_CHECKPOINT_NAME = "checkpoint.pt"


@contextlib.contextmanager
def _denormals_flushed() -> Iterator[None]:
    """Dead latents and their Adam moments decay into denormals, which are 5 to 10 times slower."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@_denormals_flushed()
def train(
    config: TrialConfig,
    report: Report,
    directory: Path,
    *,
    sweep_id: str = "",
    trial_id: str = "",
    device: str | torch.device = "cpu",
    checkpoint_interval_s: float = 5.0,
) -> list[OperatingPoint]:
    """Train, write each operating point to ``directory/<point id>.rfz``, and score what those files decode to.

    Continues from ``directory/checkpoint.pt`` where there is one; an exception raised by ``report`` leaves the
    last checkpoint in place. The same config and seed give the same bytes on the same machine, device, number of
    threads and versions.

    Raises:
        ValueError: the configuration is wrong; one line says how.
        DivergedError: the loss became NaN or infinite.
    """
    device = torch.device(device)
    method = make_method(config.method)
    task = make_task(config.task)
    architecture, arguments = find_architecture(config.architecture, task)
    plain = build_on_meta(config.architecture.name, architecture, arguments)
    layout = layout_of(plain)
    macs = count_macs(plain, task.input_shape, task.train.inputs.dtype)
    header = container.Header(
        method=config.method.name,
        method_version=method.version,
        architecture=config.architecture.name,
        arguments=arguments,
    )
    container.write_header(header)  # what cannot be written is refused now, not after the training
    on_device = {"train": task.train.to(device), "validation": task.validation.to(device)}
    context = Context(
        plain=plain,
        loss=task.loss,
        num_train=len(task.train),
        total_steps=config.steps,
        device=device,
        batches=lambda split: _batches(on_device[split], config.batch_size),
        validate=lambda model: evaluate(model, on_device["validation"], task),
    )
    if context.num_parameters == 0:
        raise ValueError(f"architecture {config.architecture.name!r} has no parameters: nothing to train")
    seed_everything(config.seed, "initialisation")
    model = build(config.architecture.name, architecture, arguments).to(device)
    model = method.attach(model, context)
    loop = Loop(
        config, task, method, context, on_device["train"], report, directory / _CHECKPOINT_NAME, checkpoint_interval_s
    )
    model = loop.run(model)

    seed_everything(config.seed, "points")
    points = []
    for point_id, sections in method.points(model, context):
        path = directory / f"{point_id}.rfz"
        write_atomically(path, container.write(header, layout, sections))
        decoded = load_compressed(path, architecture=architecture, device=device)
        data = path.read_bytes()
        points.append(
            OperatingPoint(
                sweep_id=sweep_id,
                trial_id=trial_id,
                point_id=point_id,
                task=str(config.task),
                architecture=str(config.architecture),
                method=config.method.name,
                config_hash=config.config_hash,
                seed=config.seed,
                num_parameters=context.num_parameters,
                macs=macs,
                num_steps=loop.num_steps,
                train_s=loop.train_s,
                size_bytes=len(data),
                uncompressed_bytes=sum(tensor.nbytes for tensor in plain.state_dict().values()),
                quality=evaluate(decoded, task.test.to(device), task),
                quality_val=evaluate(decoded, on_device["validation"], task),
                quality_name=task.quality_name,
                maximise=task.maximise,
                sha256=hashlib.sha256(data).hexdigest(),
                path=str(path),
            )
        )
    (directory / _CHECKPOINT_NAME).unlink(missing_ok=True)
    return points


def _batches(split: Split, batch_size: int) -> Iterator[Batch]:
    for start in range(0, len(split), batch_size):
        yield split.inputs[start : start + batch_size], split.targets[start : start + batch_size]
