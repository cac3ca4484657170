"""Whether two networks compute alike, and the first module in which they do not."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trainers.networks.calling import call
from trainers.networks.modes import evaluating
from trainers.networks.parametrizations import duplicate
from trainers.trees import Tree, copied, mapped

TOLERANCE = 1e-4
"""How far two outputs may be apart, in units of the largest magnitude among those that differ."""
TOLERANCES = {torch.float16: 1e-2, torch.bfloat16: 5e-2}
"""The same for networks with a parameter of less precision: some units in its last place."""

_AGREE = 1e-6
"""Values that differ by no more than this share of themselves agree: float32 tells no more."""

Outputs = list[Tensor]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How the outputs of two networks differ."""

    largest: float
    """The largest difference in the tensor that differs most; infinite where one is no number or is missing."""
    scale: float
    """The largest magnitude, in the first network's tensor, of a value that differs."""
    module: str = ""
    """The first module whose outputs differ, and its type; empty if no module's do."""

    def share(self) -> float:
        """``largest`` in units of ``scale``."""
        return self.largest / self.scale if self.scale else math.inf if self.largest else 0.0

    def __str__(self) -> str:
        where = f", first in {self.module}" if self.module else ""
        return f"outputs differ by {self.largest:.2g}, where the largest is {self.scale:.2g}{where}"


def difference(
    first: nn.Module,
    second: nn.Module,
    inputs: Tree,
    *,
    seed: Callable[[], None],
    located: Callable[[], nn.Module] | None = None,
) -> Difference | None:
    """Compare two networks of one architecture, in evaluation mode; None if they compute alike.

    Where outputs differ, both networks are tried in float64: there, sums in another order are no difference.

    Args:
        first: a network; it stays as it is, like the others.
        second: a network.
        inputs: a small batch.
        seed: called before each pass, so that what a network draws is drawn alike.
        located: returns the network whose modules are compared with those of ``first`` to name one; without it, that is
            ``second``.
    """
    tolerance = max([TOLERANCE, *(TOLERANCES.get(parameter.dtype, 0) for parameter in first.parameters())])
    found = _apart(*(_outputs(network, inputs, seed) for network in (first, second)))
    if found.share() <= tolerance:
        return None
    try:
        doubled = mapped(lambda one: one.double() if one.is_floating_point() else one, inputs)
        exact = _apart(*(_outputs(duplicate(network).double(), doubled, seed) for network in (first, second)))
    except Exception:  # a network may insist on its own dtype; then the first verdict stands
        exact = found
    if exact.share() <= tolerance:
        return None
    module = _first_module(first, located() if located else second, inputs, seed, tolerance)
    return Difference(largest=found.largest, scale=found.scale, module=module)


@torch.no_grad()
def _outputs(network: nn.Module, inputs: Tree, seed: Callable[[], None]) -> Outputs:
    with evaluating(network):
        seed()
        return _tensors(call(network, copied(inputs)))  # it may write to its inputs


def tensors_in(outputs: Any) -> Outputs:
    """All tensors of what a network returns: in containers, and in the attributes of objects such as dataclasses."""
    found: Outputs = []
    seen: set[int] = set()

    def walk(part: Any) -> None:
        if isinstance(part, Tensor):
            found.append(part)
        elif isinstance(part, Mapping):
            for value in part.values():
                walk(value)
        elif isinstance(part, list | tuple | set):
            for value in part:
                walk(value)
        elif hasattr(part, "__dict__") and not isinstance(part, type | nn.Module) and id(part) not in seen:
            seen.add(id(part))
            walk(vars(part))

    walk(outputs)
    return found


def _tensors(outputs: Any) -> Outputs:
    return [tensor.detach().clone() for tensor in tensors_in(outputs)]


def _apart(first: Outputs, second: Outputs) -> Difference:
    if [one.shape for one in first] != [other.shape for other in second]:
        return Difference(largest=math.inf, scale=0.0)
    return max(map(_tensors_apart, first, second), key=Difference.share, default=Difference(largest=0.0, scale=0.0))


def _tensors_apart(first: Tensor, second: Tensor) -> Difference:
    """How far two tensors are apart.

    The scale is the largest magnitude among values that differ. Those that agree, a constant of -1e9 for what is
    masked, say, tell nothing of the size of the others.
    """
    one, other = first.double(), second.double().to(first.device)
    apart = torch.where(one == other, 0.0, (one - other).abs()).nan_to_num(nan=math.inf, posinf=math.inf)
    apart = apart.where(~(one.isnan() & other.isnan()), 0.0)
    magnitude = one.nan_to_num(0.0, 0.0, 0.0).abs()
    differ = apart > _AGREE * magnitude
    if not differ.any():
        return Difference(largest=0.0, scale=0.0)
    return Difference(largest=float(apart[differ].max()), scale=float(magnitude[differ].max()))


def _first_module(first: nn.Module, second: nn.Module, inputs: Tree, seed: Callable[[], None], tolerance: float) -> str:
    """The name and type of the first call of a module with other outputs; the innermost one."""
    calls = [_calls(network, inputs, seed) for network in (first, second)]
    for (name, one), (_, other) in zip(*calls, strict=False):
        found = _apart(one, other)
        if name and found.share() > tolerance:
            return f"module {name!r} ({type(first.get_submodule(name)).__name__})"
    return ""


def _calls(network: nn.Module, inputs: Tree, seed: Callable[[], None]) -> list[tuple[str, Outputs]]:
    """The outputs of each call of a module, in the order in which calls end."""
    calls: list[tuple[str, Outputs]] = []

    def noting(name: str) -> Callable[..., None]:
        return lambda module, args, outputs: calls.append((name, _tensors(outputs)))

    handles = [module.register_forward_hook(noting(name)) for name, module in network.named_modules()]
    try:
        _outputs(network, inputs, seed)
    finally:
        for handle in handles:
            handle.remove()
    return calls
