"""Spike-and-slab: a Bayesian network learns which of its hidden units are there; its mean is stored without the others.

Notation of Jantre et al.: z is 1 if a unit is there; gamma = sigmoid(theta) is the posterior probability of that, and
lambda the prior one. mu and sigma = softplus(rho) are the posterior mean and standard deviation of a weight, sigma_0 is
the prior standard deviation.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainers import checks
from trainers.coding.sections import Sections
from trainers.data.examples import Batch
from trainers.hidden_units import Role, UnitGroup
from trainers.methods.base import AbstractMethod, Context, Moment, Optimiser, Phase, RateKnob
from trainers.methods.parts import backend, tensor_settings, weight_settings
from trainers.methods.parts.grid import check_grid, check_steps, point_id, rounded_at, store
from trainers.methods.parts.plain import adam_cosine, plain_phase
from trainers.methods.parts.recalibration import recalibrate
from trainers.methods.parts.steps import level, times_power, wide
from trainers.methods.parts.structured import along, kept_bits, removable, without_units
from trainers.networks.calling import Network, Remade
from trainers.networks.norms import norm_parameters
from trainers.networks.parametrizations import duplicate
from trainers.networks.substitution import Substitution

_FIRST_GAMMA = 0.99
_FIRST_RHO = -6.0
_TINY, _FIRST_SHARE = 2.0**-16, 0.05
"""Weights whose root mean square is below ``_TINY`` start with a sigma of this share of it."""
_TEMPERATURE = 0.5
"""The temperature of the relaxed z. It, the first gamma and the first rho are those of the authors' code."""


class Posterior(Remade):
    """A network whose parameters are posterior means; weights and biases vary around theirs, norms do not.

    In training mode each forward pass draws weights and units anew. In evaluation mode it computes with the means,
    without the units that are more likely absent than there.
    """

    def __init__(self, network: nn.Module, groups: Sequence[UnitGroup]) -> None:
        super().__init__()
        self.network = network
        norms = norm_parameters(network)
        self._substitution = Substitution(network)
        self._groups = groups
        self._names = [name for name, p in network.named_parameters() if name not in norms and p.requires_grad]
        mu = dict(network.named_parameters())
        self.rhos = nn.ParameterList(
            nn.Parameter(torch.full_like(wide(mu[name]), _first_rho(mu[name]))) for name in self._names
        )
        device = mu[self._names[0]].device
        theta = math.log(_FIRST_GAMMA / (1 - _FIRST_GAMMA))
        self.thetas = nn.ParameterList(
            nn.Parameter(torch.full((group.num_units,), theta, device=device)) for group in groups
        )

    def gammas(self) -> list[Tensor]:
        """For each group (num_units,): the posterior inclusion probabilities."""
        return [theta.sigmoid() for theta in self.thetas]

    @torch.no_grad()
    def sigmas(self) -> dict[str, Tensor]:
        """The standard deviations, by the names of the weights and biases, in their shapes."""
        return {name: F.softplus(rho) for name, rho in zip(self._names, self.rhos, strict=True)}

    def kept(self, cut: float) -> list[Tensor]:
        """For each group (num_units,), bool: the units whose inclusion is more probable than ``cut``."""
        return [gamma > cut for gamma in self.gammas()]

    def made(self) -> Network:
        """Drawn from the posterior in training mode, else that of means."""
        parameters = self._drawn() if self.training else self.mean(0.5)
        return partial(self._substitution.compute, self.network, parameters)

    @torch.no_grad()
    def mean(self, cut: float) -> dict[str, Tensor]:
        """The ``state_dict`` of the network of means, without the units that ``cut`` removes."""
        return without_units(self.network.state_dict(), self._groups, self.kept(cut))

    def measured(self, cut: float, context: Context) -> dict[str, Tensor]:
        """``mean``, with batch-norm statistics of its own instead of those of drawn networks."""
        network = duplicate(self.network)
        network.load_state_dict(self.mean(cut))
        recalibrate(network, context)
        return dict(network.state_dict())

    def _drawn(self) -> dict[str, Tensor]:
        mu = dict(self.network.named_parameters())
        weights = {
            name: wide(mu[name]) + F.softplus(rho) * torch.randn_like(rho)
            for name, rho in zip(self._names, self.rhos, strict=True)
        }
        for group, theta in zip(self._groups, self.thetas, strict=True):
            z = _relaxed_bernoulli(theta)
            for axis in group.axes:
                # z multiplies the weights that read a unit. For activations that keep zero that is the same as to
                # multiply what computes it; for all others, and behind norms, only this is right
                if axis.role is Role.READER:
                    weights[axis.tensor] = weights[axis.tensor] * along(z, axis, weights[axis.tensor].shape)
        return {name: values.to(mu[name].dtype) for name, values in weights.items()}

    def divergence(self, prior_scale: float) -> Tensor:
        """KL(posterior || prior) in nats, of units and of weights; the weights of a unit count gamma times."""
        mu = dict(self.network.named_parameters())
        gammas = self.gammas()
        inclusion: dict[str, Tensor] = {}
        for group, gamma in zip(self._groups, gammas, strict=True):
            for axis in group.axes:
                if axis.role is not Role.READER and axis.tensor in mu:
                    own = along(gamma, axis, mu[axis.tensor].shape)
                    inclusion[axis.tensor] = inclusion.get(axis.tensor, 1) * own  # parts of a tensor of other units
        total = torch.zeros((), device=gammas[0].device)
        for theta, gamma in zip(self.thetas, gammas, strict=True):
            # the authors' prior log lambda_l = -log k_l - 1e-9 (k_{l-1} + 1) v_l without its second term, which is
            # small below a thousand inputs, and would empty every layer of more. With k_l + 1 a layer of one unit can
            # be empty, too
            lam = 1 / (len(theta) + 1)
            present = F.logsigmoid(theta) - math.log(lam)
            absent = F.logsigmoid(-theta) - math.log1p(-lam)
            total = total + (gamma * present + (1 - gamma) * absent).sum()
        for name, rho in zip(self._names, self.rhos, strict=True):
            sigma = F.softplus(rho) / prior_scale
            slab = (sigma.square() + (wide(mu[name]) / prior_scale).square() - 1) / 2 - sigma.log()
            total = total + (inclusion.get(name, 1) * slab).sum()
        return total


def _first_rho(mu: Tensor) -> float:
    """The rho at which sigma is small beside the weights, even where they are tiny."""
    exponent = level(mu)
    values = times_power(wide(mu.detach()), -exponent)
    size = math.ldexp(values.square().mean().sqrt().item(), exponent) if mu.numel() else 0.0
    return math.log(_FIRST_SHARE * size) if 0 < size < _TINY else _FIRST_RHO


def _relaxed_bernoulli(theta: Tensor) -> Tensor:
    """Draw z; its gradient is that of its relaxation (straight through)."""
    noise = torch.rand_like(theta).clamp(1e-6, 1 - 1e-6).logit()
    relaxed = ((theta + noise) / _TEMPERATURE).sigmoid()
    return relaxed + ((relaxed > 0.5).float() - relaxed).detach()


@dataclass(frozen=True, kw_only=True)
class SpikeSlab(AbstractMethod):
    """Variational inference under a prior in which each hidden unit is there or not; units that are likely are kept.

    A unit's weights and bias are z w, with z ~ Bernoulli(gamma) and w ~ Normal(mu, sigma^2); under the prior, z ~
    Bernoulli(lambda) and w ~ Normal(0, sigma_0^2). Output layers have no z. Training minimises, by one draw for each
    step,

        task loss + kl_weight / P * KL(posterior || prior)

    where P is the number of parameters, so that kl_weight means the same on every network. With kl_weight = P / (number
    of training examples) it is the evidence bound of the paper, but for the part of its prior that falls with the
    number of inputs. On small data that weight removes every unit; here kl_weight trades bytes for quality. z has
    straight-through gradients of its relaxation.

    One training gives a point for each of ``cuts`` and ``steps``: the network of means, without the units whose
    inclusion is no more probable than the cut. sigma is large where the data say little about a weight, so the step of
    a tensor is in units of the geometric mean of its sigma.

    References:
        Jantre, Bhattacharya, Maiti 2021, "Layer Adaptive Node Selection in Bayesian Neural Networks: Statistical
        Guarantees and Implementation Details", arXiv 2108.11000 (the model; constants of the authors' code).
        arXiv 2411.00273 (cuts at posterior inclusion probabilities).
        Jang, Gu, Poole 2017, "Categorical Reparameterization with Gumbel-Softmax", arXiv 1611.01144 (z).
    """

    kl_weight: float
    """The weight of the divergence per parameter: nats of task loss for one nat."""
    prior_scale: float = 1.0
    """sigma_0, the prior standard deviation of weights that are there."""
    cuts: Sequence[float] = (0.3, 0.6, 0.9)
    """Inclusion probabilities: units above a cut are kept."""
    steps: Sequence[float] = (2.0, 3.0, 4.0, 6.0)
    """Quantisation steps of weights and biases, in units of their posterior standard deviations."""
    tensors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Settings of weights by patterns of their names: ``step``, in place of the others', or ``skip: true``,
    stored as float16, without the units that go (``weight_settings.py``)."""
    learning_rate: float = 3e-3
    """The learning rate of means and norms; falls to zero along a cosine. At 0.01 LeNet5 does not train."""
    pace: float = 25.0
    """How far theta and rho could go in the whole training at their first learning rate."""

    version: ClassVar[int] = 1
    rate_knob: ClassVar[RateKnob | None] = RateKnob(field="kl_weight", low=0.1, high=10, log=True)
    cost: ClassVar[float | None] = 3.6
    point_fields: ClassVar[tuple[str, ...]] = ("cuts", "steps")
    learns: ClassVar[str] = "its posterior"

    def __post_init__(self) -> None:
        checks.number("kl_weight", self.kl_weight, low=0)
        checks.number("prior_scale", self.prior_scale, low=0, above=True)
        check_grid("cuts", self.cuts, high=0.999, example="[0.5, 0.9]")
        check_steps(self.steps)
        tensor_settings.check(self.tensors, step=weight_settings.STEP, skip=weight_settings.SKIP)
        checks.number("learning_rate", self.learning_rate, low=0, above=True)
        checks.number("pace", self.pace, low=0, above=True)

    def attach(self, model: nn.Module, context: Context) -> nn.Module:
        weight_settings.check_fits(self.tensors, context)
        return Posterior(model, removable(context))

    def phases(self, context: Context) -> tuple[Phase, ...]:
        train = plain_phase(self.learning_rate)
        return (dataclasses.replace(train, loss=self._loss, optimisers=self._optimisers, rate_comparable=True),)

    def rate_bits(self, model: nn.Module, context: Context) -> Tensor:
        """The size expected under the posterior."""
        return kept_bits(context.plain, context.free_groups, cast(Posterior, model).gammas())

    def points(self, model: nn.Module, context: Context) -> Iterator[tuple[str, Sections]]:
        posterior = cast(Posterior, model)
        kept = weight_settings.skipped_names(context.plain, self.tensors)
        sigmas = {name: sigma for name, sigma in posterior.sigmas().items() if name not in kept}
        weights = backend.weight_names(context.plain)
        for cut in self.cuts:
            mean = posterior.measured(cut, context)
            units = {name: _typical(sigma[mean[name] != 0]) for name, sigma in sigmas.items()}
            for step in self.steps:
                own = {
                    name: weight_settings.step_of(self.tensors if name in weights else {}, name, step) for name in units
                }
                rounded = {name: rounded_at(name, mean[name], own[name] * unit) for name, unit in units.items()}
                yield f"pip{cut:g}-{point_id(step)}", store(context, mean, rounded, kept=kept)

    @staticmethod
    def decode(sections: Sections, plain: nn.Module) -> dict[str, Tensor]:
        return backend.dequantise(sections, plain)

    def _loss(self, model: nn.Module, batch: Batch, context: Context, moment: Moment) -> Tensor:
        posterior = cast(Posterior, model)
        weight = self.kl_weight / context.num_parameters
        return context.loss(posterior, batch) + weight * posterior.divergence(self.prior_scale)

    def _optimisers(self, model: nn.Module, num_steps: int) -> tuple[Optimiser, ...]:
        posterior = cast(Posterior, model)
        means = {"params": list(posterior.network.parameters()), "lr": self.learning_rate}
        others = {"params": [*posterior.rhos, *posterior.thetas], "lr": self.pace / max(1, num_steps)}
        return (adam_cosine([means], num_steps, beside=[others]),)


def _typical(sigma: Tensor) -> float:
    """The geometric mean; 1 without values."""
    return float(sigma.double().log().mean().exp()) if len(sigma) else 1.0
