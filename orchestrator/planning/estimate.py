"""Estimates how long a sweep will take, from a few measured steps of each kind of trial, in a few seconds."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from orchestrator.planning.checks import Known
from orchestrator.search.space import identity, settings_without_numbers, without_numbers
from orchestrator.sweep.budget import Budget
from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.resources import TrialResources
from orchestrator.sweep.trials import Trial
from trainers.config import Spec, TrialConfig

_BUDGET_S = 3.0
"""Seconds of the processor after which no further kind is measured; then the others stand for all."""
_LEAST_PIECE_S, _MOST_PIECE_S = 0.05, 0.4
_NUM_PIECES = 8
"""The steps and evaluations of a kind, of which each may take a share of the seconds (``timing.measure``)."""
_SHARE_OF_MEMORY = 0.7
"""The part of a machine's memory that Ray leaves to trials."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Trials that cost alike: they have one architecture and method, with the same choices and sizes."""

    example: TrialConfig
    method: str
    """The method, with its varying settings that are no numbers: those, such as penalties, hardly change the cost."""
    resources: TrialResources
    num_trials: int
    step_s: float = 0.0
    trial_s: float = 0.0
    """Seconds of a whole trial, as a mean over these trials."""
    is_extrapolated: bool = False
    """Whether its steps were too long to be measured with whole batches."""
    failure: str = ""
    """Why it could not be measured, so that it counts as nothing; empty where it was."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What was measured, and how long the sweep takes by that."""

    kinds: Sequence[Kind]
    num_kinds: int
    """How many kinds there are; ``kinds`` has those that were measured."""
    num_trials: int
    """The most trials that there may be; the measured kinds may be a sample."""
    at_once: int
    """How many trials run beside each other."""
    hours: float
    train_h: float
    """Hours that all trials take one after the other."""
    budget: str = ""
    """The limit that ends the sweep before its last trial; empty where none does."""

    @property
    def is_whole(self) -> bool:
        """Whether each kind was measured, with whole batches."""
        return len(self.kinds) == self.num_kinds and not any(kind.is_extrapolated for kind in self.kinds)

    @property
    def factor(self) -> float:
        """The sweep takes at most so many times as long as estimated, and as estimated at most so many times as long.

        It held for all sweeps of ``benchmarks/plan.py``, on a machine that was busy at times.
        """
        return 2.0 if self.is_whole else 3.0


def estimate(
    sweep: Sweep, trials: Sequence[Trial], num_trials: int, *, num_cpus: int, known: Known | None = None
) -> Estimate:
    """Measure a trial of each kind on this machine, as far as a few seconds go, and add up.

    Each is tried on the way: what is measured can be trained, stored and decoded.

    Args:
        sweep: its resources and its budget count.
        trials: the trials to come, or a sample of them.
        num_trials: how many there will be.
        num_cpus: cores of this machine, as Ray counts them.
        known: what is known of their tasks and networks.

    Raises:
        ValueError: data is missing, or a method cannot train or store a network.
    """
    alike = _kinds(trials, known or Known())
    groups = [[trial.config for trial in group] for group in alike.values()]
    granted = [sweep.resources.of(configs[0]) for configs in groups]
    kinds = [
        Kind(example=configs[0], method=method, resources=resources, num_trials=len(configs), **found)
        for (_, method), configs, resources, found in zip(
            alike, groups, granted, _measured(groups, granted, known or Known()), strict=True
        )
        if found is not None
    ]
    return _added_up(kinds, len(alike), num_trials, this_machine(num_cpus), sweep.budget)


def this_machine(num_cpus: int) -> Mapping[str, float]:
    """This machine's resources, by Ray's names for them."""
    import torch

    return {
        "CPU": num_cpus,
        "GPU": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "memory": _SHARE_OF_MEMORY * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    }


_Found = dict[str, Any] | None
"""``Kind`` fields; None where there was no time to measure it."""


def _measured(groups: list[list[TrialConfig]], granted: list[TrialResources], known: Known) -> list[_Found]:
    """Measure in this process, or where a GPU is used in another, which gives the GPU's memory back."""
    import torch

    if not (any(resources.gpu for resources in granted) and torch.cuda.is_available()):
        return _measure_all(groups, granted, known)
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(max_workers=1, mp_context=spawn) as pool:
        return pool.submit(_measure_all, groups, granted, Known()).result()


def _measure_all(groups: list[list[TrialConfig]], granted: list[TrialResources], known: Known) -> list[_Found]:
    """Measure the first trial of each group, in an order in which any beginning is spread over all of them."""
    started = time.process_time()
    piece_s = min(max(_BUDGET_S / (_NUM_PIECES * len(groups)), _LEAST_PIECE_S), _MOST_PIECE_S) if groups else 0.0
    rows: list[_Found] = [None] * len(groups)
    for index in _spread(len(groups)):
        if any(rows) and time.process_time() - started > _BUDGET_S:
            break
        rows[index] = _measure(groups[index], granted[index], known, piece_s)
    return rows


def _spread(number: int) -> list[int]:
    """The numbers below ``number``: the first, the one in the middle, then those in the middle between these ..."""
    num_bits = max(1, (number - 1).bit_length())
    return sorted(range(number), key=lambda index: f"{index:0{num_bits}b}"[::-1])


def _measure(configs: list[TrialConfig], resources: TrialResources, known: Known, piece_s: float) -> dict[str, Any]:
    import torch

    from trainers import timing
    from trainers.instantiate import make_excerpt
    from trainers.rehearsal import rehearse

    if resources.gpu and not torch.cuda.is_available():
        return {"failure": "it wants a GPU, and torch sees none here; sweep tries it before it starts"}
    example = configs[0]
    key, network = identity(example.task.to_dict()), identity(example.architecture.to_dict())
    if key not in known.data:
        known.data[key] = make_excerpt(example.task)
    data, described = known.data[key], known.networks.get((key, network))
    device = "cuda" if resources.gpu else "cpu"
    place = (key, network, device, resources.cpu)
    try:
        found = timing.measure(
            example,
            data,
            described=described,
            example_s=known.example_s.get(place),
            device=device,
            num_threads=resources.cpu,
            piece_s=piece_s,
        )
    except Exception as error:  # one configuration that diverges leaves the others to be measured
        rehearse(example, data.task)  # refuses what would fail whatever its numbers
        return {"failure": f"{type(error).__name__}: {' '.join(str(error).split())}"}
    known.example_s[place] = found.example_s
    trial_s = fmean(found.trial_s(one, data) for one in configs)
    return {"step_s": found.step_s, "trial_s": trial_s, "is_extrapolated": found.is_extrapolated}


def _added_up(
    kinds: Sequence[Kind], num_kinds: int, num_trials: int, machine: Mapping[str, float], budget: Budget
) -> Estimate:
    """The time of the sweep from that of its kinds, if no place is idle before the end; a budget may end it sooner."""
    num_measured = sum(kind.num_trials for kind in kinds)
    scale = num_trials / num_measured if num_measured else 0.0
    total_s = wall_s = gpu_s = 0.0
    for kind in kinds:
        seconds = scale * kind.num_trials * kind.trial_s
        total_s += seconds
        gpu_s += seconds * kind.resources.gpu
        wall_s += seconds / _places(kind.resources, machine)
    wall_s = max([wall_s, *(kind.trial_s for kind in kinds)])
    at_once = max(1, min(num_trials, round(total_s / wall_s))) if wall_s else 0
    limits = {
        f"budget.{name}": limit / needed
        for name, limit, needed in (
            ("train_s", budget.train_s, total_s),
            ("gpu_h", budget.gpu_h, gpu_s / 3600),
            ("wall_s", budget.wall_s, wall_s),
        )
        if limit is not None and needed > limit
    }
    tightest = min(limits, key=lambda name: limits[name], default="")
    share = limits.get(tightest, 1.0)
    return Estimate(
        kinds=kinds,
        num_kinds=num_kinds,
        num_trials=num_trials,
        at_once=at_once,
        hours=share * wall_s / 3600,
        train_h=share * total_s / 3600,
        budget=tightest,
    )


def _places(resources: TrialResources, machine: Mapping[str, float]) -> int:
    """How many trials with ``resources`` fit on the machine at once; 1 where none does."""
    wanted = resources.for_ray()
    return max(1, min(int(machine[name] / amount) for name, amount in wanted.items() if amount))


def _kinds(trials: Sequence[Trial], known: Known) -> dict[tuple[str, str], list[Trial]]:
    """Group trials that cost alike: those with steps, or those without, that differ in numbers and the seed alone.

    Files that a task has in turn cost alike where they are known to give the same network.
    """
    values: dict[str, dict[str, set[str]]] = {}  # values that are no numbers, by method and argument
    for method in (trial.config.method for trial in trials):
        for key, item in method.arguments.items():
            if not _is_number(item):
                values.setdefault(method.name, {}).setdefault(key, set()).add(repr(item))
    kinds: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        rest = {key: item for key, item in trial.config.to_dict().items() if key not in ("method", "steps", "seed")}
        if trial.config.each:
            place = identity(trial.config.task.to_dict()), identity(trial.config.architecture.to_dict())
            if place in known.networks:
                rest |= {"task": str(trial.config.whole_task), "network": known.networks[place].arguments}
        if "modifiers" in rest:
            rest["modifiers"] = without_numbers(rest["modifiers"])
        rest |= settings_without_numbers(trial.config.settings)
        method = trial.config.method
        rest["is_trained"] = trial.config.trains
        varied = [key for key, found in values.get(method.name, {}).items() if len(found) > 1]
        chosen = Spec(name=method.name, arguments={key: method.arguments[key] for key in varied})
        kinds.setdefault((identity(rest), str(chosen)), []).append(trial)
    return kinds


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
