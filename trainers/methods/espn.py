"""ESPN: which weights to keep is learned, as real masks under an L1 penalty, before what is left is trained."""

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
from trainers.data.examples import Batch
from trainers.methods.base import (
    AbstractMethod,
    Context,
    Groups,
    Moment,
    Optimiser,
    Phase,
    RateKnob,
)
from trainers.methods.parts import backend, tensor_settings, weight_settings
from trainers.methods.parts.grid import STEPS, check_steps, grid_points
from trainers.methods.parts.plain import plain_phase, scheduled_adam
from trainers.methods.parts.pruning import (
    Masked,
    keep_largest,
    num_kept,
    project_masked,
    prunable,
    replaced,
    stored_bits,
)
from trainers.methods.parts.steps import wide
from trainers.networks.calling import Network, Remade
from trainers.networks.substitution import Substitution

_THRESHOLD = 0.01
"""A mask above this counts as kept."""
_TIE = 1e-9


def paired_alpha(keep_ratio: float) -> float:
    """The L1 penalty for a ratio: a power law through the authors' settings for LeNet-300-100.

    Those are 8e-5 at 2 % kept, 1.5e-4 at 1 % and 2.5e-4 at 0.4 %.
    """
    return 8e-5 * math.pow(0.02 / keep_ratio, 0.7)


class Relaxed(Remade):
    """A network that computes with W m, where m are real masks; it may remember its early values, to rewind to."""

    def __init__(self, network: nn.Module, *, rewinds: bool, skipped: Collection[str] = ()) -> None:
        """All masks start at 1; what is ``skipped`` has none."""
        super().__init__()
        self.network, self.skipped = network, set(skipped)
        weights = self.prunable().values()
        self.masks = nn.ParameterList(nn.Parameter(torch.ones_like(wide(weight))) for weight in weights)
        self._substitution = Substitution(network)
        self._num_early = len(network.state_dict()) if rewinds else 0
        self.remember()

    def prunable(self) -> dict[str, nn.Parameter]:
        """The weights that may be pruned, W, by their names."""
        return prunable(self.network, self.skipped)

    def weights(self) -> dict[str, Tensor]:
        """W m by the names of the weights."""
        weights = self.prunable()
        return {
            name: (wide(weight) * mask).to(weight.dtype)
            for (name, weight), mask in zip(weights.items(), self.masks, strict=True)
        }

    def made(self) -> Network:
        return partial(self._substitution.compute, self.network, self.weights())

    @torch.no_grad()
    def importances(self) -> list[Tensor]:
        """|m| for each weight tensor. Of equal masks, such as those before the search, the larger weight wins."""
        weights = self.prunable().values()
        return [
            mask.abs().double() + _TIE * weight.abs().tanh() for mask, weight in zip(self.masks, weights, strict=True)
        ]

    def remember(self) -> None:
        """Store the network's present values as its early ones."""
        for index, tensor in zip(range(self._num_early), self.network.state_dict().values(), strict=False):
            self.register_buffer(f"early{index}", tensor.detach().clone())

    def rewind(self) -> None:
        """Set the network back to its early values."""
        for index, tensor in zip(range(self._num_early), self.network.state_dict().values(), strict=False):
            tensor.copy_(self.get_buffer(f"early{index}"))


@dataclass(frozen=True, kw_only=True)
class ExtremeSparsePruning(AbstractMethod):
    """Three phases: a short plain training, a search for masks, and a training of the weights that the masks keep.

    Masks m, one real number for each weight, start at 1 and are trained together with the weights W on

        loss = task loss(W m) + alpha sum |m|

    until no more than keep_ratio of them exceed 0.01, or the phase is over. The largest |m| over all layers are kept
    (at least one of each tensor). Then the network is W m at the kept masks, and is trained on (``finetune``); or its
    weights are set back to those before the search, and are trained anew (``rewind``).

    The paper uses SGD over hundreds of epochs. With Adam a mask that the task's gradient does not hold up falls by the
    masks' learning rate at every step; that is ``mask_pace`` over the number of steps of the search.

    References:
        Cho, Joshi, Hegde 2020, "ESPN: Extremely Sparse Pruned Networks", arXiv 2006.15741; settings of the authors'
        code.
    """

    keep_ratio: float
    """Share of the weights that is kept; biases and norms are kept."""
    alpha: float | str = "paired"
    """L1 penalty of a mask, in nats; ``paired``: derived from ``keep_ratio`` as the authors pair them."""
    then: str = "finetune"
    """``finetune`` or ``rewind``."""
    warmup: float = 0.1
    """Share of the training before the search; ``rewind`` goes back to its end."""
    discovery: float = 0.4
    """Share of the training that the search may take."""
    learning_rate: float = 2e-3
    """The learning rate of all but masks: constant to the end of the search, then along a cosine to zero."""
    mask_pace: float = 12.0
    """How many times a mask that nothing holds up could fall from 1 to 0 during the search."""
    steps: Sequence[float] = STEPS
    """Quantisation steps, with an operating point for each (``grid.py``)."""
    tensors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Settings of weights by patterns of their names: ``step``, in place of the others', or ``skip: true``,
    neither pruned nor rounded but stored as float16 (``weight_settings.py``)."""

    version: ClassVar[int] = 1
    rate_knob: ClassVar[RateKnob | None] = RateKnob(field="keep_ratio", low=0.005, high=0.5, log=True)
    cost: ClassVar[float | None] = 1.2
    point_fields: ClassVar[tuple[str, ...]] = ("steps",)
    learns: ClassVar[str] = "its masks"

    def __post_init__(self) -> None:
        checks.number("keep_ratio", self.keep_ratio, low=0, high=1, above=True)
        if self.alpha != "paired":
            if isinstance(self.alpha, str):
                raise ValueError(f"alpha is {self.alpha!r}: wanted a number of at least 0, or 'paired'")
            checks.number("alpha", self.alpha, low=0)
        checks.choice("then", self.then, ("finetune", "rewind"))
        checks.number("warmup", self.warmup, low=0, high=1)
        checks.number("discovery", self.discovery, low=0, high=1 - self.warmup)
        checks.number("learning_rate", self.learning_rate, low=0, above=True)
        checks.number("mask_pace", self.mask_pace, low=0, above=True)
        check_steps(self.steps)
        tensor_settings.check(self.tensors, step=weight_settings.STEP, skip=weight_settings.SKIP)

    def attach(self, model: nn.Module, context: Context) -> nn.Module:
        weight_settings.check_fits(self.tensors, context)
        skipped = weight_settings.skipped_names(model, self.tensors)
        return Relaxed(model, rewinds=self.then == "rewind", skipped=skipped)

    def phases(self, context: Context) -> tuple[Phase, ...]:
        train = plain_phase(self.learning_rate)
        return (
            dataclasses.replace(train, name="warmup", share=self.warmup, optimisers=self._of_weights),
            dataclasses.replace(
                train,
                name="discover",
                share=self.discovery,
                apply=_begin_discovery,
                loss=self._penalised_loss,
                optimisers=self._of_weights_and_masks,
                stop=self._is_found,
            ),
            dataclasses.replace(
                train,
                name=self.then,
                share=1 - self.warmup - self.discovery,
                decide=self._decide,
                apply=_rewind if self.then == "rewind" else _keep,
                after_step=project_masked,
            ),
        )

    def rate_bits(self, model: nn.Module, context: Context) -> Tensor:
        """The size of the nonzero weights; before the masks are decided these are all."""
        trained = cast(Relaxed | Masked, model)
        return stored_bits(trained.network, trained.prunable())

    def points(self, model: nn.Module, context: Context) -> Iterator[tuple[str, Sections]]:
        trained = cast(Relaxed | Masked, model)
        weights = trained.weights() if isinstance(trained, Relaxed) else {}
        yield from grid_points(context, replaced(trained.network, weights), self.steps, tensors=self.tensors)

    @staticmethod
    def decode(sections: Sections, plain: nn.Module) -> dict[str, Tensor]:
        return backend.dequantise(sections, plain)

    def _of_weights(self, model: nn.Module, num_steps: int) -> tuple[Optimiser, ...]:
        parameters = list(cast(Relaxed, model).network.parameters())
        return (_constant_adam([{"params": parameters, "lr": self.learning_rate}]),)

    def _of_weights_and_masks(self, model: nn.Module, num_steps: int) -> tuple[Optimiser, ...]:
        relaxed = cast(Relaxed, model)
        weights = {"params": list(relaxed.network.parameters()), "lr": self.learning_rate}
        masks = {"params": list(relaxed.masks), "lr": self.mask_pace / max(1, num_steps)}
        return (_constant_adam([weights], beside=[masks]),)

    def _penalised_loss(self, model: nn.Module, batch: Batch, context: Context, moment: Moment) -> Tensor:
        relaxed = cast(Relaxed, model)
        alpha = paired_alpha(self.keep_ratio) if isinstance(self.alpha, str) else self.alpha
        loss = context.loss(relaxed, batch)
        for mask in relaxed.masks:
            loss = loss + alpha * mask.abs().sum()
        return loss

    def _is_found(self, model: nn.Module, context: Context) -> bool:
        masks = cast(Relaxed, model).masks
        return sum(int((mask > _THRESHOLD).sum()) for mask in masks) <= num_kept(self.keep_ratio, masks)

    def _decide(self, model: nn.Module, context: Context) -> dict[str, int]:
        """The number of weights that each tensor keeps."""
        relaxed = cast(Relaxed, model)
        kept = keep_largest(relaxed.importances(), num_kept(self.keep_ratio, relaxed.masks))
        return {name: int(mask.sum()) for name, mask in zip(relaxed.weights(), kept, strict=True)}


def _constant_adam(groups: Groups, *, beside: Groups = ()) -> Optimiser:
    constant = partial(torch.optim.lr_scheduler.ConstantLR, factor=1.0, total_iters=0)
    return scheduled_adam(groups, constant, beside=beside)


def _begin_discovery(model: nn.Module, decision: Any) -> nn.Module:
    cast(Relaxed, model).remember()
    return model


def _keep(model: nn.Module, decision: Any) -> nn.Module:
    """The network with W m at the largest masks, and zero elsewhere."""
    relaxed = cast(Relaxed, model)
    with torch.no_grad():
        for name, product in relaxed.weights().items():
            relaxed.network.get_parameter(name).copy_(product)
    return _masked(relaxed, decision)


def _rewind(model: nn.Module, decision: Any) -> nn.Module:
    """The network with its early values at the largest masks, and zero elsewhere."""
    relaxed = cast(Relaxed, model)
    relaxed.rewind()
    return _masked(relaxed, decision)


def _masked(relaxed: Relaxed, decision: Any) -> Masked:
    masked = Masked(relaxed.network, relaxed.skipped)
    names = masked.masks()
    masked.prune(
        keep_largest([importance], decision[name])[0]
        for name, importance in zip(names, relaxed.importances(), strict=True)
    )
    return masked
