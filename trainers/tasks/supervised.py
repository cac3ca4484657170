"""Tasks whose loss and score are functions of outputs and targets, and classification, the commonest of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from trainers import checks
from trainers.data.examples import Batch, Examples
from trainers.networks.calling import Network, call
from trainers.tasks.task import Augment, Quality, Score, Signal, Task, mean_of
from trainers.trees import num_rows

Criterion = Callable[[Any, Any], Tensor]
"""(outputs, targets) -> a tensor."""


@dataclass(frozen=True)
class SupervisedLoss:
    """A loss of (outputs, targets), as one of (network, batch)."""

    criterion: Criterion

    def __call__(self, network: Network, batch: Batch) -> Tensor:
        if isinstance(network, Tensor):
            raise ValueError(
                "a loss is given outputs: wanted the network and the batch, context.loss(model, batch) in place of "
                "context.loss(model(inputs), targets)"
            )
        return self.criterion(call(network, batch.inputs), batch.targets)


def is_cross_entropy(loss: Callable[..., Tensor]) -> bool:
    """Whether a task's loss is the cross-entropy of classes, smoothed or not."""
    criterion = loss.criterion if isinstance(loss, SupervisedLoss) else None
    function = criterion.func if isinstance(criterion, partial) else criterion
    return function in (F.cross_entropy, cross_entropy)


@dataclass(frozen=True)
class SupervisedScore:
    """Scores of (outputs, targets), (batch,) or (batch, ...) each, as one of (network, batch)."""

    scores: tuple[Criterion, ...]

    def __call__(self, network: Network, batch: Batch) -> Score:
        outputs = call(network, batch.inputs)
        scores = [score(outputs, batch.targets) for score in self.scores]
        totals = tuple(one.sum() if one.ndim < 2 else one.sum(dim=0) for one in scores)
        return Score(totals, num_rows(batch.targets))


def supervised(
    *,
    train: Examples,
    validation: Examples,
    test: Examples,
    loss: Criterion,
    score: Criterion,
    quality_name: str,
    maximise: bool,
    quality_of: Callable[[Any], float] = mean_of,
    others: Mapping[Quality, Criterion] | None = None,
    num_outputs: int | None = None,
    offers: Mapping[str, Any] | None = None,
    augment: Augment | None = None,
    evaluation_batch_size: int = 250,
    signal: Signal | None = None,
) -> Task:
    """A task whose network is called once for a batch, with its inputs.

    Args:
        train: examples to train on.
        validation: examples by which to choose.
        test: examples that only report.
        loss: (outputs, targets) -> scalar, the mean over the batch.
        score: (outputs, targets) -> (batch,), one number for each example; or (batch, ...) where ``quality_of`` wants
            several.
        quality_name: what the quality is called.
        maximise: whether more of it is better.
        quality_of: the quality from the mean score over a split.
        others: the score of each further quality.
        num_outputs: what an architecture may ask for, such as the number of classes.
        offers: what else an architecture may ask for.
        augment: see ``Task``.
        evaluation_batch_size: see ``Task``.
        signal: see ``Task``.
    """
    others = others or {}
    return Task(
        train=train,
        validation=validation,
        test=test,
        loss=SupervisedLoss(loss),
        score=SupervisedScore((score, *others.values())),
        quality_name=quality_name,
        maximise=maximise,
        quality_of=quality_of,
        others=tuple(others),
        offers={**({} if num_outputs is None else {"num_outputs": num_outputs}), **(offers or {})},
        augment=augment,
        evaluation_batch_size=evaluation_batch_size,
        signal=signal,
    )


_MOST_TOP = 8


def classification(
    *,
    train: Examples,
    validation: Examples,
    test: Examples,
    num_classes: int,
    augment: Callable[[Tensor], Tensor] | None = None,
    label_smoothing: float = 0.0,
    calibration: bool = False,
    top: Sequence[int] = (),
) -> Task:
    """A classifier's task: cross-entropy in nats, and accuracy as a fraction in 0..1.

    Args:
        train: examples to train on; targets are classes (batch,), int64.
        validation: examples by which to choose.
        test: examples that only report.
        num_classes: how many classes there are.
        augment: inputs -> inputs, changed at random with torch's global generator, on the device of the network.
        label_smoothing: the share of the target that is spread over all classes while training (Szegedy et al. 2016,
            arXiv 1512.00567, section 7).
        calibration: whether the negative log-likelihood and the expected calibration error are measured as well.
        top: the k of each top-k accuracy that is measured as well.
    """
    checks.integer("num_classes", num_classes, low=1)
    checks.number("label_smoothing", label_smoothing, low=0, high=1)
    checks.boolean("calibration", calibration)
    others: dict[Quality, Criterion] = {}
    checks.integers("top", top, low=2, high=num_classes, max_length=_MOST_TOP)
    if len({*top}) < len(top):
        raise ValueError(f"top is {top}: wanted each number once")
    for k in top:
        others[Quality(name=f"top-{k} accuracy", maximise=True)] = partial(is_among, k=k)
    if calibration:
        others[Quality(name="negative log-likelihood", maximise=False)] = partial(cross_entropy, reduction="none")
        others[Quality(name="expected calibration error", maximise=False, of=calibration_error)] = confidences
    return supervised(
        train=train,
        validation=validation,
        test=test,
        loss=partial(cross_entropy, label_smoothing=label_smoothing) if label_smoothing else cross_entropy,
        score=is_correct,
        quality_name="accuracy",
        maximise=True,
        others=others,
        num_outputs=num_classes,
        augment=None if augment is None else _OfInputs(augment),
    )


def regression(
    *,
    train: Examples,
    validation: Examples,
    test: Examples,
    num_outputs: int,
    augment: Augment | None = None,
) -> Task:
    """A task of real targets (batch, num_outputs): mean squared error, and its root, in the targets' unit.

    For a single output they may be (batch,).

    Args:
        train: examples to train on.
        validation: examples by which to choose.
        test: examples that only report.
        num_outputs: the numbers of a target.
        augment: see ``Task``.
    """
    return supervised(
        train=train,
        validation=validation,
        test=test,
        loss=_mean_squared_error,
        score=_squared_error,
        quality_name="RMSE",
        maximise=False,
        quality_of=math.sqrt,
        num_outputs=num_outputs,
        augment=augment,
    )


def _mean_squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    return F.mse_loss(outputs, _shaped_as(outputs, targets))


def _squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs - _shaped_as(outputs, targets)).square().flatten(1).mean(dim=1)


def _shaped_as(outputs: Tensor, targets: Tensor) -> Tensor:
    """The targets in the shape of the outputs; others would be compared with each other's outputs."""
    if targets.shape == outputs.shape[:1] and outputs.shape[1:].numel() == 1:
        targets = targets.view(outputs.shape)
    if targets.shape != outputs.shape:
        raise ValueError(
            f"outputs of the network are {tuple(outputs.shape[1:])} for each example, and targets "
            f"{tuple(targets.shape[1:])}: wanted the same"
        )
    return targets


@dataclass(frozen=True)
class _OfInputs:
    """A change of inputs alone, which draws from torch's global generator: that is what the loop hands in."""

    change: Callable[[Tensor], Tensor]

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        return batch._replace(inputs=self.change(batch.inputs))


def cross_entropy(outputs: Tensor, targets: Tensor, *, label_smoothing: float = 0.0, reduction: str = "mean") -> Tensor:
    """The cross-entropy in nats of ``outputs`` (batch, classes) and classes (batch,), whole numbers of any type."""
    classes = targets if targets.is_floating_point() else targets.long()
    return F.cross_entropy(outputs, classes, label_smoothing=label_smoothing, reduction=reduction)


def is_correct(outputs: Tensor, targets: Tensor) -> Tensor:
    """1.0 where the largest of ``outputs`` (batch, classes) is at ``targets`` (batch,), else 0.0."""
    return (outputs.argmax(dim=1) == targets).to(torch.float32)


def is_among(outputs: Tensor, targets: Tensor, *, k: int) -> Tensor:
    """1.0 where one of the ``k`` largest of ``outputs`` (batch, classes) is at ``targets`` (batch,), else 0.0."""
    return (outputs.topk(k, dim=1).indices == targets[:, None]).any(dim=1).to(torch.float32)


_NUM_BINS = 15


def confidences(outputs: Tensor, targets: Tensor) -> Tensor:
    """What the calibration error is made of, (batch, bins): confidence minus correctness, in the bin of confidence."""
    probability, named = outputs.float().softmax(dim=1).max(dim=1)
    bins = (probability * _NUM_BINS).ceil().clamp(1, _NUM_BINS).long() - 1
    gap = probability - (named == targets).to(probability.dtype)
    return F.one_hot(bins, _NUM_BINS) * gap[:, None]


def calibration_error(mean_gaps: Tensor) -> float:
    """The expected calibration error: the sum over bins of |mean confidence - accuracy|, weighted by their shares.

    Args:
        mean_gaps: (bins,), the mean over all examples of ``confidences``.

    References:
        Guo, Pleiss, Sun, Weinberger 2017, "On Calibration of Modern Neural Networks", arXiv 1706.04599, equation 3.
    """
    return float(mean_gaps.abs().sum())
