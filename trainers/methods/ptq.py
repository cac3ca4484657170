"""Post-training quantisation: train, round each weight tensor to b bits, entropy-code. The baseline to beat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from trainers import checks
from trainers.coding.sections import Section, Sections
from trainers.methods import backend
from trainers.methods.base import AbstractMethod, Context, Phase, RateKnob
from trainers.methods.plain import plain_phase

_NUM_CANDIDATES = 80


@dataclass(frozen=True, kw_only=True)
class PostTrainingQuantisation(AbstractMethod):
    """Uniform symmetric quantisation of every weight tensor, with the step of least squared error.

    q = clamp(round(w / s), -m, m) with m = 2^(b-1) - 1. One step and one frequency table for each tensor; biases are
    stored as float16, norm parameters and buffers as they are.

    References:
        Gholami et al. 2021, "A Survey of Quantization Methods for Efficient Neural Network Inference",
        arXiv 2103.13630, section III.
    """

    bits: int
    learning_rate: float = 2e-3

    version: ClassVar[int] = 1
    rate_knob: ClassVar[RateKnob | None] = RateKnob(field="bits", values=(2, 3, 4, 6, 8))

    def __post_init__(self) -> None:
        checks.integer("bits", self.bits, low=2, high=16)
        checks.number("learning_rate", self.learning_rate, low=0, above=True)

    def attach(self, model: nn.Module, context: Context) -> nn.Module:
        return model

    def phases(self, context: Context) -> tuple[Phase, ...]:
        return (plain_phase(self.learning_rate),)

    def rate_bits(self, model: nn.Module, context: Context) -> Tensor:
        """Before entropy coding."""
        quantised = _quantised_names(model)
        stored = (
            (self.bits if name in quantised else 16) * parameter.numel() for name, parameter in model.named_parameters()
        )
        return torch.tensor(float(sum(stored)))

    def points(self, model: nn.Module, context: Context) -> Iterator[tuple[str, Sections]]:
        quantised, norms = _quantised_names(model), backend.norm_parameters(model)
        parameters = dict(model.named_parameters(remove_duplicate=False))
        steps: list[np.float16] = []
        tensors: dict[str, Section] = {}
        for name, tensor in model.state_dict().items():
            if name in quantised:
                step = least_squares_step(tensor, self.bits)
                tensors[name] = backend.integers(_round(tensor, step, self.bits), table=len(steps))
                steps.append(np.float16(step))
            elif name in parameters and name not in norms:
                tensors[name] = backend.half(tensor)
            else:
                tensors[name] = backend.raw(tensor)
        yield "point", Sections(tensors=tensors, vectors=(np.array(steps, np.float16),))

    @staticmethod
    def decode(sections: Sections, plain: nn.Module) -> dict[str, Tensor]:
        return backend.dequantise(sections, plain)


def least_squares_step(tensor: Tensor, bits: int) -> float:
    """The step, exact in float16, that rounds ``tensor`` to ``bits`` bits with the least squared error.

    Searched among ``_NUM_CANDIDATES`` fractions of the step at which nothing is clamped. 1 for an all-zero tensor.

    Raises:
        ValueError: that step is beyond float16.
    """
    largest = float(tensor.abs().max()) if tensor.numel() else 0.0
    widest = largest / (2 ** (bits - 1) - 1)
    if widest > float(np.finfo(np.float16).max):
        raise ValueError(f"cannot quantise weights up to {largest:g}: their step is beyond float16")
    steps = widest * np.arange(1, _NUM_CANDIDATES + 1) / _NUM_CANDIDATES
    candidates = [float(step) for step in np.unique(steps.astype(np.float16)) if step > 0]
    if not candidates:
        return 1.0
    errors = [float(((_round(tensor, step, bits) * step - tensor) ** 2).sum()) for step in candidates]
    return candidates[int(np.argmin(errors))]


def _round(tensor: Tensor, step: float, bits: int) -> Tensor:
    largest = 2 ** (bits - 1) - 1
    return (tensor / step).round().clamp(-largest, largest)


def _quantised_names(model: nn.Module) -> set[str]:
    norms = backend.norm_parameters(model)
    return {
        name
        for name, parameter in model.named_parameters(remove_duplicate=False)
        if parameter.ndim >= 2 and name not in norms
    }
