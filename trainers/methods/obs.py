"""Post-training quantisation whose rounding errors later weights make up for: no training, one step for all weights."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from trainers import checks
from trainers.coding.sections import Sections
from trainers.methods.base import AbstractMethod, Context, Phase, RateKnob
from trainers.methods.parts import backend, calibration, grid, tensor_settings, weight_settings
from trainers.methods.parts.coded_bits import layer_bits
from trainers.methods.parts.compensation import compensated, inverse_factor
from trainers.methods.parts.layer_inputs import owners
from trainers.methods.parts.matching import match, statistics
from trainers.methods.parts.network_steps import network_steps, set_rounded, with_rounded
from trainers.methods.parts.plain import plain_phase
from trainers.methods.parts.propagation import Round, called_once, propagating
from trainers.methods.parts.second_moments import second_moments
from trainers.methods.parts.steps import Steps
from trainers.methods.parts.weight_matrices import matrix_of, weight_of
from trainers.trees import Tree, rows, split

_BATCH_SIZE = 64
"""The calibration examples that pass the network at once."""
_FEW = 4
"""The examples that show which layers a pass calls once, and those of a rehearsal."""
_MOST_REHEARSED = 1 << 20
"""The most parameters with which a rehearsal calibrates."""


@dataclass(frozen=True, kw_only=True)
class OptimalBrainSurgeon(AbstractMethod):
    """Uniform quantisation with one step for the whole network, which rounds for the outputs of layers.

    Some examples pass the network, and each layer is rounded when it is called. The second moments of its inputs say
    how errors of its weights add up: each weight is rounded, and the weights of its row that are still to be rounded
    make up for its error (``compensation.py``), as they do for errors of the layers before (``propagation.py``). Norms
    and biases are measured anew on the way (``matching.py``).

    It needs no training: with ``steps: 0`` and ``init_from`` it compresses a network as it is. Layers whose inputs are
    not known (``layer_inputs.py`` says which are), and embeddings, are rounded to the nearest integer.

    References:
        Hassibi, Stork 1993; Frantar et al. 2023 (GPTQ); Conzelmann, Bamler 2025 (CERWU): see ``compensation.py``.
        Arai, Ichikawa 2025 (QEP): see ``propagation.py``.
    """

    steps: Sequence[float] = (0.35, 0.5, 0.7, 0.85, 1.0, 1.2, 1.45, 1.75)
    """Quantisation steps in units of the root mean square of all weights of the network, with an operating point for
    each."""
    rate: float = 0.0
    """The cost of a bit against errors (``compensation.py``); 0.1 is about what the choice of a step trades."""
    calibration: str = "real"
    """The examples: ``real``, ``gaussian`` or ``batch_norm`` as for ``ptq``, or ``none``: no data is used, and weights
    are rounded to the nearest integer."""
    num_examples: int = 256
    """The most calibration examples."""
    propagation: float = 0.5
    """How far layers make up for the errors of the layers before them (``propagation.py``); 0: not at all, and then the
    examples pass the network once for all steps, rather than once for each."""
    tensors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Settings of weights by patterns of their names: ``step``, in place of the others', or ``skip: true``, stored as
    float16, such as ``{"fc.weight": {step: 0.1}, "stem.*": {skip: true}}``."""
    learning_rate: float = 2e-3

    version: ClassVar[int] = 1
    rate_knob: ClassVar[RateKnob | None] = None
    cost: ClassVar[float | None] = 1.0
    keeps_parametrizations: ClassVar[bool] = True
    point_fields: ClassVar[tuple[str, ...]] = ("steps",)

    def __post_init__(self) -> None:
        grid.check_steps(self.steps)
        checks.number("rate", self.rate, low=0, high=1)
        checks.choice("calibration", self.calibration, ("none", *calibration.SOURCES))
        checks.integer("num_examples", self.num_examples, low=1)
        checks.number("propagation", self.propagation, low=0, high=1)
        tensor_settings.check(self.tensors, step=weight_settings.STEP, skip=weight_settings.SKIP)
        checks.number("learning_rate", self.learning_rate, low=0, above=True)

    def rehearsed(self, context: Context) -> OptimalBrainSurgeon:
        middle = replace(self, steps=self.steps[len(self.steps) // 2 :][:1])
        if context.num_parameters > _MOST_REHEARSED:
            return replace(middle, calibration="none")
        return replace(middle, num_examples=min(self.num_examples, _FEW))

    def calibration_macs(self, context: Context, macs: int) -> float:
        """Passes of the examples, second moments (as many positions as rows make of ``macs``), and the factors."""
        if self.calibration == "none":
            return 0.0
        names = backend.weight_names(context.plain)
        weights = [weight for name, weight in context.plain.named_parameters() if name in names]
        sizes = [(len(weight), math.prod(weight.shape[1:])) for weight in weights if weight.numel()]
        num_values = sum(rows * columns for rows, columns in sizes)
        moments = sum(columns**2 for _, columns in sizes) / max(1, num_values)
        factors = sum(2.0 * columns**3 + rows * columns**2 for rows, columns in sizes)
        one_pass = min(self.num_examples, context.num_train) * macs * (1 + moments)
        return 2 * one_pass + factors if self.propagation else (one_pass + factors) / self.num_points

    def attach(self, model: nn.Module, context: Context) -> nn.Module:
        weight_settings.check_fits(self.tensors, context)
        if self.calibration != "none":
            calibration.check(self.calibration, model, context)
        return model

    def phases(self, context: Context) -> tuple[Phase, ...]:
        return (plain_phase(self.learning_rate),)

    def rate_bits(self, model: nn.Module, context: Context) -> Tensor:
        """The size of the floats; the size after rounding is known only at the end."""
        return torch.tensor(32.0 * context.num_parameters)

    @torch.no_grad()
    def points(self, model: nn.Module, context: Context) -> Iterator[tuple[str, Sections]]:
        steps = network_steps(model, self.steps, self.tensors)
        kept = weight_settings.skipped_names(model, self.tensors)
        inputs = None
        if self.calibration != "none":
            inputs = calibration.examples(self.calibration, model, context, self.num_examples)
        wanted, seen = ({}, None) if inputs is None else statistics(model, inputs)
        found = {} if seen is None or not self.propagation else called_once(model, rows(seen, slice(_FEW)))
        layers = {name: prefix for name, prefix in found.items() if name in steps}
        rounded = self._rounded(model, inputs, {name: steps[name] for name in steps if name not in layers})
        for index, step in enumerate(self.steps):
            chosen = {name: (numbers[index], steps[name][index]) for name, numbers in rounded.items()}
            made = with_rounded(model, chosen)
            if seen is not None:
                rounding = self._rounding(made, {name: steps[name][index] for name in layers}, chosen)
                with propagating(model, made, seen, layers, self.propagation, rounding):
                    match(made, wanted, seen)
            for name in set(layers) - set(chosen):  # another way than that of a few examples
                chosen[name] = grid.whole(made.get_parameter(name), steps[name][index]), steps[name][index]
                set_rounded(made.get_parameter(name), chosen[name])
            in_order = {name: chosen[name] for name in steps}
            yield grid.point_id(step), grid.store(context, made.state_dict(), in_order, kept=kept)

    @staticmethod
    def decode(sections: Sections, plain: nn.Module) -> dict[str, Tensor]:
        return backend.dequantise(sections, plain)

    def _rounding(self, made: nn.Module, steps: Mapping[str, Steps], chosen: dict[str, grid.Rounded]) -> Round:
        """What rounds a weight of ``made``, and puts it into ``chosen``."""
        layers = owners(made)

        def rounding(name: str, matrix: Tensor, factor: Tensor) -> None:
            parameter, sizes = made.get_parameter(name), torch.from_numpy(steps[name].sizes)
            bits = partial(layer_bits, layers[name], weight=parameter)
            found = compensated(matrix, factor, sizes, self.rate, bits)[0]
            numbers = _narrow(weight_of(layers[name], found, parameter))
            chosen[name] = numbers, steps[name]
            set_rounded(parameter, chosen[name])

        return rounding

    def _rounded(
        self, model: nn.Module, inputs: Tree | None, steps: Mapping[str, Sequence[Steps]]
    ) -> dict[str, Tensor]:
        """The integers of each weight at all steps, (steps, *shape) in as few bytes as hold them."""
        weights = dict(model.named_parameters())
        rounded: dict[str, Tensor] = {}
        layers = owners(model)
        batches = [] if inputs is None else split(inputs, _BATCH_SIZE)
        for name, moments in second_moments(model, batches, list(steps)):
            sizes = torch.tensor([float(step.sizes[0]) for step in steps[name]], dtype=torch.float64)
            bits = partial(layer_bits, layers[name], weight=weights[name])
            found = compensated(matrix_of(layers[name], weights[name]), inverse_factor(moments), sizes, self.rate, bits)
            rounded[name] = _narrow(weight_of(layers[name], found, weights[name]))
        plain = [name for name in steps if name not in rounded]
        unknown = [name for name in plain if name not in _embeddings(model)]
        if unknown and inputs is not None:
            logging.getLogger(__name__).warning(
                "obs: rounded to the nearest, since the inputs of their layers are not known: %s", ", ".join(unknown)
            )
        for name in plain:
            whole = [grid.whole(weights[name], step) for step in steps[name]]
            rounded[name] = _narrow(torch.stack(whole))
        return {name: rounded[name] for name in steps}


def _embeddings(model: nn.Module) -> set[str]:
    """The names of weights whose rows are read one by one: their second moments, the counts of how often each is, are
    diagonal, so no other weight could make up for an error, and the nearest integers are the best."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {
        names[id(module.weight)] for module in model.modules() if isinstance(module, nn.Embedding | nn.EmbeddingBag)
    }


def _narrow(whole: Tensor) -> Tensor:
    """Whole numbers in the narrowest of the integers that hold them, on the CPU."""
    most = float(whole.abs().max()) if whole.numel() else 0.0
    dtype = torch.int8 if most < 2**7 else torch.int16 if most < 2**15 else torch.int32
    return whole.to(dtype).cpu()
