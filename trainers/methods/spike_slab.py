"""Spike-and-slab: a Bayesian network learns which of its hidden units are there; its mean is stored without the others.

Notation of Jantre et al.: z is 1 where a unit is there, gamma = sigmoid(theta) the posterior probability of that, lambda
the prior one; mu and sigma = softplus(rho) are the posterior mean and standard deviation of a weight, sigma_0 the prior
one.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from trainers import checks
from trainers.coding.sections import Sections
from trainers.methods import backend
from trainers.methods.base import AbstractMethod, Batch, Context, Moment, Optimiser, Phase, RateKnob
from trainers.methods.grid import STEPS, check_steps, grid_points
from trainers.methods.plain import adam_cosine, plain_phase
from trainers.methods.structured import along, kept_bits, removable, without_units
from trainers.units import Role, UnitGroup

_FIRST_GAMMA = 0.99
_FIRST_RHO = -6.0
_TEMPERATURE = 0.5
"""Of the relaxed z; all three as the authors' code has them."""


class Posterior(nn.Module):
    """A network whose parameters are means: of weights and biases, which vary, and of norms, which do not.

    Trained, it draws weights and units anew in each forward pass; evaluated, it is the mean of the likelier units.
    """

    def __init__(self, network: nn.Module, groups: Sequence[UnitGroup]) -> None:
        super().__init__()
        self.network = network
        norms = backend.norm_parameters(network)
        self._groups = groups
        self._names = [name for name, _ in network.named_parameters() if name not in norms]
        mu = dict(network.named_parameters())
        self.rhos = nn.ParameterList(nn.Parameter(torch.full_like(mu[name], _FIRST_RHO)) for name in self._names)
        device = mu[self._names[0]].device
        theta = math.log(_FIRST_GAMMA / (1 - _FIRST_GAMMA))
        self.thetas = nn.ParameterList(
            nn.Parameter(torch.full((group.num_units,), theta, device=device)) for group in groups
        )

    def gammas(self) -> list[Tensor]:
        """For each group (num_units,): the posterior inclusion probabilities."""
        return [theta.sigmoid() for theta in self.thetas]

    def kept(self, cut: float) -> list[Tensor]:
        """For each group (num_units,), bool: the units whose inclusion is more probable than ``cut``."""
        return [gamma > cut for gamma in self.gammas()]

    def forward(self, *inputs: Tensor) -> Tensor:
        parameters = self._drawn() if self.training else self.mean(0.5)
        return cast(Tensor, functional_call(self.network, parameters, inputs))

    def mean(self, cut: float) -> dict[str, Tensor]:
        """The ``state_dict`` of the network of means, without the units that ``cut`` removes."""
        return without_units(self.network.state_dict(), self._groups, self.kept(cut))

    def _drawn(self) -> dict[str, Tensor]:
        mu = dict(self.network.named_parameters())
        weights = {
            name: mu[name] + F.softplus(rho) * torch.randn_like(rho)
            for name, rho in zip(self._names, self.rhos, strict=True)
        }
        for group, theta in zip(self._groups, self.thetas, strict=True):
            z = _relaxed_bernoulli(theta)
            for use in group.uses:
                # where a unit is read: for an activation that keeps zero the same as where it is computed, and right
                # for every other one, and behind norms
                if use.role is Role.READER:
                    weights[use.name] = weights[use.name] * along(z, use, weights[use.name].ndim)
        return weights

    def divergence(self, prior_scale: float) -> Tensor:
        """KL(posterior || prior) in nats: of the units, and of the weights, gamma times where a unit has them."""
        mu = dict(self.network.named_parameters())
        gammas = self.gammas()
        inclusion = {
            use.name: along(gamma, use, mu[use.name].ndim)
            for group, gamma in zip(self._groups, gammas, strict=True)
            for use in group.uses
            if use.role is not Role.READER and use.name in mu
        }
        total = torch.zeros((), device=gammas[0].device)
        for theta, gamma in zip(self.thetas, gammas, strict=True):
            lam = 1 / (len(theta) + 1)
            total = total + (
                gamma * (F.logsigmoid(theta) - math.log(lam)) + (1 - gamma) * (F.logsigmoid(-theta) - math.log1p(-lam))
            ).sum()
        for name, rho in zip(self._names, self.rhos, strict=True):
            sigma = F.softplus(rho) / prior_scale
            of_slab = (sigma.square() + (mu[name] / prior_scale).square() - 1) / 2 - sigma.log()
            total = total + (inclusion.get(name, 1) * of_slab).sum()
        return total


def _relaxed_bernoulli(theta: Tensor) -> Tensor:
    """z, with the gradient of its relaxation straight through."""
    noise = torch.rand_like(theta).clamp(1e-6, 1 - 1e-6).logit()
    relaxed = ((theta + noise) / _TEMPERATURE).sigmoid()
    return relaxed + ((relaxed > 0.5).float() - relaxed).detach()


@dataclass(frozen=True, kw_only=True)
class SpikeSlab(AbstractMethod):
    kl_weight: float
    prior_scale: float = 1.0
    cuts: Sequence[float] = (0.1, 0.5, 0.9)
    learning_rate: float = 2e-3
    pace: float = 12.0
    steps: Sequence[float] = STEPS

    version: ClassVar[int] = 1
    rate_knob: ClassVar[RateKnob | None] = RateKnob(field="kl_weight", low=0.1, high=3, log=True)

    def __post_init__(self) -> None:
        checks.number("kl_weight", self.kl_weight, low=0)
        check_steps(self.steps)

    def attach(self, model: nn.Module, context: Context) -> nn.Module:
        return Posterior(model, removable(context))

    def phases(self, context: Context) -> tuple[Phase, ...]:
        train = plain_phase(self.learning_rate)
        return (dataclasses.replace(train, loss=self._loss, optimisers=self._optimisers, rate_comparable=True),)

    def rate_bits(self, model: nn.Module, context: Context) -> Tensor:
        return kept_bits(context.plain, context.groups, cast(Posterior, model).gammas())

    def points(self, model: nn.Module, context: Context) -> Iterator[tuple[str, Sections]]:
        posterior = cast(Posterior, model)
        for cut in self.cuts:
            for point_id, sections in grid_points(context.plain, posterior.mean(cut), self.steps):
                yield f"pip{cut:g}-{point_id}", sections

    @staticmethod
    def decode(sections: Sections, plain: nn.Module) -> dict[str, Tensor]:
        return backend.dequantise(sections, plain)

    def _loss(self, model: nn.Module, batch: Batch, context: Context, moment: Moment) -> Tensor:
        posterior = cast(Posterior, model)
        inputs, targets = batch
        weight = self.kl_weight / context.num_parameters
        return context.loss(posterior(inputs), targets) + weight * posterior.divergence(self.prior_scale)

    def _optimisers(self, model: nn.Module, num_steps: int) -> tuple[Optimiser, ...]:
        posterior = cast(Posterior, model)
        groups: list[dict[str, object]] = [
            {"params": list(posterior.network.parameters()), "lr": self.learning_rate},
            {"params": [*posterior.rhos, *posterior.thetas], "lr": self.pace / max(1, num_steps)},
        ]
        return (adam_cosine(groups, num_steps),)
