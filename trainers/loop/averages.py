"""Moving averages of what a phase trains, and of the statistics of norms; they stand for it wherever it is measured."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

_STATISTICS = ("running_mean", "running_var")


class Averages:
    """Exponential moving averages over the steps of one phase (Polyak and Juditsky 1992).

    The decay rises to its value with the first steps, min(decay, (1 + n) / (10 + n)) after n of them, or else short
    phases would end near where they began. A value that is exactly zero, such as that of a pruned weight, has an
    average of zero.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        """They begin at the values that ``model`` has now."""
        self._decay = decay
        self._tensors = _averaged(model)
        self._averages = {name: _wide(tensor).clone() for name, tensor in self._tensors.items()}

    @torch.no_grad()
    def update(self, num_before: int) -> None:
        """Take the present values in, after ``num_before`` updates."""
        weight = 1 - min(self._decay, (1 + num_before) / (10 + num_before))
        for name, tensor in self._tensors.items():
            self._averages[name].lerp_(_wide(tensor), weight).mul_(tensor != 0)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the network have the averages meanwhile."""
        trained = {name: tensor.detach().clone() for name, tensor in self._tensors.items()}
        self.give()
        try:
            yield
        finally:
            self._write(trained)

    def give(self) -> None:
        """Let the network have the averages from now on."""
        self._write(self._averages)

    def state_dict(self) -> dict[str, Tensor]:
        return dict(self._averages)

    @torch.no_grad()
    def load_state_dict(self, saved: dict[str, Tensor]) -> None:
        for name, average in self._averages.items():
            average.copy_(saved[name])

    @torch.no_grad()
    def _write(self, values: dict[str, Tensor]) -> None:
        for name, tensor in self._tensors.items():
            tensor.copy_(values[name])


def _averaged(model: nn.Module) -> dict[str, Tensor]:
    """Parameters that are trained, and running statistics, by name."""
    found: dict[str, Tensor] = {name: one for name, one in model.named_parameters() if one.requires_grad}
    for prefix, module in model.named_modules():
        if isinstance(module, nn.modules.batchnorm._NormBase):
            own = {name: getattr(module, name) for name in _STATISTICS}
            found |= {f"{prefix}.{name}": tensor for name, tensor in own.items() if tensor is not None}
    return found


def _wide(tensor: Tensor) -> Tensor:
    """The values in float32 at least."""
    return tensor.detach().to(torch.promote_types(tensor.dtype, torch.float32))
