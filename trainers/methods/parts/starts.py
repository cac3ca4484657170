"""The steps at which groups of latents start: given ones, or as coarse as the given network allows.

Coarse steps make small files: at two root mean squares most latents round to zero, and a weight is paid for only once
the task asks for it. Where that much is lost that the training does not bring it back, steps start finer.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from trainers.methods.base import Context
from trainers.methods.parts.density import DeepFactorized, Geometric
from trainers.methods.parts.examples import drawn
from trainers.methods.parts.latents import LatentGroup
from trainers.methods.parts.steps import level, times_power, wide
from trainers.networks.calling import call
from trainers.networks.modes import evaluating
from trainers.networks.substitution import Substitution
from trainers.seeding import seed_everything, undisturbed
from trainers.trees import copied, leaves

MULTIPLES = (2.0, 1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
"""The steps that are tried, in root mean squares of a group, coarsest first."""
FROZEN = 1 / 16
"""The largest multiple for tensors that are not trained: no training could make up for a coarse step."""
LEAST_KEPT = 0.5
"""A tensor is lost if the cosine between it and itself rounded is less."""
LEAST_ERROR = 0.0005
"""Where targets are real numbers: the squared error of the outputs, over their variance, that rounding may cause."""
SHARE_OF_LAM = 0.1
"""It may cause more where that costs, in loss, no more than this share of ``lam``."""
LEAST_KNOWN = 0.1
"""A network knows something if its loss is below that of the best constant by this share of it."""
MOST_FORGOTTEN = 0.1
"""The share of what a network knows that rounding may undo."""
_MOST_EXAMPLES = 128


@dataclass(frozen=True, kw_only=True)
class Start:
    """Tensors that share a decoder, and the step that it starts at."""

    tensors: Mapping[str, Tensor]
    kernel_shape: tuple[int, ...]
    """The spatial shape of kernels, () for scalars."""
    step: float | None = None
    """In units of the tensors; None where it is still to be found."""

    def limited(self, multiple: float) -> float:
        """``multiple``, or ``FROZEN`` where that is less and the tensors are not trained."""
        return multiple if all(tensor.requires_grad for tensor in self.tensors.values()) else min(multiple, FROZEN)

    def group(self, density: Geometric | DeepFactorized) -> LatentGroup:
        """The latents."""
        assert self.step is not None
        return LatentGroup(self.tensors, self.step, density, self.kernel_shape)


def at(multiple: float, starts: Sequence[Start]) -> list[Start]:
    """``starts`` with steps of ``multiple`` root mean squares of each group, where they have none.

    Most networks' biases start at zero: then the weights give the scale.
    """
    weights = [tensor for start in starts for tensor in start.tensors.values() if tensor.ndim > 1]
    unit = root_mean_square(weights) or 1.0
    return [
        replace(start, step=start.limited(multiple) * (root_mean_square(start.tensors.values()) or unit))
        if start.step is None
        else start
        for start in starts
    ]


def coarsest(starts: Sequence[Start], model: nn.Module, context: Context, *, lam: float) -> list[Start]:
    """``starts`` with the coarsest steps at which the network keeps what it has, where they have none.

    The step of a group is a multiple of its root mean square, one multiple for the network: the first of ``MULTIPLES``
    at which

    - outputs change little, if targets are real numbers (``LEAST_ERROR``, ``SHARE_OF_LAM``): a signal has to be right
      to many digits, while classes are told apart by coarse weights as well;
    - a network that knows something already, as a pretrained one does, forgets little of it (``MOST_FORGOTTEN``).

    Tensors that the step of their group would lose are set apart, as a group of their own with a step of its own. This
    happens where scales in a group differ much: embeddings beside recurrent weights.

    Args:
        starts: the groups.
        model: the network, with its initial values; it stays as it is.
        context: of the trial.
        lam: what one bit per parameter may cost, in units of the loss.
    """
    judge = _Judge(model, context, lam)
    for index in range(len(MULTIPLES)):
        found = _divided(starts, index)
        if judge.accepts(found):
            break
    return found


def _divided(starts: Sequence[Start], index: int) -> list[Start]:
    """``starts`` at a multiple, with lost tensors set apart, or finer where all of a group are lost."""
    parts = [_parts(start, index) if start.step is None and _alive(start) else [start] for start in starts]
    # of a group that was divided the tensors with the smallest step count: the scale of zeros is not that of embeddings
    weights = [tensor for found in parts for tensor in _alive(found[-1]) if tensor.ndim > 1]
    unit = root_mean_square(weights) or 1.0
    return [
        part if part.step is not None else replace(part, step=part.limited(MULTIPLES[index]) * unit)
        for found in parts
        for part in found
    ]


def _alive(start: Start) -> list[Tensor]:
    """The tensors that are not all zero."""
    return [tensor for tensor in start.tensors.values() if tensor.any()]


def _parts(start: Start, index: int) -> list[Start]:
    """``start`` at a multiple, the tensors that its step would lose set apart; the last part has the smallest step."""
    alive = _alive(start)
    found = replace(start, step=start.limited(MULTIPLES[index]) * root_mean_square(alive))
    lost = [name for name, kept in found.group(_density(start)).kept().items() if kept < LEAST_KEPT]
    if not lost:
        return [found]
    if len(lost) == len(alive):
        return _parts(start, index + 1) if index + 1 < len(MULTIPLES) else [found]
    rest, apart = (
        replace(start, tensors={name: tensor for name, tensor in start.tensors.items() if (name in lost) == is_lost})
        for is_lost in (False, True)
    )
    return [*_parts(rest, index), *_parts(apart, index)]


def _density(start: Start) -> Geometric:
    """One that draws nothing."""
    return Geometric(max(1, math.prod(start.kernel_shape)))


class _Judge:
    """Looks at what rounding does to a network, on a few training examples."""

    def __init__(self, model: nn.Module, context: Context, lam: float) -> None:
        self._model, self._context, self._substitution = model, context, Substitution(model)
        self._batch = drawn(context, min(_MOST_EXAMPLES, context.batch_size))
        self._given = self._outputs({})
        loss, without = self._loss(self._given), self._loss_of_a_constant()
        knows = without - loss > LEAST_KNOWN * abs(without)
        self._most_loss = loss + MOST_FORGOTTEN * (without - loss) if knows else math.inf
        affordable = SHARE_OF_LAM * lam / abs(without) if without else 0.0
        self._most_error = max(LEAST_ERROR, affordable) if self._has_real_targets else math.inf

    def accepts(self, starts: Sequence[Start]) -> bool:
        """Whether the network still has what it had, with its tensors rounded."""
        if math.isinf(self._most_error) and math.isinf(self._most_loss):
            return True
        tensors: dict[str, Tensor] = {}
        with torch.no_grad():
            for start in starts:
                tensors |= start.group(_density(start)).to(self._context.device)()[0]
        outputs = self._outputs(tensors)
        return _relative_error(self._given, outputs) <= self._most_error and self._loss(outputs) <= self._most_loss

    def _loss_of_a_constant(self) -> float:
        """The loss of outputs that do not depend on inputs: the mean output, or the mean target where that is less."""
        found = self._loss(pytree.tree_map_only(Tensor, _constant, self._given))
        targets = self._batch.targets
        are_tensors = isinstance(self._given, Tensor) and isinstance(targets, Tensor)
        if are_tensors and self._given.shape == targets.shape and self._has_real_targets:
            found = min(found, self._loss(_constant(targets)))
        return found

    @torch.no_grad()
    def _outputs(self, tensors: Mapping[str, Tensor]) -> Any:
        with undisturbed(), evaluating(self._model):
            seed_everything(0, "start")
            network = partial(self._substitution.compute, self._model, tensors)
            return call(network, copied(self._batch.inputs))  # it may write to its inputs

    @torch.no_grad()
    def _loss(self, outputs: Any) -> float:
        return float(self._context.loss(lambda *args, **named: outputs, self._batch))

    @property
    def _has_real_targets(self) -> bool:
        return all(target.is_floating_point() for target in leaves(self._batch.targets))


def _constant(outputs: Tensor) -> Tensor:
    """The mean over examples in place of each."""
    return (
        outputs.mean(dim=0, keepdim=True).expand_as(outputs)
        if outputs.is_floating_point() and outputs.ndim
        else outputs
    )


def _relative_error(given: Any, rounded: Any) -> float:
    """The squared error of all outputs over the variance of those given; 0 where neither is anything."""
    error = variance = 0.0
    for one, other in zip(pytree.tree_leaves(given), pytree.tree_leaves(rounded), strict=True):
        if isinstance(one, Tensor) and one.is_floating_point() and one.numel():
            one, other = one.double(), other.double()
            error += float((one - other).square().sum())
            variance += float((one - one.mean()).square().sum())
    return error / variance if variance else error and math.inf


def root_mean_square(tensors: Collection[Tensor]) -> float:
    """The root of the mean square of all values of ``tensors``, of any size; 0 if there is none."""
    num_values = sum(tensor.numel() for tensor in tensors)
    if not num_values:
        return 0.0
    exponent = max((level(tensor) for tensor in tensors if tensor.any()), default=0)
    near_one = [times_power(wide(tensor.detach()), -exponent) for tensor in tensors]
    return math.ldexp(math.sqrt(sum(float(tensor.square().sum()) for tensor in near_one) / num_values), exponent)
