"""The ink, colours and markers of all figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

INK = "#333333"
GREY = "#666666"


STRIP = "#f1f1f1"
"""The ground of the strip for points beyond an axis, where places mean no quality."""


DOTS = (0, (1, 1.6))
"""How the part of a frontier is drawn that a smaller file beats on test."""


PALE = 0.35
"""The opacity of dominated points."""


PRINTED = "In papers, not measured here"
"""The legend's heading above hollow points."""


# Okabe and Ito, "Color Universal Design", 2008; without black (text) and yellow (too pale on white).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


OTHER_COLOUR = "#777777"


MARKERS = (
    *("circle", "square", "diamond", "triangle-up", "pentagon", "cross", "x", "hexagon"),
    *("triangle-down", "triangle-right", "diamond-tall", "hourglass"),
)


OTHER_MARKER = "triangle-left"


REFERENCE_MARKER = "star"


def architecture_colours(configurations: pd.DataFrame) -> dict[str, str]:
    """A colour for each architecture, the one with the fewest parameters first."""
    architectures = configurations.sort_values(["num_parameters", "architecture"])["architecture"].unique()
    return assign(architectures, COLOURS, OTHER_COLOUR)


def assign(names: Iterable[str], palette: Sequence[str], other: str) -> dict[str, str]:
    """One palette entry for each name. Names beyond the palette's end share ``other``, so that no entry means two."""
    return {name: palette[index] if index < len(palette) else other for index, name in enumerate(names)}
