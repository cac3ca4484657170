"""The modes of a network, training or evaluation, changed for a while."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from torch import nn


@contextlib.contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode, and then each of its modules back into its own."""
    with keeping_modes(network):
        network.eval()
        yield


@contextlib.contextmanager
def keeping_modes(network: nn.Module) -> Iterator[None]:
    """Put each module of a network back into its own mode afterwards: a part may be frozen while the rest trains."""
    modes = {module: module.training for module in network.modules()}
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
