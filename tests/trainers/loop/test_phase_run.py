"""One phase: its steps, its reports, its early stop, and what it refuses to go on with."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.trainers.methods.two_phases import two_phases
from tests.trainers.networks import clusters
from tests.trainers.trials import attach, configuration
from trainers.divergence import DivergedError
from trainers.loop.checkpoint import CheckpointFile, Position
from trainers.loop.phase_run import PhaseRun
from trainers.loop.progress import Progress
from trainers.loop.training import Training
from trainers.methods.base import Batch, Context, Moment
from trainers.train import train

pytestmark = pytest.mark.usefixtures("two_phases_is_registered")


def started(reports: list[Progress], *, num_epochs: int = 6, **changes: Any) -> PhaseRun:
    """The only phase of a training of six steps, reporting after each; ``changes`` are fields of the phase."""
    config = configuration("uncompressed", batch_size=len(clusters().train) * num_epochs // 6)
    trial = attach(config)
    training = Training(
        config=config,
        task=trial.task,
        method=trial.method,
        context=trial.context,
        modifications=(),
        report=reports.append,
    )
    (phase,) = trial.method.phases(trial.context)
    return PhaseRun(training, dataclasses.replace(phase, **changes), trial.model, first=0, end=6)


def never_saved(directory: Path) -> CheckpointFile:
    return CheckpointFile(directory / "checkpoint.pt", interval_s=math.inf)


def test_steps_taken_are_counted_through_an_early_stop(tmp_path: Path) -> None:
    reports: list[Progress] = []
    points = train(two_phases(patience=1), reports.append, tmp_path)
    judged = [report.step for report in reports if report.is_judged]
    assert judged == [9, 27, 36, 40], "the second phase keeps its place"
    assert {point.num_steps for point in points} == {9 + 20}


def test_a_phase_moves_the_position_to_its_end(tmp_path: Path) -> None:
    reports: list[Progress] = []
    position = Position(num_steps=100)
    started(reports).run(position, never_saved(tmp_path))
    assert (position.step, position.num_steps, position.stopped) == (6, 106, False)
    assert [report.step for report in reports] == [1, 2, 3, 4, 5, 6]
    assert position.train_s == reports[-1].train_s > 0


def test_a_phase_that_stops_early_says_so_and_takes_no_further_step(tmp_path: Path) -> None:
    reports: list[Progress] = []
    position = Position()
    run = started(reports, stop=lambda model, context: len(reports) == 2)
    run.run(position, never_saved(tmp_path))
    assert (position.step, position.num_steps, position.stopped) == (2, 2, True)
    run.run(position, never_saved(tmp_path))
    assert position.num_steps == 2


def test_a_phase_is_not_asked_to_stop_at_reports_between_epochs(tmp_path: Path) -> None:
    reports: list[Progress] = []
    asked: list[int] = []
    run = started(reports, num_epochs=3, stop=lambda *_: asked.append(reports[-1].step))
    run.run(Position(), never_saved(tmp_path))
    assert [report.step for report in reports] == [1, 2, 3, 4, 5, 6]
    assert asked == [report.step for report in reports if report.is_judged] == [2, 4, 6]


def test_what_a_step_raises_is_a_divergence_only_where_a_parameter_is_not_finite(tmp_path: Path) -> None:
    def fails(model: nn.Module, batch: Batch, context: Context, moment: Moment) -> torch.Tensor:
        raise RuntimeError("the decomposition did not converge")

    def fails_on_nan(model: nn.Module, batch: Batch, context: Context, moment: Moment) -> torch.Tensor:
        next(model.parameters()).data.fill_(math.nan)
        return fails(model, batch, context, moment)

    with pytest.raises(RuntimeError, match="did not converge"):
        started([], loss=fails).run(Position(), never_saved(tmp_path))
    with pytest.raises(DivergedError, match=r"^parameter '.*' became NaN or infinite by step 0 of 6") as caught:
        started([], loss=fails_on_nan).run(Position(), never_saved(tmp_path))
    assert isinstance(caught.value.__cause__, RuntimeError)
