"""A modifier changes how a network is trained, whatever the method; compressed files do not mention it."""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from trainers.config import Spec
from trainers.data.examples import Batch
from trainers.methods.base import Context
from trainers.networks.calling import Network
from trainers.tasks.base import Task

Loss = Callable[[Network, Batch], Tensor]
"""(network, batch) -> scalar."""


def as_it_is(loss: Loss) -> Loss:
    return loss


def do_nothing() -> None:
    pass


def accept(model: nn.Module) -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class Modification:
    """What a modifier does to one training, as data: the loop applies it to every step of every phase."""

    loss: Callable[[Loss], Loss] = as_it_is
    """The task's loss -> what the method sees as the task's loss in one step."""
    around_loss: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext
    """A context that is entered while the loss of a step is computed, and never while anything is measured."""
    after_step: Callable[[], None] = do_nothing
    """Runs after the phase's own ``after_step``, without gradients. It keeps no state: see ``seeding.py``."""
    check: Callable[[nn.Module], None] = accept
    """Gets the network as each phase trains it; raises ``ValueError`` if that lacks what the modifier acts on."""


@dataclass(frozen=True, kw_only=True)
class AbstractModifier(abc.ABC):
    """A modifier is its own configuration, as a method is. It changes how a network is trained, not what is stored."""

    sources: ClassVar[tuple[str, ...]] = ()
    """The fields that name files; a sweep pins these by their content."""
    needs_weights: ClassVar[bool] = False
    """Whether it acts on the network's own weights and biases; if so, it is refused with methods that train others."""

    @abc.abstractmethod
    def check(self, plain: nn.Module, task: Task, architecture: Spec) -> None:
        """Refuse an unsuitable network or task before anything is trained.

        Args:
            plain: the network on the meta device.
            task: the task with its data.
            architecture: the network's name and arguments.

        Raises:
            ValueError: it cannot act on this network or task; one line says why.
        """

    @abc.abstractmethod
    def attach(self, model: nn.Module, context: Context, task: Task, architecture: Spec) -> Modification:
        """Act on a plain network, before its method is put on it; raises what ``check`` does."""
