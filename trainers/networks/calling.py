"""How a network is called where nothing but its outputs is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from trainers.trees import Tree

Network = Callable[..., Any]
"""A network, or what a method makes of one."""


def call(network: Network, inputs: Tree) -> Any:
    """The outputs for ``inputs``: a tuple is spread to positional arguments, a dict to arguments by name."""
    if isinstance(inputs, Mapping):
        return network(**inputs)
    return network(*inputs) if isinstance(inputs, tuple | list) else network(inputs)
