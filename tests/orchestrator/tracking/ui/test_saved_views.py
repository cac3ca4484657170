"""The views that are prepared for MLflow's UI, as it reads them."""

from __future__ import annotations

import base64
import json
import re
import zlib
from typing import Any

from orchestrator.tracking.names import EPOCH_METRICS, metrics_of
from orchestrator.tracking.ui import saved_views
from orchestrator.tracking.ui.facts import Facts, facts_of
from orchestrator.tracking.ui.saved_views import MAX_TAG_LENGTH, view_tags
from tests.orchestrator.tracking.ui.samples import points
from tests.points import point
from trainers.record import OtherQuality, others_text


def states(facts: Facts) -> dict[str, dict[str, Any]]:
    """The views by name, as the UI unpacks them."""
    found = {}
    for key, text in view_tags(facts, now_ms=1000).items():
        envelope = json.loads(text)
        assert envelope["updatedAt"] == envelope["createdAt"] == 1000
        name = key.removeprefix(f"mlflow.sharedViewState.{facts.sweep_id}-")
        assert envelope["name"] == f"{facts.sweep_id}: {name}"
        packed = envelope["state"].removeprefix("deflate;")
        found[name] = json.loads(zlib.decompress(base64.b64decode(packed)))
    return found


def shown(state: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [chart for chart in state["compareRunCharts"] if chart["type"] == kind and not chart["deleted"]]


def test_columns_are_sizes_qualities_and_the_settings_that_vary() -> None:
    facts = facts_of(points())
    assert facts.columns == (
        "method.lam",
        "method.bits",
    )  # neither what is the same everywhere nor what is of one method
    for state in states(facts).values():
        assert state["selectedColumns"] == state["columnOrder"] == list(state["columnWidths"])
        assert state["selectedColumns"][:4] == [
            *("metrics.`size_bytes`", "metrics.`accuracy_val`", "metrics.`accuracy`", "metrics.`compression_ratio`")
        ]
        assert state["selectedColumns"][4:] == [
            f"params.`{name}`" for name in ("architecture", "method", "method.lam", "method.bits", "seed")
        ]


def test_every_view_is_of_one_sweep_and_sorted_by_a_metric() -> None:
    """Without that the UI hides trials below the run of the sweep."""
    for name, state in states(facts_of(points())).items():
        assert state["searchFilter"].endswith(" AND tags.`ratefront.sweep_id` = 'digits-0123abcd'"), name
        assert re.fullmatch(r"metrics\.`\w+`", state["orderByKey"]), name
        assert state["runsHiddenMode"] == "SHOW_ALL", name


def test_filters_are_the_frontier_the_points_and_the_trials() -> None:
    found = {name: state["searchFilter"].partition(" AND ")[0] for name, state in states(facts_of(points())).items()}
    assert found == {
        "frontier": "tags.`ratefront.pareto` = 'true'",
        "points": "tags.`ratefront.point` = 'true'",
        "means": "tags.`ratefront.point` = 'true'",
        "curves": "tags.`ratefront.kind` = 'trial'",
    }


def test_curves_are_of_trials_and_nothing_else_has_any() -> None:
    """A point that shares its trial with others has no history of its own: its chart would be empty."""
    found = states(facts_of(points()))
    lines = [chart["metricKey"] for chart in shown(found["curves"], "LINE")]
    assert lines == ["epoch_accuracy_val", "epoch_train_loss", "epoch_rate_bits"]
    assert found["curves"]["orderByAsc"] is False  # the best first
    assert not any(shown(found[name], "LINE") for name in ("frontier", "points", "means"))


def test_where_less_is_better_the_best_curves_still_come_first() -> None:
    facts = facts_of(points().assign(maximise=False, quality_name="mse"))
    assert states(facts)["curves"]["orderByAsc"] is True


def test_a_method_has_parallel_coordinates_of_its_own_settings() -> None:
    """A run that lacks a setting would not be drawn."""
    axes = [chart["selectedParams"] for chart in shown(states(facts_of(points()))["points"], "PARALLEL")]
    assert axes == [["architecture", "method.lam"], ["architecture", "method.bits"]]
    one = points(architectures=("mlp(hidden=[8])",))
    axes = [chart["selectedParams"] for chart in shown(states(facts_of(one))["points"], "PARALLEL")]
    assert axes == [["method.lam"], ["method.bits"]]


def test_words_are_columns_and_no_axes() -> None:
    rows = points()
    words = [text.replace("learned", f"learned{index % 2}") for index, text in enumerate(rows["params"])]
    facts = facts_of(rows.assign(params=words))
    assert facts.columns == ("method.density", "method.lam", "method.bits")
    assert facts.numeric == {"method.lam", "method.bits"}


def test_means_are_over_seeds_where_there_are_several() -> None:
    keys = states(facts_of(points()))["means"]["groupBy"]["groupByKeys"]
    assert [key["groupByData"] for key in keys] == ["architecture", "method", "method.lam", "method.bits"]
    assert "means" not in states(facts_of(points(num_seeds=1)))


def test_means_of_more_points_than_the_ui_loads_are_of_the_frontier() -> None:
    facts = facts_of(points(num_lams=30))
    assert facts.num_points > 100
    assert states(facts)["means"]["searchFilter"].startswith("tags.`ratefront.pareto`")


def test_the_ui_adds_no_charts_of_its_own() -> None:
    """It would, for each metric that no chart names."""
    epochs = {*EPOCH_METRICS.values(), "epoch_accuracy_val"}
    assert set(saved_views.metric_names(facts_of(points()))) == {*metrics_of(point()), *epochs}
    others = others_text({"top-5 accuracy": OtherQuality(maximise=True, quality=0.5, quality_val=0.25)})
    several = facts_of(points().assign(others=others))
    assert set(saved_views.metric_names(several)) == {*metrics_of(point(others=others)), *epochs}
    for state in states(several).values():
        assert "metrics.`top-5 accuracy`" in state["selectedColumns"]
    for state in states(facts_of(points())).values():
        off = {chart["metricKey"] for chart in state["compareRunCharts"] if chart["type"] == "BAR" and chart["deleted"]}
        assert off == {*metrics_of(point()), *epochs}


def test_charts_have_names_of_their_own_and_a_section() -> None:
    for state in states(facts_of(points())).values():
        names = [chart["uuid"] for chart in state["compareRunCharts"]]
        assert len(set(names)) == len(names)
        (section,) = state["compareRunSections"]
        assert {chart["metricSectionId"] for chart in state["compareRunCharts"]} == {section["uuid"]}


def test_a_sweep_with_many_settings_fits_into_a_tag() -> None:
    rows = points()
    many = [
        json.dumps({**json.loads(text), **{f"method.setting_number_{key}": f"{index}.{key}" for key in range(60)}})
        for index, text in enumerate(rows["params"])
    ]
    tags = view_tags(facts_of(rows.assign(params=many)), now_ms=1000)
    assert max(map(len, tags.values())) < MAX_TAG_LENGTH


def test_of_a_signal_no_quality_is_shown_twice() -> None:
    signal = {"quality_name": "psnr_db", "signal_unit": "pixel", "signal_count": 100}
    facts = facts_of(points().assign(**signal))
    for name, state in states(facts).items():
        assert "metrics.`bits_per_pixel`" in state["selectedColumns"], name
        assert "metrics.`psnr_db`" in state["selectedColumns"], name
        assert "metrics.`psnr_db_val`" not in state["selectedColumns"], name
    assert len(shown(states(facts)["frontier"], "SCATTER")) == 1
