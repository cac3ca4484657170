"""Takes parametrizations off a network, such as ``weight_norm``: it keeps the weights that they computed."""

from __future__ import annotations

from torch import nn
from torch.nn.utils import parametrize, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm


def computed(network: nn.Module) -> nn.Module:
    """The network with each parametrized tensor replaced, in place, by a parameter of the value that it computes.

    Knows ``torch.nn.utils.parametrizations`` and all that ``parametrize`` registers, and the older ``weight_norm`` and
    ``spectral_norm`` of ``torch.nn.utils``.
    """
    for module in list(network.modules()):
        if parametrize.is_parametrized(module):
            for name in list(module.parametrizations):  # type: ignore[union-attr, arg-type]
                parametrize.remove_parametrizations(module, name, leave_parametrized=True)
        for hook in list(module._forward_pre_hooks.values()):
            if isinstance(hook, WeightNorm):
                remove_weight_norm(module, hook.name)
            elif isinstance(hook, SpectralNorm):
                remove_spectral_norm(module, hook.name)
    return network


def is_parametrized(network: nn.Module) -> bool:
    return any(
        parametrize.is_parametrized(module)
        or any(isinstance(hook, WeightNorm | SpectralNorm) for hook in module._forward_pre_hooks.values())
        for module in network.modules()
    )
