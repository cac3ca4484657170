"""Quantisation-aware training: the network computes with rounded weights while it learns.

Notation of Esser et al.: v is a weight, s its step, Q_N and Q_P the number of whole numbers below and above zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from trainers import checks
from trainers.coding.sections import Sections
from trainers.data.examples import Batch
from trainers.methods.base import AbstractMethod, Context, Moment, Optimiser, Phase, RateKnob
from trainers.methods.parts import backend, grid, tensor_settings, weight_settings
from trainers.methods.parts.plain import adam_cosine, plain_phase
from trainers.methods.parts.pruning import BIAS_BITS
from trainers.methods.parts.quantisers import QUANTISERS, Quantiser
from trainers.methods.parts.steps import exact, level, steps_of, times_power, wide
from trainers.networks.calling import Network, Remade
from trainers.networks.substitution import Substitution
from trainers.paths import Path


@dataclass(frozen=True, kw_only=True)
class QuantisationAwareTraining(AbstractMethod):
    """Weights are rounded in the forward pass, and their gradients pass the rounding straight through.

        w = s clip(round(v / s), -Q_N, Q_P)          equations 1 and 2
        w = s sign(v)                                where bits is 1

    Q_N = 2^(b-1) and Q_P = 2^(b-1) - 1; ``ternary`` has -1, 0 and 1. Every pass uses steps that a file holds exactly,
    so that the weights of the file are those that the trained network computes with. Biases, norms and buffers are
    trained as floats, and stored as in all methods that train floats (``grid.py``).

    References:
        Esser, McKinstry, Bablani, Appuswamy, Modha 2020, "Learned Step Size Quantization", ICLR 2020, arXiv 1902.08153.
        Rastegari, Ordonez, Redmon, Farhadi 2016, "XNOR-Net", arXiv 1603.05279, section 3.1 (binary weights).
        Li, Liu 2016, "Ternary Weight Networks", arXiv 1605.04711.
        Bengio, Leonard, Courville 2013, arXiv 1308.3432 (straight-through gradients).
    """

    bits: int | str | Mapping[str, Any]
    """The bits of a weight before entropy coding: 1 to 8, or ``ternary``. Or a path, such as ``{path: [8, 4, 3, 2]}``
    (``trainers/paths.py``): one training that rounds to each in turn, and a point at each."""
    granularity: str = "tensor"
    """``tensor``: one step for each tensor; ``channel``: one for each row, as in ``ptq``."""
    scale: str | float = "learned"
    """``learned``: s is trained (LSQ). ``spread``: s follows the weights' root mean square, and training steps are
    cheaper. A number: s is that many root mean squares; a large one makes most weights zero, which costs few bytes."""
    float_share: float = 0.0
    """Share of the training before the first rounding."""
    learning_rate: float = 2e-3
    step_learning_rate: float = 1e-3
    """For ``learned`` scale: the learning rate of the steps' logarithms."""
    tensors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Settings of weights by patterns of their names: ``bits``, on a path as well, or ``skip: true``, trained as floats
    and stored as float16 (``weight_settings.py``). There is no ``step``: ``scale`` says how steps are found."""

    version: ClassVar[int] = 1
    rate_knob: ClassVar[RateKnob | None] = RateKnob(field="bits", values=(1, "ternary", 2, 3, 4, 6, 8))
    cost: ClassVar[float | None] = 1.7

    def __post_init__(self) -> None:
        if isinstance(self.bits, Mapping) and isinstance(self.bits.get("path"), Mapping):
            raise ValueError(f"bits is {self.bits}: wanted a list of bits, such as {{path: [8, 4, 2]}}")
        for bits in self._path.values:
            _check_bits("bits", bits)
        tensor_settings.check(self.tensors, bits=_check_bits, skip=weight_settings.SKIP)
        checks.choice("granularity", self.granularity, backend.GRANULARITIES)
        if isinstance(self.scale, str):
            checks.choice("scale", self.scale, ("spread", "learned"))
        else:
            checks.number("scale", self.scale, low=0, above=True)
            if 1 in (*self._path.values, *(given.get("bits") for given in self.tensors.values())):
                raise ValueError(f"scale is {self.scale} and bits 1, which has no zero: wanted ternary, or more bits")
        checks.number("float_share", self.float_share, low=0, high=0.99)
        checks.number("learning_rate", self.learning_rate, low=0, above=True)
        checks.number("step_learning_rate", self.step_learning_rate, low=0)
        if self.scale != "learned":
            checks.unused(self, "step_learning_rate", where=f"scale is {self.scale!r}")

    def attach(self, model: nn.Module, context: Context) -> nn.Module:
        context.refuse_written()
        weight_settings.check_fits(self.tensors, context)
        first = self._path.values[0]
        names = weight_settings.rounded_names(model, self.tensors)
        quantisers = {name: self._quantiser(self._bits(name, first)) for name in names}
        return Quantised(model, quantisers, by_row=self.granularity == "channel")

    def phases(self, context: Context) -> tuple[Phase, ...]:
        floats = replace(plain_phase(self.learning_rate), name="float", share=self.float_share)
        rounded = tuple(
            Phase(
                name=stretch.called("bits", "quantised"),
                share=(1 - self.float_share) * stretch.share,
                apply=partial(self._begin, bits=stretch.value),
                loss=_loss,
                optimisers=partial(self._optimisers, factor=stretch.learning_rate),
                points=None if stretch.is_last else partial(self._stored, point_id=stretch.called("bits", "point")),
                rate_comparable=False,
            )
            for stretch in self._path.stretches
        )
        return (floats, *rounded) if self.float_share else rounded

    def rate_bits(self, model: nn.Module, context: Context) -> Tensor:
        """The size of the weights before entropy coding, at a path's end, and of the rest as other methods estimate."""
        last = self._path.values[-1]
        num_bits = dict.fromkeys(weight_settings.skipped_names(context.plain, self.tensors), 16.0)
        for name in weight_settings.rounded_names(context.plain, self.tensors):
            bits = self._bits(name, last)
            num_bits[name] = math.log2(3) if bits == "ternary" else float(bits)
        stored = (num_bits.get(name, BIAS_BITS) * p.numel() for name, p in context.plain.named_parameters())
        return torch.tensor(float(sum(stored)))

    def points(self, model: nn.Module, context: Context) -> Iterator[tuple[str, Sections]]:
        return self._stored(model, context, self._path.stretches[-1].called("bits", "point"))

    @staticmethod
    def decode(sections: Sections, plain: nn.Module) -> dict[str, Tensor]:
        return backend.dequantise(sections, plain, by_row=True)

    @property
    def _path(self) -> Path:
        return Path.of("bits", self.bits)

    def _bits(self, name: str, bits: int | str) -> int | str:
        """The bits of a weight, where those of the others are ``bits``."""
        own: int | str = tensor_settings.first_fit(self.tensors, name, {}).get("bits", bits)
        return own

    def _quantiser(self, bits: int | str) -> Quantiser:
        found = QUANTISERS[bits]
        return found if isinstance(self.scale, str) else found._replace(spread_step=self.scale)

    def _stored(self, model: nn.Module, context: Context, point_id: str) -> Iterator[tuple[str, Sections]]:
        trained = cast(Quantised, model)
        weights = {
            name: (whole, steps_of(step.reshape(-1).cpu().numpy())) for name, (whole, step) in trained.rounded().items()
        }
        kept = weight_settings.skipped_names(context.plain, self.tensors)
        yield point_id, grid.store(context, trained.network.state_dict(), weights, kept=kept)

    def _begin(self, model: nn.Module, decision: None, *, bits: int | str) -> nn.Module:
        trained = cast(Quantised, model)
        quantisers = {name: self._quantiser(self._bits(name, bits)) for name in trained.names}
        trained.begin(quantisers, is_learned=self.scale == "learned")
        return model

    def _optimisers(self, model: nn.Module, num_steps: int, *, factor: float = 1.0) -> tuple[Optimiser, ...]:
        trained = cast(Quantised, model)
        weights = {"params": list(trained.network.parameters()), "lr": factor * self.learning_rate}
        steps = {"params": list(trained.log_steps.values()), "lr": factor * self.step_learning_rate}
        return (adam_cosine([weights], num_steps, beside=[steps] if steps["params"] else []),)


def _check_bits(name: str, bits: Any) -> None:
    if type(bits) not in (int, str) or bits not in QUANTISERS:
        raise ValueError(f"{name} is {bits!r}: wanted a whole number from 1 to 8, or ternary")


def _loss(model: nn.Module, batch: Batch, context: Context, moment: Moment) -> Tensor:
    return context.loss(model, batch)


class Quantised(Remade):
    """A network that computes with rounded weights, once ``begin`` was called."""

    def __init__(self, network: nn.Module, quantisers: Mapping[str, Quantiser], *, by_row: bool) -> None:
        """``quantisers``: those of the weights that are rounded, by their names."""
        super().__init__()
        self.network = network
        self.log_steps = nn.ParameterDict()
        self._quantisers, self._by_row, self._is_rounding = dict(quantisers), by_row, False
        self._substitution = Substitution(network)
        self._levels = {name: level(weight) for name, weight in self._weights().items()}

    @property
    def names(self) -> list[str]:
        """The weights that are rounded."""
        return list(self._quantisers)

    def begin(self, quantisers: Mapping[str, Quantiser], *, is_learned: bool) -> None:
        """Round from now on; learned steps begin at 2 mean |v| / sqrt(Q_P), section 2.1, and at mean |v| if binary."""
        self._quantisers, self._is_rounding = dict(quantisers), True
        if is_learned:
            for name, weight in self._values().items():
                quantiser = self._quantisers[name]
                factor = 1.0 if quantiser.is_binary else 2 / math.sqrt(quantiser.q_p)
                step = factor * _mean(weight.detach(), self._by_row, order=1)
                # weights that start at zero, as a last layer's may, get a step as if initialised: else none could grow
                step = step.where(step > 0, factor / (2 * math.sqrt(math.prod(weight.shape[1:]) or 1)))
                self.log_steps[_key(name)] = nn.Parameter(step.log())

    def made(self) -> Network:
        if not self._is_rounding:
            return self.network
        steps = self._steps()
        weights = {
            name: cast(Tensor, _Round.apply(values, steps[name], self._quantisers[name]))  # type: ignore[no-untyped-call]
            for name, values in self._values().items()
        }
        made = {name: weights[name].to(weight.dtype) for name, weight in self._weights().items()}
        return partial(self._substitution.compute, self.network, made)

    @torch.no_grad()
    def rounded(self) -> dict[str, tuple[Tensor, Tensor]]:
        """The whole numbers and step(s) of each weight, as in a forward pass."""
        steps = self._steps()
        return {
            name: (_whole(values / steps[name], self._quantisers[name]), steps[name])
            for name, values in self._values().items()
        }

    def _weights(self) -> dict[str, nn.Parameter]:
        return {name: parameter for name, parameter in self.network.named_parameters() if name in self._quantisers}

    def _values(self) -> dict[str, Tensor]:
        """The weights, in float32 at least."""
        return {name: wide(weight) for name, weight in self._weights().items()}

    def _steps(self) -> dict[str, Tensor]:
        """The step(s) of each weight, as files hold them, in shapes that multiply it. Learned ones have a gradient."""
        sizes = {name: self._size(name, values) for name, values in self._values().items()}
        stored = zip(sizes.items(), exact(list(sizes.values())), strict=True)
        return {name: step + (size - size.detach()) for (name, size), step in stored}

    def _size(self, name: str, values: Tensor) -> Tensor:
        if _key(name) in self.log_steps:
            return cast(nn.Parameter, self.log_steps[_key(name)]).exp()
        quantiser, exponent = self._quantisers[name], self._levels[name]
        order = 1 if quantiser.is_binary else 2
        mean = _mean(times_power(values.detach(), -exponent), self._by_row, order=order)
        return times_power(quantiser.spread_step * mean, exponent)


class _Round(torch.autograd.Function):
    """s clip(round(v / s), -Q_N, Q_P), with the gradients of LSQ where s is learned, else straight through."""

    @staticmethod
    def forward(ctx: Any, v: Tensor, s: Tensor, quantiser: Quantiser) -> Tensor:
        ctx.quantiser = quantiser
        position = v / s
        whole = _whole(position, quantiser)
        ctx.save_for_backward(position, whole, s)
        return whole * s

    @staticmethod
    def backward(ctx: Any, grad_w: Tensor) -> tuple[Tensor | None, ...]:
        if not ctx.needs_input_grad[1]:
            return grad_w, None, None
        position, whole, s = ctx.saved_tensors
        num_weights = max(1, position.numel()) / max(1, s.numel())
        g = 1 / math.sqrt(num_weights * ctx.quantiser.q_p)  # section 2.2; of Adam's steps only epsilon sees it
        if ctx.quantiser.is_binary:  # w = s sign(v): exact for s, straight through for v
            return grad_w, (grad_w * whole).sum_to_size(s.shape) * g, None
        inside = (position > -ctx.quantiser.q_n) & (position < ctx.quantiser.q_p)
        slope = torch.where(inside, whole - position, whole)  # equation 3
        return grad_w * inside, (grad_w * slope).sum_to_size(s.shape) * g, None  # equation 5


def _whole(position: Tensor, quantiser: Quantiser) -> Tensor:
    return position.sign() if quantiser.is_binary else position.round().clamp(-quantiser.q_n, quantiser.q_p)


def _mean(weight: Tensor, by_row: bool, *, order: int) -> Tensor:
    """(mean |v|^order)^(1/order) of each row or of the whole, in a shape that multiplies ``weight``; 0 if empty."""
    axes = tuple(range(1 if by_row else 0, weight.ndim))
    num_values = math.prod(weight.shape[axis] for axis in axes)
    norm: Tensor = torch.linalg.vector_norm(weight, ord=order, dim=axes, keepdim=True)
    return norm / float(max(1, num_values) ** (1 / order))


def _key(name: str) -> str:
    """A parameter's name without dots, which a ``ParameterDict`` refuses."""
    return name.replace(".", "/")
