"""Learning compressible subspaces: one training of a line of networks, each point of it at its own level."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from trainers import checks
from trainers.coding.sections import Sections
from trainers.data.examples import Batch
from trainers.hidden_units import UnitGroup
from trainers.methods.base import AbstractMethod, Context, Moment, Optimiser, Phase, RateKnob
from trainers.methods.parts import backend, grid, tensor_settings, weight_settings
from trainers.methods.parts.compression_levels import (
    DEFAULT_LEVELS,
    KINDS,
    NARROWED,
    check_levels,
    compress,
    position,
    rounded,
)
from trainers.methods.parts.pruning import VALUE_BITS, decayed_adam, replaced
from trainers.methods.parts.quantisers import QUANTISERS
from trainers.methods.parts.recalibration import recalibrate
from trainers.methods.parts.steps import steps_of, wide
from trainers.methods.parts.subspaces import check_statistics, decode_subspace, statistics, subspace_sections
from trainers.networks.calling import Network, Remade
from trainers.networks.parametrizations import duplicate
from trainers.networks.substitution import Substitution
from trainers.networks.tensors import frozen


@dataclass(frozen=True, kw_only=True)
class CompressibleSubspace(AbstractMethod):
    """A network for every level of compression, from one training.

    With ``line``, two copies of the network's parameters, W0 and W1, are the ends of a line. Each of its points

        W(a) = (1 - a) W0 + a W1,    a = (level - lowest) / (highest - lowest)

    is compressed to its own level before it computes: the largest share ``level`` of each layer's weights is kept, or
    weights are rounded to ``level`` bits, or the first ceil(level n) of each layer's n hidden units are kept. For
    ``blocks`` these are also the first ceil(level n) of the network's n branches: of a transformer's attentions and
    MLPs. Each step draws a level and descends

        loss(compressed W(a)) + penalty * cos^2(W0, W1)

    where the cosine is that of all weights together. For shares of weights, a is log(level / lowest) / log(highest /
    lowest), so that equal distances along the line multiply the share by equal factors: with the paper's proportion,
    all sparse levels would lie at W0, and hardly be drawn. With ``point``, one copy serves all levels. Each of
    ``levels`` gives an operating point that holds the compressed W(a) alone; the point ``subspace`` holds W0 and W1
    (``subspaces.py``).

    How levels are drawn: for ``unstructured``, the lowest and the highest a quarter of the time each, else a uniform a;
    for ``quantised``, one of ``levels``; for ``structured`` and ``blocks``, the lowest, the highest and two between, in
    one step of four passes whose losses are averaged (the sandwich rule). For these only biases and norms lie on a line
    (in the paper: norms).

    Batch-norm statistics follow the highest level while training, and are measured for each level, on training data,
    before it is stored; the paper has no batch norms. Quantisation steps follow the weights' root mean square; the
    paper's follow their extremes. The paper trains with SGD, and draws its two copies independently; here both start
    at the given network, and part because they are trained at different levels.

    References:
        Nunez, Horton, Prabhu, Ranjan, Farhadi, Rastegari 2021, "LCS: Learning Compressible Subspaces for Adaptive
        Network Compression at Inference Time", WACV 2023, arXiv 2110.04252; settings of the authors' configurations.
        Wortsman, Horton, Guestrin, Farhadi, Rastegari 2021, "Learning Neural Network Subspaces", arXiv 2102.10472.
        Yu, Huang 2019, "Universally Slimmable Networks", arXiv 1903.05134 (the sandwich rule).
        Xu, Tan, Luo, Song, Li, Qin, Liu 2021, "NAS-BERT: Task-Agnostic and Adaptive-Size BERT Compression with Neural
        Architecture Search", KDD 2021, arXiv 2105.14444 (one training for many depths; without their search).
    """

    compression: str = "unstructured"
    """``unstructured``, ``quantised``, ``structured`` or ``blocks``."""
    subspace: str = "point"
    """``line`` (LCS+L) or ``point`` (LCS+P), which has been better in short trainings (docs/methods.md)."""
    levels: Sequence[float] | str = "default"
    """In ascending order, with an operating point for each: shares of weights, of units, or of branches and units, or
    numbers of bits (``compression_levels.py``)."""
    penalty: float = 1.0
    """For a ``line`` of weights, so for ``unstructured`` and ``quantised``: nats of loss if both copies point the same
    way."""
    warmup: float = 0.5
    """For ``unstructured``: share of the training over which the share of weights falls to the level drawn."""
    learning_rate: float = 5e-3
    weight_decay: float = 0.3
    """Decay of weights at every step, in units of the learning rate, as in ``magnitude``."""
    steps: Sequence[float] = (0.25, 0.5)
    """Quantisation steps, with an operating point for each at each level (``grid.py``); not for ``quantised``."""
    tensors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Settings of weights by patterns of their names, not for ``quantised``: ``step``, in place of the others'
    (``weight_settings.py``). There is no ``skip``: the file of all levels rounds every weight."""

    version: ClassVar[int] = 1
    rate_knob: ClassVar[RateKnob | None] = None
    cost: ClassVar[float | None] = 2.5
    point_fields: ClassVar[tuple[str, ...]] = ("levels", "steps")
    learns: ClassVar[str] = "its subspace"

    def __post_init__(self) -> None:
        checks.choice("compression", self.compression, KINDS)
        checks.choice("subspace", self.subspace, ("line", "point"))
        check_levels(self.compression, self.all_levels, at_least=2 if self.subspace == "line" else 1)
        checks.number("penalty", self.penalty, low=0)
        checks.number("warmup", self.warmup, low=0, high=1)
        checks.number("learning_rate", self.learning_rate, low=0, above=True)
        checks.number("weight_decay", self.weight_decay, low=0)
        grid.check_steps(self.steps)
        tensor_settings.check(self.tensors, step=weight_settings.STEP, skip=_refuse_skip)
        if self.compression != "unstructured":
            checks.unused(self, "warmup", where=f"compression is {self.compression!r}")
        if self.compression == "quantised":
            checks.unused(self, "steps", "tensors", where="compression is 'quantised'")
        if self.subspace != "line" or self.compression in NARROWED:
            checks.unused(self, "penalty", where=f"subspace is {self.subspace!r} and compression {self.compression!r}")

    @property
    def all_levels(self) -> Sequence[float]:
        """``levels``, or the default levels of the kind of compression."""
        if self.levels == "default":
            return DEFAULT_LEVELS[self.compression]
        return cast(Sequence[float], self.levels)

    @property
    def num_points(self) -> int:
        steps = 1 if self.compression == "quantised" else len(self.steps)
        return len(self.all_levels) * steps + 1  # the last holds the line

    def attach(self, model: nn.Module, context: Context) -> nn.Module:
        weights = backend.weight_names(model)
        if not weights:
            raise ValueError("the network has no weights to compress: wanted a parameter of two or more dimensions")
        is_structured = self.compression in NARROWED
        if self.compression == "blocks" and not any(group.is_branch for group in context.unfrozen_groups):
            raise ValueError(
                "compression is 'blocks', but no branches were found that are added to what they begin with: wanted a "
                "network that torch.fx traces, such as gpt without shared_layers, or compression 'structured'"
            )
        if self.compression == "structured" and not context.free_groups:
            raise ValueError(
                "compression is 'structured', but no hidden units were found that could go: wanted a network of layers "
                "that trainers/architectures/graph.py knows, or compression 'unstructured' or 'quantised'"
            )
        weight_settings.check_fits(self.tensors, context)
        check_statistics(model, context)
        copied = [
            name
            for name, parameter in model.named_parameters()
            if parameter.requires_grad and not (is_structured and name in weights)
        ]
        return Subspace(
            model, self.compression, self.all_levels, copied if self.subspace == "line" else [], context.unfrozen_groups
        )

    def phases(self, context: Context) -> tuple[Phase, ...]:
        return (Phase(name="train", loss=self._loss, optimisers=self._optimisers, rate_comparable=False),)

    def rate_bits(self, model: nn.Module, context: Context) -> Tensor:
        """A constant: sizes are set beforehand."""
        return torch.tensor(float(VALUE_BITS * sum(parameter.numel() for parameter in model.parameters())))

    def points(self, model: nn.Module, context: Context) -> Iterator[tuple[str, Sections]]:
        subspace = cast(Subspace, model)
        remembered: list[list[Tensor]] = []
        for level in self.all_levels:
            state = subspace.baked(level, context)
            remembered.append(statistics(context.plain, state))
            if self.compression == "quantised":
                yield f"bits{level}", grid.store(context, state, subspace.rounded(int(level)))
                continue
            for point_id, sections in grid.grid_points(context, state, self.steps, tensors=self.tensors):
                yield f"level{level:g}-{point_id}", sections
        is_quantised = self.compression == "quantised"
        step = QUANTISERS[int(self.all_levels[-1])].spread_step if is_quantised else min(self.steps)
        weights = backend.weight_names(context.plain)
        yield (
            "subspace",
            subspace_sections(
                context,
                state,
                subspace.copies(),
                kind=self.compression,
                levels=self.all_levels,
                steps={name: weight_settings.step_of(self.tensors, name, step) for name in weights},
                statistics=remembered,
            ),
        )

    @staticmethod
    def decode(sections: Sections, plain: nn.Module) -> dict[str, Tensor]:
        return decode_subspace(sections, plain) if sections.factors else backend.dequantise(sections, plain)

    def _drawn(self) -> list[float]:
        """Draw the levels of one step."""
        levels = self.all_levels
        low, high = levels[0], levels[-1]
        if self.compression == "quantised":
            return [levels[int(torch.randint(len(levels), ()))]]
        if self.compression in NARROWED:
            between = (low + (high - low) * torch.rand(2)).tolist()
            return list(dict.fromkeys([high, low, *between]))
        where, a = torch.rand(2).tolist()
        return [low if where < 0.25 else high if where < 0.5 else low * (high / low) ** a]

    def _amount(self, level: float, moment: Moment) -> float:
        if self.compression != "unstructured" or not self.warmup:
            return level
        return level + (1 - level) * max(1 - moment.progress / self.warmup, 0.0)

    def _loss(self, model: nn.Module, batch: Batch, context: Context, moment: Moment) -> Tensor:
        subspace = cast(Subspace, model)
        losses = [context.loss(subspace.at(level, self._amount(level, moment)), batch) for level in self._drawn()]
        return torch.stack(losses).mean() + self.penalty * subspace.squared_cosine()

    def _optimisers(self, model: nn.Module, num_steps: int) -> tuple[Optimiser, ...]:
        return (decayed_adam(model, self.learning_rate, self.weight_decay, num_steps),)


def _refuse_skip(name: str, value: Any) -> None:
    raise ValueError(
        f"{name} is {value!r}: the file of all levels rounds every weight: give this one a fine step instead, such as "
        "{step: 0.01}"
    )


class Subspace(Remade):
    """A network whose parameters are W0, with W1 for those that are copied; called, it is at the highest level."""

    def __init__(
        self,
        network: nn.Module,
        kind: str,
        levels: Sequence[float],
        copied: Collection[str],
        groups: Sequence[UnitGroup],
    ) -> None:
        super().__init__()
        self.network = network
        self._substitution = Substitution(network)
        self._kind, self._levels, self._copied, self._groups = kind, levels, list(copied), groups
        self._weights = backend.weight_names(network) - frozen(network)
        self.ends = nn.ParameterList(network.get_parameter(name).detach().clone() for name in copied)

    def copies(self) -> dict[str, list[Tensor]]:
        """W0, and W1 if there is one, by the names of the parameters, without units that no level uses."""
        starts = {name: parameter.detach() for name, parameter in self.network.named_parameters()}
        ends = {name: end.detach() for name, end in zip(self._copied, self.ends, strict=True)}
        if self._kind in NARROWED:
            starts, ends = (compress(self._kind, part, (), self._levels[-1], self._groups) for part in (starts, ends))
        return {name: [start, ends[name]] if name in ends else [start] for name, start in starts.items()}

    def line(self, level: float) -> dict[str, Tensor]:
        """W(a) by the names of the parameters, before compression."""
        a = position(self._kind, level, self._levels)
        points = dict(self.network.named_parameters())
        ends = zip(self._copied, self.ends, strict=True)
        return {**points, **{name: (1 - a) * points[name] + a * end for name, end in ends}}

    def squared_cosine(self) -> Tensor:
        """cos^2 of the angle between the weights of W0 and W1, scalar; 0 if no weights are copied."""
        pairs = [
            (wide(self.network.get_parameter(name)).reshape(-1), wide(end).reshape(-1))
            for name, end in zip(self._copied, self.ends, strict=True)
            if name in self._weights
        ]
        if not pairs:
            return next(self.parameters()).new_zeros(())
        starts, ends = (torch.cat(vectors) for vectors in zip(*pairs, strict=True))
        return (starts * ends).sum().square() / (starts.square().sum() * ends.square().sum()).clamp(min=1e-30)

    def at(self, level: float, amount: float) -> Network:
        """The network W(a) at ``level``, compressed to ``amount``. Buffers follow the highest level alone."""
        values = compress(self._kind, self.line(level), self._weights, amount, self._groups)
        if level != self._levels[-1]:
            values |= {name: buffer.clone() for name, buffer in self.network.named_buffers()}
        return partial(self._substitution.compute, self.network, values)

    def made(self) -> Network:
        return self.at(self._levels[-1], self._levels[-1])

    @torch.no_grad()
    def baked(self, level: float, context: Context) -> dict[str, Tensor]:
        """The ``state_dict`` of the network at a level, compressed, with batch-norm statistics of its own."""
        network = duplicate(self.network)
        values = compress(self._kind, self.line(level), self._weights, level, self._groups)
        network.load_state_dict(replaced(self.network, values))
        recalibrate(network, context)
        return network.state_dict()

    @torch.no_grad()
    def rounded(self, bits: int) -> dict[str, grid.Rounded]:
        """The whole numbers and the step of each weight."""
        line = self.line(bits)
        found = rounded({name: line[name] for name in line if name in self._weights}, bits)
        return {name: (whole, steps_of(float(step))) for name, (whole, step) in found.items()}
