"""The one evaluator: the qualities of a network on a split of a task."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from trainers.data.examples import Batch, Examples, TaskError
from trainers.data.feed import passed
from trainers.networks.calling import call, settled
from trainers.networks.comparison import tensors_in
from trainers.networks.modes import evaluating
from trainers.tasks.task import Score, Task
from trainers.trees import moved_to

_FEW = 16
"""The examples that almost always show it."""
_MOST = 1 << 16
"""The most that are looked at once where a task measures more: it may cut its batches itself."""
_SAME = 1e-6
"""Outputs that are no further apart, in units of themselves or of the median, are the same: sums may be taken in
another order."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a network was measured to be on a split."""

    quality: float
    """The task's objective."""
    others: dict[str, float] = field(default_factory=dict)
    """Its other qualities, by name."""


def evaluate(model: nn.Module, split: Examples, task: Task, *, seen: Callable[[int, Any], None] | None = None) -> float:
    """The task's objective, as ``measure`` finds it."""
    return measure(model, split, task, seen=seen).quality


def measure(
    model: nn.Module, split: Examples, task: Task, *, seen: Callable[[int, Any], None] | None = None
) -> Measured:
    """Measure the task's qualities of ``model``, in evaluation mode, on all of ``split``, which may be on any device.

    ``seen`` is shown what the network returns for each batch, with the number of the batch's first example: one call's
    outputs, or a list where the task calls the network several times.

    Raises:
        TaskError: an example cannot be read, or the task's score is no ``Score``; one line says so.
    """
    totals: list[Any] = []
    count, start, device = 0, 0, _device_of(model)
    with evaluating(model), torch.inference_mode():
        network = settled(model)
        for batch in passed(split, task.evaluation_batch_size, num_workers=task.data_workers):
            batch = batch if device is None else Batch(*moved_to(batch, device))
            score = task.score(network, batch) if seen is None else recorded(model, task, batch, start, seen)
            if not isinstance(score, tuple) or len(score) != 2:
                raise TaskError(
                    f"score of the task returned {type(score).__name__}: wanted Score(total, num), the sum over the "
                    "batch and of how many"
                )
            found, num = score
            sums = [_number(one) for one in (found if isinstance(found, tuple) else (found,))]
            totals = [old + new for old, new in zip(totals, sums, strict=True)] if totals else sums
            count += int(num)
            start += task.evaluation_batch_size
    quality, others = task.quality(totals, count)
    return Measured(quality=quality, others=others)


def recorded(model: nn.Module, task: Task, batch: Batch, start: int, seen: Callable[[int, Any], None]) -> Score:
    """Score a batch, and show what the network returned for it: see ``measure``."""
    outputs: list[Any] = []
    hook = model.register_forward_hook(lambda network, given, returned: outputs.append(returned))
    try:  # the task gets the network itself, of which it may want more than outputs
        found = task.score(model, batch)
    finally:
        hook.remove()
    seen(start, outputs[0] if len(outputs) == 1 else outputs)
    return found


def _device_of(model: nn.Module) -> torch.device | None:
    return next((parameter.device for parameter in model.parameters()), None)


def _number(total: Any) -> Any:
    """A sum in double precision: a float, or a tensor of several."""
    return float(total) if not isinstance(total, Tensor) or total.ndim == 0 else total.double().cpu()


def is_constant(model: nn.Module, split: Examples, task: Task) -> bool:
    """Whether the outputs of ``model``, in evaluation mode, are the same for all examples of ``split``.

    Such a network was destroyed. A few examples usually show that outputs vary; a split of one example shows nothing,
    and counts as not constant.
    """
    device = _device_of(model)
    with evaluating(model), torch.inference_mode():
        kept: list[Tensor] = []
        ends = [0, *range(_FEW, len(split), min(task.evaluation_batch_size, _MOST)), len(split)]
        for start, end in itertools.pairwise(ends):
            inputs = split.take(torch.arange(start, end)).inputs
            outputs = call(model, inputs if device is None else moved_to(inputs, device))
            tensors = [tensor for tensor in tensors_in(outputs) if tensor.ndim]
            if not tensors or any(len(tensor) != end - start for tensor in tensors):
                return False  # not an output for each example: nothing shows
            kept = kept or [tensor[:1].clone() for tensor in tensors]
            if any(_differs(tensor, one) for tensor, one in zip(tensors, kept, strict=True)):
                return False
    return len(split) > 1


def _differs(outputs: Tensor, one: Tensor) -> bool:
    if outputs.shape[1:] != one.shape[1:]:
        return True
    if not outputs.is_floating_point() or not outputs.numel():
        return bool((outputs != one).any())
    magnitude = outputs.abs()
    scale = torch.maximum(magnitude, one.abs()).clamp_min(magnitude.float().median().to(magnitude))
    return bool(((outputs - one).abs() > _SAME * scale).any())
