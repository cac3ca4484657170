"""Coresets: each layer keeps the units that the next one could miss most, and what is left is trained on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from trainers import checks
from trainers.coding.sections import Sections
from trainers.hidden_units import Role, UnitGroup
from trainers.methods.base import AbstractMethod, Context, Moment, Phase, RateKnob
from trainers.methods.parts import backend, tensor_settings, weight_settings
from trainers.methods.parts.grid import STEPS, check_steps, grid_points
from trainers.methods.parts.plain import plain_phase
from trainers.methods.parts.sensitivities import sensitivities
from trainers.methods.parts.structured import along, kept_bits, removable, without_units


class Thinned(nn.Module):
    """A network that keeps some of its hidden units; ``project`` sets all others to zero."""

    def __init__(self, network: nn.Module, groups: Sequence[UnitGroup]) -> None:
        """All units are kept at first."""
        super().__init__()
        self.network, self.groups = network, groups
        device = next(network.parameters()).device
        for index, group in enumerate(groups):
            self.register_buffer(f"kept{index}", torch.ones(group.num_units, dtype=torch.bool, device=device))

    def kept(self) -> list[Tensor]:
        """For each group (num_units,), bool: the units that are kept."""
        return [self.get_buffer(f"kept{index}") for index in range(len(self.groups))]

    @torch.no_grad()
    def project(self) -> None:
        state = self.network.state_dict()
        for name, tensor in without_units(state, self.groups, self.kept()).items():
            if tensor is not state[name]:
                state[name].copy_(tensor)

    def forward(self, *inputs: Any, **named: Any) -> Any:
        return self.network(*inputs, **named)


@dataclass(frozen=True, kw_only=True)
class Coreset(AbstractMethod):
    """Train; keep a coreset of each hidden layer's units; train what is left.

    m = keep_ratio * n of a layer's n units are chosen by their sensitivities s_j, without looking at data. ``sample``
    draws m times with replacement from p_j = s_j / sum s. A unit that was drawn c_j times is read with weights
    w_kj c_j / (m p_j), so that the sums in the next layer are unbiased; units drawn twice leave fewer than m.
    ``largest`` keeps the m units of the largest s_j as they are.

    Simplified: the bound s_j is not normalised for each reading unit k (the first paper divides it by the sum over j),
    and the second paper's bounds from ellipsoids around the units are not computed. All layers are pruned at once, by
    the sensitivities of the trained network. Residual streams are treated as layers like any other.

    References:
        Mussay, Osadchy, Braverman, Zhou, Feldman 2020, "Data-Independent Neural Pruning via Coresets",
        arXiv 1907.04018.
        Tukan, Mualem, Maalouf 2022, "Pruning Neural Networks via Coresets and Convex Geometry: Towards No
        Assumptions", arXiv 2209.08554.
    """

    keep_ratio: float
    """Share of each hidden layer's units that is kept; at least one unit is."""
    choose: str = "largest"
    """``largest`` or ``sample``."""
    finetune: float = 0.5
    """Share of the training after the units are chosen."""
    learning_rate: float = 2e-3
    """Falls along a cosine to zero, in each of the two trainings."""
    steps: Sequence[float] = STEPS
    """Quantisation steps, with an operating point for each (``grid.py``)."""
    tensors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Settings of weights by patterns of their names: ``step``, in place of the others', or ``skip: true``,
    stored as float16, without the units that go (``weight_settings.py``)."""

    version: ClassVar[int] = 1
    rate_knob: ClassVar[RateKnob | None] = RateKnob(field="keep_ratio", low=0.05, high=1.0, log=True)
    cost: ClassVar[float | None] = 1.0
    point_fields: ClassVar[tuple[str, ...]] = ("steps",)

    def __post_init__(self) -> None:
        checks.number("keep_ratio", self.keep_ratio, low=0, high=1, above=True)
        checks.choice("choose", self.choose, ("largest", "sample"))
        checks.number("finetune", self.finetune, low=0, high=1)
        checks.number("learning_rate", self.learning_rate, low=0, above=True)
        check_steps(self.steps)
        tensor_settings.check(self.tensors, step=weight_settings.STEP, skip=weight_settings.SKIP)

    def attach(self, model: nn.Module, context: Context) -> nn.Module:
        weight_settings.check_fits(self.tensors, context)
        return Thinned(model, removable(context))

    def phases(self, context: Context) -> tuple[Phase, ...]:
        train = plain_phase(self.learning_rate)
        return (
            dataclasses.replace(train, share=1 - self.finetune),
            dataclasses.replace(
                train, name="finetune", share=self.finetune, decide=self._decide, apply=_keep, after_step=_project
            ),
        )

    def rate_bits(self, model: nn.Module, context: Context) -> Tensor:
        """The size of what is left now; before the choice this is the whole network."""
        thinned = cast(Thinned, model)
        return kept_bits(context.plain, thinned.groups, thinned.kept())

    def points(self, model: nn.Module, context: Context) -> Iterator[tuple[str, Sections]]:
        state = cast(Thinned, model).network.state_dict()
        yield from grid_points(context, state, self.steps, tensors=self.tensors)

    @staticmethod
    def decode(sections: Sections, plain: nn.Module) -> dict[str, Tensor]:
        return backend.dequantise(sections, plain)

    def _decide(self, model: nn.Module, context: Context) -> list[dict[str, float]]:
        """For each group, a factor for each kept unit, by the unit's index: it multiplies the weights that read it."""
        thinned = cast(Thinned, model)
        state = thinned.network.state_dict()
        choose = largest if self.choose == "largest" else sample
        return [
            choose(sensitivities(state, group).cpu(), max(1, round(self.keep_ratio * group.num_units)))
            for group in thinned.groups
        ]


def largest(scores: Tensor, count: int) -> dict[str, float]:
    """The ``count`` units of the largest scores, each with the factor 1. Of equal scores the first is kept."""
    order = scores.argsort(descending=True, stable=True)
    return {str(unit): 1.0 for unit in sorted(order[:count].tolist())}


def sample(scores: Tensor, count: int) -> dict[str, float]:
    """Draw ``count`` times with replacement, in proportion to the scores; returns c_j / (count p_j) for units drawn.

    If all scores are zero, all units are equally likely: the next layer reads nothing, whichever units are kept.
    """
    p = scores / scores.sum() if scores.any() else torch.full_like(scores, 1 / len(scores))
    counts = torch.bincount(torch.multinomial(p, count, replacement=True), minlength=len(p))
    return {str(unit): float(counts[unit] / (count * p[unit])) for unit in counts.nonzero().flatten().tolist()}


def _keep(model: nn.Module, decision: Any) -> nn.Module:
    thinned = cast(Thinned, model)
    state = thinned.network.state_dict()
    with torch.no_grad():
        for group, kept, factors in zip(thinned.groups, thinned.kept(), decision, strict=True):
            factor = torch.zeros(group.num_units)
            for unit, value in factors.items():
                factor[int(unit)] = value
            kept.copy_(factor != 0)
            for axis in group.axes:
                if axis.role is Role.READER:
                    tensor = state[axis.tensor]
                    tensor.mul_(along(factor, axis, tensor.shape).to(tensor))
    thinned.project()
    return model


def _project(model: nn.Module, context: Context, moment: Moment) -> None:
    cast(Thinned, model).project()
