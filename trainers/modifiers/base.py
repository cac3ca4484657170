"""What a modifier of trainings is: something that goes with any method, and of which no file tells."""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from trainers.config import Spec
from trainers.methods.base import Context
from trainers.tasks.base import Task

Loss = Callable[[Tensor, Tensor], Tensor]
"""(outputs, targets) -> scalar."""


def as_it_is(loss: Loss, inputs: Tensor) -> Loss:
    return loss


def do_nothing() -> None:
    pass


def accept(model: nn.Module) -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class Modification:
    """What a modifier does to one training, as data: the loop applies it to every step of every phase."""

    loss: Callable[[Loss, Tensor], Loss] = as_it_is
    """(the task's loss, a batch of inputs) -> what the method sees as the task's loss of this batch."""
    around_loss: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext
    """Entered while the loss of a step is computed, and never while anything is measured."""
    after_step: Callable[[], None] = do_nothing
    """Runs after what the phase does after its steps, without gradients. It keeps nothing: see ``seeding.py``."""
    check: Callable[[nn.Module], None] = accept
    """Shown the network as each phase trains it; raises ``ValueError`` where that has not what it acts on."""


@dataclass(frozen=True, kw_only=True)
class AbstractModifier(abc.ABC):
    """A modifier is its own configuration, as a method is. It changes how a network is trained, not what is stored."""

    sources: ClassVar[tuple[str, ...]] = ()
    """Fields that name files, which a sweep pins by their content."""
    needs_weights: ClassVar[bool] = False
    """Whether it acts on the network's own weights and biases: then it is refused where a method trains others."""

    @abc.abstractmethod
    def check(self, plain: nn.Module, task: Task, architecture: Spec) -> None:
        """Find what is wrong before anything is trained.

        Args:
            plain: the network on the meta device.
            task: with its data.
            architecture: of the network.

        Raises:
            ValueError: it cannot act on this network or task; one line says why.
        """

    @abc.abstractmethod
    def attach(self, model: nn.Module, context: Context, task: Task, architecture: Spec) -> Modification:
        """Act on a plain network, before its method is put on it; raises what ``check`` does."""
