"""Magnitude pruning: the smallest weights go, at once after a training or gradually during it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from torch import Tensor, nn

from trainers import checks
from trainers.coding.sections import Sections
from trainers.methods.base import AbstractMethod, Context, Moment, Optimiser, Phase, RateKnob
from trainers.methods.parts import backend
from trainers.methods.parts.grid import STEPS, check_steps, grid_points
from trainers.methods.parts.plain import plain_phase
from trainers.methods.parts.pruning import (
    Masked,
    decayed_adam,
    keep_largest,
    num_kept,
    project_masked,
    prunable,
    stored_bits,
)

_BEGIN = 0.1
"""Share of the training before gradual pruning begins: an untrained network has no small weights yet."""
_NUM_PRUNINGS = 100


@dataclass(frozen=True, kw_only=True)
class Magnitude(AbstractMethod):
    """Train; prune the weights of the smallest magnitude; train what is left.

    All layers share one threshold: small output layers keep more of their weights than the first layer, without a
    setting for each layer. One weight of each tensor stays whatever its size.

    ``one_shot`` prunes once, and starts its learning-rate schedule anew. ``gradual`` is one training, during which the
    sparsity rises along

        s_t = s_f + (s_i - s_f) (1 - (t - t_0) / (n dt))^3    for t in {t_0, t_0 + dt, ..., t_0 + n dt}

    from s_i = 0 to s_f = 1 - keep_ratio. A weight once pruned stays so.

    References:
        Han, Pool, Tran, Dally 2015, "Learning both Weights and Connections for Efficient Neural Networks",
        arXiv 1506.02626 (one shot).
        Zhu, Gupta 2017, "To prune, or not to prune: exploring the efficacy of pruning for model compression",
        arXiv 1710.01878, equation 1 (gradual).
    """

    keep_ratio: float
    """Share of all weights that is kept; biases and norms are kept."""
    schedule: str = "gradual"
    """``gradual`` or ``one_shot``."""
    finetune: float = 0.5
    """Share of the training after the last weight is pruned."""
    learning_rate: float = 2e-3
    weight_decay: float = 0.3
    """Decay of weights at every step, in units of the learning rate: without it weights that start large stay so."""
    steps: Sequence[float] = STEPS
    """Quantisation steps, with an operating point for each (``grid.py``)."""

    version: ClassVar[int] = 1
    rate_knob: ClassVar[RateKnob | None] = RateKnob(field="keep_ratio", low=0.01, high=0.5, log=True)
    cost: ClassVar[float | None] = 1.3
    point_fields: ClassVar[tuple[str, ...]] = ("steps",)

    def __post_init__(self) -> None:
        checks.number("keep_ratio", self.keep_ratio, low=0, high=1, above=True)
        checks.choice("schedule", self.schedule, ("gradual", "one_shot"))
        checks.number("finetune", self.finetune, low=0, high=1)
        checks.number("learning_rate", self.learning_rate, low=0, above=True)
        checks.number("weight_decay", self.weight_decay, low=0)
        check_steps(self.steps)

    def attach(self, model: nn.Module, context: Context) -> nn.Module:
        return Masked(model)

    def phases(self, context: Context) -> tuple[Phase, ...]:
        train = dataclasses.replace(plain_phase(self.learning_rate), optimisers=self._optimisers)
        if self.schedule == "gradual":
            return (dataclasses.replace(train, name="prune", after_step=self._prune_more),)
        return (
            dataclasses.replace(train, share=1 - self.finetune),
            dataclasses.replace(
                train,
                name="finetune",
                share=self.finetune,
                decide=self._decide,
                apply=_prune,
                after_step=project_masked,
            ),
        )

    def rate_bits(self, model: nn.Module, context: Context) -> Tensor:
        """The size of what is left now; before the pruning it says nothing about the end."""
        network = cast(Masked, model).network
        return stored_bits(network, dict(prunable(network)))

    def points(self, model: nn.Module, context: Context) -> Iterator[tuple[str, Sections]]:
        yield from grid_points(context, cast(Masked, model).network.state_dict(), self.steps)

    @staticmethod
    def decode(sections: Sections, plain: nn.Module) -> dict[str, Tensor]:
        return backend.dequantise(sections, plain)

    def _optimisers(self, model: nn.Module, num_steps: int) -> tuple[Optimiser, ...]:
        return (decayed_adam(cast(Masked, model).network, self.learning_rate, self.weight_decay, num_steps),)

    def _decide(self, model: nn.Module, context: Context) -> dict[str, int]:
        """The number of weights that each tensor keeps."""
        weights = prunable(cast(Masked, model).network)
        masks = keep_largest(list(weights.values()), num_kept(self.keep_ratio, weights.values()))
        return {name: int(mask.sum()) for name, mask in zip(weights, masks, strict=True)}

    def _prune_more(self, model: nn.Module, context: Context, moment: Moment) -> None:
        masked = cast(Masked, model)
        masked.project()
        if is_pruning(moment, self.finetune):
            weights = prunable(masked.network).values()
            keep_ratio = 1 - sparsity(moment, self.finetune, 1 - self.keep_ratio)
            masked.prune(keep_largest(list(weights), num_kept(keep_ratio, weights)))


def ramp(num_steps: int, finetune: float) -> tuple[int, int, int]:
    """t_0, t_0 + n dt and dt for a training of ``num_steps``, in steps done."""
    end = max(1, round((1 - finetune) * num_steps))
    begin = min(round(_BEGIN * num_steps), end - 1)
    return begin, end, max(1, (end - begin) // _NUM_PRUNINGS)


def is_pruning(moment: Moment, finetune: float) -> bool:
    """Whether t, the number of steps done after this one, is one of t_0 + dt, t_0 + 2 dt, ... or t_0 + n dt."""
    begin, end, every = ramp(moment.num_phase_steps, finetune)
    done = moment.phase_step + 1
    return begin < done <= end and ((done - begin) % every == 0 or done == end)


def sparsity(moment: Moment, finetune: float, final: float) -> float:
    """s_t, equation 1 of Zhu and Gupta, with s_i = 0."""
    begin, end, _ = ramp(moment.num_phase_steps, finetune)
    left = 1 - (moment.phase_step + 1 - begin) / (end - begin)
    return final * (1 - min(1.0, max(0.0, left)) ** 3)


def _prune(model: nn.Module, decision: Any) -> nn.Module:
    masked = cast(Masked, model)
    weights = prunable(masked.network)
    masked.prune(keep_largest([weight], decision[name])[0] for name, weight in weights.items())
    return masked
