"""The setting of each method that trades bytes for fidelity: several values in one method, or one in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trainers.config import Spec
from trainers.instantiate import make_method
from trainers.lookup import find
from trainers.methods import METHODS


@dataclass(frozen=True, kw_only=True)
class Knob:
    """How a method is told the values at which it is to store the network."""

    field: str
    label: str
    """What tables call a value."""
    is_list: bool
    """Whether the field lists values, with an operating point for each; else it is one whole number."""
    values: tuple[int, ...] = ()
    """The values that are tried, where the field's default says none."""

    def default(self, method: Spec) -> list[float]:
        """The values that are tried where nobody says which; the method's own settings count."""
        own = method.arguments.get(self.field)
        if own is not None:
            return list(own) if self.is_list and isinstance(own, Sequence) and not isinstance(own, str) else [own]
        field: Any = METHODS[method.name].__dataclass_fields__[self.field]
        return list(self.values or field.default)

    def settings(self, method: Spec, values: Sequence[float]) -> list[Spec]:
        """The methods that store the network at ``values``, in their order."""
        each: list[Any] = [list(values)] if self.is_list else list(values)
        return [Spec(name=method.name, arguments={**method.arguments, self.field: value}) for value in each]


_STEPS = Knob(field="steps", label="step", is_list=True)
KNOBS: dict[str, Knob] = {
    "obs": _STEPS,
    "ecq": _STEPS,
    "ptq": Knob(field="bits", label="bits", is_list=False, values=(8, 7, 6, 5, 4, 3, 2)),
}
"""The methods that compress a network as it is."""


def check_method(method: Spec) -> None:
    """Refuse a method that cannot compress a network as it is, or settings that it does not have.

    Raises:
        ValueError: one line says which.
    """
    find("method", method.name, METHODS)
    if method.name not in KNOBS:
        raise ValueError(f"method {method.name!r} is for trainings: wanted one of {', '.join(KNOBS)}")
    knob = KNOBS[method.name]
    make_method(knob.settings(method, knob.default(method))[0])
