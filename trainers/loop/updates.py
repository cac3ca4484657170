"""From the loss of a step to moved parameters: gradients of a batch in parts, scaled, clipped; and moving averages."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from itertools import pairwise
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from trainers.divergence import REMEDY_OF_FLOAT16, DivergedError
from trainers.loop.averages import Averages
from trainers.loop.optimisers import optimisers_of
from trainers.loop.training import Training
from trainers.methods.base import Moment, Optimiser, Phase
from trainers.trees import num_rows, rows

_Batch = TypeVar("_Batch")
_LEAST_SCALE = 2.0**-10
"""The scale of float16's gradients below which no step was taken for 26 steps at least."""


class Updates:
    """The optimisers of one phase, and what its trial asks to be done around them."""

    def __init__(self, training: Training, phase: Phase, model: nn.Module, num_steps: int) -> None:
        """Raises ValueError where the trial asks for what the phase or the network cannot do."""
        config = training.config
        self.optimisers = optimisers_of(phase, model, num_steps, config)
        self._phase, self._modifications = phase.name, training.modifications
        self._clip = config.clip
        self._scaler = torch.amp.GradScaler(training.context.device.type) if config.precision == "float16" else None
        self._averages = Averages(model, config.ema) if config.ema else None
        self._together = _Together(self.optimisers) if self._clip or self._scaler is not None else None
        if self._scaler is not None and any(one.dtype == torch.float16 for one in model.parameters()):
            raise ValueError(
                "precision is 'float16', and the network has float16 parameters, whose gradients cannot be scaled: "
                "wanted precision float32 or bfloat16"
            )

    def begin(self) -> None:
        """Forget the gradients of the step before."""
        for optimiser in self.optimisers:
            optimiser.optimiser.zero_grad(set_to_none=True)
        if self._together is not None:
            self._together.zero_grad(set_to_none=True)

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a batch, or of a part of one."""
        if self._scaler is not None:
            loss = self._scaler.scale(loss)
        loss.backward()  # type: ignore[no-untyped-call]

    def step(self) -> None:
        """Move the parameters, then the learning rates, unless a scaled gradient overflowed."""
        if self._together is None:
            _step(self.optimisers)
            return
        if self._scaler is not None:
            self._scaler.unscale_(self._together)
        if self._clip:
            nn.utils.clip_grad_norm_(self._together.parameters, self._clip)
        if self._scaler is None:
            self._together.step()
        else:
            self._scaler.step(self._together)
            self._scaler.update()

    def average(self, moment: Moment) -> None:
        """Take what a step led to into the moving averages, if there are any."""
        if self._averages is not None:
            self._averages.update(moment.phase_step)

    def averaged(self) -> AbstractContextManager[None]:
        """Let the network have the moving averages, if there are any, while something is measured."""
        return contextlib.nullcontext() if self._averages is None else self._averages.in_place()

    def end(self) -> None:
        """Let the network have the moving averages, if there are any: the phase is over."""
        if self._averages is not None:
            self._averages.give()
            with torch.no_grad():
                for modification in self._modifications:
                    modification.after_step()

    def check(self) -> None:
        """Raise DivergedError where gradients overflow in float16 however little they are scaled."""
        if self._scaler is not None and self._scaler.get_scale() < _LEAST_SCALE:
            raise DivergedError(
                f"gradients overflowed in float16 at every scale, in phase {self._phase!r}: {REMEDY_OF_FLOAT16}"
            )

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds beside the optimisers' states."""
        parts = {"scaler": self._scaler, "averages": self._averages}
        return {name: part.state_dict() for name, part in parts.items() if part is not None}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        parts = {"scaler": self._scaler, "averages": self._averages}
        for name, part in parts.items():
            if part is not None:
                part.load_state_dict(saved[name])


class _Together(torch.optim.Optimizer):
    """All optimisers of a phase as one over the parameters themselves, whose gradients are unscaled and clipped."""

    def __init__(self, optimisers: tuple[Optimiser, ...]) -> None:
        own = [group for one in optimisers for group in (*one.weights, *one.beside) or one.optimiser.param_groups]
        # a parameter may be in two groups; those of whole numbers have no gradient
        trained = (parameter for group in own for parameter in group["params"] if parameter.is_floating_point())
        self.parameters = list(dict.fromkeys(trained))
        super().__init__(self.parameters, {})
        self._optimisers = optimisers

    def step(self, closure: object = None) -> None:  # type: ignore[override]
        _step(self._optimisers)


def _step(optimisers: tuple[Optimiser, ...]) -> None:
    for optimiser in optimisers:
        optimiser.optimiser.step()
        optimiser.schedule.step()


def parts_of(batch: _Batch, number: int) -> Iterator[tuple[_Batch, float]]:
    """``batch``, whatever tensors it holds, in ``number`` parts of nearly the same size, each with its share of it."""
    if number == 1:
        yield batch, 1.0
        return
    size = num_rows(batch)
    bounds = [round(index * size / number) for index in range(number + 1)]
    for start, end in pairwise(bounds):
        yield rows(batch, slice(start, end)), (end - start) / size
