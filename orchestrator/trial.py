"""Runs one trial on a worker: plain data comes in, ``train`` runs, the record is written; Ray and tracking are told."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from orchestrator.environment import processor, versions
from orchestrator.storage.damage import DamagedError
from orchestrator.storage.journal import DIVERGED, FULL, OUT_OF_MEMORY, Ended, Journal, Outcome
from orchestrator.storage.locations import open_journal
from orchestrator.storage.measured import sections_of
from orchestrator.storage.pictures import original_of
from orchestrator.sweep.resources import TrialResources
from trainers.divergence import DivergedError
from trainers.echo import printable
from trainers.full_disk import why_full
from trainers.record import OperatingPoint

if TYPE_CHECKING:
    from trainers.config import Spec, TrialConfig
    from trainers.loop.progress import Progress
    from trainers.tasks.base import Task

_TRACKING_INTERVAL_S = 5.0
_TRACKED_AFTER_S = 1.0
"""How long a trial runs before tracking hears of it: a shorter one is told of once, when it has ended."""
_STORING_INTERVAL_S = 1.0
_LEAST_BETWEEN_STORES = 10
"""Between two stores lies at least this many times what the first one took: where the folder is far away, a training
does not wait for its checkpoints."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all trials of a sweep share."""

    sweep_id: str
    location: str
    """The path or address of the sweep's folder, which worker and driver share."""
    import_path: str
    """The folder of the user's own modules."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One trial, as it is sent to a worker."""

    setting: Setting
    trial_id: str
    config: dict[str, Any]
    """A ``TrialConfig`` as plain data."""
    resources: TrialResources
    """How much of the machine it may use."""


class _Telling:
    """Tells tracking that a trial has something new, while it runs."""

    def __init__(self, trial_id: str, track: Callable[[str], None]) -> None:
        self._trial_id, self._track = trial_id, track
        self._due_s = time.monotonic() + _TRACKED_AFTER_S

    def now(self) -> None:
        """Tell, whenever it was told last."""
        self._track(self._trial_id)
        self._due_s = time.monotonic() + _TRACKING_INTERVAL_S

    def where_due(self) -> None:
        """Tell, unless it was told of just now or has just begun."""
        if time.monotonic() >= self._due_s:
            self.now()


def execute(
    request: Request,
    *,
    report: Callable[[Progress], None],
    track: Callable[[str], None],
    find_task: Callable[[Spec], Task] | None = None,
) -> Ended:
    """Run one trial to its record. What goes wrong in the training is the trial's outcome, never an exception.

    On a full disk there may be no space for the record: then only what is returned says that the trial failed.

    Args:
        request: the trial.
        report: is called with each report of the training.
        track: is called with the trial's id when the journal has something new, at most every five seconds, and at the
            end. A trial that is over within a second is told of once.
        find_task: returns the task with its data; without it the task is loaded.

    Returns:
        The trial's record; an earlier one where the trial is over already.
    """
    journal = open_journal(request.setting.location)
    journal.fetch(request.trial_id, to_resume=True)
    ended = journal.ended(request.trial_id)
    if ended is not None and ended.is_over:
        return ended
    try:
        ended = _run(request, journal, report, track, find_task)
    except OSError as error:
        if not why_full(error):
            raise
        ended = _fail_for_space(request, journal, error)
    track(request.trial_id)
    return ended


def _run(
    request: Request,
    journal: Journal,
    report: Callable[[Progress], None],
    track: Callable[[str], None],
    find_task: Callable[[Spec], Task] | None,
) -> Ended:
    """Begin the trial, train, and record how that ended."""
    journal.begin(request.trial_id, request.config, _environment(request.resources))
    telling = _Telling(request.trial_id, track)
    latest: Progress | None = None
    last_shown: float | None = None

    def on_progress(progress: Progress) -> None:
        nonlocal latest
        latest = progress
        journal.append_progress(request.trial_id, asdict(progress))
        report(progress)
        _check_time(request, progress.train_s)
        telling.where_due()

    def on_storing(doing: str) -> None:
        """Tell whoever watches, where it takes long; the journal has the training alone."""
        nonlocal last_shown
        now_s = time.monotonic()
        if last_shown is None:
            last_shown = now_s
        elif latest is not None and now_s - last_shown >= _STORING_INTERVAL_S:
            report(replace(latest, phase=doing, is_judged=False))
            last_shown = now_s

    try:
        points = _train(request, journal, on_progress, on_storing, telling, find_task)
    except Exception as error:  # whatever a trial raises must not stop the sweep
        details = "" if why_full(error) else traceback.format_exc()  # the shorter, the sooner it has space
        return journal.fail(request.trial_id, _reason(error), details=details)
    ended = journal.finish(request.trial_id, points)
    journal.forget_checkpoint(request.trial_id)  # it was needed until then
    return ended


def _fail_for_space(request: Request, journal: Journal, error: OSError) -> Ended:
    """Record that there was no space for a file of the trial, where there is space for that."""
    reason = _reason(error)
    if journal.config(request.trial_id) is not None:  # else it has not begun
        try:
            return journal.fail(request.trial_id, reason)
        except OSError as again:
            if not why_full(again):
                raise
    return Ended(outcome=Outcome.FAILED, reason=reason)


def _check_time(request: Request, train_s: float) -> None:
    """Raise TimeoutError where the trial has trained for longer than it may."""
    limit_s = request.resources.time_s
    if limit_s is not None and train_s > limit_s:
        raise TimeoutError(f"it trained for {train_s:.1f} s, more than resources.time_s = {limit_s:g}")


def _train(
    request: Request,
    journal: Journal,
    on_progress: Callable[[Progress], None],
    on_storing: Callable[[str], None],
    telling: _Telling,
    find_task: Callable[[Spec], Task] | None,
) -> list[OperatingPoint]:
    import torch

    from trainers.config import TrialConfig
    from trainers.instantiate import make_task
    from trainers.train import train

    setting = request.setting
    if setting.import_path not in sys.path:
        sys.path.insert(0, setting.import_path)
    if request.resources.gpu and not torch.cuda.is_available():
        raise ValueError("resources.gpu asks for a GPU and torch sees none: install torch with CUDA, or set it to 0")
    torch.set_num_threads(request.resources.cpu)
    store_at_s = time.monotonic()

    def saved(train_s: float) -> None:
        nonlocal store_at_s
        _check_time(request, train_s)  # the next report may be hours away
        telling.where_due()
        began_s = time.monotonic()
        if began_s >= store_at_s:
            journal.store(request.trial_id)
            ended_s = time.monotonic()
            store_at_s = ended_s + _LEAST_BETWEEN_STORES * (ended_s - began_s)

    def stored(points: Sequence[OperatingPoint]) -> None:
        journal.keep_points(request.trial_id, [replace(point, path=journal.name_of(point.path)) for point in points])
        telling.now()

    _bring_points(request, journal)
    config = TrialConfig.from_dict(request.config)
    task = find_task(config.task) if find_task is not None else make_task(config.task)
    _keep_original(journal, config, task)
    points = train(
        config,
        on_progress,
        journal.trial_directory(request.trial_id),
        sweep_id=setting.sweep_id,
        trial_id=request.trial_id,
        device="cuda" if request.resources.gpu else "cpu",
        saved=saved,
        storing=on_storing,
        damaged=lambda line: journal.note_damage(request.trial_id, line),
        stored=stored,
        task=task,
        data_workers=request.resources.data_workers,
    )
    return [replace(point, path=journal.name_of(point.path)) for point in points]


def _keep_original(journal: Journal, config: TrialConfig, task: Task) -> None:
    """Keep the image that the task is of, once for the sweep; most tasks are of none."""
    from trainers.rendering import original, png_bytes

    name = original_of(config.to_dict()["task"])
    if (image := original(task)) is not None and not journal.file(name).is_file():
        journal.keep(name, png_bytes(image))


def _bring_points(request: Request, journal: Journal) -> None:
    """Have the files here that an attempt before this one stored, so that the training goes on after them."""
    try:
        for point in journal.points(request.trial_id):
            journal.file(point.path)
            journal.file(sections_of(point))
    except DamagedError as error:
        journal.note_damage(request.trial_id, f"{error}; the training began anew")
        journal.forget_checkpoint(request.trial_id)


def _environment(resources: TrialResources) -> dict[str, str]:
    """What a trial runs on. Only ``train_s`` and the last bits of floats in its results depend on it."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # before CUDA starts: else cuBLAS sums in any order
    import torch

    gpu = resources.gpu > 0 and torch.cuda.is_available()
    return {
        "device": torch.cuda.get_device_name() if gpu else processor(),
        "num_threads": str(resources.cpu),
        "gpu": f"{resources.gpu:g}",
        **versions(),
    }


def _reason(error: BaseException) -> str:
    """Why the trial failed, in one line without control characters."""
    text = printable(" ".join(str(error).split()))
    # torch's own error is one of a GPU; on a CPU it raises a bare RuntimeError
    if type(error).__name__ == "OutOfMemoryError" or isinstance(error, MemoryError) or "can't allocate memory" in text:
        return OUT_OF_MEMORY + text
    if isinstance(error, DivergedError):
        return DIVERGED + text
    if why := why_full(error):
        return FULL + why
    return text if isinstance(error, ValueError) and text else f"{type(error).__name__}: {text}"
