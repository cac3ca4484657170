"""Magnitude pruning: the smallest weights go, at once after a training or gradually during it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, cast

from torch import Tensor, nn

from trainers import checks
from trainers.coding.sections import Sections
from trainers.methods.base import AbstractMethod, Context, Moment, Optimiser, Phase, RateKnob
from trainers.methods.parts import backend, tensor_settings, weight_settings
from trainers.methods.parts.grid import STEPS, check_steps, grid_points
from trainers.methods.parts.plain import plain_phase
from trainers.methods.parts.pruning import (
    Masked,
    decayed_adam,
    keep_largest,
    num_kept,
    project_masked,
    stored_bits,
)
from trainers.paths import Path

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

    from s_i = 0 to s_f = 1 - keep_ratio. A weight once pruned stays so. On a path each stretch is such a rise, from
    where the one before ended. Without a training the given network is pruned at once, whichever schedule is set.

    References:
        Han, Pool, Tran, Dally 2015, "Learning both Weights and Connections for Efficient Neural Networks",
        arXiv 1506.02626 (one shot).
        Zhu, Gupta 2017, "To prune, or not to prune: exploring the efficacy of pruning for model compression",
        arXiv 1710.01878, equation 1 (gradual).
    """

    keep_ratio: float | Mapping[str, Any]
    """Share of the weights that is kept; biases and norms are kept. For ``gradual`` it may be a falling path, such as
    ``{path: [0.3, 0.1, 0.03]}`` (``trainers/paths.py``): one training, with points at each."""
    schedule: str = "gradual"
    """``gradual`` or ``one_shot``."""
    finetune: float = 0.5
    """Share of the training after the last weight is pruned."""
    learning_rate: float = 2e-3
    weight_decay: float = 0.3
    """Decay of weights at every step, in units of the learning rate: without it weights that start large stay so."""
    steps: Sequence[float] = STEPS
    """Quantisation steps, with an operating point for each (``grid.py``)."""
    tensors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Settings of weights by patterns of their names: ``step``, in place of the others', or ``skip: true``,
    neither pruned nor rounded but stored as float16 (``weight_settings.py``)."""

    version: ClassVar[int] = 1
    rate_knob: ClassVar[RateKnob | None] = RateKnob(field="keep_ratio", low=0.01, high=0.5, log=True)
    cost: ClassVar[float | None] = 1.3
    point_fields: ClassVar[tuple[str, ...]] = ("steps",)

    def __post_init__(self) -> None:
        ratios = self._path.values
        for ratio in ratios:
            checks.number("keep_ratio", ratio, low=0, high=1, above=True)
        checks.choice("schedule", self.schedule, ("gradual", "one_shot"))
        if len(ratios) > 1 and self.schedule != "gradual":
            raise ValueError(f"keep_ratio is a path and schedule is {self.schedule!r}: wanted gradual")
        if sorted(ratios, reverse=True) != list(ratios):
            raise ValueError(f"keep_ratio has the path {list(ratios)}: wanted one that falls; what is pruned stays so")
        checks.number("finetune", self.finetune, low=0, high=1)
        checks.number("learning_rate", self.learning_rate, low=0, above=True)
        checks.number("weight_decay", self.weight_decay, low=0)
        check_steps(self.steps)
        tensor_settings.check(self.tensors, step=weight_settings.STEP, skip=weight_settings.SKIP)

    def attach(self, model: nn.Module, context: Context) -> nn.Module:
        weight_settings.check_fits(self.tensors, context)
        return Masked(model, weight_settings.skipped_names(model, self.tensors))

    def phases(self, context: Context) -> tuple[Phase, ...]:
        train = dataclasses.replace(plain_phase(self.learning_rate), optimisers=self._optimisers)
        if self.schedule == "gradual" and context.total_steps:
            return tuple(self._rises(train))
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
        masked = cast(Masked, model)
        return stored_bits(masked.network, masked.prunable())

    def points(self, model: nn.Module, context: Context) -> Iterator[tuple[str, Sections]]:
        return self._stored(model, context, self._path.stretches[-1].called("keep", ""))

    @staticmethod
    def decode(sections: Sections, plain: nn.Module) -> dict[str, Tensor]:
        return backend.dequantise(sections, plain)

    @property
    def _path(self) -> Path:
        return Path.of("keep_ratio", self.keep_ratio)

    def _rises(self, train: Phase) -> Iterator[Phase]:
        """A phase for each rise of the sparsity."""
        before = 1.0
        for stretch in self._path.stretches:
            yield dataclasses.replace(
                train,
                name=stretch.called("keep", "prune"),
                share=stretch.share,
                optimisers=partial(self._optimisers, factor=stretch.learning_rate),
                after_step=partial(self._prune_more, kept=(before, stretch.value), is_first=stretch.is_first),
                points=None if stretch.is_last else partial(self._stored, prefix=stretch.called("keep", "")),
            )
            before = stretch.value

    def _stored(self, model: nn.Module, context: Context, prefix: str) -> Iterator[tuple[str, Sections]]:
        state = cast(Masked, model).network.state_dict()
        for point_id, sections in grid_points(context, state, self.steps, tensors=self.tensors):
            yield f"{prefix}-{point_id}" if prefix else point_id, sections

    def _optimisers(self, model: nn.Module, num_steps: int, *, factor: float = 1.0) -> tuple[Optimiser, ...]:
        network = cast(Masked, model).network
        return (decayed_adam(network, factor * self.learning_rate, self.weight_decay, num_steps),)

    def _decide(self, model: nn.Module, context: Context) -> dict[str, int]:
        """The number of weights that each tensor keeps."""
        weights = cast(Masked, model).prunable()
        (keep_ratio,) = self._path.values
        masks = keep_largest(list(weights.values()), num_kept(keep_ratio, weights.values()))
        return {name: int(mask.sum()) for name, mask in zip(weights, masks, strict=True)}

    def _prune_more(
        self, model: nn.Module, context: Context, moment: Moment, *, kept: tuple[float, float], is_first: bool
    ) -> None:
        masked = cast(Masked, model)
        masked.project()
        begin = _BEGIN if is_first else 0.0
        if is_pruning(moment, self.finetune, begin):
            weights = masked.prunable().values()
            keep_ratio = 1 - sparsity(moment, self.finetune, 1 - kept[1], initial=1 - kept[0], begin=begin)
            masked.prune(keep_largest(list(weights), num_kept(keep_ratio, weights)))


def ramp(num_steps: int, finetune: float, begin: float = _BEGIN) -> tuple[int, int, int]:
    """t_0, t_0 + n dt and dt for a training of ``num_steps``, in steps done; ``begin`` is a share of them."""
    end = max(1, round((1 - finetune) * num_steps))
    first = min(round(begin * num_steps), end - 1)
    return first, end, max(1, (end - first) // _NUM_PRUNINGS)


def is_pruning(moment: Moment, finetune: float, begin: float = _BEGIN) -> bool:
    """Whether t, the number of steps done after this one, is one of t_0 + dt, t_0 + 2 dt, ... or t_0 + n dt."""
    first, end, every = ramp(moment.num_phase_steps, finetune, begin)
    done = moment.phase_step + 1
    return first < done <= end and ((done - first) % every == 0 or done == end)


def sparsity(moment: Moment, finetune: float, final: float, *, initial: float = 0.0, begin: float = _BEGIN) -> float:
    """s_t, equation 1 of Zhu and Gupta, from s_i ``initial`` to s_f ``final``."""
    first, end, _ = ramp(moment.num_phase_steps, finetune, begin)
    left = 1 - (moment.phase_step + 1 - first) / (end - first)
    return final + (initial - final) * min(1.0, max(0.0, left)) ** 3


def _prune(model: nn.Module, decision: Any) -> nn.Module:
    masked = cast(Masked, model)
    weights = masked.prunable()
    masked.prune(keep_largest([weight], decision[name])[0] for name, weight in weights.items())
    return masked
