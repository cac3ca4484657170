"""Post-training quantisation: train, round each weight tensor to b bits, entropy-code. The baseline to beat."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from trainers import checks
from trainers.coding.sections import Sections
from trainers.methods.base import AbstractMethod, Context, Phase, RateKnob
from trainers.methods.parts import backend, calibration, grid, tensor_settings, weight_settings
from trainers.methods.parts.network_steps import Measured
from trainers.methods.parts.plain import plain_phase
from trainers.methods.parts.pruning import BIAS_BITS
from trainers.methods.parts.steps import NORMAL, Steps, in_float16_bits, level, steps_of, times_power, wide

_NUM_CANDIDATES = 80
_CANDIDATES = np.arange(1, _NUM_CANDIDATES + 1)[:, np.newaxis]
_NO_LOSS = 1.1
"""A squared error that is this many times the least is as good."""
_Sizes = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class PostTrainingQuantisation(AbstractMethod):
    """Uniform symmetric quantisation of every weight tensor, with the step of least squared error.

    q = clamp(round(w / s), -m, m) with m = 2^(b-1) - 1. Each tensor, or each of its channels, has one step, and each
    tensor has one frequency table. Everything else is stored as in all methods that train floats (``grid.store``).

    References:
        Gholami et al. 2021, "A Survey of Quantization Methods for Efficient Neural Network Inference",
        arXiv 2103.13630, section III.
    """

    bits: int
    granularity: str = "tensor"
    """``tensor``: one step for each tensor; ``channel``: one for each row (index of the first axis), which is an output
    channel of all layers but transposed convolutions. Each step costs two bytes."""
    calibration: str = "none"
    """What the steps minimise the squared error of: with ``none`` the weights, else the outputs of each fully connected
    and convolutional layer, on ``real`` training examples, on ``gaussian`` noise like them, or on inputs that are
    synthesised from ``batch_norm`` statistics (``trainers/methods/parts/calibration.py``)."""
    recalibrate: bool = False
    """Whether norms and biases are measured anew after the rounding, on training examples (``matching.py``)."""
    tensors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Settings of weights by patterns of their names: ``bits``, in place of the others', or ``skip: true``, stored as
    float16, such as ``{"fc.weight": {bits: 8}, "stem.*": {skip: true}}``."""
    learning_rate: float = 2e-3

    version: ClassVar[int] = 1
    rate_knob: ClassVar[RateKnob | None] = RateKnob(field="bits", values=(2, 3, 4, 6, 8))
    cost: ClassVar[float | None] = 1.0
    later_fields: ClassVar[tuple[str, ...]] = ("recalibrate",)
    keeps_parametrizations: ClassVar[bool] = True

    def __post_init__(self) -> None:
        checks.integer("bits", self.bits, low=2, high=16)
        checks.choice("granularity", self.granularity, backend.GRANULARITIES)
        checks.choice("calibration", self.calibration, ("none", *calibration.SOURCES))
        checks.boolean("recalibrate", self.recalibrate)
        tensor_settings.check(self.tensors, bits=partial(checks.integer, low=2, high=16), skip=weight_settings.SKIP)
        checks.number("learning_rate", self.learning_rate, low=0, above=True)

    def attach(self, model: nn.Module, context: Context) -> nn.Module:
        weight_settings.check_fits(self.tensors, context)
        if self.calibration != "none":
            calibration.check(self.calibration, model, context)
        return model

    def phases(self, context: Context) -> tuple[Phase, ...]:
        return (plain_phase(self.learning_rate),)

    def rate_bits(self, model: nn.Module, context: Context) -> Tensor:
        """The size of the weights before entropy coding, and of everything else as other methods estimate it."""
        quantised = backend.weight_names(model)
        stored = (
            (self._bits(name) if name in quantised else BIAS_BITS) * parameter.numel()
            for name, parameter in model.named_parameters()
        )
        return torch.tensor(float(sum(stored)))

    def points(self, model: nn.Module, context: Context) -> Iterator[tuple[str, Sections]]:
        state = model.state_dict()
        rounded = {
            name: _rounded(state[name], steps, self._bits(name)) for name, steps in self._steps(model, context).items()
        }
        kept = weight_settings.skipped_names(model, self.tensors)
        if self.recalibrate:
            yield "point", Measured(model, context).store(rounded, kept)
        else:
            yield "point", grid.store(context, state, rounded, kept=kept)

    @staticmethod
    def decode(sections: Sections, plain: nn.Module) -> dict[str, Tensor]:
        return backend.dequantise(sections, plain, by_row=True)

    def _steps(self, model: nn.Module, context: Context) -> dict[str, Steps]:
        state = model.state_dict()
        weights = {name: state[name] for name in weight_settings.rounded_names(model, self.tensors)}
        by_row = self.granularity == "channel"
        steps: dict[str, Steps] = {}
        if self.calibration != "none":
            inputs = calibration.examples(self.calibration, model, context)
            for name, error in calibration.output_errors(model, inputs):
                if name in weights:
                    steps[name] = best_steps(weights[name], self._bits(name), by_row=by_row, error=error)
        rest = {
            name: best_steps(weights[name], self._bits(name), by_row=by_row) for name in weights if name not in steps
        }
        return {**steps, **rest}

    def _bits(self, name: str) -> int:
        return int(tensor_settings.first_fit(self.tensors, name, {}).get("bits", self.bits))


def best_steps(
    tensor: Tensor, bits: int, *, by_row: bool = False, error: Callable[[Tensor], Tensor] = torch.square
) -> Steps:
    """The step that rounds ``tensor`` to ``bits`` bits with the least squared error, or one for each row.

    The candidates are ``_NUM_CANDIDATES`` fractions of the step at which nothing is clamped. Zeros have the step 1.
    Where float16 has too few bits left for a small step, so that the error grows, there is a power of two beside it.

    Args:
        tensor: has two axes or more.
        by_row: whether each row (index of the first axis) has a step of its own.
        error: turns the weights' errors into squared errors (rows, ...), which are summed.
    """
    rows = wide(tensor.detach()).flatten(1) if by_row else wide(tensor.detach()).reshape(1, -1)
    if not rows.numel():
        return Steps(numbers=np.ones(len(rows), np.float16))
    widest = rows.abs().amax(dim=1).double().cpu().numpy() / (2 ** (bits - 1) - 1)
    exponent = level(tensor)
    near_one = times_power(wide(tensor.detach()), -exponent)
    rounded = torch.empty_like(near_one)  # one for all candidates: new memory for each takes most of the time

    def search(in_bits: Callable[[_Sizes], _Sizes]) -> tuple[_Sizes, _Sizes]:
        """The best sizes and their errors; the size of zeros is 0."""
        sizes = in_bits(widest * _CANDIDATES / _NUM_CANDIDATES)  # (candidates, rows)
        steps = _beside(np.ldexp(sizes, -exponent), near_one)
        found = []
        for step in steps:
            _round(near_one, step, bits, out=rounded).mul_(step).sub_(near_one)
            errors = rounded.square_() if error is torch.square else error(rounded)
            found.append(errors.flatten(1).sum(dim=1) if by_row else errors.sum().reshape(1))
        sums = torch.stack(found).cpu().numpy().astype(np.float64)
        sums = np.where((sizes > 0) & (sums < np.inf), sums, np.inf)  # no number is no error either
        best = sums.argmin(axis=0)[np.newaxis]
        least = np.take_along_axis(sums, best, axis=0)[0]
        return np.where(least < np.inf, np.take_along_axis(sizes, best, axis=0)[0], 0.0), least

    best, least = search(_in_float16)
    smallest = 0.0
    if ((widest > 0) & ((best < NORMAL) | (_in_float16(widest) == 0))).any():
        far, least_far = search(in_float16_bits)
        if (least > _NO_LOSS * least_far).any():
            best, smallest = far, NORMAL
    steps = steps_of(best, least=smallest)
    return replace(steps, numbers=np.where(best > 0, steps.numbers, np.float16(1)))


def _in_float16(sizes: _Sizes) -> _Sizes:
    """``sizes`` as float16 alone holds them: 0 where they are too small or too large."""
    with np.errstate(over="ignore"):
        found = sizes.astype(np.float16).astype(np.float64)
    return np.where(np.isfinite(found), found, 0.0)


def _rounded(tensor: Tensor, steps: Steps, bits: int) -> grid.Rounded:
    exponent = level(tensor)
    near_one = times_power(wide(tensor), -exponent)
    return _round(near_one, _beside(np.ldexp(steps.sizes, -exponent), near_one), bits), steps


def _beside(sizes: npt.NDArray[np.float64], tensor: Tensor) -> Tensor:
    """``sizes`` (..., rows) in a shape that multiplies ``tensor`` row by row, or as a whole if there is one."""
    return torch.from_numpy(sizes).to(tensor).reshape(*sizes.shape, *[1] * (tensor.ndim - 1))


def _round(tensor: Tensor, step: Tensor, bits: int, *, out: Tensor | None = None) -> Tensor:
    largest = 2 ** (bits - 1) - 1
    return torch.div(tensor, step, out=out).round_().clamp_(-largest, largest)
