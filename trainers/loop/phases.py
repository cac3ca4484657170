"""Runs all phases of one training in order, from the start or from a checkpoint."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from torch import nn

from trainers.loop.checkpoint import CheckpointFile, Position
from trainers.loop.phase_run import PhaseRun
from trainers.loop.training import Training
from trainers.methods.base import Phase
from trainers.seeding import seed_everything


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A trained network, and what its training took."""

    model: nn.Module
    num_steps: int
    """The optimiser steps taken."""
    train_s: float


def run_phases(training: Training, model: nn.Module, file: CheckpointFile) -> Trained:
    """Train ``model``, to which the method is attached, through every phase.

    A phase begins with its decision, which is made once and then read from the checkpoint. A resumed training replays
    the decisions of the phases so far, loads tensors, and goes on with the step that would have been next.

    Raises:
        DivergedError: the loss or a parameter became NaN or infinite.
        ValueError: the checkpoint belongs to another configuration, or a modifier refuses the network.
    """
    config, context = training.config, training.context
    saved = file.load(config.to_json())
    position = Position() if saved is None else saved.position
    phases = training.method.phases(context)
    boundaries = _boundaries(phases, config.steps)
    for index, phase in enumerate(phases):
        if index == len(position.decisions):
            seed_everything(config.seed, "decide", index)
            started = time.perf_counter()
            position.decisions.append(phase.decide(model, context))
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
        run = PhaseRun(training, phase, model, first=boundaries[index], end=boundaries[index + 1])
        if saved is not None:
            run.restore(saved)
            saved = None  # the phases after this one are not resumed
        else:
            position.phase, position.step, position.stopped = index, boundaries[index], False
            if decision is not None:  # it may have cost much
                file.save(run.checkpoint(position))
        run.run(position, file)
    return Trained(model=model, num_steps=position.num_steps, train_s=position.train_s)


def _boundaries(phases: tuple[Phase, ...], steps: int) -> list[int]:
    """The first step of each phase, and the end: shares of the total, rounded."""
    assert math.isclose(sum(phase.share for phase in phases), 1.0), "the shares of a method's phases sum to one"
    reached = [0.0]
    for phase in phases:
        reached.append(reached[-1] + phase.share)
    return [round(share * steps) for share in reached]
