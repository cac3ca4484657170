"""Structured multi-hashing: all weights of a network are slices of one product of two small matrices."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from trainers import checks
from trainers.coding.bytestream import RfzError
from trainers.coding.sections import Sections
from trainers.methods.base import AbstractMethod, Context, Optimiser, Phase, RateKnob
from trainers.methods.parts import backend, tensor_settings, weight_settings
from trainers.methods.parts.grid import check_steps, grid_points
from trainers.methods.parts.plain import adam_cosine, plain_phase
from trainers.methods.parts.products import check_products
from trainers.methods.parts.pruning import BIAS_BITS
from trainers.methods.parts.steps import level, steps_of, times_power, wide
from trainers.networks.calling import Network, Remade
from trainers.networks.norms import norm_parameters
from trainers.networks.substitution import Substitution


def hashed(model: nn.Module) -> dict[str, nn.Parameter]:
    """All weights and biases, each once, in the order of their creation, frozen ones as well; norms keep their own."""
    norms = norm_parameters(model)
    return {name: parameter for name, parameter in model.named_parameters() if name not in norms}


def side(shapes: Sequence[torch.Size]) -> int:
    """n, the smallest number for which n x n values suffice: ceil(sqrt(N))."""
    num_values = sum(shape.numel() for shape in shapes)
    return math.isqrt(max(num_values, 1) - 1) + 1


def handed_out(pool: Tensor, scales: Tensor, shapes: Sequence[torch.Size]) -> list[Tensor]:
    """Consecutive slices of V1 V2, times s_l (section 3 of the paper).

    Args:
        pool: (2 n, M), the rows of V1 and then the columns of V2.
        scales: s_l, (len(shapes),).
        shapes: the tensors' shapes, in order.
    """
    n = side(shapes)
    v1_nM, v2_nM = pool[:n], pool[n:]
    with torch.autocast(pool.device.type, enabled=False):
        product = (v1_nM @ v2_nM.T).flatten()
    tensors: list[Tensor] = []
    begin = 0
    for shape, scale in zip(shapes, scales, strict=True):
        tensors.append(scale * product[begin : begin + shape.numel()].view(shape).to(scale.dtype))
        begin += shape.numel()
    return tensors


class Hashed(Remade):
    """A network without weights of its own: each call makes them from the pool."""

    def __init__(self, network: nn.Module, fraction: float, skipped: Collection[str] = ()) -> None:
        """``network`` loses its weights, but for those that are ``skipped``.

        Each s_l is the root mean square of the tensor that it replaces.
        """
        super().__init__()
        self.network = network
        weights = {
            name: weight for name, weight in hashed(network).items() if weight.requires_grad and name not in skipped
        }
        self._names = list(weights)
        self._shapes, self._dtypes = [w.shape for w in weights.values()], [w.dtype for w in weights.values()]
        n = side(self._shapes)
        num_columns = max(1, math.ceil(fraction * sum(weight.numel() for weight in weights.values()) / (2 * n)))
        like = next(iter(weights.values()), torch.zeros(()))
        # products of M terms then have variance 1 (section 3.3)
        self.pool = nn.Parameter(torch.randn(2 * n, num_columns, device=like.device) * num_columns**-0.25)
        sizes = torch.stack([_root_mean_square(weight.detach()) for weight in weights.values()])
        self.scales = nn.Parameter(sizes.to(_dtype_of_scales(weights.values())))
        self._substitution = Substitution(network)
        self._substitution.remove(network, self._names)

    def weights(self) -> dict[str, Tensor]:
        """The weights and biases by their names."""
        tensors = handed_out(self.pool, self.scales, self._shapes)
        return {name: one.to(dtype) for name, one, dtype in zip(self._names, tensors, self._dtypes, strict=True)}

    def made(self) -> Network:
        return partial(self._substitution.compute, self.network, self.weights())


def _dtype_of_scales(weights: Iterable[Tensor]) -> torch.dtype:
    return torch.float64 if any(weight.dtype == torch.float64 for weight in weights) else torch.float32


def _root_mean_square(weight: Tensor) -> Tensor:
    exponent = level(weight)
    values = times_power(wide(weight), -exponent)
    return times_power(values.square().sum().div(max(1, weight.numel())).sqrt().double(), exponent)


@dataclass(frozen=True, kw_only=True)
class MultiHashing(AbstractMethod):
    """One pool V1 V2 for the whole network, where V1 is n x M, V2 is M x n, and n x n values are just enough.

    Weights and biases, layer after layer, are consecutive slices of the product, times a scale s_l for each tensor.
    V1, V2 and the scales are trained for the task alone, and stored instead of the weights. Despite the name nothing is
    hashed at random, so there is no seed to store.

    The optimiser is Adam: with plain gradient descent products of factors are prone to diverge. Rounding V1 and V2
    changes whole rows and columns of the product together, so the grid of steps is finer than that of other methods.

    References:
        Eban, Movshovitz-Attias, Wu, Sandler, Poon, Idelbayev, Carreira-Perpinan 2020, "Structured Multi-Hashing for
        Model Compression", CVPR, arXiv 1911.11177, sections 3 and 4.
    """

    fraction: float
    """The pool's trained values, 2 n M, over the N values that it stands for; rounded up to a whole M."""
    learning_rate: float = 1e-2
    """The learning rate of V1 and V2, whose product has a standard deviation of 1."""
    scale_learning_rate: float = 1e-3
    steps: Sequence[float] = (0.05, 0.1, 0.25, 0.5)
    """Quantisation steps of V1 and V2, in units of their spread, with an operating point for each (``grid.py``)."""
    tensors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Settings of weights by patterns of their names: ``skip: true``, left out of the pool and stored as float16
    (``weight_settings.py``). There is no ``step``: all weights of the pool share those of V1 and V2."""

    version: ClassVar[int] = 1
    rate_knob: ClassVar[RateKnob | None] = RateKnob(field="fraction", low=0.01, high=0.3, log=True)
    cost: ClassVar[float | None] = 1.5
    point_fields: ClassVar[tuple[str, ...]] = ("steps",)
    trains_weights: ClassVar[bool] = False
    learns: ClassVar[str] = "its pool"

    def __post_init__(self) -> None:
        checks.number("fraction", self.fraction, low=0, high=1, above=True)
        checks.number("learning_rate", self.learning_rate, low=0, above=True)
        checks.number("scale_learning_rate", self.scale_learning_rate, low=0, above=True)
        check_steps(self.steps)
        tensor_settings.check(self.tensors, skip=weight_settings.SKIP)

    def attach(self, model: nn.Module, context: Context) -> nn.Module:
        weight_settings.check_fits(self.tensors, context)
        return Hashed(model, self.fraction, weight_settings.skipped_names(model, self.tensors))

    def phases(self, context: Context) -> tuple[Phase, ...]:
        return (dataclasses.replace(plain_phase(self.learning_rate), optimisers=self._optimisers),)

    def rate_bits(self, model: nn.Module, context: Context) -> Tensor:
        """A constant: the size is set beforehand."""
        return torch.tensor(float(BIAS_BITS * sum(parameter.numel() for parameter in model.parameters())))

    def points(self, model: nn.Module, context: Context) -> Iterator[tuple[str, Sections]]:
        trained = cast(Hashed, model)
        state = trained.network.state_dict()
        scales = trained.scales.detach().cpu().double().numpy()
        half_exponent = -(-steps_of(np.abs(scales)).exponent // 2)  # the pool enters a weight twice
        vector = np.ldexp(scales, -2 * half_exponent).astype(np.float16)
        for point_id, sections in grid_points(
            context, state, self.steps, {"all weights": trained.pool.detach()}, self.tensors
        ):
            (pool,) = sections.factors
            pool = dataclasses.replace(pool, exponent=pool.exponent + half_exponent)
            yield point_id, dataclasses.replace(sections, vectors=(*sections.vectors, vector), factors=(pool,))

    @staticmethod
    def decode(sections: Sections, plain: nn.Module) -> dict[str, Tensor]:
        weights = {name: weight for name, weight in hashed(plain).items() if name not in sections.tensors}
        if len(sections.vectors) != 2 or len(sections.vectors[1]) != len(weights) or len(sections.factors) != 1:
            raise RfzError(
                f"the file is malformed: {len(sections.factors)} pools and vectors of "
                f"{[len(vector) for vector in sections.vectors]}: wanted one, steps and {len(weights)} scales"
            )
        (stored,) = sections.factors
        shapes = [weight.shape for weight in weights.values()]
        rows, columns = stored.values.shape
        if rows != 2 * side(shapes):
            raise RfzError(f"the file is malformed: a pool of {rows} rows: wanted {2 * side(shapes)}")
        check_products(side(shapes) ** 2 * columns)
        (pool,) = backend.dequantise_factors(
            dataclasses.replace(sections, factors=(dataclasses.replace(stored, exponent=0),))
        )
        scales = torch.from_numpy(sections.vectors[1].astype(np.float32)).to(_dtype_of_scales(weights.values()))
        tensors = handed_out(pool, scales, shapes)
        if stored.exponent:
            tensors = [times_power(tensor.double(), 2 * stored.exponent) for tensor in tensors]
        made = dict(zip(weights, tensors, strict=True))
        return backend.dequantise(dataclasses.replace(sections, vectors=sections.vectors[:1]), plain, made=made)

    def _optimisers(self, model: nn.Module, num_steps: int) -> tuple[Optimiser, ...]:
        trained = cast(Hashed, model)
        groups: list[dict[str, object]] = [
            {"params": [trained.pool], "lr": self.learning_rate},
            {"params": [trained.scales, *trained.network.parameters()], "lr": self.scale_learning_rate},
        ]
        return (adam_cosine(groups, num_steps),)
