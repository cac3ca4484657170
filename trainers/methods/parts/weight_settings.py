"""Settings of single weights by patterns of their names: a step or bits of their own, or none, stored as float16.

    tensors: {"fc.weight": {step: 0.1}, "stem.*": {skip: true}}

Every method that rounds trained weights has them in the field ``tensors``; ``tensor_settings.py`` says which pattern
counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import nn

from trainers import checks
from trainers.methods.base import Context
from trainers.methods.parts import backend, tensor_settings

Tensors = Mapping[str, Mapping[str, Any]]

SKIP = tensor_settings.check_skip
"""The check of ``skip: true``."""
STEP = partial(checks.number, low=0, high=16, above=True)
"""The check of ``step``, in the unit of the method's ``steps``."""


def check_fits(tensors: Tensors, context: Context) -> None:
    """Refuse a pattern that fits no weight of the network, or that never counts.

    Raises:
        ValueError: one line says which.
    """
    names = backend.weight_names(context.plain)
    own = [name for name, _ in context.plain.named_parameters() if name in names]
    tensor_settings.check_counts("tensors", tensors, own)


def rounded_names(model: nn.Module, tensors: Tensors) -> list[str]:
    """The weights that are not skipped, in order."""
    names = backend.weight_names(model)
    parameters = (name for name, _ in model.named_parameters())
    return [name for name in parameters if name in names and not tensor_settings.is_skipped(tensors, name)]


def skipped_names(model: nn.Module, tensors: Tensors) -> set[str]:
    """The weights that are skipped."""
    return {name for name in backend.weight_names(model) if tensor_settings.is_skipped(tensors, name)}


def step_of(tensors: Tensors, name: str, step: float) -> float:
    """The step of a weight, where that of the others is ``step``."""
    return float(tensor_settings.first_fit(tensors, name, {}).get("step", step))
