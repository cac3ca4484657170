"""An aim: the most bytes that a file may have, given in place of a rate knob's value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainers import checks
from trainers.echo import echo
from trainers.path_label import AIMS, is_aim
from trainers.sizes import parse_size

WANTED = "{size: 2kB}"
"""How an aim is written."""


@dataclass(frozen=True, kw_only=True)
class Aim:
    """The most bytes that a file may have, or the most bits for each parameter of its network."""

    size_bytes: int = 0
    bits_per_parameter: float = 0.0

    @staticmethod
    def of(name: str, value: Any) -> Aim | None:
        """The aim of a knob called ``name``: ``{"size": "2kB"}`` or ``{"bits_per_parameter": 0.5}``; else None.

        Raises:
            ValueError: it is meant as one of these, and is none; one line says what is wrong.
        """
        if not is_aim(value):
            if isinstance(value, Mapping) and any(key in AIMS for key in value):
                raise ValueError(f"{name} is {echo(value)}: wanted {WANTED} or {{bits_per_parameter: 0.5}} alone")
            return None
        ((kind, given),) = value.items()
        if kind == "bits_per_parameter":
            checks.number(f"{name}: {kind}", given, low=0, above=True)
            return Aim(bits_per_parameter=float(given))
        if not isinstance(given, str):
            checks.number(f"{name}: {kind}", given, low=1)
            return Aim(size_bytes=int(given))
        try:
            return Aim(size_bytes=parse_size(given))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error

    def max_bytes(self, num_parameters: int) -> int:
        """The most bytes of a file whose network has ``num_parameters``."""
        return self.size_bytes or max(1, int(self.bits_per_parameter * num_parameters / 8))
