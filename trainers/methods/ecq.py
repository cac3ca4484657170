"""Entropy-coded quantisation: train, round each weight tensor at a grid of steps, entropy-code. No bit width."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from trainers import checks
from trainers.coding.sections import Sections
from trainers.methods.base import AbstractMethod, Context, Phase, RateKnob
from trainers.methods.parts import backend, tensor_settings, weight_settings
from trainers.methods.parts.grid import check_steps, grid_points, in_steps, point_id, store, whole
from trainers.methods.parts.network_steps import UNITS, Measured, network_steps
from trainers.methods.parts.plain import plain_phase


@dataclass(frozen=True, kw_only=True)
class EntropyCodedQuantisation(AbstractMethod):
    """Uniform quantisation of a trained network to unbounded integers, of which only the entropy costs bytes.

    q = round(w / s) with s in units of the standard deviation of each weight tensor (``grid.py``), or of the network.
    With an entropy coder q needs no bound: at fine steps no other quantiser of single weights does better, and the best
    quantiser of any kind saves a quarter of a bit per weight.

    It is a method of its own rather than a setting of ``ptq`` because one training gives the whole curve: there is no
    knob to sweep, while ``ptq`` has one point for each number of bits.

    References:
        Gish, Pierce 1968, "Asymptotically efficient quantizing", IEEE Transactions on Information Theory 14 (5).
    """

    steps: Sequence[float] = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
    """Quantisation steps, with an operating point for each."""
    unit: str = "tensor"
    """The unit of ``steps``: ``tensor``, the standard deviation of each weight tensor, or ``network``, the root mean
    square of all weights together: one step for the whole network, which costs fewer bytes."""
    recalibrate: bool = False
    """Whether norms and biases are measured anew for each step, on training examples (``matching.py``)."""
    tensors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Settings of weights by patterns of their names: ``step``, in place of the others', or ``skip: true``, stored as
    float16, such as ``{"fc.weight": {step: 0.1}, "stem.*": {skip: true}}``."""
    learning_rate: float = 2e-3

    version: ClassVar[int] = 1
    rate_knob: ClassVar[RateKnob | None] = None
    cost: ClassVar[float | None] = 1.0
    keeps_parametrizations: ClassVar[bool] = True
    later_fields: ClassVar[tuple[str, ...]] = ("unit", "recalibrate")
    point_fields: ClassVar[tuple[str, ...]] = ("steps",)

    def __post_init__(self) -> None:
        check_steps(self.steps)
        checks.choice("unit", self.unit, UNITS)
        checks.boolean("recalibrate", self.recalibrate)
        tensor_settings.check(self.tensors, step=weight_settings.STEP, skip=weight_settings.SKIP)
        checks.number("learning_rate", self.learning_rate, low=0, above=True)

    def attach(self, model: nn.Module, context: Context) -> nn.Module:
        weight_settings.check_fits(self.tensors, context)
        return model

    def phases(self, context: Context) -> tuple[Phase, ...]:
        return (plain_phase(self.learning_rate),)

    def rate_bits(self, model: nn.Module, context: Context) -> Tensor:
        """The size of the floats; the size after rounding is known only at the end."""
        return torch.tensor(32.0 * context.num_parameters)

    def points(self, model: nn.Module, context: Context) -> Iterator[tuple[str, Sections]]:
        state = model.state_dict()
        if self.unit == "tensor" and not self.recalibrate:
            yield from grid_points(context, state, self.steps, tensors=self.tensors)
            return
        measured = Measured(model, context) if self.recalibrate else None
        sizes = network_steps(model, self.steps, self.tensors)
        kept = weight_settings.skipped_names(model, self.tensors)
        for index, step in enumerate(self.steps):
            rounded = {
                name: (whole(state[name], of_tensor[index]), of_tensor[index])
                if self.unit == "network"
                else in_steps(name, state[name], weight_settings.step_of(self.tensors, name, step))
                for name, of_tensor in sizes.items()
            }
            yield (
                point_id(step),
                measured.store(rounded, kept) if measured else store(context, state, rounded, kept=kept),
            )

    @staticmethod
    def decode(sections: Sections, plain: nn.Module) -> dict[str, Tensor]:
        return backend.dequantise(sections, plain)
