"""The modifiers that a training configuration can name, whatever its method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainers.lookup import check_complete, find
from trainers.methods import METHODS
from trainers.modifiers.base import AbstractModifier
from trainers.modifiers.disout import Disout
from trainers.modifiers.distillation import Distillation
from trainers.modifiers.unit_sphere import UnitSphere

MODIFIERS: dict[str, type[AbstractModifier]] = {
    "disout": Disout,
    "distillation": Distillation,
    "unit_sphere": UnitSphere,
}


def make_modifiers(given: Mapping[str, Mapping[str, Any]], *, method: str) -> tuple[AbstractModifier, ...]:
    """Make each modifier with its settings, in the order of ``MODIFIERS``, whatever the order in a file.

    Args:
        given: each modifier's settings, keyed by its name, as in ``TrialConfig.modifiers``.
        method: the name of the method that they act with.

    Raises:
        ValueError: a name, a field or a value is wrong, or one does not go with the method; one line says which.
    """
    trains_weights = find("method", method, METHODS).trains_weights
    made: dict[str, AbstractModifier] = {}
    for name, settings in given.items():
        kind = find("modifier", name, MODIFIERS)
        check_complete("modifier", name, kind, settings)
        try:
            made[name] = kind(**settings)
        except ValueError as error:
            raise ValueError(f"modifier {name!r}: {error}") from error
        if kind.needs_weights and not trains_weights:
            raise ValueError(
                f"modifier {name!r} acts on weights, and method {method!r} trains something else in their place: "
                f"wanted {', '.join(other for other, one in METHODS.items() if one.trains_weights)}"
            )
    return tuple(made[name] for name in MODIFIERS if name in made)
