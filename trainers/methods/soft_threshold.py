"""STR: what the network computes with are soft-thresholded weights, and each layer learns its threshold.

Notation of the paper: W are a layer's weights, s its threshold before the sigmoid g, S_g(W, s) the thresholded weights.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from trainers import checks
from trainers.coding.sections import Sections
from trainers.methods.base import AbstractMethod, Context, Optimiser, Phase, RateKnob
from trainers.methods.parts import backend, tensor_settings, weight_settings
from trainers.methods.parts.grid import STEPS, check_steps, grid_points
from trainers.methods.parts.plain import plain_phase
from trainers.methods.parts.pruning import decayed_adam, prunable, replaced, stored_bits
from trainers.methods.parts.steps import level, times_power, wide
from trainers.networks.calling import Network, Remade
from trainers.networks.substitution import Substitution

_WHERE_IT_PRUNES = 0.01
"""The threshold at which pruning begins, over its weights' root mean square: it prunes 0.8 % of normal weights."""


def soft_threshold(w: Tensor, s: Tensor) -> Tensor:
    """S_g(w, s) = sign(w) relu(|w| - g(s)), g the sigmoid; ``s`` is a scalar. Section 3 of the paper."""
    return w.sign() * torch.relu(w.abs() - s.sigmoid())


class Thresholded(Remade):
    """A network that computes with soft-thresholded weights, each tensor with a threshold of its own."""

    def __init__(self, network: nn.Module, start: Sequence[float], skipped: Collection[str] = ()) -> None:
        """``start``: the first s of each weight tensor, but for those that are ``skipped``."""
        super().__init__()
        self.network, self._skipped = network, set(skipped)
        self._substitution = Substitution(network)
        self.s = nn.ParameterList(nn.Parameter(torch.tensor(value)) for value in start)

    def weights(self) -> dict[str, Tensor]:
        """S_g(W, s) by the names of the weights."""
        weights = prunable(self.network, self._skipped)
        return {
            name: soft_threshold(wide(w), s).to(w.dtype) for (name, w), s in zip(weights.items(), self.s, strict=True)
        }

    def made(self) -> Network:
        return partial(self._substitution.compute, self.network, self.weights())


@dataclass(frozen=True, kw_only=True)
class SoftThreshold(AbstractMethod):
    """Soft threshold weight reparameterization.

    The loss is the task's alone. Weights are pruned by the decay of s: s is negative and shrinks, so the threshold g(s)
    grows, while the task's gradient, through all weights that are left, resists it in some layers more than in others.
    How sparse a network becomes is an outcome, not a setting.

    ``threshold_decay`` is in e-folds of s over the whole training, so it means the same at any number of steps. The
    published start, s = -3200, relies on a decay over hundreds of thousands of steps: in a short training no weight
    is ever pruned. Here s starts where the decay alone brings the threshold to a hundredth of its weights' root mean
    square after the share ``begin`` of the training.

    Weights are trained by Adam, s by plain SGD. Adam would divide the decay by its own size, so that s would move at
    the learning rate whatever ``threshold_decay`` is; a decay decoupled from Adam would be opposed by steps of a fixed
    size.

    References:
        Kusupati, Ramanujan, Somani, Wortsman, Jain, Kakade, Farhadi 2020, "Soft Threshold Weight Reparameterization
        for Learnable Sparsity", ICML 2020, arXiv 2002.03231.
    """

    threshold_decay: float
    """The logarithm of the factor by which the decay alone shrinks s over the training."""
    begin: float = 0.1
    """Share of the training before the first weights are pruned."""
    threshold_learning_rate: float = 0.01
    """The learning rate of s: the larger it is, the more thresholds resist their decay."""
    learning_rate: float = 2e-3
    weight_decay: float = 0.3
    """Decay of weights at every step, in units of the learning rate, as in the paper. A weight below its threshold has
    no gradient and only decays."""
    steps: Sequence[float] = STEPS
    """Quantisation steps, with an operating point for each (``grid.py``)."""
    tensors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Settings of weights by patterns of their names: ``step``, in place of the others', or ``skip: true``,
    neither pruned nor rounded but stored as float16 (``weight_settings.py``)."""

    version: ClassVar[int] = 1
    rate_knob: ClassVar[RateKnob | None] = RateKnob(field="threshold_decay", low=0.5, high=6.0, log=True)
    cost: ClassVar[float | None] = 1.5
    point_fields: ClassVar[tuple[str, ...]] = ("steps",)
    learns: ClassVar[str] = "its thresholds"

    def __post_init__(self) -> None:
        checks.number("threshold_decay", self.threshold_decay, low=0, high=100)
        checks.number("begin", self.begin, low=0, high=1)
        checks.number("threshold_learning_rate", self.threshold_learning_rate, low=0, above=True)
        checks.number("learning_rate", self.learning_rate, low=0, above=True)
        checks.number("weight_decay", self.weight_decay, low=0)
        check_steps(self.steps)
        tensor_settings.check(self.tensors, step=weight_settings.STEP, skip=weight_settings.SKIP)

    def attach(self, model: nn.Module, context: Context) -> nn.Module:
        weight_settings.check_fits(self.tensors, context)
        skipped = weight_settings.skipped_names(model, self.tensors)
        weights = prunable(model, skipped).values()
        start = [s_where_it_prunes(w) * math.exp(self._decayed(self.begin)) for w in weights]
        return Thresholded(model, start, skipped).to(context.device)

    def phases(self, context: Context) -> tuple[Phase, ...]:
        return (dataclasses.replace(plain_phase(self.learning_rate), optimisers=self._optimisers),)

    def rate_bits(self, model: nn.Module, context: Context) -> Tensor:
        """The size of what is not zero now; thresholds grow to the end, so it says little about the end before."""
        trained = cast(Thresholded, model)
        return stored_bits(trained.network, trained.weights())

    def points(self, model: nn.Module, context: Context) -> Iterator[tuple[str, Sections]]:
        trained = cast(Thresholded, model)
        state = replaced(trained.network, trained.weights())
        yield from grid_points(context, state, self.steps, tensors=self.tensors)

    @staticmethod
    def decode(sections: Sections, plain: nn.Module) -> dict[str, Tensor]:
        return backend.dequantise(sections, plain)

    def _optimisers(self, model: nn.Module, num_steps: int) -> tuple[Optimiser, ...]:
        trained = cast(Thresholded, model)
        adam = decayed_adam(trained.network, self.learning_rate, self.weight_decay, num_steps)
        # learning rates of a cosine schedule sum to half of the first one times the steps
        decay = 2 * self.threshold_decay / (self.threshold_learning_rate * max(1, num_steps))
        sgd = torch.optim.SGD(trained.s.parameters(), lr=self.threshold_learning_rate, weight_decay=decay)
        return adam, Optimiser(optimiser=sgd, schedule=torch.optim.lr_scheduler.CosineAnnealingLR(sgd, T_max=num_steps))

    def _decayed(self, progress: float) -> float:
        """The e-folds by which the decay alone has shrunk s, along the cosine schedule of its learning rate."""
        return self.threshold_decay * (progress + math.sin(math.pi * progress) / math.pi)


def s_where_it_prunes(weight: Tensor) -> float:
    """The s whose threshold is just where pruning begins."""
    exponent = level(weight)
    values = times_power(wide(weight.detach()), -exponent)
    size = math.ldexp(values.square().mean().sqrt().item(), exponent) if weight.numel() else 0.0
    threshold = min(_WHERE_IT_PRUNES * size, 0.5) or 1e-6
    return math.log(threshold / (1 - threshold))
