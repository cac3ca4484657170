"""What is recommended, and that the test split has no say in it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.configurations.recommended import (
    baseline,
    knee,
    optimism,
    recommended,
    sizes_within,
    to_recommend,
    unbeaten,
)
from analysis.configurations.summary import summarise
from analysis.fronts.pareto import Front
from tests.analysis.fronts.samples import front, fronts, minimised, scaled
from tests.analysis.points.rows import frame, seeds, sweep


def three(**others: object) -> pd.DataFrame:
    """Three compressed networks and the uncompressed one, which is best; as good on test as on validation."""
    points = frame(
        *seeds("tiny", [100, 100], [0.70, 0.70], **others),
        *seeds("bend", [200, 200], [0.94, 0.94], **others),
        *seeds("large", [4000, 4000], [0.95, 0.95], **others),
        *seeds("plain", [20_000, 20_000], [0.96, 0.96], method="uncompressed", **others),
    )
    return points.assign(quality=points["quality_val"])


def hashes(chosen: dict[str, pd.Series]) -> dict[str, str]:
    return {name: row["config_hash"] for name, row in chosen.items()}


def test_the_knee_by_hand() -> None:
    # decades 0, 1, 2 of 2; heights 0, 0.8, 1: the middle is 0.3 above the line
    assert knee(front((10, 0.1), (100, 0.9), (1000, 1.1))) == 1
    assert knee(front((10, 0.1), (20, 0.5), (100, 0.9), (1000, 1.1))) == 2
    assert knee(front((10, 0.1), (20, 0.8), (100, 0.9), (1000, 1.1))) == 1


def test_a_front_that_bends_nowhere_outwards_has_no_knee() -> None:
    assert knee(front((10, 0.1), (100, 0.5), (1000, 0.9))) is None  # a straight line
    assert knee(front((10, 0.1), (100, 0.2), (1000, 0.9))) is None  # inwards
    assert knee(front((10, 0.1), (100, 0.5))) is None
    assert knee(front()) is None


@given(fronts(), st.floats(0.01, 100), st.floats(0.1, 10), st.floats(-5, 5))
def test_units_do_not_move_the_knee(given_front: Front, factor: float, gain: float, offset: float) -> None:
    index = knee(given_front)
    moved = scaled(Front(given_front.size_bytes, gain * given_front.quality + offset, True), factor)
    for other in (moved, minimised(given_front)):
        found = knee(other)
        if found != index:  # two points equally far, or none: rounding decides
            decades, height = np.log10(given_front.size_bytes), given_front.quality
            above = (height - height[0]) / (height[-1] - height[0])
            above -= (decades - decades[0]) / (decades[-1] - decades[0])
            assert above[index or 0] == pytest.approx(above[found or 0], abs=1e-9)


def test_smallest_knee_and_best_are_compressed_networks() -> None:
    assert hashes(recommended(summarise(three()), max_loss=0.02)) == {
        "smallest": "bend",
        "knee": "bend",
        "best": "large",
    }
    assert hashes(recommended(summarise(three()), max_loss=0.3))["smallest"] == "tiny"


def destroyed(**others: object) -> pd.DataFrame:
    """Two files that compute a constant, the larger of them where the frontier bends most, and three that learn."""
    points = frame(
        *seeds("chance", [80, 80], [0.10, 0.10], **others),
        *seeds("constant", [92, 92], [0.17, 0.17], **others),
        *seeds("weak", [4000, 4000], [0.50, 0.50]),
        *seeds("bend", [6000, 6000], [0.85, 0.85]),
        *seeds("large", [10_000, 10_000], [0.90, 0.90]),
    )
    return points.assign(quality=points["quality_val"])


def test_a_file_of_a_network_that_was_destroyed_is_not_recommended() -> None:
    """Its quality is that of a constant, whichever the task: it may not even be the start of the line to the knee."""
    front = summarise(destroyed())
    assert hashes(recommended(front, max_loss=0.8)) == {"smallest": "chance", "knee": "constant", "best": "large"}
    told = summarise(destroyed(is_constant=True))
    assert told["num_constant"].tolist() == [2, 2, 0, 0, 0]
    assert told["on_front"].all(), "it is what was measured, and stays on the frontier"
    assert hashes(recommended(told, max_loss=0.8)) == {"smallest": "weak", "knee": "bend", "best": "large"}
    with pytest.raises(ValueError, match="no measured configuration"):
        recommended(told[:2], max_loss=0.8)


def test_one_destroyed_seed_is_enough_and_a_layer_of_zeros_is_not() -> None:
    points = three(zero_weights="3.weight")
    assert hashes(recommended(summarise(points), max_loss=0.02))["knee"] == "bend"
    points.loc[(points["config_hash"] == "bend") & (points["seed"] == 1), "is_constant"] = True
    assert hashes(recommended(summarise(points), max_loss=0.02)) == {"smallest": "large", "best": "large"}


def test_a_loss_that_nothing_keeps_to_has_no_smallest() -> None:
    assert hashes(recommended(summarise(three()), max_loss=0.001)) == {"knee": "bend", "best": "large"}


def test_without_an_uncompressed_network_losses_are_counted_from_the_best() -> None:
    configurations = summarise(three().query("method != 'uncompressed'"))
    assert baseline(configurations)["config_hash"] == "large"
    assert hashes(recommended(configurations, max_loss=0.001))["smallest"] == "large"
    assert hashes(recommended(configurations, max_loss=0.01))["smallest"] == "bend"


def test_nothing_but_the_uncompressed_network_is_recommended_as_it_is() -> None:
    configurations = summarise(three().query("method == 'uncompressed'"))
    assert hashes(recommended(configurations, max_loss=0.01)) == {"smallest": "plain", "best": "plain"}


def test_a_failed_uncompressed_network_is_no_baseline() -> None:
    points = three()
    points.loc[points["method"] == "uncompressed", "num_failed"] = 1
    assert baseline(summarise(points))["config_hash"] == "large"


def test_errors_to_be_minimised_have_the_same_choices() -> None:
    points = three()
    points = points.assign(
        quality=1 - points["quality"], quality_val=1 - points["quality_val"], maximise=False, quality_name="mse"
    )
    configurations = summarise(points)
    assert hashes(recommended(configurations, max_loss=0.02)) == {"smallest": "bend", "knee": "bend", "best": "large"}
    assert sizes_within(configurations, [0.0, 0.01, 0.02])["config_hash"].tolist() == ["plain", "large", "bend"]


def test_a_loss_is_kept_to_exactly() -> None:
    points = frame(*seeds("a", [100], [0.09]), *seeds("b", [900], [0.1], method="uncompressed"))
    assert 0.1 - 0.01 > 0.09  # rounding alone would refuse it
    assert sizes_within(summarise(points), [0.01])["config_hash"].tolist() == ["a"]
    assert sizes_within(summarise(points), [0.0099])["config_hash"].tolist() == ["b"]


def test_ratios_are_to_the_uncompressed_bytes_of_the_baseline() -> None:
    points = three()
    points["uncompressed_bytes"] = np.where(points["config_hash"] == "plain", 19_240, 555)
    table = sizes_within(summarise(points), [0.5, 0.02, 0.01, 0.0])
    assert table["config_hash"].tolist() == ["tiny", "bend", "large", "plain"]
    assert table["max_loss"].tolist() == [0.5, 0.02, 0.01, 0.0]
    assert table["ratio"].tolist() == pytest.approx([192.4, 96.2, 4.81, 0.962])


def test_losses_that_nothing_keeps_to_have_no_row() -> None:
    points = frame(*seeds("a", [100], [0.9]), *seeds("b", [900, 900], [0.95, 0.93], method="uncompressed"))
    # the worse of two seeds ships: with no loss allowed, it does not reach its own mean
    table = sizes_within(summarise(points), [0.0, 0.01])
    assert table["max_loss"].tolist() == [0.01]
    assert sizes_within(summarise(points), [0.0]).empty


def test_nothing_measured_is_refused() -> None:
    for call in (lambda: recommended(summarise(frame()), max_loss=0.1), lambda: sizes_within(summarise(frame()), [0])):
        with pytest.raises(ValueError, match="no measured configuration to choose from"):
            call()


def test_optimism_is_the_gap_of_the_chosen_and_of_all() -> None:
    points = frame(
        {"config_hash": "front", "size_bytes": 100, "quality_val": 0.95, "quality": 0.90},
        {"config_hash": "dominated", "size_bytes": 200, "quality_val": 0.90, "quality": 0.89},
        {"config_hash": "unmeasured", "size_bytes": 50, "quality_val": 0.20, "quality": float("nan")},
    )
    found = optimism(summarise(points))
    assert found is not None
    assert found.chosen == pytest.approx(0.05)
    assert found.all == pytest.approx(0.03)
    assert found.of_choosing == pytest.approx(0.02)
    errors = points.assign(maximise=False, quality=1 - points["quality"], quality_val=1 - points["quality_val"])
    flipped = optimism(summarise(errors))
    assert flipped is not None
    assert flipped.chosen == pytest.approx(0.05)
    assert optimism(summarise(frame())) is None


def test_the_luckiest_of_many_equals_is_found_to_be_luck() -> None:
    generator = np.random.default_rng(0)
    rows = [
        {"config_hash": f"{index}", "size_bytes": 100, "quality_val": 0.9 + noise, "quality": 0.9}
        for index, noise in enumerate(generator.normal(0, 0.01, 500))
    ]
    found = optimism(summarise(frame(*rows)))
    assert found is not None
    assert found.all == pytest.approx(0, abs=0.002)
    assert found.of_choosing > 0.02  # the best of 500 is three deviations up


def beaten(size: float, quality: float, rows: pd.DataFrame, sign: float) -> bool:
    """Whether a file of ``rows`` is as small and as good on test, and better in one."""
    return any(
        row["file_size_bytes"] <= size
        and sign * row["file_quality"] >= sign * quality
        and (row["file_size_bytes"] < size or row["file_quality"] != quality)
        for row in rows.to_dict("records")
    )


def test_a_file_that_a_smaller_one_beats_on_test_is_not_recommended() -> None:
    """As of the digits sweep: 2,228 B at 95.75 % beside 757 B at 97.00 %."""
    points = frame(
        *seeds("small", [321], [0.960], quality=0.95),
        *seeds("good", [757], [0.966], quality=0.97),
        *seeds("unlucky", [2228], [0.980], quality=0.9575),
    )
    configurations = summarise(points)
    assert configurations["on_front"].all()
    assert hashes(recommended(configurations, max_loss=0.005))["best"] == "good"
    flipped = points.assign(
        quality=1 - points["quality"], quality_val=1 - points["quality_val"], maximise=False, quality_name="error"
    )
    assert hashes(recommended(summarise(flipped), max_loss=0.005))["best"] == "good"


def test_what_is_off_the_frontier_beats_nothing_and_the_uncompressed_network_stays() -> None:
    points = frame(
        *seeds("lucky", [700], [0.90], quality=0.99),
        *seeds("good", [600], [0.96], quality=0.95),
        *seeds("plain", [20_000], [0.97], method="uncompressed", quality=0.94),
    )
    assert unbeaten(summarise(points))["config_hash"].tolist() == ["good", "lucky", "plain"]


@settings(max_examples=10, deadline=None)
@given(st.randoms(use_true_random=False), st.booleans())
def test_the_test_split_never_changes_which_sizes_keep_to_a_loss(random: np.random.Generator, maximise: bool) -> None:
    points = sweep().assign(maximise=maximise)
    shuffled = points["quality"].tolist()
    random.shuffle(shuffled)
    losses = [0.0, 0.01, 0.05]
    before, after = (sizes_within(summarise(rows), losses) for rows in (points, points.assign(quality=shuffled)))
    assert before["config_hash"].tolist() == after["config_hash"].tolist()


@settings(max_examples=10, deadline=None)
@given(st.randoms(use_true_random=False), st.booleans())
def test_the_test_split_only_takes_recommendations_away(random: np.random.Generator, maximise: bool) -> None:
    points = sweep().assign(maximise=maximise)
    shuffled = points["quality"].tolist()
    random.shuffle(shuffled)
    configurations, sign = summarise(points.assign(quality=shuffled)), 1.0 if maximise else -1.0
    candidates = to_recommend(configurations)
    front = candidates[candidates["on_front"]]
    kept = unbeaten(candidates)
    chosen = list(recommended(configurations, max_loss=0.01).values())
    assert chosen
    for row in chosen:
        assert row["config_hash"] in set(kept["config_hash"])
        assert not beaten(row["file_size_bytes"], row["file_quality"], front, sign)
    # among those that are left validation alone chooses
    alike = configurations[~configurations.index.isin(candidates.index.difference(kept.index))]
    without_test = alike.assign(file_quality=float("nan"))
    assert hashes(recommended(without_test, max_loss=0.01)) == hashes(recommended(configurations, max_loss=0.01))
