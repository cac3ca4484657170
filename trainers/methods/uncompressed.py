"""Plain training, stored as raw floats: the reference that every frontier is read against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from trainers import checks
from trainers.coding.sections import Sections
from trainers.methods.base import AbstractMethod, Context, Phase, RateKnob
from trainers.methods.parts import backend
from trainers.methods.parts.plain import plain_phase


@dataclass(frozen=True, kw_only=True)
class Uncompressed(AbstractMethod):
    """No compression."""

    learning_rate: float = 2e-3

    version: ClassVar[int] = 1
    rate_knob: ClassVar[RateKnob | None] = None
    cost: ClassVar[float | None] = 1.0
    keeps_parametrizations: ClassVar[bool] = True

    def __post_init__(self) -> None:
        checks.number("learning_rate", self.learning_rate, low=0, above=True)

    def attach(self, model: nn.Module, context: Context) -> nn.Module:
        return model

    def phases(self, context: Context) -> tuple[Phase, ...]:
        return (plain_phase(self.learning_rate),)

    def rate_bits(self, model: nn.Module, context: Context) -> Tensor:
        return torch.tensor(float(sum(8 * tensor.nbytes for tensor in model.state_dict().values())))

    def points(self, model: nn.Module, context: Context) -> Iterator[tuple[str, Sections]]:
        yield "point", Sections(tensors={name: backend.raw(tensor) for name, tensor in model.state_dict().items()})

    @staticmethod
    def decode(sections: Sections, plain: nn.Module) -> dict[str, Tensor]:
        return backend.dequantise(sections, plain)
