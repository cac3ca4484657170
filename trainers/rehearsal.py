"""A trial tried beforehand on a handful of examples, so that what its method cannot do is refused before it trains."""

from __future__ import annotations

import dataclasses
import math
import tempfile
from pathlib import Path

import torch

from trainers.arrange import arrange
from trainers.coding.sections import check_sections
from trainers.config import TrialConfig
from trainers.data.examples import head
from trainers.determinism import denormals_flushed, deterministic
from trainers.divergence import DivergedError
from trainers.guard import StoredWronglyError
from trainers.lookup import one_line
from trainers.loop.checkpoint import CheckpointFile
from trainers.points import guard_of, rebuilt
from trainers.preparation import prepare
from trainers.seeding import seed_everything, undisturbed
from trainers.tasks.base import Task
from trainers.train import train_network

_NUM_STEPS = 6
_BATCH_SIZE = 8
_NUM_EXAMPLES = 32
"""Validation examples that are looked at."""


@denormals_flushed()
def rehearse(config: TrialConfig, task: Task) -> None:
    """Train a few steps, decode what the method would store, and guard it; nothing is coded or kept.

    A training that diverges here may not in earnest, with its own batches.

    Args:
        config: the trial; its batch size does not matter, nor how many steps it has, if any.
        task: the task of ``config``.

    Raises:
        ValueError: the method cannot train or store the network; one line says why.
    """
    little = dataclasses.replace(
        task, validation=head(task.validation, _NUM_EXAMPLES), test=head(task.test, _NUM_EXAMPLES)
    )
    num_steps = _NUM_STEPS if config.trains else 0
    short = config.with_batches_of(min(config.batch_size, _BATCH_SIZE))
    short = dataclasses.replace(short, steps=num_steps, epochs=0.0)
    try:
        with undisturbed(), deterministic(torch.device("cpu")), tempfile.TemporaryDirectory() as folder:
            _rehearse(short, little, Path(folder))
    except DivergedError:
        return
    except (ValueError, StoredWronglyError) as error:
        raise ValueError(f"{_called(config)}: {error}") from error
    except Exception as error:  # a network or a library may raise anything
        when = f" within {num_steps} steps" if num_steps else ""
        raise ValueError(f"{_called(config)}: fails{when}: {type(error).__name__}: {one_line(error)}") from error


def _called(config: TrialConfig) -> str:
    return f"method {config.method.name!r} on architecture {str(config.architecture)!r}"


def _rehearse(config: TrialConfig, task: Task, folder: Path) -> None:
    trial = prepare(config, torch.device("cpu"), task)
    file = CheckpointFile(folder / "checkpoint.pt", interval_s=math.inf)
    trained = train_network(trial, config, lambda progress: None, file)
    guard = guard_of(trial, trained, config).quick(trial.macs, trial.fewest)
    seed_everything(config.seed, "points")
    point_id, sections = next(iter(trial.method.rehearsed(trial.context).points(trained.model, trial.context)))
    check_sections(trial.layout, sections)
    stored = trial.method.decode(sections, trial.context.plain)
    arranged = trial.method.decode(arrange(sections, trial.context.unfrozen_groups), trial.context.plain)
    guard.check(point_id, stored, rebuilt(trial, arranged, config.seed), lambda: rebuilt(trial, stored, config.seed))
