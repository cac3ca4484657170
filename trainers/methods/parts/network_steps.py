"""One step for all weights of a network, and a copy of it that computes with rounded weights."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor, nn

from trainers.coding.sections import Sections
from trainers.methods.base import Context
from trainers.methods.parts import calibration, grid
from trainers.methods.parts.magnitudes import root_mean_square, together
from trainers.methods.parts.matching import match, statistics
from trainers.methods.parts.steps import Steps
from trainers.methods.parts.weight_settings import Tensors, rounded_names, step_of
from trainers.networks.parametrizations import duplicate

UNITS = ("tensor", "network")
"""What steps are measured in: the deviation of each tensor, or the root mean square of all weights together."""
_MOST_SPREAD = 4.0
"""A tensor whose root mean square is less than that of all weights by more than this factor has a finer step."""
_NUM_EXAMPLES = 256


def network_steps(model: nn.Module, grid_steps: Sequence[float], tensors: Tensors) -> dict[str, list[Steps]]:
    """The steps of each weight: the same for all, but finer for a tensor of which they would leave nothing.

    Args:
        model: the network.
        grid_steps: in units of the root mean square of all weights.
        tensors: ``step`` stands for all of ``grid_steps``; what has ``skip`` is left out.

    Raises:
        DivergedError: a weight is not finite.
    """
    names = rounded_names(model, tensors)
    weights = {name: parameter.detach() for name, parameter in model.named_parameters() if name in names}
    sizes = {name: root_mean_square(weight) if weight.numel() else 0.0 for name, weight in weights.items()}
    unit = together(sizes.values(), [weight.numel() for weight in weights.values()])
    units = {name: min(unit, _MOST_SPREAD * size) or 1.0 for name, size in sizes.items()}
    return {
        name: [grid.step_at(name, weight, step_of(tensors, name, step) * units[name]) for step in grid_steps]
        for name, weight in weights.items()
    }


def with_rounded(model: nn.Module, rounded: Mapping[str, grid.Rounded]) -> nn.Module:
    """A copy of the network with rounded weights."""
    made = duplicate(model)
    parameters = dict(made.named_parameters())  # get_parameter does not find those of scripted modules
    for name, numbers in rounded.items():
        set_rounded(parameters[name], numbers)
    return made


@torch.no_grad()
def set_rounded(weight: Tensor, rounded: grid.Rounded) -> None:
    numbers, steps = rounded
    weight.copy_((numbers.double() * float(steps.sizes[0])).to(weight))


class Measured:
    """Stores rounded networks with their norms and biases measured anew, on training examples (``matching.py``)."""

    def __init__(self, model: nn.Module, context: Context) -> None:
        """``model``: the network before it is rounded."""
        self._model, self._context = model, context
        examples = calibration.examples("real", model, context, _NUM_EXAMPLES)
        self._wanted, self._examples = statistics(model, examples)

    def store(self, rounded: Mapping[str, grid.Rounded], kept: Collection[str]) -> Sections:
        """The sections of the network with these weights, and with those of ``kept`` as float16."""
        made = with_rounded(self._model, rounded)
        match(made, self._wanted, self._examples)
        return grid.store(self._context, made.state_dict(), rounded, kept=kept)
