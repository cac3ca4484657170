"""The optimiser steps of a training: a batch, its loss, the gradients, the update."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from trainers.data.examples import Batch, TaskError
from trainers.data.feed import Feed
from trainers.loop.training import Training
from trainers.loop.updates import Updates, parts_of
from trainers.methods.base import Context, Moment, Phase
from trainers.seeding import default_generator, seed_everything
from trainers.trees import leaves, mapped, moved_to

_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


class Steps:
    """Takes optimiser steps. Every random draw of a step depends on the seed and the step's number alone."""

    def __init__(self, training: Training) -> None:
        self._training = training
        config, task = training.config, training.task
        self._feed = Feed(task.train, batch_size=config.batch_size, seed=config.seed, num_workers=task.data_workers)

    def close(self) -> None:
        """End the workers that read examples, if there are any."""
        self._feed.close()

    def take(self, model: nn.Module, phase: Phase, updates: Updates, moment: Moment) -> Tensor:
        """Take the step ``moment`` of ``phase``; returns its loss, without gradient."""
        training = self._training
        model.train()
        batch = self._batch(moment.step)
        updates.begin()
        total: Tensor | None = None
        for part, share in parts_of(batch, training.config.accumulate):
            with contextlib.ExitStack() as around:
                around.enter_context(self._autocast())
                context = self._modified(around)
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

    def _modified(self, around: contextlib.ExitStack) -> Context:
        """The context that the loss of a step is computed with."""
        context, modifications = self._training.context, self._training.modifications
        task_loss = context.loss
        for modification in modifications:
            task_loss = modification.loss(task_loss)
            around.enter_context(modification.around_loss())
        return replace(context, loss=task_loss) if modifications else context

    def _batch(self, step: int) -> Batch:
        """The examples of a step, on the network's device, as they are trained on."""
        task, device = self._training.task, self._training.context.device
        batch = Batch(*moved_to(self._feed.batch(step), device))
        seed_everything(self._training.config.seed, "step", step)
        with self._autocast():
            if task.augment is not None:
                batch = task.augment(batch, default_generator(device))
                _check_augmented(batch)
        return batch._replace(inputs=mapped(_in_channels_last, batch.inputs))


def _check_augmented(batch: Any) -> None:
    """Refuse what is no batch."""
    if not isinstance(batch, Batch):
        raise TaskError(f"augment of the task returned {type(batch).__name__}: wanted a Batch(inputs, targets)")
    for name, tree in zip(batch._fields, batch, strict=True):
        for leaf in leaves(tree):
            if not isinstance(leaf, Tensor):
                raise TaskError(f"augment of the task made {type(leaf).__name__} of {name}: wanted tensors")


def _in_channels_last(inputs: Tensor) -> Tensor:
    """Images as the kernels: see preparation.py."""
    return inputs.contiguous(memory_format=torch.channels_last) if inputs.ndim == 4 else inputs
