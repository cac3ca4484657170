"""What a compression method is: five verbs, and phases that say as data what varies in time."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from trainers.coding.sections import Sections
from trainers.data.examples import Batch, Examples
from trainers.hidden_units import UnitGroup, removable, untouched
from trainers.networks.calling import Network
from trainers.networks.norms import BatchNorm, batch_norms
from trainers.networks.tensors import frozen

Schedule = torch.optim.lr_scheduler.LRScheduler
JSON = Any


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a method may use of its trial. The test split is unreachable from here."""

    plain: nn.Module
    """The plain architecture on the meta device: names and shapes, no memory.

    Its ``state_dict`` names each tensor once, and it has no parametrizations.
    """
    loss: Callable[[Network, Batch], Tensor]
    """(network, batch) -> the task's loss, scalar; the network is a module, or a function that is called like one."""
    train: Examples
    """The training split, without augmentation."""
    validation: Examples
    batch_size: int
    total_steps: int
    device: torch.device
    validate: Callable[[nn.Module], float]
    """Quality on the validation split."""
    file_size: Callable[[Sections], int]
    """The bytes of the file that holds these sections; it is written in memory."""
    maximise: bool = True
    """Whether more quality is better."""
    num_samples: int = 0
    """The samples of the signal that is fitted (``tasks.task.Signal``); 0 where the task is no signal."""
    groups: tuple[UnitGroup, ...] = ()
    """The units of the plain architecture, which files empty where they are dead; none if it cannot be traced."""

    kept_norms: frozenset[str] = frozenset()
    """The batch norms that are stored as they are, by the prefix of their tensors' names (``norms.foldable``)."""

    written: frozenset[str] = frozenset()
    """The parameters that the network itself writes to while it trains."""

    @property
    def num_train(self) -> int:
        return len(self.train)

    @property
    def num_weighed(self) -> int:
        """What one bit of the rate is weighed by: the samples of a signal that is fitted, else the parameters."""
        return self.num_samples or self.num_parameters

    @property
    def folded_norms(self) -> dict[str, BatchNorm]:
        """The batch norms that are stored as one scale and one shift for each channel, by prefix."""
        return {prefix: norm for prefix, norm in batch_norms(self.plain).items() if prefix not in self.kept_norms}

    @property
    def unfrozen_groups(self) -> tuple[UnitGroup, ...]:
        """The groups of which no parameter is frozen: frozen weights stay, read or not."""
        return untouched(self.groups, frozen(self.plain))

    @property
    def free_groups(self) -> tuple[UnitGroup, ...]:
        """The hidden units of which no parameter is frozen, which structured methods remove."""
        return removable(self.unfrozen_groups)

    def refuse_written(self) -> None:
        """Refuse a network that writes to its parameters: a method that computes with others in their place loses that.

        Raises:
            ValueError: one line names a parameter.
        """
        if self.written:
            raise ValueError(
                f"the network writes to its parameter {min(self.written)!r} while it trains, and this method computes "
                "with rounded values in its place: keep it in a buffer (register_buffer), or use uncompressed or ptq"
            )

    @property
    def num_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.plain.parameters())


@dataclass(frozen=True, kw_only=True)
class Moment:
    """Which optimiser step this is; warm-ups, temperatures and sparsity schedules are functions of it."""

    step: int
    """Counted from 0 over the whole training."""
    phase_step: int
    """Counted from 0 over this phase."""
    num_phase_steps: int

    @property
    def progress(self) -> float:
        """The share of the phase that is done, from 0 to just below 1."""
        return self.phase_step / self.num_phase_steps


Groups = Sequence[Mapping[str, Any]]
"""Parameter groups as torch's optimisers take them, each with its ``params`` and its ``lr``."""


@dataclass(frozen=True, kw_only=True)
class Optimiser:
    """An optimiser over parameter groups, and its learning rate schedule over a phase's steps.

    A trial may ask for other ones. ``parts/plain.py`` makes optimisers that say how they are made anew; one that does
    not say so stays as it is.
    """

    optimiser: torch.optim.Optimizer
    schedule: Schedule
    weights: Groups = ()
    """The groups that the optimiser and the schedule of a trial act on: weights, biases and norms."""
    beside: Groups = ()
    """The groups of what the method trains beside these, such as masks: they keep the method's own."""
    scheduled: Callable[[torch.optim.Optimizer], Schedule] | None = None
    """Makes the schedule of another optimiser in place of this one."""
    connect: Callable[[torch.optim.Optimizer], None] | None = None
    """Registers what is done around each step of the optimiser over ``weights``."""


def decide_nothing(model: nn.Module, context: Context) -> JSON:
    return None


def apply_nothing(model: nn.Module, decision: JSON) -> nn.Module:
    return model


def do_nothing(model: nn.Module, context: Context, moment: Moment) -> None:
    pass


def never(model: nn.Module, context: Context) -> bool:
    return False


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One stage of a method's training, as data.

    A phase begins with ``decision = decide(model, context)``, run once and checkpointed, then
    ``model = apply(model, decision)``, pure. So a resumed trial attaches, replays decisions, loads tensors.
    """

    name: str
    loss: Callable[[nn.Module, Batch, Context, Moment], Tensor]
    optimisers: Callable[[nn.Module, int], tuple[Optimiser, ...]]
    """(model, number of steps of this phase) -> optimisers, all of which take every step."""
    share: float = 1.0
    """The share of the trial's total steps; the shares of a method's phases sum to one."""
    decide: Callable[[nn.Module, Context], JSON] = decide_nothing
    apply: Callable[[nn.Module, JSON], nn.Module] = apply_nothing
    after_step: Callable[[nn.Module, Context, Moment], None] = do_nothing
    """Runs after each optimiser step, without gradients: projections, masks, averages. Its state lies in buffers."""
    stop: Callable[[nn.Module, Context], bool] = never
    """Asked at each judged report (``Progress.is_judged``); true ends the phase early."""
    points: Callable[[nn.Module, Context], Iterator[tuple[str, Sections]]] | None = None
    """What is stored at the end of this phase, before the next one goes on training, as ``AbstractMethod.points`` is
    after the last one, with other ids. It leaves the network as it is."""
    rate_comparable: bool = True
    """Whether ``rate_bits`` means something in this phase, so that a scheduler may stop a trial on it."""


@dataclass(frozen=True, kw_only=True)
class RateKnob:
    """The field that trades bytes for quality, and its useful values: a sweep without a space sweeps these."""

    field: str
    low: float | None = None
    high: float | None = None
    log: bool = False
    values: tuple[Any, ...] = ()
    """Either ``values``, or the range ``low``..``high``."""
    both_ways: bool = False
    """Whether a training up the range and one down it are worth more than as many steps of trainings apart: the default
    of sweeps by flags."""
    aims: bool = False
    """Whether the size of the file may stand in its place (``trainers/aims.py``)."""
    of_signal: tuple[float, float] | None = None
    """The range where the task is one signal and the knob is weighed by its samples; None: the same."""

    def on(self, *, signal: bool) -> RateKnob:
        """The knob of a sweep whose task is one signal, or is none."""
        if not signal or self.of_signal is None:
            return self
        return replace(self, low=self.of_signal[0], high=self.of_signal[1])


@dataclass(frozen=True, kw_only=True)
class AbstractMethod(abc.ABC):
    """A method is its own configuration: its fields are its hyper-parameters, checked when it is made.

    Learned state (latents, densities, masks) lives on the network, never here.
    """

    version: ClassVar[int]
    """The version of the stored form; it goes up when ``decode`` of old files would change."""
    rate_knob: ClassVar[RateKnob | None]
    cost: ClassVar[float | None] = None
    """Time of one training over that of a plain training of as many steps, as docs/methods.md measured it; None where
    nobody has."""
    point_fields: ClassVar[tuple[str, ...]] = ()
    """Fields that list operating points: one training gives a point for each combination of their values."""
    later_fields: ClassVar[tuple[str, ...]] = ()
    """Fields that came after sweeps with this method were in the world. Their defaults change nothing, and are not
    written out: older sweeps keep their ids."""
    keeps_parametrizations: ClassVar[bool] = False
    """Whether the network is trained with its parametrizations (``weight_norm``, say); else the weights that they
    compute are trained without them. Files hold the computed weights either way."""
    trains_weights: ClassVar[bool] = True
    """Whether every phase trains the plain network's own weights and biases, rather than tensors that make them."""
    owns_optimiser: ClassVar[str] = ""
    """Why no other optimiser can train what the method trains, as the end of a sentence; empty where another can."""
    learns: ClassVar[str] = ""
    """What only a training makes worth storing, such as "its masks": the method is refused with zero steps. Empty where
    it then compresses the network that it is given."""

    @property
    def num_points(self) -> int:
        """How many operating points ``points`` yields, and each phase that stores some."""
        return math.prod(len(getattr(self, name)) for name in self.point_fields)

    def rehearsed(self, context: Context) -> AbstractMethod:
        """The method that stands for this one where it is tried beforehand: files of the same form, in little time."""
        return self

    def calibration_macs(self, context: Context, macs: int) -> float:
        """The multiply-accumulates of one operating point that ``rehearsed`` leaves out.

        Args:
            context: of the trial.
            macs: multiply-accumulates of the network on one example.
        """
        return 0.0

    @abc.abstractmethod
    def attach(self, model: nn.Module, context: Context) -> nn.Module:
        """Put the method's latents, masks or factors on a plain network; may change ``model`` in place."""

    @abc.abstractmethod
    def phases(self, context: Context) -> tuple[Phase, ...]:
        """The training, as the paper's algorithm box tells it."""

    @abc.abstractmethod
    def rate_bits(self, model: nn.Module, context: Context) -> Tensor:
        """Scalar, differentiable estimate of the size, for the loss and for early stopping; never plotted."""

    @abc.abstractmethod
    def points(self, model: nn.Module, context: Context) -> Iterator[tuple[str, Sections]]:
        """(point id, what to store) for each operating point. Most methods have one, named ``point``.

        Hidden units are sorted before coding (``trainers.arrange``): an integer 0 decodes to 0, greater integers to
        greater numbers, and decoding permuted sections gives the permuted tensors; where rows have numbers of their
        own, ``Integers.row_vector`` says which vector holds them.
        """

    @staticmethod
    @abc.abstractmethod
    def decode(sections: Sections, plain: nn.Module) -> dict[str, Tensor]:
        """The ``state_dict`` of the plain architecture, from the stored sections alone.

        Args:
            sections: as read from a file.
            plain: the plain architecture on the meta device.

        Raises:
            RfzError: the sections are not ones that ``points`` can have written.
        """
