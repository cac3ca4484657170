"""One trial on a worker: plain data in, ``train``, the record on disk; then Ray and tracking are told."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.environment import processor, versions
from orchestrator.storage.journal import Journal
from orchestrator.storage.locations import open_journal
from orchestrator.storage.outcomes import Ended, Outcome
from orchestrator.sweep.resources import TrialResources
from trainers.divergence import DivergedError
from trainers.record import OperatingPoint

if TYPE_CHECKING:
    from trainers.config import Spec
    from trainers.loop import Progress
    from trainers.tasks.base import Task

_TRACKING_INTERVAL_S = 5.0
_LEAST_BETWEEN_STORES = 10
"""Times what storing took, where a folder is far away: a training does not wait for its checkpoints."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all trials of a sweep share."""

    sweep_id: str
    location: str
    """Of the sweep, which worker and driver share."""
    import_path: str
    """Where the user's own modules are."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One trial, as a worker is sent it."""

    setting: Setting
    trial_id: str
    config: dict[str, Any]
    """Of a ``TrialConfig``."""
    resources: TrialResources
    """What it may use."""


def execute(
    request: Request,
    *,
    report: Callable[[Progress], None],
    track: Callable[[str], None],
    find_task: Callable[[Spec], Task] | None = None,
) -> Ended:
    """Run one trial to its record. What goes wrong in the trial is its outcome, never an exception.

    Args:
        request: the trial.
        report: told each report of the training.
        track: told the trial's id when there is something new on disk, at most every five seconds, and at the end.
        find_task: gives the task with its data; default: it is loaded.
    """
    journal = open_journal(request.setting.location)
    journal.fetch(request.trial_id, to_resume=True)
    ended = journal.ended(request.trial_id)
    if ended is not None and journal.is_over(request.trial_id):
        return ended
    journal.begin(request.trial_id, request.config, _environment(request.resources))
    track(request.trial_id)
    last_tracked = time.monotonic()

    def on_progress(progress: Progress) -> None:
        nonlocal last_tracked
        journal.append_progress(request.trial_id, progress)
        report(progress)
        limit_s = request.resources.time_s
        if limit_s is not None and progress.train_s > limit_s:
            raise TimeoutError(f"it trained for {progress.train_s:.1f} s, more than resources.time_s = {limit_s:g}")
        if time.monotonic() - last_tracked >= _TRACKING_INTERVAL_S:
            track(request.trial_id)
            last_tracked = time.monotonic()

    try:
        points = _train(request, journal, on_progress, find_task)
        ended = Ended(outcome=Outcome.FINISHED, points=tuple(points))
    except Exception as error:  # whatever a trial raises must not stop the sweep
        ended = Ended(outcome=Outcome.FAILED, reason=_reason(error), details=traceback.format_exc())
    journal.end(request.trial_id, ended)
    if ended.outcome is Outcome.FINISHED:
        journal.forget_checkpoint(request.trial_id)  # it was needed until then
    track(request.trial_id)
    return ended


def _train(
    request: Request,
    journal: Journal,
    on_progress: Callable[[Progress], None],
    find_task: Callable[[Spec], Task] | None,
) -> list[OperatingPoint]:
    import torch

    from trainers.config import TrialConfig
    from trainers.train import train

    setting = request.setting
    if setting.import_path not in sys.path:
        sys.path.insert(0, setting.import_path)
    if request.resources.gpu and not torch.cuda.is_available():
        raise ValueError("resources.gpu asks for a GPU and torch sees none: install torch with CUDA, or set it to 0")
    torch.set_num_threads(request.resources.cpu)
    store_at_s = time.monotonic()

    def saved() -> None:
        nonlocal store_at_s
        began_s = time.monotonic()
        if began_s >= store_at_s:
            journal.store(request.trial_id)
            ended_s = time.monotonic()
            store_at_s = ended_s + _LEAST_BETWEEN_STORES * (ended_s - began_s)

    config = TrialConfig.from_dict(request.config)
    points = train(
        config,
        on_progress,
        journal.trial_directory(request.trial_id),
        sweep_id=setting.sweep_id,
        trial_id=request.trial_id,
        device="cuda" if request.resources.gpu else "cpu",
        saved=saved,
        task=find_task(config.task) if find_task is not None else None,
    )
    # relative to the sweep, whose folder may move
    return [replace(point, path=str(Path(point.path).relative_to(journal.directory))) for point in points]


def _environment(resources: TrialResources) -> dict[str, str]:
    """What a trial runs on: of its results, only ``train_s`` and the last bits of floats depend on it."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # before CUDA starts: else cuBLAS sums in any order
    import torch

    gpu = resources.gpu > 0 and torch.cuda.is_available()
    return {
        "device": torch.cuda.get_device_name() if gpu else processor(),
        "num_threads": str(resources.cpu),
        "gpu": f"{resources.gpu:g}",
        **versions(),
    }


OUT_OF_MEMORY = "out of memory: "
"""How the reason begins of a trial that found none."""
DIVERGED = "diverged: "
"""How the reason begins of a trial whose training left the finite numbers."""


def _reason(error: BaseException) -> str:
    """One line."""
    text = " ".join(str(error).split())
    # torch's own error is one of a GPU; on a CPU it raises a bare RuntimeError
    if type(error).__name__ == "OutOfMemoryError" or isinstance(error, MemoryError) or "can't allocate memory" in text:
        return OUT_OF_MEMORY + text
    if isinstance(error, DivergedError):
        return DIVERGED + text
    return text if isinstance(error, ValueError) and text else f"{type(error).__name__}: {text}"
