"""The axis of quality: what is on it, how it is stretched, where its ticks are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from analysis.drawing.quality_axis import draw_quality_axis, even_ticks, quality_axis, roundest

POINTS = st.lists(st.tuples(st.floats(0, 100), st.booleans()), min_size=1, max_size=30)


@given(POINTS)
def test_the_whole_front_the_best_and_half_of_all_points_are_in_place(points: list[tuple[float, bool]]) -> None:
    quality, on_front = np.array([point[0] for point in points]), np.array([point[1] for point in points])
    axis = quality_axis(quality, on_front, maximise=True)
    inside = axis.inside(quality)
    assert inside[on_front].all()
    assert inside[quality == quality.max()].all()
    assert inside.mean() >= 0.5
    flipped = quality_axis(-quality, on_front, maximise=False)
    assert flipped.limits == pytest.approx((-axis.limits[1], -axis.limits[0]))
    np.testing.assert_array_equal(flipped.inside(-quality), inside)


def test_a_collapse_off_the_front_leaves_the_axis_and_one_on_it_stretches_the_axis() -> None:
    quality = [98.0, 97.5, 97.0, 96.0, 95.0, 12.0]
    off = quality_axis(quality, [True, True, True, True, True, False], maximise=True)
    assert off.inside(quality).tolist() == [True, True, True, True, True, False]
    assert not off.is_stretched
    on = quality_axis(quality, [True] * 6, maximise=True)
    assert on.inside(quality).all()
    assert on.is_stretched
    low, high = on.place(on.limits)
    assert (on.place(98.0) - on.place(95.0)) / (high - low) > 0.3, "on a linear axis this is 3 % of the height"


def test_a_front_that_no_linear_axis_crowds_is_not_stretched() -> None:
    assert not quality_axis([98.0, 90.0, 75.0, 30.0], [True] * 4, maximise=True).is_stretched
    assert not quality_axis([98.0], [True], maximise=True).is_stretched


@pytest.mark.parametrize("maximise", [True, False])
def test_places_grow_with_quality_and_lead_back_to_it(maximise: bool) -> None:
    sign = 1 if maximise else -1
    axis = quality_axis(sign * np.array([98.0, 97.5, 97.0, 96.0, 12.0]), [True] * 5, maximise=maximise)
    assert axis.is_stretched
    quality = np.linspace(*axis.limits, 50)
    places = axis.place(quality)
    assert (np.diff(places) > 0).all()
    np.testing.assert_allclose(axis.quality(places), quality)


@pytest.mark.parametrize("maximise", [True, False])
def test_the_strip_lies_beyond_the_bad_end_and_has_no_tick(maximise: bool) -> None:
    sign = 1 if maximise else -1
    bare = quality_axis(sign * np.array([98.0, 97.5, 96.0]), [True] * 3, maximise=maximise)
    assert bare.drawn == pytest.approx(bare.limits)
    axis = replace(bare, has_strip=True)
    bad = 0 if maximise else 1
    assert axis.in_strip(0) == pytest.approx(axis.limits[bad])
    assert sign * axis.drawn[bad] < sign * axis.limits[bad]
    assert axis.drawn[1 - bad] == axis.limits[1 - bad]
    assert not axis.inside([axis.in_strip(0.5)]).any()
    assert all(axis.inside(list(axis.ticks)))
    axes = Figure().add_subplot()
    draw_quality_axis(axes, axis)
    assert axes.get_ylim() == pytest.approx(axis.drawn)
    assert [patch.get_gid() for patch in axes.patches] == ["strip"]


def test_ticks_are_round_few_and_no_percentage_beyond_a_hundred() -> None:
    wide = quality_axis([99.9, 99.5, 99.4, 99.0, 12.0], [True] * 5, maximise=True, bounds=(0.0, 100.0))
    assert wide.is_stretched
    assert 3 <= len(wide.ticks) <= 7
    assert max(wide.ticks) <= 100
    assert even_ticks(95.47, 97.28) == {95.5: "95.5", 96.0: "96.0", 96.5: "96.5", 97.0: "97.0"}
    assert list(even_ticks(-0.31, 0.12)) == [-0.3, -0.2, -0.1, 0.0, 0.1]


@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e4))
def test_the_roundest_number_lies_in_its_window(low: float, span: float) -> None:
    high = low + span
    assert low - 1e-9 <= roundest(low, high) <= high + 1e-9


def test_the_roundest_number_has_the_fewest_digits() -> None:
    windows = ((88.2, 93.1), (96.1, 97.3), (1.73, 2.2), (-3.4, 2.0), (44.0, 61.0))
    assert [roundest(*window) for window in windows] == [90.0, 97.0, 2.0, 0.0, 50.0]
