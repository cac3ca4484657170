"""Plain training, stored as raw floats: the reference that every frontier is read against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from trainers import checks
from trainers.coding.sections import Section, Sections
from trainers.methods.base import AbstractMethod, Context, Phase, RateKnob
from trainers.methods.parts import backend
from trainers.methods.parts.plain import plain_phase


@dataclass(frozen=True, kw_only=True)
class Uncompressed(AbstractMethod):
    """No compression."""

    learning_rate: float = 2e-3
    dtype: str = "float32"
    """``float32``: all values as they are; ``float16``: real numbers rounded to half as many bytes."""

    version: ClassVar[int] = 1
    rate_knob: ClassVar[RateKnob | None] = None
    cost: ClassVar[float | None] = 1.0
    keeps_parametrizations: ClassVar[bool] = True
    later_fields: ClassVar[tuple[str, ...]] = ("dtype",)

    def __post_init__(self) -> None:
        checks.number("learning_rate", self.learning_rate, low=0, above=True)
        checks.choice("dtype", self.dtype, ("float32", "float16"))

    def attach(self, model: nn.Module, context: Context) -> nn.Module:
        return model

    def phases(self, context: Context) -> tuple[Phase, ...]:
        return (plain_phase(self.learning_rate),)

    def rate_bits(self, model: nn.Module, context: Context) -> Tensor:
        return torch.tensor(float(sum(8 * section.values.nbytes for section in self._stored(model).values())))

    def points(self, model: nn.Module, context: Context) -> Iterator[tuple[str, Sections]]:
        yield "point", Sections(tensors=self._stored(model))

    def _stored(self, model: nn.Module) -> dict[str, Section]:
        return {
            name: backend.half(tensor)
            if self.dtype == "float16" and tensor.is_floating_point()
            else backend.raw(tensor)
            for name, tensor in model.state_dict().items()
        }

    @staticmethod
    def decode(sections: Sections, plain: nn.Module) -> dict[str, Tensor]:
        return backend.dequantise(sections, plain)
