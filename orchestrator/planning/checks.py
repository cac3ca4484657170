"""What must hold before a sweep runs: nobody else has its id, its data is here, and its networks can be built."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.errors import SweepError
from orchestrator.search.space import identity, settings_without_numbers, without_numbers
from orchestrator.storage.journal import Journal
from orchestrator.sweep.trials import Trial

if TYPE_CHECKING:
    from trainers.config import Spec, TrialConfig
    from trainers.preparation import Described
    from trainers.tasks.base import Excerpt, Task


def check_identity(sweep_id: str, trials: list[Trial], journal: Journal, tracked: dict[str, str]) -> None:
    """Refuse to mix two sweeps under one id.

    Args:
        sweep_id: the sweep's id.
        trials: the trials that are planned.
        journal: of the sweep.
        tracked: the instance of each sweep that MLflow has, by sweep id.

    Raises:
        SweepError: MLflow has the sweep from elsewhere, or a trial on disk is not the planned one.
    """
    if sweep_id in tracked and tracked[sweep_id] != journal.instance:
        raise SweepError(
            f"MLflow already has a sweep {sweep_id} that is not the one in {journal.location}: "
            "--new starts another, --name gives it another name"
        )
    for trial in trials:
        config = journal.config(trial.trial_id)
        if config is not None and config != trial.config.to_dict():
            raise SweepError(
                f"trial {trial.trial_id} in {journal.location} has another configuration than planned, "
                "so another version of ratefront wrote it: --new starts another sweep"
            )


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a plan found out about a sweep's tasks and networks."""

    data: dict[str, Excerpt] = field(default_factory=dict)
    """By the ``identity`` of the task's spec."""
    networks: dict[tuple[str, str], Described] = field(default_factory=dict)
    """By the ``identity`` of the specs of task and architecture."""
    example_s: dict[tuple[str, str, str, int], float] = field(default_factory=dict)
    """Seconds of evaluating a decoded network on one example, by the same, the device and the number of threads."""


def check_here(trials: list[Trial]) -> dict[str, Task]:
    """Load data, build networks and try methods here, once, so that a mistake is found before every trial fails of it.

    Args:
        trials: all trials, or a sample with every task, architecture and set of modifiers.

    Returns:
        The tasks, by the ``identity`` of their specs.

    Raises:
        ValueError: data is missing; or a network cannot be built, run or stored; or initial values, a modifier or a
            method do not fit it.
    """
    from trainers.instantiate import make_task
    from trainers.rehearsal import rehearse

    tasks: dict[str, Task] = {}
    tried: set[str] = set()
    for key, task_spec in _tasks(trials).items():
        task = tasks[key] = make_task(task_spec)
        for spec, configs, described in _networks(trials, task_spec, task):
            # a method's numbers do not decide whether it takes a network, nor which of the files in turn it is for
            network = [str(configs[0].whole_task), spec.name, described.arguments]
            by_method = {identity({"network": network, "method": _kind(config)}): config for config in configs}
            for config in (config for kind, config in by_method.items() if kind not in tried):
                rehearse(config, task)
            tried |= by_method.keys()
    return tasks


def check_quickly(trials: list[Trial]) -> Known:
    """Check as ``check_here``, on a part of the data, but leave it to ``estimate`` to try the methods.

    Raises:
        ValueError: as ``check_here``.
    """
    from trainers.instantiate import make_excerpt

    known = Known()
    for key, task_spec in _tasks(trials).items():
        known.data[key] = make_excerpt(task_spec)
        for spec, _, described in _networks(trials, task_spec, known.data[key].task):
            known.networks[key, identity(spec.to_dict())] = described
    return known


def _kind(config: TrialConfig) -> str:
    method = without_numbers({config.method.name: config.method.arguments})
    return identity({**method, "settings": settings_without_numbers(config.settings)})


def _tasks(trials: list[Trial]) -> dict[str, Spec]:
    return {identity(trial.config.task.to_dict()): trial.config.task for trial in trials}


def _networks(trials: list[Trial], task_spec: Spec, task: Task) -> Iterator[tuple[Spec, list[TrialConfig], Described]]:
    """Describe each network of a task, with the trials that train it; initial values and modifiers fit it."""
    from trainers.modifiers import make_modifiers
    from trainers.preparation import describe

    architectures = (trial.config.architecture for trial in trials if trial.config.task == task_spec)
    for spec in {identity(spec.to_dict()): spec for spec in architectures}.values():
        with _named(spec):
            described = describe(spec, task)
        if trials[0].config.init_from:  # the same for the whole sweep
            described.initial_values(trials[0].config.init_from)
        configs = [one.config for one in trials if (one.config.task, one.config.architecture) == (task_spec, spec)]
        # the numbers in modifiers were checked before: what fits with one of them fits with all
        for config in {identity(without_numbers(config.modifiers)): config for config in configs}.values():
            for modifier in make_modifiers(config.modifiers, method=config.method.name):
                modifier.check(described.plain, task, spec)
        yield spec, configs, described


@contextlib.contextmanager
def _named(spec: Spec) -> Iterator[None]:
    """Name the architecture in a mistake that does not: a sweep may have several."""
    try:
        yield
    except ValueError as error:
        if repr(spec.name) in str(error):
            raise
        raise ValueError(f"architecture {str(spec)!r}: {error}") from error
