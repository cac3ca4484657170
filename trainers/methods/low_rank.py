"""Low rank: weight matrices become products of two factors, at ranks that are searched, or from their spectrum."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from trainers import checks
from trainers.coding.bytestream import RfzError
from trainers.coding.sections import Sections
from trainers.data.examples import Batch
from trainers.methods.base import AbstractMethod, Context, Moment, Phase, RateKnob
from trainers.methods.parts import backend, tensor_settings, weight_settings
from trainers.methods.parts.grid import check_steps, grid_points
from trainers.methods.parts.plain import plain_phase
from trainers.methods.parts.products import check_products
from trainers.methods.parts.pruning import VALUE_BITS
from trainers.methods.parts.ranks import Ranks, Shapes, beam_search, full, is_factored, ranks_at_common_share
from trainers.methods.parts.recalibration import recalibrate
from trainers.methods.parts.steps import wide
from trainers.networks.calling import Network, Remade
from trainers.networks.substitution import Substitution

_NUM_SEARCHED = 1024
"""The training examples on which batch-norm statistics are measured, for each network that the search tries."""


def matrices(model: nn.Module) -> Shapes:
    """The shapes of the weights as matrices, each weight once."""
    names = backend.weight_names(model)
    return {
        name: (weight.shape[0], math.prod(weight.shape[1:]))
        for name, weight in model.named_parameters()
        if name in names
    }


def tail_over_head(matrix: Tensor, rank: int) -> Tensor:
    """sum_{i > r} sigma_i / sum_{i <= r} sigma_i, scalar: zero if the matrix has rank ``rank`` or less."""
    if not matrix.isfinite().all():
        return matrix.sum()  # NaN, for the training loop to find
    with torch.autocast(matrix.device.type, enabled=False):
        sigma = torch.linalg.svdvals(matrix)
        tail, head = sigma[rank:].sum(), sigma[:rank].sum()
        return cast(Tensor, tail / head.clamp(min=torch.finfo(sigma.dtype).tiny))


def product(factor: Tensor, shape: Sequence[int]) -> Tensor:
    """L R' as a tensor of ``shape``, whose first axis is m long. ``factor``: (m + n, r), rows of L, then rows of R."""
    with torch.autocast(factor.device.type, enabled=False):
        return (factor[: shape[0]] @ factor[shape[0] :].T).reshape(tuple(shape))


class Ranked(Remade):
    """A network and the ranks chosen for its weights; once truncated, it has factors in place of weights."""

    def __init__(self, network: nn.Module, skipped: Collection[str] = ()) -> None:
        """All weights are whole at first; what is ``skipped`` stays so."""
        super().__init__()
        self.network = network
        self.shapes = {name: shape for name, shape in matrices(network).items()
                       if network.get_parameter(name).requires_grad and name not in skipped}  # fmt: skip
        self.ranks = full(self.shapes)
        self.factors = nn.ParameterList()
        self._substitution = Substitution(network)
        self._made: dict[str, Tensor] = {}
        """The weights that were replaced, on the meta device."""

    def matrix(self, name: str) -> Tensor:
        return wide(self.network.get_parameter(name)).flatten(1)

    def factored(self) -> list[str]:
        """The weights that become factors at the present ranks."""
        return [name for name, shape in self.shapes.items() if is_factored(shape, self.ranks[name])]

    def spectrum(self, name: str) -> tuple[Tensor, Tensor, Tensor]:
        """U, sigma and V' of a weight."""
        return cast(tuple[Tensor, Tensor, Tensor], torch.linalg.svd(self.matrix(name).detach(), full_matrices=False))

    def truncate(self) -> None:
        """Replace weights by factors of their largest singular values: L = U sqrt(S), R = V sqrt(S)."""
        for name in self.factored():
            u, sigma, vh = (part.narrow(axis, 0, self.ranks[name]) for part, axis in
                            zip(self.spectrum(name), (1, 0, 0), strict=True))  # fmt: skip
            self._made[name] = self.network.get_parameter(name).detach().to("meta")
            self.factors.append(nn.Parameter(torch.cat([u, vh.T]) * sigma.sqrt()))
        self._substitution.remove(self.network, self._made)

    def stored_factors(self) -> dict[str, Tensor]:
        """The factors, by the names of the weights that they make."""
        return {name: factor.detach() for name, factor in zip(self._made, self.factors, strict=True)}

    def made(self) -> Network:
        if not self._made:
            return self.network
        pairs = zip(self._made.items(), self.factors, strict=True)
        made = {name: product(factor, weight.shape).to(weight.dtype) for (name, weight), factor in pairs}
        return partial(self._substitution.compute, self.network, made)


@dataclass(frozen=True, kw_only=True)
class LowRank(AbstractMethod):
    """Train; choose ranks for a ratio; train towards them; truncate the singular value decompositions; fine-tune.

    ``bsr`` chooses the ranks of all layers together, by a beam search on the validation split. Then the weights are
    trained on the task loss + penalty * the sum over layers of

        sum_{i > r} sigma_i / sum_{i <= r} sigma_i

    so that the truncation to rank r takes little away. This is the modified stable rank as it is remembered: neither
    its exact form nor the settings of the beam search could be looked up. Batch-norm statistics are measured anew, on
    training data, for each network that the search tries, and after the truncation.

    ``svd`` and ``svd_uniform`` are baselines without search and penalty: each layer keeps the same share of its energy
    sum sigma_i^2, or of its values.

    References:
        Eo, Kang, Rhee 2021, "A Highly Effective Low-Rank Compression of Deep Neural Networks with Modified Beam-Search
        and Modified Stable Rank", arXiv 2111.15179.
    """

    ratio: float
    """The values of factors and whole weights over those of all weights, at most. The paper's ratio is the share saved,
    1 - ``ratio``. Biases and norms are kept."""
    ranks: str = "bsr"
    """``bsr``, ``svd`` or ``svd_uniform``."""
    penalty: float = 0.1
    """For ``bsr``: nats of loss for each layer whose tail is as large as its head."""
    regularise: float = 0.2
    """For ``bsr``: share of the training under the penalty."""
    finetune: float = 0.4
    """Share of the training after the truncation."""
    learning_rate: float = 5e-3
    """Falls to zero along a cosine in each phase."""
    steps: Sequence[float] = (0.05, 0.1, 0.25, 0.5)
    """Quantisation steps of factors and whole weights, with an operating point for each (``grid.py``)."""
    tensors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Settings of weights by patterns of their names: ``step``, in place of the others', or ``skip: true``, left
    whole, out of ``ratio``, and stored as float16 (``weight_settings.py``)."""

    version: ClassVar[int] = 1
    rate_knob: ClassVar[RateKnob | None] = RateKnob(field="ratio", low=0.02, high=0.5, log=True)
    cost: ClassVar[float | None] = 3.5
    point_fields: ClassVar[tuple[str, ...]] = ("steps",)
    trains_weights: ClassVar[bool] = False

    def __post_init__(self) -> None:
        checks.number("ratio", self.ratio, low=0, high=1, above=True)
        checks.choice("ranks", self.ranks, ("bsr", "svd", "svd_uniform"))
        checks.number("penalty", self.penalty, low=0)
        checks.number("finetune", self.finetune, low=0, high=1)
        checks.number("regularise", self.regularise, low=0, high=1)
        if self.ranks == "bsr" and self.regularise + self.finetune > 1:
            raise ValueError(
                f"regularise is {self.regularise} and finetune {self.finetune}: wanted shares of the training that add "
                "up to no more than 1"
            )
        checks.number("learning_rate", self.learning_rate, low=0, above=True)
        check_steps(self.steps)
        tensor_settings.check(self.tensors, step=weight_settings.STEP, skip=weight_settings.SKIP)
        if self.ranks != "bsr":
            checks.unused(self, "penalty", "regularise", where=f"ranks is {self.ranks!r}")

    def attach(self, model: nn.Module, context: Context) -> nn.Module:
        weight_settings.check_fits(self.tensors, context)
        return Ranked(model, weight_settings.skipped_names(model, self.tensors))

    def phases(self, context: Context) -> tuple[Phase, ...]:
        train = plain_phase(self.learning_rate)

        def truncate(model: nn.Module, decision: Any) -> nn.Module:
            """Truncate to the ranks that were decided, now or before the penalty."""
            ranked = cast(Ranked, model if decision is None else _set_ranks(model, decision))
            ranked.truncate()
            recalibrate(ranked, context)
            return ranked

        if self.ranks != "bsr":
            finetune = dataclasses.replace(
                train, name="finetune", share=self.finetune, decide=self._from_spectrum, apply=truncate
            )
            return (dataclasses.replace(train, share=1 - self.finetune), finetune)
        return (
            dataclasses.replace(train, share=1 - self.regularise - self.finetune),
            dataclasses.replace(
                train,
                name="regularise",
                share=self.regularise,
                decide=self._search,
                apply=_set_ranks,
                loss=self._penalised_loss,
            ),
            dataclasses.replace(train, name="finetune", share=self.finetune, apply=truncate),
        )

    def rate_bits(self, model: nn.Module, context: Context) -> Tensor:
        """The size of the network as it is; before the truncation it is whole."""
        return torch.tensor(float(VALUE_BITS * sum(parameter.numel() for parameter in model.parameters())))

    def points(self, model: nn.Module, context: Context) -> Iterator[tuple[str, Sections]]:
        trained = cast(Ranked, model)
        yield from grid_points(
            context, trained.network.state_dict(), self.steps, trained.stored_factors(), self.tensors
        )

    @staticmethod
    def decode(sections: Sections, plain: nn.Module) -> dict[str, Tensor]:
        shapes = matrices(plain)
        names = [name for name in shapes if name not in sections.tensors]
        if len(sections.factors) != len(names):
            raise RfzError(f"the file is malformed: {len(sections.factors)} factors: wanted one for each of {names}")
        num_multiplications = 0
        for name, stored in zip(names, sections.factors, strict=True):
            rows, rank = stored.values.shape
            if rows != sum(shapes[name]) or not is_factored(shapes[name], rank):
                raise RfzError(
                    f"the file is malformed: a factor of {rows} rows and {rank} columns for {name!r}, a matrix of "
                    f"{shapes[name]}: wanted {sum(shapes[name])} rows, and fewer values"
                )
            num_multiplications += math.prod(shapes[name]) * rank
        check_products(num_multiplications)
        products = {
            name: product(factor, plain.get_parameter(name).shape)
            for name, factor in zip(names, backend.dequantise_factors(sections), strict=True)
        }
        return backend.dequantise(sections, plain, made=products)

    def _budget(self, shapes: Shapes) -> int:
        return int(self.ratio * sum(map(math.prod, shapes.values())))

    def _search(self, model: nn.Module, context: Context) -> Ranks:
        ranked = cast(Ranked, model)
        spectra = {name: ranked.spectrum(name) for name, shape in ranked.shapes.items() if is_factored(shape, 1)}
        before = {name: tensor.clone() for name, tensor in ranked.network.state_dict().items()}

        @torch.no_grad()
        def quality(ranks: Ranks) -> float:
            for name, (u, sigma, vh) in spectra.items():
                weight, rank = ranked.network.get_parameter(name), ranks[name]
                if is_factored(ranked.shapes[name], rank):
                    weight.copy_(((u[:, :rank] * sigma[:rank]) @ vh[:rank]).view(weight.shape))
            recalibrate(ranked, context, _NUM_SEARCHED)
            found = context.validate(ranked)
            ranked.network.load_state_dict(before)
            return found if context.maximise else -found

        return beam_search(ranked.shapes, self._budget(ranked.shapes), quality)

    def _from_spectrum(self, model: nn.Module, context: Context) -> Ranks:
        ranked = cast(Ranked, model)
        shapes = {name: shape for name, shape in ranked.shapes.items() if is_factored(shape, 1)}
        energies = {name: ranked.spectrum(name)[1].double().square().cumsum(0) for name in shapes}

        def rank_at(name: str, share: float) -> int:
            if name not in shapes:
                return min(ranked.shapes[name])
            if self.ranks == "svd":
                return int((energies[name] < share * energies[name][-1]).sum()) + 1
            return int(share * math.prod(shapes[name]) / sum(shapes[name])) if share < 1 else min(shapes[name])

        return ranks_at_common_share(ranked.shapes, self._budget(ranked.shapes), rank_at)

    def _penalised_loss(self, model: nn.Module, batch: Batch, context: Context, moment: Moment) -> Tensor:
        ranked = cast(Ranked, model)
        loss = context.loss(ranked, batch)
        for name in ranked.factored():
            loss = loss + self.penalty * tail_over_head(ranked.matrix(name), ranked.ranks[name])
        return loss


def _set_ranks(model: nn.Module, decision: Any) -> nn.Module:
    cast(Ranked, model).ranks = dict(decision)
    return model
