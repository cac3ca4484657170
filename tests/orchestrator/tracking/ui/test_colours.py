"""The colours of runs in MLflow's charts."""

from __future__ import annotations

import itertools

from analysis.configurations.summary import summarise
from analysis.drawing.style import COLOURS
from analysis.frontier.plot_data import frontier_plot_data
from orchestrator.tracking.ui.colours import colours_of
from tests.orchestrator.tracking.ui.samples import points


def test_the_first_method_has_the_colours_of_our_figures() -> None:
    rows = points()
    figures = frontier_plot_data(summarise(rows), rows).colours
    found = colours_of(rows)
    assert {architecture: found[architecture, "epr"].upper() for architecture in figures} == figures


def test_every_architecture_and_method_has_its_own_colour() -> None:
    found = colours_of(points())
    assert len(found) == 6
    assert len(set(found.values())) == 6
    assert all(_distance(*pair) > 60 for pair in itertools.combinations(found.values(), 2))


def test_methods_of_one_architecture_have_the_palette_to_themselves() -> None:
    found = colours_of(points(architectures=("mlp(hidden=[8])",)))
    assert [found["mlp(hidden=[8])", method] for method in ("epr", "ptq", "uncompressed")] == list(COLOURS[:3])


def _distance(one: str, other: str) -> float:
    """The distance of two colours, from 0 to 441."""
    channels = [[int(colour[start : start + 2], 16) for start in (1, 3, 5)] for colour in (one, other)]
    return float(sum((first - second) ** 2 for first, second in zip(*channels, strict=True)) ** 0.5)
