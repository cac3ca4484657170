"""Runs the phases of one training, resumes them from a checkpoint, and reports."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from trainers import checkpoint
from trainers.config import TrialConfig
from trainers.divergence import REMEDY, DivergedError
from trainers.methods.base import AbstractMethod, Batch, Context, Moment, Optimiser, Phase
from trainers.modifiers.base import Modification
from trainers.seeding import derive, seed_everything
from trainers.tasks.base import Task

_MOST_REPORTS = 50


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What a trial says of itself while it trains: estimates for curves and early stopping, never plotted as points."""

    step: int
    total_steps: int
    epoch: float
    phase: str
    train_loss: float
    """Mean over the steps since the last report, in the loss's unit."""
    rate_bits: float
    rate_comparable: bool
    quality_val: float
    quality_name: str
    maximise: bool
    """The direction of ``quality_val``."""
    train_s: float


Report = Callable[[Progress], None]


class Loop:
    """Runs and resumes all phases of one training."""

    def __init__(
        self,
        config: TrialConfig,
        task: Task,
        method: AbstractMethod,
        context: Context,
        modifications: Sequence[Modification],
        report: Report,
        path: Path,
        checkpoint_interval_s: float,
        saved: Callable[[], None],
    ) -> None:
        self._config, self._task, self._method, self._context = config, task, method, context
        self._modifications = modifications
        self._report, self._path = report, path
        self._interval_s, self._saved = checkpoint_interval_s, saved
        self._steps_per_epoch = max(1, len(task.train) // config.batch_size)
        self._report_every = report_interval(config, task)
        self._decisions: list[Any] = []
        self._order = torch.empty(0, dtype=torch.int64)
        self._order_epoch = -1
        self.step = 0
        """Of the plan: a phase that stops early leaves a gap."""
        self.num_steps = 0
        """Optimiser steps taken."""
        self.train_s = 0.0

    def run(self, model: nn.Module) -> nn.Module:
        """Every phase from where the checkpoint stands; returns the trained network."""
        saved = checkpoint.load(self._path)
        if saved is not None and saved["config"] != self._config.to_json():
            raise ValueError(f"{self._path} belongs to another configuration: remove it, or give another directory")
        last_save = time.monotonic()
        phases = self._method.phases(self._context)
        boundaries = _boundaries(phases, self._config.steps)
        for index, phase in enumerate(phases):
            resumed = saved if saved is not None and saved["phase"] == index else None
            if saved is not None and index <= saved["phase"]:
                self._decisions.append(saved["decisions"][index])
            else:
                seed_everything(self._config.seed, "decide", index)
                started = time.perf_counter()
                self._decisions.append(phase.decide(model, self._context))
                self.train_s += time.perf_counter() - started
            seed_everything(self._config.seed, "apply", index)
            model = phase.apply(model, self._decisions[index])
            if saved is not None and index < saved["phase"]:
                continue
            first, end = boundaries[index], boundaries[index + 1]
            if resumed is not None:  # before the optimisers, whose groups may depend on values
                model.load_state_dict(resumed["model"])
            for modification in self._modifications:
                modification.check(model)
            optimisers = phase.optimisers(model, end - first)
            self.step = first if resumed is None else self._restore(resumed, optimisers)
            if resumed is None and self._decisions[index] is not None:  # it may have cost much
                self._save(model, optimisers, index, stopped=False)
                last_save = time.monotonic()
            loss_sum = torch.zeros((), device=self._context.device)
            last_report, started = self.step, time.perf_counter()
            stopped = bool(resumed and resumed["stopped"])
            while self.step < end and not stopped:
                moment = Moment(step=self.step, phase_step=self.step - first, num_phase_steps=end - first)
                try:
                    loss_sum += self._one_step(model, phase, optimisers, moment)
                except Exception as error:  # a decomposition, say, raises what it pleases where it meets NaN
                    self._check_parameters(model, phase, cause=error)
                    raise
                self.step += 1
                self.num_steps += 1
                if self.step % self._report_every and self.step != end:
                    continue
                train_loss = float(loss_sum) / (self.step - last_report)
                self.train_s += time.perf_counter() - started
                if not math.isfinite(train_loss):
                    raise DivergedError(
                        f"the training loss became {train_loss} between steps {last_report} and {self.step} "
                        f"of {self._config.steps}, in phase {phase.name!r}: {REMEDY}"
                    )
                self._check_parameters(model, phase)  # the loss does not tell of the last update
                self._tell(model, phase, train_loss)
                stopped = phase.stop(model, self._context)
                if time.monotonic() - last_save >= self._interval_s:
                    self._save(model, optimisers, index, stopped)
                    last_save = time.monotonic()
                loss_sum.zero_()
                last_report, started = self.step, time.perf_counter()
            self._check_parameters(model, phase)  # a phase may have no step, and ``apply`` may fail
        return model

    def _check_parameters(self, model: nn.Module, phase: Phase, cause: Exception | None = None) -> None:
        """Raise where one is not finite. On a GPU this waits for it once, which not every step could afford."""
        named = dict(model.named_parameters())
        are_finite = torch.stack([parameter.isfinite().all() for parameter in named.values()]).tolist()
        if not all(are_finite):
            raise DivergedError(
                f"parameter {list(named)[are_finite.index(False)]!r} became NaN or infinite by step {self.step} "
                f"of {self._config.steps}, in phase {phase.name!r}: {REMEDY}"
            ) from cause

    def _one_step(
        self, model: nn.Module, phase: Phase, optimisers: tuple[Optimiser, ...], moment: Moment
    ) -> torch.Tensor:
        model.train()
        seed_everything(self._config.seed, "step", self.step)
        device = self._context.device.type
        with contextlib.ExitStack() as around:
            around.enter_context(
                torch.autocast(device, dtype=torch.bfloat16, enabled=self._config.precision == "bfloat16")
            )
            batch = self._batch()
            context = self._modified(batch, around)
            loss = phase.loss(model, batch, context, moment)
        for optimiser in optimisers:
            optimiser.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        for optimiser in optimisers:
            optimiser.optimiser.step()
            optimiser.schedule.step()
        with torch.no_grad():
            phase.after_step(model, self._context, moment)
            for modification in self._modifications:
                modification.after_step()
        return loss.detach()

    def _modified(self, batch: Batch, around: contextlib.ExitStack) -> Context:
        """What the loss of this batch is computed with."""
        task_loss = self._context.loss
        for modification in self._modifications:
            task_loss = modification.loss(task_loss, batch[0])
            around.enter_context(modification.around_loss())
        return replace(self._context, loss=task_loss) if self._modifications else self._context

    def _batch(self) -> Batch:
        """The examples of this step: an order drawn anew each epoch, the last partial batch left out."""
        epoch, position = divmod(self.step, self._steps_per_epoch)
        if epoch != self._order_epoch:
            self._order_epoch = epoch
            generator = torch.Generator().manual_seed(derive(self._config.seed, "order", epoch))
            order = torch.randperm(len(self._task.train), generator=generator)
            self._order = order.to(self._task.train.inputs.device)
        chosen = self._order[position * self._config.batch_size : (position + 1) * self._config.batch_size]
        device = self._context.device
        inputs, targets = self._task.train.inputs[chosen].to(device), self._task.train.targets[chosen].to(device)
        if self._task.augment is not None:
            inputs = self._task.augment(inputs)
        if inputs.ndim == 4:
            inputs = inputs.contiguous(memory_format=torch.channels_last)  # as the kernels: see train.py
        return inputs, targets

    def _tell(self, model: nn.Module, phase: Phase, train_loss: float) -> None:
        seed_everything(self._config.seed, "report", self.step)
        with torch.no_grad():
            rate_bits = float(self._method.rate_bits(model, self._context))
        self._report(
            Progress(
                step=self.step,
                total_steps=self._config.steps,
                epoch=self.step / self._steps_per_epoch,
                phase=phase.name,
                train_loss=train_loss,
                rate_bits=rate_bits,
                rate_comparable=phase.rate_comparable,
                quality_val=self._context.validate(model),
                quality_name=self._task.quality_name,
                maximise=self._task.maximise,
                train_s=self.train_s,
            )
        )

    def _save(self, model: nn.Module, optimisers: tuple[Optimiser, ...], phase: int, stopped: bool) -> None:
        checkpoint.save(
            self._path,
            {
                "config": self._config.to_json(),
                "phase": phase,
                "step": self.step,
                "num_steps": self.num_steps,
                "stopped": stopped,
                "train_s": self.train_s,
                "decisions": self._decisions,
                "model": model.state_dict(),
                "optimisers": [optimiser.optimiser.state_dict() for optimiser in optimisers],
                "schedules": [optimiser.schedule.state_dict() for optimiser in optimisers],
            },
        )
        self._saved()

    def _restore(self, saved: dict[str, Any], optimisers: tuple[Optimiser, ...]) -> int:
        for index, optimiser in enumerate(optimisers):
            optimiser.optimiser.load_state_dict(saved["optimisers"][index])
            optimiser.schedule.load_state_dict(saved["schedules"][index])
        self.num_steps, self.train_s = saved["num_steps"], saved["train_s"]
        return int(saved["step"])


def report_interval(config: TrialConfig, task: Task) -> int:
    """Steps between two reports: whole epochs, as many as keep reports below fifty."""
    steps_per_epoch = max(1, len(task.train) // config.batch_size)
    num_epochs = math.ceil(config.steps / steps_per_epoch)
    return steps_per_epoch * math.ceil(num_epochs / _MOST_REPORTS)


def _boundaries(phases: tuple[Phase, ...], steps: int) -> list[int]:
    """First step of each phase, and the end: shares of the total, rounded."""
    assert math.isclose(sum(phase.share for phase in phases), 1.0), "the shares of a method's phases sum to one"
    reached = [0.0]
    for phase in phases:
        reached.append(reached[-1] + phase.share)
    return [round(share * steps) for share in reached]
