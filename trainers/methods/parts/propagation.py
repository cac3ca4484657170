"""Layers rounded one after the other, each for the inputs that the rounded layers before it give.

References:
    Arai, Ichikawa 2025, "Quantization Error Propagation: Revisiting Layer-Wise Post-Training Quantization" (QEP),
    arXiv 2504.09629.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from trainers.methods.parts.alongside import Take, alongside
from trainers.methods.parts.compensation import inverse_factor
from trainers.methods.parts.layer_inputs import first_argument, inputs_of, is_plain
from trainers.methods.parts.steps import level, times_power, wide
from trainers.methods.parts.weight_matrices import matrix_of
from trainers.networks.calling import call
from trainers.networks.modes import evaluating
from trainers.trees import Tree, copied

Round = Callable[[str, Tensor, Tensor], None]
"""(name of a weight, its matrix (rows, columns) as it is to be rounded, the ``inverse_factor`` of the second moments)
sets the rounded weight."""


@torch.no_grad()
def called_once(network: nn.Module, inputs: Tree) -> dict[str, str]:
    """The names of the linear and convolutional layers that a pass calls once, by their weights' names.

    Layers with a weight in common are left out.
    """
    calls: Counter[str] = Counter()
    modules = {prefix: module for prefix, module in network.named_modules() if is_plain(module)}
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    owners = Counter(id(parameter) for module in network.modules() for parameter in module._parameters.values())
    handles = [
        module.register_forward_pre_hook(lambda *_, prefix=prefix: calls.update([prefix]))
        for prefix, module in modules.items()
    ]
    try:
        with evaluating(network):
            call(network, copied(inputs))
    finally:
        for handle in handles:
            handle.remove()
    once = [prefix for prefix in modules if calls[prefix] == 1 and owners[id(modules[prefix].weight)] == 1]
    return {names[id(modules[prefix].weight)]: prefix for prefix in once}


@contextlib.contextmanager
def propagating(
    given: nn.Module, rounded: nn.Module, inputs: Tree, layers: Mapping[str, str], share: float, round_: Round
) -> Iterator[None]:
    """Round the weight of each layer of ``rounded`` when it is called, in a pass of ``inputs`` that the caller makes.

    With X the inputs of the given network's layer, X' those of the rounded one's, and H = X' X'^T, what is rounded is
    W + share W (X - X') X'^T H^-1, whose outputs are nearer to W X (QEP), and H are its second moments.

    Args:
        given: the network as it was.
        rounded: a copy, whose layers are changed one after the other.
        inputs: examples.
        layers: from ``called_once``.
        share: between 0 and 1; 1 trusts the examples, less holds on to the given weights.
        round_: rounds a weight.
    """
    if not layers:
        yield
        return
    with alongside(given, inputs, {prefix: given.get_submodule(prefix) for prefix in layers.values()}) as take:
        handles = [
            rounded.get_submodule(prefix).register_forward_pre_hook(
                _rounding(name, prefix, take, share, round_), with_kwargs=True
            )
            for name, prefix in layers.items()
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _rounding(name: str, prefix: str, take: Take, share: float, round_: Round) -> Callable[..., None]:
    def hook(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        weight = matrix_of(layer, cast(Tensor, layer.weight).detach())
        groups = cast(int, getattr(layer, "groups", 1))
        rows = weight.double().reshape(groups, len(weight) // groups, weight.shape[1])
        moments, moved = _moments(layer, rows, take(prefix), first_argument(args, kwargs))
        if not moments.isfinite().all():
            moments, moved = torch.zeros_like(moments), torch.zeros_like(moved)  # nothing to go by: the nearest
        factor = inverse_factor(moments)
        if moved.any() and moved.isfinite().all():
            rows = rows + share * (moved.double() @ factor.transpose(1, 2)) @ factor
        round_(name, rows.reshape(weight.shape), factor)

    return hook


def _moments(layer: nn.Module, rows: Tensor, before: Tensor | None, now: Tensor) -> tuple[Tensor, Tensor]:
    """X' X'^T (groups, columns, columns), and W (X - X') X'^T like ``rows``.

    The latter is zero where the given network has no inputs of the same shape.
    """
    groups, num_rows, columns = rows.shape
    exponent = -level(now)
    moments, moved = (torch.zeros(groups, one, columns, device=now.device) for one in (columns, num_rows))
    weight = rows.float()
    both = (now, before) if before is not None and before.shape == now.shape else (now,)
    for parts in zip(*(inputs_of(layer, one) for one in both), strict=True):
        ours, *given = (times_power(wide(part), exponent).float() for part in parts)
        moments += ours.transpose(1, 2) @ ours
        for theirs in given:
            apart = (theirs - ours).transpose(1, 2)
            # in the order that takes fewer multiplications
            moved += (weight @ apart) @ ours if 2 * num_rows < columns else weight @ (apart @ ours)
    return moments, moved
