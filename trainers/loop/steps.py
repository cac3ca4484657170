"""The optimiser steps of a training: a batch, its loss, the gradients, the update."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager
from dataclasses import replace

import torch
from torch import Tensor, nn

from trainers.loop.progress import steps_per_epoch
from trainers.loop.training import Training
from trainers.loop.updates import Updates, parts_of
from trainers.methods.base import Batch, Context, Moment, Phase
from trainers.seeding import derive, seed_everything

_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


class Steps:
    """Takes optimiser steps. Every random draw of a step depends on the seed and the step's number alone."""

    def __init__(self, training: Training) -> None:
        self._training = training
        self._steps_per_epoch = steps_per_epoch(training.config, len(training.task.train))
        self._order = torch.empty(0, dtype=torch.int64)
        self._order_epoch = -1

    def take(self, model: nn.Module, phase: Phase, updates: Updates, moment: Moment) -> Tensor:
        """Take the step ``moment`` of ``phase``; returns its loss, without gradient."""
        training = self._training
        model.train()
        seed_everything(training.config.seed, "step", moment.step)
        with self._autocast():
            batch = self._batch(moment.step)
        updates.begin()
        total: Tensor | None = None
        for part, share in parts_of(batch, training.config.accumulate):
            with contextlib.ExitStack() as around:
                around.enter_context(self._autocast())
                context = self._modified(part, around)
                loss = phase.loss(model, part, context, moment)
            loss = loss if share == 1 else share * loss
            updates.backward(loss)
            total = loss.detach() if total is None else total + loss.detach()
        updates.step()
        with torch.no_grad():
            phase.after_step(model, training.context, moment)
            for modification in training.modifications:
                modification.after_step()
        updates.average(moment)
        assert total is not None
        return total

    def _autocast(self) -> AbstractContextManager[None]:
        dtype = _DTYPES.get(self._training.config.precision)
        if dtype is None:
            return contextlib.nullcontext()
        return torch.autocast(self._training.context.device.type, dtype=dtype)

    def _modified(self, batch: Batch, around: contextlib.ExitStack) -> Context:
        """The context that the loss of this batch is computed with."""
        context, modifications = self._training.context, self._training.modifications
        task_loss = context.loss
        for modification in modifications:
            task_loss = modification.loss(task_loss, batch[0])
            around.enter_context(modification.around_loss())
        return replace(context, loss=task_loss) if modifications else context

    def _batch(self, step: int) -> Batch:
        """The examples of a step: each epoch has a new order, and leaves out the last, partial batch."""
        config, task = self._training.config, self._training.task
        epoch, position = divmod(step, self._steps_per_epoch)
        if epoch != self._order_epoch:
            self._order_epoch = epoch
            generator = torch.Generator().manual_seed(derive(config.seed, "order", epoch))
            order = torch.randperm(len(task.train), generator=generator)
            self._order = order.to(task.train.inputs.device)
        chosen = self._order[position * config.batch_size : (position + 1) * config.batch_size]
        device = self._training.context.device
        inputs, targets = task.train.inputs[chosen].to(device), task.train.targets[chosen].to(device)
        if task.augment is not None:
            inputs = task.augment(inputs)
        if inputs.ndim == 4:
            inputs = inputs.contiguous(memory_format=torch.channels_last)  # as the kernels: see preparation.py
        return inputs, targets
