"""Odd networks, as people have them: each is trained, stored and decoded by every method.

A function here is an architecture as a user would write it, ``name(*, input_shape, num_outputs)``, for the task
``clusters`` of ``tests/trainers/networks.py``.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil

_FUNCTIONS = [
    (name, f"{module.__name__}:{name}")
    for found in sorted(pkgutil.iter_modules(__path__), key=lambda one: one.name)
    for module in [importlib.import_module(f"{__name__}.{found.name}")]
    for name, function in inspect.getmembers(module, inspect.isfunction)
    if function.__module__ == module.__name__ and not name.startswith("_")
]
NETWORKS: dict[str, str] = dict(_FUNCTIONS)
"""The import path of every network, by its name."""
assert len(NETWORKS) == len(_FUNCTIONS), "two networks have one name"
