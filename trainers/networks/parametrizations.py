"""Takes parametrizations off a network, such as ``weight_norm``, keeping the weights that they computed; and back."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm, SpectralNormLoadStateDictPreHook
from torch.nn.utils.weight_norm import WeightNorm
from torch.utils import _pytree as pytree

_MOST_ITERATIONS = 1000
_REGISTERED = ("_parameters", "_buffers", "_modules")
_CONVERGED = 1e-6
_TOLERANCE = 1e-3


def computed(network: nn.Module) -> nn.Module:
    """The network with each parametrized tensor replaced, in place, by a parameter of the value that it computes.

    Knows ``torch.nn.utils.parametrizations`` and all that ``parametrize`` registers, and the older ``weight_norm`` and
    ``spectral_norm`` of ``torch.nn.utils``.
    """
    for module in list(network.modules()):
        if parametrize.is_parametrized(module):
            was_training = module.training
            module.eval()  # as in evaluation: spectral norms iterate in training
            for name, parametrization in list(module.parametrizations.items()):  # type: ignore[operator, union-attr]
                is_trained = any(parameter.requires_grad for parameter in parametrization.parameters())
                parametrize.remove_parametrizations(module, name, leave_parametrized=True)
                if name in module._parameters:  # the weight of a frozen base that others change, as in LoRA, is trained
                    module._parameters[name].requires_grad_(is_trained)  # type: ignore[union-attr]
            module.train(was_training)
        for hook in list(module._forward_pre_hooks.values()):
            if isinstance(hook, WeightNorm):
                remove_weight_norm(module, hook.name)
            elif isinstance(hook, SpectralNorm):
                remove_spectral_norm(module, hook.name)
                _stop_loading_as_spectral_norm(module)
    return network


def _stop_loading_as_spectral_norm(module: nn.Module) -> None:
    """Remove what torch forgets: ``load_state_dict`` would go on asking for the tensors of ``spectral_norm``."""
    for key, hook in list(module._load_state_dict_pre_hooks.items()):
        if isinstance(getattr(hook, "hook", hook), SpectralNormLoadStateDictPreHook):
            del module._load_state_dict_pre_hooks[key]


def is_parametrized(network: nn.Module) -> bool:
    return any(name for module in network.modules() for name in _parametrized(module))


def without_parametrizations(network: nn.Module) -> nn.Module:
    """A copy of the network, as ``computed`` makes it."""
    return computed(duplicate(network))


def duplicate(network: nn.Module, replaced: Mapping[int, Any] | None = None) -> nn.Module:
    """A copy, also of a network that keeps what it computed from its parameters, as the older ``weight_norm`` does.

    Args:
        network: stays as it is.
        replaced: what the copy has in place of an object, by the object's ``id``.
    """
    kept = {
        id(value): value.detach()
        for module in network.modules()
        for value in pytree.tree_leaves([held for name, held in vars(module).items() if name not in _REGISTERED])
        if isinstance(value, Tensor) and not value.is_leaf
    }
    return copy.deepcopy(network, {**kept, **(replaced or {})})


@torch.no_grad()
def load(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load a ``state_dict``; where it has the weight that a parametrization computes, find what computes it.

    Args:
        network: changed in place.
        state: what it lacks stays as it is.

    Raises:
        ValueError: no values of the parametrization compute such a weight; one line names it.
    """
    network.load_state_dict(state, strict=False)
    for prefix, module in network.named_modules():
        for name in _parametrized(module):
            place = f"{prefix}.{name}" if prefix else name
            if place in state:
                _invert(module, name, state[place].to(getattr(module, name), copy=True), place)


def _parametrized(module: nn.Module) -> Iterator[str]:
    if parametrize.is_parametrized(module):
        yield from module.parametrizations  # type: ignore[misc]
    for hook in _older(module):
        yield hook.name


def _older(module: nn.Module) -> list[WeightNorm | SpectralNorm]:
    return [hook for hook in module._forward_pre_hooks.values() if isinstance(hook, WeightNorm | SpectralNorm)]


def _invert(module: nn.Module, name: str, weight: Tensor, place: str) -> None:
    was_training, scale = module.training, float(weight.norm(torch.inf))
    hooks = [hook for hook in _older(module) if hook.name == name]
    try:
        if not hooks:
            setattr(module, name, weight)  # by the parametrizations' own right_inverse
        elif isinstance(hooks[0], WeightNorm):
            getattr(module, f"{name}_g").copy_(torch.norm_except_dim(weight, 2, hooks[0].dim))
            getattr(module, f"{name}_v").copy_(weight)
        else:
            getattr(module, f"{name}_orig").copy_(weight)
        found = _computed_now(module.train(), name, hooks)
        for _ in range(_MOST_ITERATIONS):  # spectral norms iterate when they compute in training
            before, found = found, _computed_now(module, name, hooks)
            if torch.allclose(found, before, rtol=0, atol=_CONVERGED * scale):
                break
        found = _computed_now(module.eval(), name, hooks)
    except (NotImplementedError, RuntimeError, ValueError) as error:
        raise ValueError(f"{place} cannot be set through its parametrization: {str(error).splitlines()[0]}") from error
    finally:
        module.train(was_training)
    if not torch.allclose(found, weight, rtol=0, atol=_TOLERANCE * scale):
        raise ValueError(
            f"{place} is no weight that its parametrization computes: wanted values of a network with the same "
            "parametrization, or an architecture without it"
        )


def _computed_now(module: nn.Module, name: str, hooks: list[Any]) -> Tensor:
    for hook in hooks:
        hook(module, ())
    return cast(Tensor, getattr(module, name))
