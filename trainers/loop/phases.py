"""Runs all phases of one training in order, from the start or from a checkpoint."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import nn

from trainers.coding.sections import Sections
from trainers.loop.checkpoint import CheckpointFile, Position
from trainers.loop.phase_run import PhaseRun
from trainers.loop.training import Training
from trainers.methods.base import Context, Phase, decide_nothing
from trainers.seeding import seed_everything

PointsOf = Callable[[nn.Module, Context], Iterator[tuple[str, Sections]]]
"""What is stored of a network; see ``AbstractMethod.points``."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A trained network, and what its training took."""

    model: nn.Module
    num_steps: int
    """The optimiser steps taken."""
    train_s: float


class Store(Protocol):
    """Stores operating points while a training goes on; see ``trainers/points.py``."""

    def recall(self, rows: Iterable[Mapping[str, Any]]) -> str: ...

    def store_early(self, points_of: PointsOf, trained: Trained) -> list[dict[str, Any]]: ...


def run_phases(training: Training, model: nn.Module, file: CheckpointFile, store: Store | None = None) -> Trained:
    """Train ``model``, to which the method is attached, through every phase.

    ``store`` gets the points of each phase that has some, at its end; without it they are left out.

    A phase begins with its decision, which is made once and then read from the checkpoint. A resumed training replays
    the decisions of the phases so far, loads tensors, and goes on with the step that would have been next.

    Raises:
        DivergedError: the loss or a parameter became NaN or infinite.
        ValueError: the checkpoint belongs to another configuration, or a modifier refuses the network.
    """
    config, context = training.config, training.context
    saved = file.load(config.to_json())
    if saved is not None and store is not None and (wrong := store.recall(saved.position.points)):
        file.give_up(wrong)
        saved = None
    position = Position() if saved is None else saved.position
    phases = training.method.phases(context)
    ends = boundaries(phases, config.steps)
    for index, phase in enumerate(phases):
        if index == len(position.decisions):
            seed_everything(config.seed, "decide", index)
            started = time.perf_counter()
            position.decisions.append(phase.decide(model, context))
            if phase.decide is not decide_nothing:
                position.train_s += time.perf_counter() - started
        decision = position.decisions[index]
        seed_everything(config.seed, "apply", index)
        model = phase.apply(model, decision)
        if index < position.phase:  # it was over before the checkpoint
            continue
        if saved is not None:  # before the optimisers, whose groups may depend on values
            model.load_state_dict(saved.model)
        for modification in training.modifications:
            modification.check(model)
        run = PhaseRun(training, phase, model, first=ends[index], end=ends[index + 1])
        is_stored_before = index > 0 and phases[index - 1].points is not None
        if saved is not None:
            run.restore(saved)
            saved = None  # the phases after this one are not resumed
        else:
            position.phase, position.step, position.stopped = index, ends[index], False
            if decision is not None or is_stored_before:  # it may have cost much
                file.save(run.checkpoint(position))
        run.run(position, file)
        if phase.points is not None and store is not None:
            trained = Trained(model=model, num_steps=position.num_steps, train_s=position.train_s)
            position.points = store.store_early(phase.points, trained)
    return Trained(model=model, num_steps=position.num_steps, train_s=position.train_s)


def boundaries(phases: tuple[Phase, ...], steps: int) -> list[int]:
    """The first step of each phase, and the end: shares of the total, rounded."""
    assert math.isclose(sum(phase.share for phase in phases), 1.0), "the shares of a method's phases sum to one"
    reached = [0.0]
    for phase in phases:
        reached.append(reached[-1] + phase.share)
    return [round(share * steps) for share in reached]
