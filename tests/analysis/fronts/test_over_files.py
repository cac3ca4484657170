"""Files as repeats: means over them, and no mean over the easiest ones."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.comparison.compare import compare
from analysis.configurations.summary import summarise
from analysis.frontier.plot_data import frontier_plot_data
from analysis.fronts.over_files import balanced, over_files
from analysis.fronts.repeats import Repeats, seed_fronts
from tests.analysis.points.rows import frame

EASY, HARD, MIDDLE = "easy.png#000001", "hard.png#000002", "middle.png#000003"


def on(file: str, config_hash: str, size: int, quality: float, **others: Any) -> dict[str, Any]:
    return {
        **{"task": "image(file=2 files#abcdef)", "task_file": file, "config_hash": config_hash},
        **{"size_bytes": size, "quality_val": quality, "quality": quality, "quality_name": "psnr_db"},
        "path": f"{config_hash}-{file}.rfz",
        **others,
    }


def test_a_configuration_is_the_mean_over_its_files() -> None:
    others = [json.dumps({"ms_ssim": {"maximise": True, "quality": q, "quality_val": q}}) for q in (0.9, 0.7)]
    points = frame(
        on(EASY, "a", 100, 35.0, others=others[0], uncompressed_bytes=1000),
        on(HARD, "a", 301, 25.0, others=others[1], uncompressed_bytes=2000),
    )
    [row] = over_files(points).to_dict("records")
    assert (row["size_bytes"], row["quality_val"], row["uncompressed_bytes"], row["task_file"]) == (200, 30.0, 1500, "")
    assert row["path"] == f"a-{HARD}.rfz", "that of the lower median"
    assert json.loads(row["others"])["ms_ssim"]["quality"] == pytest.approx(0.8)
    [summary] = summarise(points).to_dict("records")
    assert (summary["num_seeds"], summary["num_failed"], summary["file_size_bytes"]) == (1, 0, 200)
    assert (summary["size_bytes_mean"], summary["quality_val_mean"], summary["on_front"]) == (200.0, 30.0, True)
    assert over_files(over_files(points)).equals(over_files(points))


def test_points_without_files_in_turn_are_as_they_were() -> None:
    points = frame({"config_hash": "a"}, {"config_hash": "b"})
    assert over_files(points) is points


def test_a_configuration_that_lacks_a_file_is_on_no_front() -> None:
    points = frame(on(EASY, "a", 100, 40.0), on(EASY, "b", 200, 35.0), on(HARD, "b", 300, 25.0))
    rows = summarise(points).set_index("config_hash")
    assert rows["on_front"].to_dict() == {"a": False, "b": True}
    assert rows["num_failed"].to_dict() == {"a": 1, "b": 0}
    assert Repeats.of(points, measure="quality").front.size_bytes.tolist() == [250.0]


def test_a_seed_without_all_files_does_not_count_beside_one_that_has_them() -> None:
    points = frame(on(EASY, "a", 100, 40.0), on(HARD, "a", 300, 30.0), on(EASY, "a", 90, 41.0, seed=1))
    assert balanced(points)["seed"].tolist() == [0, 0]
    [row] = summarise(points).to_dict("records")
    assert (row["num_seeds"], row["num_failed"], row["size_bytes_mean"]) == (1, 0, 200.0)


def test_seeds_have_fronts_and_bars_of_their_means_over_files() -> None:
    points = frame(
        *(on(EASY, "a", 100 + 20 * seed, 40.0, seed=seed) for seed in range(2)),
        *(on(HARD, "a", 300, 30.0, seed=seed) for seed in range(2)),
    )
    first, second = seed_fronts(points, measure="quality")
    assert (first.size_bytes.tolist(), second.size_bytes.tolist()) == ([200.0], [210.0])
    [row] = frontier_plot_data(summarise(points), points).rows.to_dict("records")
    assert (row["x_low"], row["x_high"]) == (200, 210)


def side(name: str, factor: float, files: tuple[str, ...] = (EASY, HARD, MIDDLE)) -> pd.DataFrame:
    rows = [
        on(file, f"{name}{index}", 0, quality - 5.0 * number, sweep_id=f"{name}-0123abcd")
        for index, quality in enumerate(np.linspace(28, 40, 6))
        for number, file in enumerate(files)
    ]
    points = frame(*rows)
    return points.assign(size_bytes=factor * 10 ** (points["quality"] / 10))


def test_intervals_are_over_files_drawn_alike_on_both_sides() -> None:
    (found,) = compare({"jpeg": side("jpeg", 1.0), "ours": side("ours", 0.7)}, num_resamples=50).against
    assert found.rate is not None
    assert found.rate_interval is not None
    assert found.rate.pchip == pytest.approx(-30)
    assert (found.rate_interval.low, found.rate_interval.high) == pytest.approx((-30, -30)), "whatever files are drawn"


def test_sides_with_other_files_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^ours has no whole configuration with middle.png#000003, and jpeg has"):
        compare({"jpeg": side("jpeg", 1.0), "ours": side("ours", 0.7, (EASY, HARD))})


def test_two_files_are_too_few_for_an_interval() -> None:
    few = {name: side(name, factor, (EASY, HARD)) for name, factor in (("jpeg", 1.0), ("ours", 0.7))}
    (found,) = compare(few, num_resamples=50).against
    assert found.rate_interval is None
    assert found.reason == "a configuration on a front has 2 files: wanted at least 3 of each for an interval"
