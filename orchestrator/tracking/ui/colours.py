"""Chooses a colour for each architecture and method: MLflow's charts have no markers to tell them apart by.

Architectures have the colours of our own figures; methods are shades of them. Where there is one architecture, methods
have colours of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.drawing.style import COLOURS, OTHER_COLOUR, architecture_colours
from analysis.keys import REFERENCE_METHOD

if TYPE_CHECKING:
    import pandas as pd

_SHADES = ((0, 0.0), (0, 0.45), (255, 0.5))
"""For the first, second and third method: the grey level towards which its colour is shaded, and how far."""


def colours_of(points: pd.DataFrame) -> dict[tuple[str, str], str]:
    """The colour of each (architecture, method), as ``#rrggbb``; where colours run out, several share a grey.

    Args:
        points: points of one sweep, as ``analysis.points.mlflow.load_points`` gives them.
    """
    by_architecture = architecture_colours(points)
    methods = sorted(set(points["method"]), key=lambda name: (name == REFERENCE_METHOD, name))
    if len(by_architecture) == 1:
        (architecture,) = by_architecture
        return {
            (architecture, method): COLOURS[index] if index < len(COLOURS) else OTHER_COLOUR
            for index, method in enumerate(methods)
        }
    return {
        (architecture, method): _shade(colour, *_SHADES[min(index, len(_SHADES) - 1)])
        for architecture, colour in by_architecture.items()
        for index, method in enumerate(methods)
    }


def _shade(colour: str, level: int, share: float) -> str:
    channels = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return "#" + "".join(f"{round((1 - share) * channel + share * level):02x}" for channel in channels)
