"""Runs one phase of a training: its steps, reports, checkpoints and early stop."""

from __future__ import annotations

import bisect
import contextlib
import math
import time

import torch
from torch import nn

from trainers.divergence import REMEDY, REMEDY_OF_FLOAT16, DivergedError
from trainers.loop.checkpoint import Checkpoint, CheckpointFile, Position
from trainers.loop.progress import Progress, judged_interval, report_steps
from trainers.loop.steps import Steps
from trainers.loop.training import Training
from trainers.loop.updates import Updates
from trainers.methods.base import Moment, Phase
from trainers.seeding import seed_everything
from trainers.training_settings import steps_per_epoch


class PhaseRun:
    """One phase of a training, from its first step or from a checkpoint."""

    def __init__(self, training: Training, phase: Phase, model: nn.Module, *, first: int, end: int) -> None:
        """The phase has the steps from ``first`` to before ``end`` of the plan."""
        self._training, self._phase, self._model = training, phase, model
        self._first, self._end = first, end
        self._steps = Steps(training)
        self._judged_every = judged_interval(training.config, len(training.task.train))
        self._report_steps = report_steps(training.config, len(training.task.train))
        self._updates = Updates(training, phase, model, end - first)

    def restore(self, saved: Checkpoint) -> None:
        """Set the optimisers back to those of ``saved``; the network has its values already."""
        for index, optimiser in enumerate(self._updates.optimisers):
            optimiser.optimiser.load_state_dict(saved.optimisers[index])
            optimiser.schedule.load_state_dict(saved.schedules[index])
        self._updates.load_state_dict(saved.settings)

    def checkpoint(self, position: Position) -> Checkpoint:
        """What the training is resumed from at ``position``."""
        return Checkpoint(
            config=self._training.config.to_json(),
            position=position,
            model=self._model.state_dict(),
            optimisers=[optimiser.optimiser.state_dict() for optimiser in self._updates.optimisers],
            schedules=[optimiser.schedule.state_dict() for optimiser in self._updates.optimisers],
            settings=self._updates.state_dict(),
        )

    def run(self, position: Position, file: CheckpointFile) -> None:
        """Train from ``position``, which is moved along, to the end of the phase or an early stop.

        Raises:
            DivergedError: the loss or a parameter became NaN or infinite.
        """
        with contextlib.closing(self._steps):
            while position.step < self._end and not position.stopped:
                next_report = self._report_steps[bisect.bisect_right(self._report_steps, position.step)]
                until = min(next_report, self._end)
                self._train(position, file, until=until)
                self._check_parameters(position)  # the loss does not show the last update
                if position.step == until:
                    is_end = until == self._end
                    is_stored_now = is_end and self._phase.points is not None  # and before anybody stops the trial
                    is_judged = not is_stored_now and (is_end or until % self._judged_every == 0)
                    with self._updates.averaged():
                        self._report(position, is_judged=is_judged)
                        position.stopped = is_judged and self._phase.stop(self._model, self._training.context)
                if file.is_due:
                    file.save(self.checkpoint(position))
        self._updates.end()
        self._check_parameters(position)  # a phase may have no step, and ``apply`` may fail

    def _train(self, position: Position, file: CheckpointFile, *, until: int) -> None:
        """Take the steps to before ``until``, or fewer: a report may be hours away when a checkpoint is due."""
        started = time.perf_counter()
        loss_sum = torch.tensor(position.loss_sum, device=self._training.context.device)
        while True:
            moment = Moment(
                step=position.step, phase_step=position.step - self._first, num_phase_steps=self._end - self._first
            )
            try:
                loss_sum += self._steps.take(self._model, self._phase, self._updates, moment)
            except Exception as error:  # a decomposition, say, raises what it pleases where it meets NaN
                self._check_parameters(position, cause=error)
                raise
            position.step += 1
            position.num_steps += 1
            position.loss_steps += 1
            if position.step == until or file.is_due:
                break
        position.loss_sum = float(loss_sum)
        position.train_s += time.perf_counter() - started
        if not math.isfinite(position.loss_sum):
            raise DivergedError(
                f"the training loss became {position.loss_sum} between steps {position.step - position.loss_steps} and "
                f"{position.step} of {self._training.config.steps}, in phase {self._phase.name!r}: {self._remedy}"
            )
        self._updates.check()

    @property
    def _remedy(self) -> str:
        return REMEDY_OF_FLOAT16 if self._training.config.precision == "float16" else REMEDY

    def _check_parameters(self, position: Position, cause: Exception | None = None) -> None:
        """Raise if a parameter is not finite. On a GPU this waits once for its result, too slow for every step."""
        named = dict(self._model.named_parameters())
        are_finite = torch.stack([parameter.isfinite().all() for parameter in named.values()]).tolist()
        if not all(are_finite):
            name = list(named)[are_finite.index(False)]
            if not self._training.config.steps:
                raise DivergedError(f"parameter {name!r} is NaN or infinite without a step: wanted finite values")
            raise DivergedError(
                f"parameter {name!r} became NaN or infinite by step {position.step} "
                f"of {self._training.config.steps}, in phase {self._phase.name!r}: {self._remedy}"
            ) from cause

    def _report(self, position: Position, *, is_judged: bool) -> None:
        training = self._training
        train_loss = position.loss_sum / position.loss_steps
        position.loss_sum, position.loss_steps = 0.0, 0
        seed_everything(training.config.seed, "report", position.step)
        with torch.no_grad():
            rate_bits = float(training.method.rate_bits(self._model, training.context))
        training.report(
            Progress(
                step=position.step,
                total_steps=training.config.steps,
                epoch=position.step / steps_per_epoch(len(training.task.train), training.config.batch_size),
                phase=self._phase.name,
                train_loss=train_loss,
                rate_bits=rate_bits,
                rate_comparable=self._phase.rate_comparable,
                quality_val=training.context.validate(self._model),
                quality_name=training.task.quality_name,
                maximise=training.task.maximise,
                train_s=position.train_s,
                is_judged=is_judged,
            )
        )
