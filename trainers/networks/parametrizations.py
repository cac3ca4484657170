"""Takes parametrizations off a network, such as ``weight_norm``: it keeps the weights that they computed."""

from __future__ import annotations

from torch import nn
from torch.nn.utils import parametrize, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm, SpectralNormLoadStateDictPreHook
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
                _stop_loading_as_spectral_norm(module)
    return network


def _stop_loading_as_spectral_norm(module: nn.Module) -> None:
    """Remove what torch forgets: ``load_state_dict`` would go on asking for the tensors of ``spectral_norm``."""
    for key, hook in list(module._load_state_dict_pre_hooks.items()):
        if isinstance(getattr(hook, "hook", hook), SpectralNormLoadStateDictPreHook):
            del module._load_state_dict_pre_hooks[key]
