"""Fidelity: how far what a network computes is from what a network that was given computes, on the same examples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trainers.data.examples import Examples, few
from trainers.data.windows import IGNORED
from trainers.evaluate import Measured, evaluate, measure, recorded
from trainers.networks.comparison import tensors_in
from trainers.networks.modes import evaluating
from trainers.seeding import undisturbed
from trainers.tasks.base import Task
from trainers.tasks.supervised import is_cross_entropy
from trainers.tasks.text import next_token
from trainers.trees import moved_to

_MOST_BYTES = 256 << 20
"""The most memory that kept outputs take."""

Outputs = list[Tensor]
"""The tensors that a network returns for a batch, on the CPU."""


@dataclass(frozen=True, kw_only=True)
class Fidelity:
    """How far one network is from another: two numbers where outputs are classes, else the third; none if undefined."""

    kl: float | None = None
    """The mean over examples, or tokens that are predicted, of D_KL(softmax of the given outputs || of the others), in
    nats."""
    agreement: float | None = None
    """The share of examples or tokens for which both have their largest output at the same class, in 0..1."""
    output_error: float | None = None
    """sum |y' - y|^2 / sum |y|^2 over all outputs y of the given network and y' of the other."""


class Comparison:
    """Compares the outputs of two networks, batch by batch, in float64."""

    def __init__(self, *, of_classes: bool) -> None:
        """``of_classes`` says whether a single tensor (batch, classes) holds the logits of classes."""
        self._of_classes = of_classes
        self._num_examples = self._num_equal = 0
        self._given = self._apart = 0.0
        self._is_defined = True

    def add(self, given: Outputs, others: Outputs) -> None:
        """Compare a batch: the outputs of the given network, and those of the other one in the same order."""
        if not given or [one.shape for one in given] != [other.shape for other in others]:
            self._is_defined = False  # a number of boxes, say, that depends on what is found
        elif self._of_classes:
            self._add_classes(given[0].double(), others[0].double())
        else:
            for one, other in zip(map(_real, given), map(_real, others), strict=True):
                self._given += float(one.square().sum())
                self._apart += float((other - one).square().sum())

    def _add_classes(self, given: Tensor, others: Tensor) -> None:
        logs, other_logs = given.log_softmax(dim=1), others.log_softmax(dim=1)  # (batch, classes)
        shares = logs.exp()
        # a class without a share counts nothing, whatever its logarithms: 0 log 0 = 0
        divergences = (shares * (logs - other_logs)).where(shares != 0, 0.0).sum(dim=1).clamp_min(0.0)
        self._num_examples += len(given)
        self._num_equal += int((given.argmax(dim=1) == others.argmax(dim=1)).sum())
        self._given += float(shares.sum())  # NaN where the given outputs are no logits
        self._apart += float(divergences.sum())

    def result(self) -> Fidelity:
        """Return the fidelity over all batches.

        It is undefined where the given outputs are not finite or, if they are no classes, all zero. It is infinite or
        NaN where the other network's are.
        """
        if not self._is_defined or not math.isfinite(self._given) or not self._given:
            return Fidelity()
        if self._of_classes:
            return Fidelity(kl=self._apart / self._num_examples, agreement=self._num_equal / self._num_examples)
        return Fidelity(output_error=self._apart / self._given)


class Given:
    """A given network on a split, with which others are compared.

    Its outputs are computed once and kept; where they take too much memory, it computes them again beside each of the
    others.
    """

    def __init__(self, network: nn.Module, split: Examples, task: Task, *, most_bytes: int = _MOST_BYTES) -> None:
        """``network`` may be on any device; ``most_bytes`` is how much memory kept outputs may take."""
        self._split, self._task = split, task
        self._network: nn.Module | None = network
        self._kept: dict[int, Outputs] = {}
        self._of_classes, self._num_outputs = are_logits(task), 0
        num_bytes = 0

        def keep(start: int, outputs: Any) -> None:
            nonlocal num_bytes
            found = self._answers(start, outputs)
            self._of_classes = self._of_classes and _has_classes(found)
            self._num_outputs = found[0].shape[1] if self._of_classes else 0
            num_bytes += sum(tensor.nbytes for tensor in found)
            if num_bytes <= most_bytes:
                self._kept[start] = found

        with undisturbed():
            self.quality = evaluate(network, split, task, seen=keep)
            """The given network's own quality on the split."""
        if num_bytes <= most_bytes:
            self._network = None
        else:
            self._kept.clear()

    @property
    def num_classes(self) -> int | None:
        """How many outputs of an example are compared as logits of classes; none where they are not."""
        return self._num_outputs if self._of_classes else None

    def compare(self, network: nn.Module) -> tuple[Measured, Fidelity]:
        """Return the qualities of another network on the split, and how far it is from the given one."""
        comparison = Comparison(of_classes=self._of_classes)
        measured = measure(
            network,
            self._split,
            self._task,
            seen=lambda start, outputs: comparison.add(self._outputs(start), self._answers(start, outputs)),
        )
        return measured, comparison.result()

    def _outputs(self, start: int) -> Outputs:
        if self._network is None:
            return self._kept[start]
        found: list[Outputs] = []
        numbers = torch.arange(start, min(start + self._task.evaluation_batch_size, len(self._split)))
        with undisturbed(), evaluating(self._network), torch.inference_mode():
            batch = self._split.take(numbers)
            for parameter in self._network.parameters():
                batch = moved_to(batch, parameter.device)
                break
            recorded(
                self._network,
                self._task,
                batch,
                start,
                seen=lambda start, outputs: found.append(self._answers(start, outputs)),
            )
        return found[0]

    def _answers(self, start: int, outputs: Any) -> Outputs:
        """What is compared of a batch's outputs: of a text those for predicted tokens, (tokens, classes)."""
        found = _on_cpu(outputs)
        if self._task.loss is next_token and len(found) == 1 and found[0].ndim == 3:
            targets = self._split.take(torch.arange(start, start + len(found[0]))).targets
            found = [found[0][targets.cpu() != IGNORED]]
        return found


def are_logits(task: Task) -> bool:
    """Whether a task's outputs are logits: its targets are classes or tokens, and it measures that they are hit.

    A class for each example is a whole number in a tensor (n,); outputs are (batch, classes), or (batch, length,
    classes) for tokens. Several labels for each example, or a single output for two classes, have no softmax.
    """
    if task.loss is next_token:
        return True
    targets = few(task.validation, 1).targets
    is_classifier = is_cross_entropy(task.loss) or task.quality_name.endswith("accuracy")
    is_whole = isinstance(targets, Tensor) and not targets.is_floating_point() and not targets.is_complex()
    return is_classifier and is_whole and targets.ndim == 1


def _has_classes(outputs: Outputs) -> bool:
    """Whether a batch's outputs are one floating tensor (batch, classes), of two classes at least."""
    return len(outputs) == 1 and outputs[0].is_floating_point() and outputs[0].ndim == 2 and outputs[0].shape[1] > 1


def _on_cpu(outputs: Any) -> Outputs:
    return [tensor.detach().to("cpu", copy=True) for tensor in tensors_in(outputs)]


def _real(tensor: Tensor) -> Tensor:
    return (torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor).double()
