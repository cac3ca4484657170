"""One trial, from configuration to measured files: the story from top to bottom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn

from trainers.config import TrialConfig
from trainers.determinism import denormals_flushed, deterministic
from trainers.instantiate import make_task
from trainers.loop.checkpoint import CheckpointFile, paths_of
from trainers.loop.phases import Store, Trained, run_phases
from trainers.loop.progress import Progress
from trainers.loop.training import Training
from trainers.points import PointStore
from trainers.preparation import Prepared, prepare
from trainers.record import OperatingPoint
from trainers.tasks.base import Task


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
    saved: Callable[[float], None] = lambda train_s: None,
    storing: Callable[[str], None] = lambda doing: None,
    damaged: Callable[[str], None] = lambda line: None,
    stored: Callable[[Sequence[OperatingPoint]], None] = lambda points: None,
    task: Task | None = None,
    data_workers: int | None = None,
) -> list[OperatingPoint]:
    """Train, write each operating point to ``directory/<point id>.rfz``, and score what those files decode to.

    Beside each file ``<point id>.sections.csv`` says where its bytes go.

    Continues from ``directory/checkpoint.pt`` or ``checkpoint-2.pt``, the later one that is whole, and leaves them
    there: ``forget_checkpoint`` removes them once the points are recorded. ``saved`` is called after each checkpoint
    with the seconds trained, ``damaged`` with a line for each that is set aside and one where there is no space for
    them, ``storing`` with what is being done while points are stored, such as ``writing point, 40%``. ``stored`` is
    called with all points so far when a phase before the last has stored some. ``task`` is that of ``config``, if it
    is loaded already. ``data_workers`` processes read its examples where these are not in memory; None stands for what
    the task says.
    The same config and seed give the same bytes on the same machine, device, number of threads and versions.

    Raises:
        DivergedError: the loss, a parameter, the quality or what a file would hold became NaN or infinite.
        StoredWronglyError: a decoded network is not the one that was trained.
        ValueError: the configuration is wrong, or the method's points are; one line says how.
    """
    device = torch.device(device)
    task = task or make_task(config.task)
    training = config.in_steps(len(task.train))
    trial = prepare(training, device, task, data_workers=data_workers)
    with deterministic(device):
        file = CheckpointFile(
            _checkpoint_path(directory), interval_s=checkpoint_interval_s, saved=saved, damaged=damaged
        )
        names = {"sweep_id": sweep_id, "trial_id": trial_id}
        store = PointStore(trial, config, directory, **names, storing=storing, stored=stored)
        store.store(trial.method.points, train_network(trial, training, report, file, store))
        return store.points


def train_network(
    trial: Prepared,
    config: TrialConfig,
    report: Callable[[Progress], None],
    file: CheckpointFile,
    store: Store | None = None,
) -> Trained:
    """Attach the modifiers and the method to the trial's network, and train it; raises what ``train`` raises."""
    return run_phases(*attached(trial, config, report), file, store)


def attached(trial: Prepared, config: TrialConfig, report: Callable[[Progress], None]) -> tuple[Training, nn.Module]:
    """Attach the modifiers and the method to the trial's network; returns what its phases train."""
    task, context = trial.task, trial.context
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
    return training, model


def forget_checkpoint(directory: Path) -> None:
    """Remove what ``train`` would resume from."""
    for path in paths_of(_checkpoint_path(directory)):
        path.unlink(missing_ok=True)


def _checkpoint_path(directory: Path) -> Path:
    return directory / "checkpoint.pt"
