"""One scale for all that is compared."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.fronts.pareto import Front
from analysis.fronts.scale import Scale, scale_for
from tests.analysis.fronts.samples import front, fronts, minimised, scaled

ACCURACY = scale_for("accuracy", [])


def test_accuracies_have_a_scale_whatever_was_measured() -> None:
    few, many = front((1000, 0.5)), front((10, 0.1), (1e6, 0.99))
    assert scale_for("accuracy", [few]) == scale_for("accuracy", [many]) == ACCURACY
    assert ACCURACY.describe("accuracy") == "1 B to 1 GB, accuracy 0.00 to 100.00 %"


def test_the_share_of_the_box_by_hand() -> None:
    assert ACCURACY.hypervolume(front((1000, 0.9))) == pytest.approx(6 / 9 * 0.9)
    assert ACCURACY.hypervolume(front((1, 1.0))) == pytest.approx(1)
    assert ACCURACY.hypervolume(front()) == 0


def test_costs_are_0_at_the_best_corner_and_1_at_the_worst() -> None:
    assert ACCURACY.costs(front((1, 1.0))).tolist() == [[0, 0]]
    np.testing.assert_allclose(ACCURACY.costs(front((1e9, 0.0))), [[1, 1]])
    losses = Scale(smallest_bytes=10, largest_bytes=1000, worst_quality=5.0, best_quality=1.0)
    np.testing.assert_allclose(losses.costs(front((100, 2.0), maximise=False)), [[0.5, 0.25]])


@given(st.lists(fronts(), min_size=1, max_size=4), st.booleans())
def test_other_qualities_have_the_range_of_all_that_is_compared(some: list[Front], maximise: bool) -> None:
    some = some if maximise else [minimised(one) for one in some]
    scale = scale_for("psnr_db", some)
    assert scale.reference.maximise == maximise
    costs = np.concatenate([scale.costs(one) for one in some])
    assert costs.min() >= 0
    assert costs.min(axis=0) == pytest.approx([0, 0], abs=1e-9)
    assert (costs < 1).all()  # so that every point adds to the hypervolume
    assert all(0 < scale.hypervolume(one) <= 1 + 1e-12 for one in some)
    assert scale_for("psnr_db", some[::-1]) == scale


@given(fronts(), st.floats(1.01, 100))
def test_smaller_files_cover_more(given_front: Front, factor: float) -> None:
    larger = scaled(given_front, factor)
    gap = ACCURACY.hypervolume(given_front) - ACCURACY.hypervolume(larger)
    assert gap == pytest.approx(np.log10(factor) / 9 * given_front.quality[-1])


def test_one_point_has_a_scale_too() -> None:
    for quality in (3.0, 0.0, -2.0):
        for maximise in (True, False):
            assert scale_for("psnr_db", [front((100, quality), maximise=maximise)]).area > 0


@pytest.mark.parametrize(
    "box", [(0.0, 10.0, 0.0, 1.0), (10.0, 10.0, 0.0, 1.0), (1.0, 10.0, 0.5, 0.5), (1.0, float("inf"), 0.0, 1.0)]
)
def test_a_box_without_area_is_refused(box: tuple[float, ...]) -> None:
    names = ("smallest_bytes", "largest_bytes", "worst_quality", "best_quality")
    with pytest.raises(ValueError, match="wanted finite positive sizes") as error:
        Scale(**dict(zip(names, box, strict=True)))
    assert "\n" not in str(error.value)


def test_no_point_has_no_range() -> None:
    with pytest.raises(ValueError, match="no measured point: wanted at least one to find the range of psnr_db"):
        scale_for("psnr_db", [front()])
