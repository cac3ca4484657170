"""What a sweep will take, before it runs: trials, and time and cost from a few measured steps of each kind of trial."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from orchestrator.resources import Share
from orchestrator.space import identity
from orchestrator.sweep import Sweep, Trial
from trainers.config import Spec, TrialConfig


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Trials that cost alike: of one architecture and method, with the same choices and sizes."""

    example: TrialConfig
    method: str
    """With what differs in it, but for numbers, such as penalties and rates."""
    share: Share
    trials: Sequence[Trial]
    step_s: float
    trial_s: float
    """Mean over ``trials``."""
    failure: str = ""
    """Why it could not be measured, and counts as nothing."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What was measured, and what it comes to."""

    kinds: Sequence[Kind]
    num_trials: int
    """At most; ``kinds`` may hold a sample."""
    at_once: int
    """Trials that run beside each other."""
    hours: float
    train_h: float
    """Hours of all trials, one after the other."""


def estimate(sweep: Sweep, trials: Sequence[Trial], num_trials: int) -> Estimate:
    """Measure each kind of trial here, and add up.

    Args:
        sweep: whose resources each trial has.
        trials: those to come, or a sample of them.
        num_trials: how many there will be.

    Raises:
        ValueError: data is missing, or a GPU is wanted and there is none.
    """
    from trainers import timing
    from trainers.instantiate import make_task

    kinds: list[Kind] = []
    tasks: dict[str, Any] = {}
    for (_, method), alike in _kinds(trials).items():
        example = alike[0].config
        share = sweep.resources.of(example)
        _check_device(share)
        if str(example.task) not in tasks:
            tasks[str(example.task)] = make_task(example.task)
        task = tasks[str(example.task)]
        kind = Kind(example=example, method=method, share=share, trials=alike, step_s=0.0, trial_s=0.0)
        try:
            with tempfile.TemporaryDirectory() as folder:
                device = "cuda" if share.gpu else "cpu"
                found = timing.measure(example, task, Path(folder), device=device, num_threads=share.cpu)
        except Exception as error:  # one configuration that diverges is no reason to know nothing of the others
            kinds.append(replace(kind, failure=f"{type(error).__name__}: {' '.join(str(error).split())}"))
            continue
        mean_s = fmean(found.trial_s(trial.config, task) for trial in alike)
        kinds.append(replace(kind, step_s=found.step_s, trial_s=mean_s))
    return _added_up(kinds, num_trials, here())


def here() -> Mapping[str, float]:
    """What this machine has, as Ray counts it."""
    import torch

    num_cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"CPU": num_cpus, "GPU": torch.cuda.device_count() if torch.cuda.is_available() else 0}


def _added_up(kinds: Sequence[Kind], num_trials: int, machine: Mapping[str, float]) -> Estimate:
    """Resources are kept busy to the end; no trial is faster than alone."""
    num_sampled = sum(len(kind.trials) for kind in kinds)
    scale = num_trials / num_sampled if num_sampled else 0.0
    busy = dict.fromkeys(machine, 0.0)
    for kind in kinds:
        wanted = kind.share.for_ray()
        for name in machine:
            busy[name] += scale * len(kind.trials) * kind.trial_s * wanted[name]
    seconds = [busy[name] / machine[name] for name in machine if machine[name]]
    longest_s = max((kind.trial_s for kind in kinds), default=0.0)
    total_s = scale * sum(len(kind.trials) * kind.trial_s for kind in kinds)
    wall_s = max([*seconds, longest_s])
    return Estimate(
        kinds=kinds,
        num_trials=num_trials,
        at_once=max(1, min(num_trials, round(total_s / wall_s))) if wall_s else 0,
        hours=wall_s / 3600,
        train_h=total_s / 3600,
    )


def _kinds(trials: Sequence[Trial]) -> dict[tuple[str, str], list[Trial]]:
    """Trials that cost alike: by everything but numbers of the method, the number of steps and the seed."""
    methods: dict[str, dict[str, Spec]] = {}
    for method in (trial.config.method for trial in trials):
        methods.setdefault(method.name, {})[str(method)] = method
    kinds: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        rest = {key: item for key, item in trial.config.to_dict().items() if key not in ("method", "steps", "seed")}
        method = trial.config.method
        kinds.setdefault((identity(rest), str(_choices(method, methods[method.name].values()))), []).append(trial)
    return kinds


def _choices(method: Spec, same: Collection[Spec]) -> Spec:
    """``method`` with those of its arguments that are no numbers and differ among ``same``."""
    chosen = {
        key: item
        for key, item in method.arguments.items()
        if not _is_number(item) and any(other.arguments.get(key) != item for other in same)
    }
    return Spec(name=method.name, arguments=chosen)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_device(share: Share) -> None:
    import torch

    if share.gpu and not torch.cuda.is_available():
        raise ValueError(
            "resources.gpu asks for a GPU and torch sees none here: time cannot be measured on this machine"
        )
