"""Distances from a given network in place of the quality: they choose, are drawn, and compare, by one mechanism."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from analysis.comparison.compare import compare
from analysis.comparison.plot_data import comparison_plot_data
from analysis.comparison.tables import comparison_dict
from analysis.configurations.best import best
from analysis.configurations.summary import summarise
from analysis.fidelity import BY_QUALITY_NAME, COLUMNS, DISTANCES, judged_by
from analysis.frontier.figure import frontier_figure
from analysis.frontier.page import frontier_html
from analysis.frontier.plot_data import frontier_plot_data
from analysis.units import format_quality, quality_bounds, quality_label
from tests.analysis.points.rows import frame, seeds


def near(*distances: float, method: str = "ecq", factor: float = 1.0, num_seeds: int = 1) -> pd.DataFrame:
    """Files of growing size; accuracy would choose the smallest alone, as on data that a network was trained on."""
    return frame(
        *(
            row
            for index, kl in enumerate(distances)
            for row in seeds(
                f"{method}{index}",
                [int(factor * 1000 * (index + 1))] * num_seeds,
                [1.0] * num_seeds,
                method=method,
                kl=kl,
                agreement=1 - kl / 10,
            )
        )
    )


def test_every_distance_has_a_column_an_option_and_no_task_quality_name() -> None:
    assert {one.column for one in DISTANCES.values()} == set(COLUMNS)
    assert len(BY_QUALITY_NAME) == len(DISTANCES)
    assert not set(BY_QUALITY_NAME) & set(DISTANCES), "a task's own quality may be called kl"


def test_the_nearest_is_chosen_where_accuracy_tells_nothing() -> None:
    points = near(0.5, 0.1, 0.2, 0.01)
    assert best(summarise(points), max_size_bytes=5000)["config_hash"] == "ecq0"
    judged, said = judged_by(points, "kl")
    assert said == ""
    configurations = summarise(judged)
    assert configurations["on_front"].tolist() == [True, True, False, True]
    assert best(configurations, max_size_bytes=3000)["config_hash"] == "ecq1"
    assert best(configurations, min_quality=0.1)["config_hash"] == "ecq1"
    with pytest.raises(
        ValueError, match=r"KL from the given network 0\.00100 nats or less on validation: the best has"
    ):
        best(configurations, min_quality=0.001)
    disagreeing, _ = judged_by(points, "disagreement")
    assert disagreeing["quality_val"].tolist() == pytest.approx([0.05, 0.01, 0.02, 0.001])
    assert best(summarise(disagreeing), min_quality=0.02)["config_hash"] == "ecq1"


def test_points_that_lack_a_distance_are_counted_or_refused_with_the_reason() -> None:
    points = near(0.5, math.nan, math.nan)
    judged, said = judged_by(points, "kl")
    assert judged["config_hash"].tolist() == ["ecq0"]
    assert said.startswith("2 of 3 points have no kl and are left out: only trials that start from one whole network")
    with pytest.raises(
        ValueError, match=r"^no point has kl: only trials that start from one whole network \(init_from"
    ):
        judged_by(near(math.nan), "kl")
    with pytest.raises(ValueError, match=r"^no point has output_error: the networks' outputs are classes, so there is"):
        judged_by(points, "output_error")
    assert judged_by(points[:0], "kl")[0].empty


def test_means_and_the_file_of_a_configuration_have_their_distances() -> None:
    rows = seeds("a", [100, 110, 120], [0.9, 0.8, 0.7])
    points = frame(*({**row, "kl": kl} for row, kl in zip(rows, (0.1, 0.3, 0.2), strict=True)), {"config_hash": "b"})
    found = summarise(points).set_index("config_hash")
    assert found.loc["a", "kl_mean"] == pytest.approx(0.2)
    assert found.loc["a", "kl_std"] == pytest.approx(0.1)
    assert found.loc["a", "file_kl"] == 0.3, "the file of the lower-median accuracy"
    assert found.loc["b", ["kl_mean", "kl_std", "file_kl", "agreement_mean"]].isna().all()
    assert summarise(judged_by(points, "kl")[0]).loc[0, "file_kl"] == 0.2, "that of the median distance"


def test_a_front_of_positive_distances_has_a_logarithmic_axis_without_copies_of_the_given_network() -> None:
    points, _ = judged_by(pd.concat([near(2.0, 0.3, 0.05, 0.004), near(0.0, method="uncompressed", factor=9.0)]), "kl")
    plot = frontier_plot_data(summarise(points), points)
    assert plot.axis.is_log
    assert plot.rows["method"].tolist() == ["ecq"] * 4
    assert plot.note == "1 uncompressed, the given network itself, at 0"
    assert plot.quality_label == "Validation KL from the given network (nats), lower is better"
    assert list(plot.axis.ticks.values()) == ["0.003", "0.01", "0.03", "0.1", "0.3", "1", "3"]
    assert plot.axis.inside(plot.rows["y"]).all()
    np.testing.assert_allclose(plot.axis.quality(plot.axis.place([0.004, 2.0])), [0.004, 2.0])
    axes = frontier_figure(summarise(points), points, title="near").axes[0]
    assert axes.get_yscale() == "log"
    assert "validation 0.00400 nats" in frontier_html(summarise(points), points, title="near")


def test_a_file_at_no_distance_is_drawn_on_an_axis_that_has_a_zero() -> None:
    points, _ = judged_by(near(0.3, 0.05, 0.0), "disagreement")
    plot = frontier_plot_data(summarise(points), points)
    assert not plot.axis.is_log
    assert plot.rows["y"].tolist() == pytest.approx([3.0, 0.5, 0.0])
    assert all(tick >= 0 for tick in plot.axis.ticks)
    only_copies, _ = judged_by(near(0.0, method="uncompressed"), "kl")
    assert len(frontier_plot_data(summarise(only_copies), only_copies).rows) == 1


def test_a_destroyed_file_off_the_front_stands_in_the_strip_of_a_logarithmic_axis() -> None:
    rows = near(0.3, 0.05, 0.01, num_seeds=3)
    rows.loc[1, "kl"] = 0.2
    points, _ = judged_by(pd.concat([rows, near(900.0, method="ptq", factor=4.0)]), "kl")
    plot = frontier_plot_data(summarise(points), points)
    assert plot.rows.set_index("method").loc["ptq", "outside"]
    assert plot.axis.in_strip(1.0) > plot.axis.limits[1]
    assert (plot.rows["y_low"] > 0).all()
    frontier_figure(summarise(points), points, title="near")


def test_bytes_at_equal_distance_are_compared_over_its_logarithm() -> None:
    """Over the logarithm these are two straight lines, the second of 20 % fewer bytes throughout."""
    distances = [10.0**-exponent for exponent in range(6)]
    sides = {
        "a": near(*distances, method="ptq"),
        "b": near(*distances, method="ecq", factor=0.8),
    }
    found = compare({name: judged_by(points, "kl")[0] for name, points in sides.items()})
    assert found.against[0].rate is not None
    assert found.against[0].rate.pchip == pytest.approx(-20)
    assert found.against[0].rate.overlap == pytest.approx(1)
    assert comparison_plot_data(found).axis.is_log
    assert comparison_dict(found)["quality_name"] == "kl_from_given"
    assert not found.scale.reference.maximise
    copies = near(*distances[:-1], 0.0, method="ecq")
    found = compare({"a": judged_by(sides["a"], "kl")[0], "b": judged_by(copies, "kl")[0]})
    assert found.against[0].reason == "a point of a front lies at distance 0, which has no logarithm"
    assert (
        compare({name: judged_by(points, "disagreement")[0] for name, points in sides.items()}).scale.best_quality < 1
    )


@pytest.mark.parametrize(
    ("name", "text", "label", "bounds"),
    [
        ("kl", "0.0123 nats", "Validation KL from the given network (nats), lower is better", (0, math.inf)),
        (
            "disagreement",
            "1.23 %",
            "Validation disagreement with the given network (%), lower is better",
            (0, math.inf),
        ),
        ("output_error", "0.0123", "Validation output error against the given network, lower is better", (0, math.inf)),
    ],
)
def test_a_distance_is_written_in_its_unit(name: str, text: str, label: str, bounds: tuple[float, float]) -> None:
    quality_name = DISTANCES[name].quality_name
    assert format_quality(0.0123, quality_name) == text
    assert quality_label(quality_name, maximise=False, split="validation") == label
    assert quality_bounds(quality_name) == bounds
