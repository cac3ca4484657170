"""A task's qualities beside its objective: columns of configurations, and one in place of the objective."""

from __future__ import annotations

import io
import math
from typing import Any

import pandas as pd
import pytest

from analysis.configurations.best import best
from analysis.configurations.summary import summarise, told
from analysis.frontier.columns import IN_NOTE, IN_README, IN_REPORT, LOGGED, OTHERS_ON_TERMINAL, shown
from analysis.frontier.page import frontier_html
from analysis.frontier.plot_data import frontier_plot_data
from analysis.frontier.table import frontier_csv, others_table
from analysis.points.qualities import directions, judged_by_quality
from tests.analysis.frontier.test_table import lines
from tests.analysis.points.rows import frame, seeds
from trainers.record import OtherQuality, others_of, others_text

NLL, TOP = "negative log-likelihood", "top-5 accuracy"


def others(nll: float, top: float = 0.9) -> str:
    found = {TOP: OtherQuality(maximise=True, quality=top - 0.01, quality_val=top)}
    return others_text({**found, NLL: OtherQuality(maximise=False, quality=nll + 0.1, quality_val=nll)})


def several(*likelihoods: float) -> pd.DataFrame:
    """Files of growing size and equal accuracy."""
    return frame(
        *(
            row
            for index, nll in enumerate(likelihoods)
            for row in seeds(f"c{index}", [1000 * (index + 1)], [0.9], quality=0.8, others=others(nll))
        )
    )


def test_means_and_the_file_have_them_and_scripts_are_told_numbers() -> None:
    rows = seeds("a", [100, 110, 120], [0.9, 0.8, 0.7])
    points = frame(
        *({**row, "others": others(nll)} for row, nll in zip(rows, (0.1, 0.3, 0.2), strict=True)), {"config_hash": "b"}
    )
    found = summarise(points).set_index("config_hash")
    assert found.columns[-12:].str.contains(r"quality(?:_val)?\.").all()
    assert found.loc["a", f"quality_val.{NLL}_mean"] == pytest.approx(0.2)
    assert found.loc["a", f"quality.{NLL}_mean"] == pytest.approx(0.3)
    assert found.loc["a", f"quality_val.{NLL}_std"] == pytest.approx(0.1)
    assert found.loc["a", f"file_quality_val.{NLL}"] == 0.3, "the file of the lower-median accuracy"
    assert list(directions(found["file_others"])) == [TOP, NLL]
    assert math.isnan(found.loc["b", f"quality.{TOP}_mean"]), "a point that has none"
    assert "file_others" not in told(found)
    text = pd.read_csv(io.StringIO(frontier_csv(summarise(points))))
    assert f"quality.{TOP}_mean" in text
    assert "quality." not in frontier_csv(summarise(frame({})))


@pytest.mark.parametrize("place", [OTHERS_ON_TERMINAL, IN_NOTE, IN_REPORT, IN_README])
def test_each_place_shows_them_on_test_with_their_direction(place: Any) -> None:
    configurations = summarise(several(0.5, 0.2))
    usual = shown(place, summarise(frame({})))
    columns = shown(place, configurations)
    added = [column for column in columns if column.title("accuracy") not in [one.title("accuracy") for one in usual]]
    assert [column.title("accuracy") for column in added] == [
        "test top-5 accuracy (%)",
        "test negative log-likelihood, lower is better",
    ]
    (first, _) = configurations.to_dict("records")
    assert [column.format(first) for column in added] == ["89.00", "0.600"]
    assert len(columns) == len(usual) + 2


def test_a_logged_table_has_their_numbers_and_a_figure_their_values() -> None:
    points = several(0.5, 0.2)
    names = [name for column in shown(LOGGED, summarise(points)) for name in column.values]
    assert f"quality.{NLL}_mean" in names
    assert "on test: top-5 accuracy 89.00 %, negative log-likelihood 0.600" in frontier_html(
        summarise(points), points, title="several"
    )


def test_the_terminal_has_a_table_of_them_that_fits() -> None:
    table = others_table(summarise(several(0.5, 0.2)))
    assert table is not None
    text = lines(table, width=80)
    assert [line.split()[:6] for line in text if line.startswith("●")] == [
        ["●", "1.00", "kB", "89.00", "0.600", "mlp(hidden=[64])"]
    ]
    assert {"lower", "is", "better"} <= set(" ".join(text).split())
    assert others_table(summarise(frame({}))) is None


def test_a_name_is_a_heading_and_no_markup() -> None:
    for name in ("F{1}", "[red]<b>"):
        text = others_text({name: OtherQuality(maximise=True, quality=0.5, quality_val=0.5)})
        configurations = summarise(frame({"others": text}))
        assert f"test {name}" in [column.title("accuracy") for column in shown(OTHERS_ON_TERMINAL, configurations)]
        table = others_table(configurations)
        assert table is not None
        assert f"test {name}" in lines(table)[0]


def test_one_of_them_chooses_in_place_of_the_objective_which_becomes_one_of_them() -> None:
    points = several(0.5, 0.1, 0.2)
    assert best(summarise(points), max_size_bytes=5000)["config_hash"] == "c0"
    judged, said = judged_by_quality(points, NLL)
    assert said == ""
    configurations = summarise(judged)
    assert configurations["on_front"].tolist() == [True, True, False]
    assert best(configurations, max_size_bytes=5000)["config_hash"] == "c1"
    assert best(configurations, min_quality=0.2)["config_hash"] == "c1"
    assert configurations["quality_mean"].tolist() == pytest.approx([0.6, 0.2, 0.3])
    assert not configurations["maximise"].any()
    assert list(others_of(judged["others"].iloc[0])) == ["accuracy", TOP]
    plot = frontier_plot_data(configurations, judged)
    assert plot.quality_label == "Test negative log-likelihood, lower is better"
    back, _ = judged_by_quality(judged, "accuracy")
    assert back["quality"].tolist() == points["quality"].tolist()
    assert judged_by_quality(points, "accuracy")[0].equals(points)


def test_points_that_lack_it_are_counted_or_refused_with_what_there_is() -> None:
    points = pd.concat([several(0.5), frame({"config_hash": "b"})])
    judged, said = judged_by_quality(points, TOP)
    assert judged["config_hash"].tolist() == ["c0"]
    assert said == "1 of 2 points have no top-5 accuracy and are left out: it was not measured of them"
    with pytest.raises(ValueError, match=r"^no point has a quality 'nll'; valid: accuracy, top-5 accuracy, negative l"):
        judged_by_quality(points, "nll")
    with pytest.raises(ValueError, match=r"^no point has a quality 'top-1 accuracy'; did you mean 'top-5 accuracy'\?"):
        judged_by_quality(points, "top-1 accuracy")
    assert judged_by_quality(points[:0], "nll")[0].empty
