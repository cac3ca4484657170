"""The figure of who attains more often, against the rectangles that it draws."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.comparison.compare import Comparison, compare
from analysis.comparison.difference_figure import compared_with_seeds, difference_figure
from analysis.fronts.attainment import difference
from tests.analysis.comparison.samples import side


def noisy(factor: float = 1.0) -> Comparison:
    sides = {
        "a": side("a", spread=(0.9, 1.0, 1.2)),
        "b": side("b", spread=(0.8, 1.0, 1.3), factor=factor),
        "one seed": side("c", spread=(1.0,)),
        "d": side("d", spread=(1.0, 1.1), factor=3),
    }
    return compare(sides, num_resamples=2)


def test_a_panel_for_each_side_with_seeds_shows_every_rectangle() -> None:
    found = noisy()
    sides = compared_with_seeds(found)
    assert [one.name for one in sides] == ["b", "d"]
    *panels, bar = difference_figure(found).axes
    assert [axes.get_title(loc="left") for axes in panels] == ["b against a", "d against a"]
    assert bar.get_xlabel() == "share of seeds that attain this, less a's"
    for axes, one in zip(panels, sides, strict=True):
        (drawn,) = (part for part in axes.collections if part.get_gid() == "shares")
        expected = difference(found.anchor.seeds, one.seeds, found.scale.reference)
        np.testing.assert_array_equal(drawn.get_array(), expected.share)
        corners = np.array([path.vertices for path in drawn.get_paths()])
        inside = expected.size_bytes[:, 1] < axes.get_xlim()[1]
        assert inside.any()
        np.testing.assert_allclose(corners[inside, 1, 0], expected.size_bytes[inside, 1])


def test_what_is_smaller_is_attained_more_often_and_what_is_larger_less() -> None:
    for factor, sign in ((0.1, 1), (10, -1)):
        (drawn,) = (part for part in difference_figure(noisy(factor)).axes[0].collections if part.get_gid() == "shares")
        assert (sign * np.asarray(drawn.get_array()) > 0).all()


def test_without_seeds_there_is_no_difference_to_draw() -> None:
    alone = compare({"a": side("a", spread=(1.0,)), "b": side("b")}, num_resamples=2)
    assert compared_with_seeds(alone) == []


@pytest.mark.parametrize("width_in", [3.5, 7.0])
def test_equal_sides_are_an_empty_panel(width_in: float) -> None:
    found = compare({"a": side("a"), "b": side("b")}, num_resamples=2)
    figure = difference_figure(found, width_in=width_in)
    figure.canvas.draw()
    assert figure.get_figwidth() == width_in


@pytest.mark.parametrize(("width_in", "num_columns"), [(3.5, 2), (5.5, 3)])
def test_many_sides_stand_in_a_grid_whose_lowest_panels_have_the_size_axis(width_in: float, num_columns: int) -> None:
    names = ["anchor", *"bcdefgh"]
    figure = difference_figure(compare({name: side(name) for name in names}, num_resamples=2), width_in=width_in)
    figure.canvas.draw()
    *panels, _ = (axes for axes in figure.axes if axes.axison)
    assert [axes.get_title(loc="left") for axes in panels] == names[1:]
    assert len({round(axes.get_position().x0, 3) for axes in panels}) == num_columns
    labelled = [axes.get_title(loc="left") for axes in panels if axes.get_xlabel()]
    assert labelled == names[1:][-num_columns:]
