"""Entropy-penalized reparameterization (EPR): train in a latent space whose entropy is part of the loss.

Notation of the paper: Phi are latents, one real number for each weight or bias; theta = f(round(Phi)) are the
network's parameters; q is a density over latents; lambda weighs the rate.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from trainers import checks
from trainers.aims import Aim
from trainers.coding.sections import Section, Sections
from trainers.data.examples import Batch
from trainers.methods.base import (
    AbstractMethod,
    Context,
    Moment,
    Optimiser,
    Phase,
    RateKnob,
    do_nothing,
)
from trainers.methods.parts import backend, starts, tensor_settings
from trainers.methods.parts.density import DeepFactorized, Geometric
from trainers.methods.parts.folded_norms import folded_norms
from trainers.methods.parts.latents import LatentGroup, Reparameterized
from trainers.methods.parts.plain import adam_cosine
from trainers.methods.parts.size_aim import FINER, LEAST_FIRST, MOST_FINER, ROUNDED, SizeAim, cut, too_small
from trainers.methods.parts.starts import Start, root_mean_square
from trainers.methods.parts.steps import wide
from trainers.networks.grid import LEARNING_RATE, STEP, grids
from trainers.networks.norms import norm_parameters
from trainers.paths import Path

_FIT_EVERY = 10
_LEAST_SIZE, _MOST_SIZE = 2.0**-16, 2.0**16
"""Tensors whose root mean square is between these are of ordinary size."""
_SCALE_OF_SIGNALS = 1e-3
"""The lambdas of signals over those of classifiers: the loss is an error, a bit is weighed by a sample."""
_DENSITIES = {"geometric": Geometric, "learned": DeepFactorized}


@dataclass(frozen=True, kw_only=True)
class _StoredGroup:
    """Tensors of whole numbers that share their steps: one step, or one for each frequency of a kernel."""

    is_fourier: bool
    numbers: npt.NDArray[np.float16]
    """The steps, before the exponents."""
    integers: dict[str, tuple[Tensor, int]]
    """The whole numbers of each tensor, and the exponent of its steps."""


@dataclass(frozen=True, kw_only=True)
class EntropyPenalized(AbstractMethod):
    """EPR with scalar (the paper's SQ) or Fourier (DFT) decoders.

    Weights and biases are latents. The tensors of a group share one decoder and one density: convolutions, fully
    connected layers and biases as in the paper, and embeddings, unless ``groups`` says otherwise. Norm layers are
    folded to one scale and one shift for each channel when the network is stored.

        loss = task loss + lam * (sum over groups of -log2 q(phi)) / number of parameters

    or, where the task is a signal that is fitted, / number of its samples (pixels of an image),

    with straight-through rounding in the task loss. The learned density sees phi + u, u ~ U(-1/2, 1/2), as in the
    paper; the geometric one needs no noise.

    References:
        Oktay, Balle, Singh, Shrivastava 2020, "Scalable Model Compression by Entropy Penalized Reparameterization",
        ICLR 2020, arXiv 1906.06624, sections 2 and 3, equation 3.
    """

    lam: float | Mapping[str, Any]
    """Nats of task loss for one bit per parameter, so that it means the same on every architecture. Or a path, such as
    ``{path: [3.2, 0.8, 0.2]}`` (``trainers/paths.py``): one training with each in turn, and a point at each. What
    begins sparse stays so: a falling path makes smaller files than as many trainings of as many steps in all.
    Or a size that the file shall have at most, ``{size: 2kB}`` or ``{bits_per_parameter: 0.5}``
    (``trainers/aims.py``): ``lam`` is moved while the network trains, so that its file has that size."""
    decoder: str = "scalar"
    """``scalar`` or ``dft``: convolution kernels as real Fourier coefficients, each frequency with its own step."""
    density: str = "geometric"
    """``geometric`` or ``learned``, the paper's."""
    groups: str | Mapping[str, str] = "kind"
    """``kind``, ``layer`` (a group for each tensor), or group names by patterns of tensor names, such as
    ``{"fc3.*": last}``: the first pattern that fits counts, and tensors that fit none are grouped by kind."""
    initial_step: float | str = "auto"
    """The first step of each group, in units of the root mean square of its initial parameters; ``auto``: the coarsest
    at which the network keeps what it has (``parts/starts.py``), 2 for most classifiers."""
    tensors: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Settings by patterns of tensor names, such as ``{"grids.*": {"step": 0.05, "learning_rate": 0.01}}``: the first
    step in units of the parameters, and the learning rate. The first pattern that fits counts; what it fits shares
    steps with nothing else."""
    learning_rate: float = 2e-3
    """The learning rate of latents, in units of parameters."""
    step_learning_rate: float = 1e-3
    """The learning rate of the steps' logarithms."""
    density_learning_rate: float = 1e-2
    """The learning rate of the learned density. Public ports of the paper use 1e-4, for many more steps than ours."""
    rate_warmup: float = 0.0
    """Share of the training over which ``lam`` rises from zero, in a path of its first stretch."""
    noise: float = 0.0
    """Share of the steps, of each stretch of a path, in which latents get uniform noise, U(-1/2, 1/2); they are
    rounded in the others."""
    norm_step: float = 1 / 32
    """The step of the folded scales and shifts of norm layers, in units of their median magnitude."""

    version: ClassVar[int] = 1
    owns_optimiser: ClassVar[str] = "the learning rates of latents are in units of their steps, as Adam moves them"
    rate_knob: ClassVar[RateKnob | None] = RateKnob(
        field="lam", low=0.05, high=5.0, log=True, both_ways=True, of_signal=(1e-4, 4e-3), aims=True
    )
    cost: ClassVar[float | None] = 1.3
    later_fields: ClassVar[tuple[str, ...]] = ("noise",)
    trains_weights: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self._aim is None:
            for value in self._path.values:
                checks.number("lam", value, low=0)
        checks.choice("decoder", self.decoder, ("scalar", "dft"))
        checks.choice("density", self.density, tuple(_DENSITIES))
        if isinstance(self.groups, str):
            checks.choice("groups", self.groups, ("kind", "layer"))
        elif not all(isinstance(name, str) for item in self.groups.items() for name in item):
            raise ValueError(f"groups is {self.groups!r}: wanted kind, layer, or names of groups by patterns")
        positive = partial(checks.number, low=0, above=True)
        for name in ("learning_rate", "norm_step"):
            positive(name, getattr(self, name))
        if self.initial_step != "auto":
            try:
                positive("initial_step", self.initial_step)
            except ValueError as error:
                raise ValueError(f"{error}, or auto") from error
        tensor_settings.check(self.tensors, step=positive, learning_rate=positive)
        for name in ("step_learning_rate", "density_learning_rate"):
            checks.number(name, getattr(self, name), low=0)
        for name in ("rate_warmup", "noise"):
            checks.number(name, getattr(self, name), low=0, high=1)
        if self.density != "learned":
            checks.unused(self, "density_learning_rate", where=f"density is {self.density!r}")

    def attach(self, model: nn.Module, context: Context) -> nn.Module:
        """Latents start at the given parameters divided by the step: the network is the given one, rounded."""
        context.refuse_written()
        grouped = self._group_parameters(model)
        aim = self._new_aim(context)
        if isinstance(self.initial_step, str):
            found = starts.coarsest(grouped, model, context, lam=float(aim.lam) if aim else self._path.values[0])
        else:
            found = starts.at(self.initial_step, grouped)
        densities = (_DENSITIES[self.density](max(1, math.prod(start.kernel_shape))) for start in found)
        groups = [start.group(density).to(context.device) for start, density in zip(found, densities, strict=True)]
        attached = Reparameterized(model, groups)
        if aim is not None:
            attached.aim = aim.to(context.device)
            self._begin(attached, aim, context)
        else:
            _fit(attached)
        return attached

    def phases(self, context: Context) -> tuple[Phase, ...]:
        after_step = self._after_step if self._aim or self.density == "geometric" else do_nothing
        return tuple(
            Phase(
                name=stretch.called("lam", "train"),
                share=stretch.share,
                loss=partial(
                    self._loss,
                    lam=None if self._aim else stretch.value,
                    warmup=self.rate_warmup if stretch.is_first else 0.0,
                ),
                optimisers=partial(self._optimisers, factor=stretch.learning_rate),
                after_step=after_step,
                points=None if stretch.is_last else partial(self._stored, point_id=stretch.called("lam", "point")),
            )
            for stretch in self._path.stretches
        )

    def rate_bits(self, model: nn.Module, context: Context) -> Tensor:
        return cast(Reparameterized, model).decoded()[1]

    def points(self, model: nn.Module, context: Context) -> Iterator[tuple[str, Sections]]:
        least = ROUNDED
        if (aim := cast(Reparameterized, model).aim) is not None:
            least = cut(partial(self._size, model, context), aim.max_bytes)
        return self._stored(model, context, self._path.stretches[-1].called("lam", "point"), least)

    def rehearsed(self, context: Context) -> EntropyPenalized:
        return self if self._aim is None else replace(self, lam=1.0)

    def _new_aim(self, context: Context) -> SizeAim | None:
        if self._aim is None:
            return None
        scale = _SCALE_OF_SIGNALS if context.num_samples else 1.0
        return SizeAim(self._aim.max_bytes(context.num_parameters), context.num_weighed, scale=scale)

    def _begin(self, model: Reparameterized, aim: SizeAim, context: Context) -> None:
        """Begin with a file that is larger than it shall be in the end: trainings make files smaller, hardly larger."""
        smallest = self._size(model, context, math.inf)
        if smallest > aim.max_bytes:
            raise ValueError(f"lam: {too_small(aim.max_bytes, smallest)}")
        free = [
            one for one in model.latent_groups() if self.initial_step == "auto" and self._step(one.names[0]) is None
        ]
        for _ in range(MOST_FINER):
            if self._size(model, context, ROUNDED) >= LEAST_FIRST * aim.max_bytes:
                break
            for group in free:
                group.refine(FINER)
        _fit(model)
        with torch.no_grad():
            aim.begin(self.rate_bits(model, context), self._size(model, context, ROUNDED))

    @staticmethod
    def decode(sections: Sections, plain: nn.Module) -> dict[str, Tensor]:
        return backend.dequantise(sections, plain)

    @property
    def _path(self) -> Path:
        return Path.of("lam", 0.0 if self._aim else self.lam)

    @property
    def _aim(self) -> Aim | None:
        return Aim.of("lam", self.lam)

    def _size(self, model: nn.Module, context: Context, least: float) -> int:
        """The bytes of the file of a network as it is now, without latents of a magnitude below ``least``."""
        ((_, sections),) = self._stored(model, context, "point", least)
        return context.file_size(sections)

    def _stored(
        self, model: nn.Module, context: Context, point_id: str, least: float = ROUNDED
    ) -> Iterator[tuple[str, Sections]]:
        plain = context.plain.state_dict()
        trained = cast(Reparameterized, model)
        rest = trained.network.state_dict()
        folded, norm_steps = folded_norms(context, rest, self.norm_step)
        groups = [
            _StoredGroup(
                is_fourier=group.basis is not None,
                numbers=group.step().cpu().numpy().astype(np.float16),
                integers={name: (values, group.exponent) for name, values in _rounded(group, least).items()},
            )
            for group in trained.latent_groups()
        ]
        for kind in ("weight", "bias"):  # scales of norms are one group, shifts another
            named = {name: steps for name, steps in norm_steps.items() if name.rpartition(".")[2] == kind}
            if named:
                integers = {
                    name: ((wide(folded[name]) / float(steps.sizes[0])).round(), steps.exponent)
                    for name, steps in named.items()
                }
                numbers = next(iter(named.values())).numbers
                groups.append(_StoredGroup(is_fourier=False, numbers=numbers, integers=integers))
        groups.sort(key=lambda group: group.is_fourier)  # as backend.dequantise expects them
        tensors: dict[str, Section] = {name: backend.raw(tensor) for name, tensor in {**rest, **folded}.items()}
        for table, group in enumerate(groups):
            tensors |= {
                name: backend.integers(values, table=table, exponent=exponent)
                for name, (values, exponent) in group.integers.items()
            }
        scalar = [group.numbers for group in groups if not group.is_fourier]
        vectors = (np.concatenate([np.zeros(0, np.float16), *scalar]), *(g.numbers for g in groups if g.is_fourier))
        yield point_id, Sections(tensors={name: tensors[name] for name in plain}, vectors=vectors)

    def _loss(
        self, model: nn.Module, batch: Batch, context: Context, moment: Moment, *, lam: float | None, warmup: float
    ) -> Tensor:
        weight = cast(SizeAim, cast(Reparameterized, model).aim).lam if lam is None else lam
        weight = weight * (min(1.0, moment.progress / warmup) if warmup else 1.0)
        network, bits = cast(Reparameterized, model).network_and_rate(noisy=moment.progress < self.noise)
        return context.loss(network, batch) + weight / context.num_weighed * bits

    def _after_step(self, model: nn.Module, context: Context, moment: Moment) -> None:
        if (moment.phase_step + 1) % _FIT_EVERY == 0:
            _fit(model)
        if self._aim is not None:
            self._steer(model, context, moment)

    def _steer(self, model: nn.Module, context: Context, moment: Moment) -> None:
        """Move the penalty's weight towards the size that is aimed at; now and then a file is written in memory."""
        aim = cast(Reparameterized, model).aim
        assert aim is not None
        is_measured = aim.is_measured(moment)
        if is_measured or (moment.phase_step + 1) % _FIT_EVERY == 0:
            bits = self.rate_bits(model, context)
            if is_measured:
                aim.measure(bits, self._size(model, context, ROUNDED))
            if (moment.phase_step + 1) % _FIT_EVERY == 0:
                aim.steer(bits, moment, _FIT_EVERY)

    def _optimisers(self, model: nn.Module, num_steps: int, *, factor: float = 1.0) -> tuple[Optimiser, ...]:
        trained = cast(Reparameterized, model)
        latent_groups = trained.latent_groups()
        densities = [parameter for group in latent_groups for parameter in group.density.parameters()]
        latent_grids = grids(trained.network)
        rates = [self._learning_rate(group.names[0], is_grid=group.names[0] in latent_grids) for group in latent_groups]
        groups: list[dict[str, object]] = [
            {"params": [group.phi], "lr": math.ldexp(rate / group.step().mean().item(), -group.exponent)}
            for group, rate in zip(latent_groups, rates, strict=True)
        ]
        groups.append({"params": [group.log_step for group in latent_groups], "lr": self.step_learning_rate})
        groups.append({"params": densities, "lr": self.density_learning_rate})
        groups.append({"params": list(trained.network.parameters()), "lr": self.learning_rate})
        scaled = [{**group, "lr": factor * cast(float, group["lr"])} for group in groups if group["params"]]
        return (adam_cosine(scaled, num_steps),)

    def _step(self, name: str) -> float | None:
        """The first step that is given for a tensor."""
        return tensor_settings.first_fit(self.tensors, name, {}).get("step")

    def _learning_rate(self, name: str, *, is_grid: bool) -> float:
        usual = LEARNING_RATE if is_grid else self.learning_rate
        return tensor_settings.first_fit(self.tensors, name, {}).get("learning_rate", usual)

    def _group_parameters(self, model: nn.Module) -> list[Start]:
        """The tensors to compress, in groups that share a decoder and whether they are trained, in order."""
        groups: dict[tuple[str, tuple[int, ...], bool], dict[str, Tensor]] = {}
        latent_grids = grids(model)
        seen: set[Tensor] = set()  # a tied parameter is compressed once, under its first name
        norms = norm_parameters(model)
        names = [name for name, one in model.named_parameters() if name not in norms and one.is_floating_point()]
        if isinstance(self.groups, Mapping):
            tensor_settings.check_counts("groups", self.groups, names)
        tensor_settings.check_counts("tensors", self.tensors, names)
        for prefix, module in model.named_modules():
            for attribute, parameter in module.named_parameters(recurse=False):
                name = f"{prefix}.{attribute}" if prefix else attribute
                if name not in norms and parameter not in seen and parameter.is_floating_point():
                    seen.add(parameter)
                    is_kernel = isinstance(module, nn.modules.conv._ConvNd) and parameter.ndim > 2
                    kernel = tuple(parameter.shape[2:]) if self.decoder == "dft" and is_kernel else ()
                    is_embedding = isinstance(module, nn.Embedding | nn.EmbeddingBag)
                    kind = "embedding" if is_embedding else "conv" if is_kernel else "dense"
                    kind = kind if parameter.ndim > 1 else "bias"
                    group = self._group(name, f"grid {name}" if name in latent_grids else kind)
                    kernel = kernel if math.prod(kernel) > 1 else ()
                    group += _far(parameter)
                    groups.setdefault((group, kernel, parameter.requires_grad), {})[name] = parameter
        if self.decoder == "dft" and not any(kernel for _, kernel, _ in groups):
            raise ValueError("decoder is 'dft', but the network has no kernels to transform: use 'scalar'")
        firsts = [next(iter(named)) for named in groups.values()]
        own = [tensor_settings.first_fit(self.tensors, name, {}).get("step") for name in firsts]
        steps = [step or (STEP if name in latent_grids else None) for step, name in zip(own, firsts, strict=True)]
        return [
            Start(tensors=named, kernel_shape=kernel, step=step)
            for ((_, kernel, _), named), step in zip(groups.items(), steps, strict=True)
        ]

    def _group(self, name: str, kind: str) -> str:
        if self.groups == "layer":
            group = f"layer {name}"
        elif isinstance(self.groups, Mapping):
            group = tensor_settings.first_fit(
                {pattern: f"group {group}" for pattern, group in self.groups.items()}, name, kind
            )
        else:
            group = kind
        pattern = tensor_settings.first_fit({pattern: pattern for pattern in self.tensors}, name, "")
        return f"{group} {pattern}"


def _far(parameter: Tensor) -> str:
    """What sets a tensor of no ordinary size apart from its group, whose step would be far too coarse or too fine."""
    size = root_mean_square([parameter])
    return "" if not size or _LEAST_SIZE <= size <= _MOST_SIZE else f" near 2^{8 * round(math.log2(size) / 8)}"


def _fit(model: nn.Module) -> None:
    for group in cast(Reparameterized, model).latent_groups():
        if isinstance(group.density, Geometric):
            group.density.fit(group.phi)


def _rounded(group: LatentGroup, least: float) -> dict[str, Tensor]:
    """The whole numbers of a group without magnitudes below ``least``; what is not trained keeps all."""
    return group.rounded(least if group.phi.requires_grad else ROUNDED)
