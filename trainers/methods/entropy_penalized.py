"""Entropy-penalized reparameterization (EPR): train in a latent space whose entropy is part of the loss.

Notation of the paper: Phi are latents, one real number for each weight or bias; theta = f(round(Phi)) are the
network's parameters; q is a learned density over latents; lambda weighs the rate.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from trainers import checks
from trainers.coding.sections import Section, Sections
from trainers.methods import backend
from trainers.methods.base import AbstractMethod, Batch, Context, Moment, Optimiser, Phase, RateKnob
from trainers.methods.density import DeepFactorized
from trainers.methods.plain import adam_cosine

_KINDS = {1: "bias", 2: "dense"}  # by number of dimensions; three and more are convolutions
_SMALLEST_STEP = 2.0**-14  # the smallest normal float16


class ScalarDecoder(nn.Module):
    """f of one group: theta = step * round(phi), with a learned step, and the group's density q."""

    def __init__(self, step: float) -> None:
        super().__init__()
        self.log_step = nn.Parameter(torch.tensor(math.log(max(step, _SMALLEST_STEP))))
        self.density = DeepFactorized()

    def step(self) -> Tensor:
        """Scalar, exact in float16, as the file stores it; its gradient passes the rounding straight through."""
        step = self.log_step.exp().clamp(min=_SMALLEST_STEP)
        return step + (step.half().float() - step).detach()


class Latent(nn.Module):
    """The parametrization of one tensor: from latents, in steps, to parameters."""

    def __init__(self, decoder: ScalarDecoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, phi: Tensor) -> Tensor:
        """Rounds; the gradient with respect to ``phi`` passes straight through (section 3 of the paper)."""
        return self.decoder.step() * (phi + (phi.round() - phi).detach())

    def right_inverse(self, theta: Tensor) -> Tensor:
        return theta / self.decoder.step().detach()


@dataclass(frozen=True, kw_only=True)
class EntropyPenalized(AbstractMethod):
    """EPR with scalar quantisation (the paper's SQ).

    Weights and biases are latents. Convolutions, fully connected layers and biases are three groups; a group shares
    one decoder, one density and one frequency table. Norm parameters and buffers are stored as they are.

        loss = task loss + lam * (sum over groups of -log2 q(phi + u)) / number of parameters,   u ~ U(-1/2, 1/2)

    with straight-through rounding in the task loss and uniform noise in the rate only.

    References:
        Oktay, Balle, Singh, Shrivastava 2020, "Scalable Model Compression by Entropy Penalized Reparameterization",
        ICLR 2020, arXiv 1906.06624, sections 2 and 3, equation 3.
    """

    lam: float
    """Nats of task loss for one bit per parameter, so that it means the same on every architecture."""
    initial_step: float = 1.0
    """In units of the root mean square of a group's initial parameters."""
    learning_rate: float = 2e-3
    """Of latents, in units of parameters."""
    step_learning_rate: float = 1e-3
    """Of the logarithm of the steps."""
    density_learning_rate: float = 1e-2

    version: ClassVar[int] = 1
    rate_knob: ClassVar[RateKnob | None] = RateKnob(field="lam", low=0.05, high=5.0, log=True)

    def __post_init__(self) -> None:
        checks.number("lam", self.lam, low=0)
        for name in ("initial_step", "learning_rate"):
            checks.number(name, getattr(self, name), low=0, above=True)
        for name in ("step_learning_rate", "density_learning_rate"):
            checks.number(name, getattr(self, name), low=0)

    def attach(self, model: nn.Module, context: Context) -> nn.Module:
        """Latents start at the given parameters over the step: the network is the given one, rounded."""
        groups = _group_parameters(model)
        # before the first parametrization, which turns the values of a parameter into latents
        weights = _root_mean_square([tensor for kind in groups if kind != "bias" for _, _, tensor in groups[kind]])
        for named in groups.values():
            parameters = [parameter for _, _, parameter in named]
            # biases start at zero in most networks: then the weights tell the scale
            spread = _root_mean_square(parameters) or weights or 1.0
            decoder = ScalarDecoder(self.initial_step * spread).to(context.device)
            for module, name, _ in named:
                parametrize.register_parametrization(module, name, Latent(decoder))
        return model

    def phases(self, context: Context) -> tuple[Phase, ...]:
        return (Phase(name="train", loss=self._loss, optimisers=self._optimisers),)

    def rate_bits(self, model: nn.Module, context: Context) -> Tensor:
        total = torch.zeros((), device=context.device)
        for decoder, latents in _latents_by_decoder(model).items():
            phi_N = torch.cat([phi.reshape(-1) for phi in latents.values()])
            noise = torch.rand_like(phi_N) - 0.5
            total = total + decoder.density.bits(phi_N + noise).sum()
        return total

    def points(self, model: nn.Module, context: Context) -> Iterator[tuple[str, Sections]]:
        decoders = _latents_by_decoder(model)
        tables = {name: (table, phi) for table, named in enumerate(decoders.values()) for name, phi in named.items()}
        stored = model.state_dict()
        tensors: dict[str, Section] = {}
        for name in context.plain.state_dict():
            if name in tables:
                table, phi = tables[name]
                tensors[name] = backend.integers(phi.round(), table=table)
            else:
                tensors[name] = backend.raw(stored[name])
        steps = np.array([decoder.step().item() for decoder in decoders], np.float16)
        yield "point", Sections(tensors=tensors, vectors=(steps,))

    @staticmethod
    def decode(sections: Sections, plain: nn.Module) -> dict[str, Tensor]:
        return backend.dequantise(sections, plain)

    def _loss(self, model: nn.Module, batch: Batch, context: Context, moment: Moment) -> Tensor:
        inputs, targets = batch
        return context.loss(model(inputs), targets) + self.lam / context.num_parameters * self.rate_bits(model, context)

    def _optimisers(self, model: nn.Module, num_steps: int) -> tuple[Optimiser, ...]:
        groups: list[dict[str, object]] = []
        latents: set[int] = set()
        for decoder, named in _latents_by_decoder(model).items():
            phis = list(named.values())
            latents.update(id(parameter) for parameter in [*phis, *decoder.parameters()])
            groups += [
                {"params": phis, "lr": self.learning_rate / decoder.step().item()},
                {"params": [decoder.log_step], "lr": self.step_learning_rate},
                {"params": list(decoder.density.parameters()), "lr": self.density_learning_rate},
            ]
        rest = [parameter for parameter in model.parameters() if id(parameter) not in latents]
        if rest:
            groups.append({"params": rest, "lr": self.learning_rate})
        return (adam_cosine(groups, num_steps),)


def _group_parameters(model: nn.Module) -> dict[str, list[tuple[nn.Module, str, Tensor]]]:
    """(module, attribute, parameter) of each tensor to compress, by kind, in the order of the network."""
    if len(list(model.parameters())) != len(list(model.named_parameters(remove_duplicate=False))):
        raise ValueError("epr cannot compress a network that uses one parameter under two names (tied weights)")
    if any(parametrize.is_parametrized(module) for module in model.modules()):
        raise ValueError("epr cannot compress a network that has parametrizations of its own (such as weight_norm)")
    groups: dict[str, list[tuple[nn.Module, str, Tensor]]] = {}
    norms = backend.norm_parameters(model)
    for prefix, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            if (f"{prefix}.{name}" if prefix else name) not in norms:
                kind = _KINDS.get(max(parameter.ndim, 1), "conv")
                groups.setdefault(kind, []).append((module, name, parameter))
    return groups


def _latents_by_decoder(model: nn.Module) -> dict[ScalarDecoder, dict[str, nn.Parameter]]:
    """Each group's decoder with its latents under the names that their tensors have in the plain network."""
    found: dict[ScalarDecoder, dict[str, nn.Parameter]] = {}
    for prefix, module in model.named_modules():
        if parametrize.is_parametrized(module):
            for name, chain in cast(nn.ModuleDict, module.parametrizations).items():
                latent = cast(Latent, cast(parametrize.ParametrizationList, chain)[0])
                original = cast(nn.Parameter, chain.original)
                found.setdefault(latent.decoder, {})[f"{prefix}.{name}" if prefix else name] = original
    return found


def _root_mean_square(tensors: list[Tensor]) -> float:
    num_values = sum(tensor.numel() for tensor in tensors)
    return (
        math.sqrt(sum(float(tensor.detach().square().sum()) for tensor in tensors) / num_values) if num_values else 0.0
    )
