"""A task: data with fixed splits, a loss, and one quality number with its name and direction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from trainers import checks


@dataclass(frozen=True, kw_only=True)
class Split:
    """Examples that fit in memory: ``inputs`` (n, *input_shape) and ``targets`` (n, ...), in a fixed order."""

    inputs: Tensor
    targets: Tensor

    def __post_init__(self) -> None:
        if len(self.inputs) != len(self.targets) or len(self.inputs) == 0:
            raise ValueError(
                f"a split has {len(self.inputs)} inputs, {len(self.targets)} targets: wanted equally many, at least 1"
            )

    def __len__(self) -> int:
        return len(self.inputs)

    def head(self, num_examples: int) -> Split:
        """Return the first examples."""
        return Split(inputs=self.inputs[:num_examples], targets=self.targets[:num_examples])

    def to(self, device: torch.device) -> Split:
        return Split(inputs=self.inputs.to(device), targets=self.targets.to(device))


def identity(mean_score: float) -> float:
    return mean_score


@dataclass(frozen=True, kw_only=True)
class Task:
    """Everything that is fixed about a problem; what varies between trials is in ``TrialConfig``.

    ``quality = quality_of(mean of score over all examples of a split)``, so a metric that is not a mean (such as
    PSNR, from the mean squared error) is still evaluated in batches.
    """

    train: Split
    validation: Split
    test: Split
    input_shape: tuple[int, ...]
    num_outputs: int
    loss: Callable[[Tensor, Tensor], Tensor]
    """(outputs, targets) -> scalar, in nats for a classifier: the mean over the batch."""
    score: Callable[[Tensor, Tensor], Tensor]
    """(outputs, targets) -> (batch,): one number for each example."""
    quality_name: str
    maximise: bool
    quality_of: Callable[[float], float] = identity
    augment: Callable[[Tensor], Tensor] | None = None
    """Applied to a training batch of inputs, on the device; draws from torch's global generator."""
    evaluation_batch_size: int = 250
    """The most examples that are measured at once: fewer where an example, or what a network makes of it, is large.

    More are no faster: what a network makes of a thousand images takes so much memory that a CPU spends half of the
    time on getting and clearing it.
    """

    def __post_init__(self) -> None:
        checks.integer("evaluation_batch_size", self.evaluation_batch_size, low=1)

    @property
    def num_bytes(self) -> int:
        """The bytes of all splits."""
        splits = (self.train, self.validation, self.test)
        return sum(split.inputs.nbytes + split.targets.nbytes for split in splits)

    def to(self, device: torch.device) -> Task:
        """Return the task with its splits on ``device``."""
        return replace(
            self, train=self.train.to(device), validation=self.validation.to(device), test=self.test.to(device)
        )


@dataclass(frozen=True, kw_only=True)
class Excerpt:
    """Some examples of a task, or all, and how many there are of each split: enough to plan with."""

    task: Task
    """Its splits hold the examples at hand."""
    num_train: int
    num_validation: int
    num_test: int

    @staticmethod
    def whole(task: Task) -> Excerpt:
        """The excerpt that leaves nothing out."""
        return Excerpt(
            task=task, num_train=len(task.train), num_validation=len(task.validation), num_test=len(task.test)
        )


def is_correct(outputs: Tensor, targets: Tensor) -> Tensor:
    """1.0 where the largest of ``outputs`` (batch, classes) is at ``targets`` (batch,), else 0.0."""
    return (outputs.argmax(dim=1) == targets).to(torch.float32)


def classification(
    *, train: Split, validation: Split, test: Split, num_classes: int, augment: Callable[[Tensor], Tensor] | None = None
) -> Task:
    """A classifier's task: cross-entropy in nats, and accuracy as a fraction in 0..1."""
    return Task(
        train=train,
        validation=validation,
        test=test,
        input_shape=tuple(train.inputs.shape[1:]),
        num_outputs=num_classes,
        loss=torch.nn.functional.cross_entropy,
        score=is_correct,
        quality_name="accuracy",
        maximise=True,
        augment=augment,
    )
