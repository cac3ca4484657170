"""The note on a sweep's own run."""

from __future__ import annotations

import re
from typing import Any

import pytest

from analysis.configurations.summary import summarise
from orchestrator.sweep.definition import Sweep
from orchestrator.tracking.ui.note import MAX_NOTE_LENGTH, Ending, _domain, note
from tests.orchestrator.tracking.ui.samples import points

DOCUMENT = Sweep.from_dict(
    {
        "task": "digits",
        "architecture": [{"name": "mlp", "hidden": [8]}, {"name": "cnn", "channels": [4]}],
        "method": [{"name": "epr", "lam": {"loguniform": [0.1, 3.0]}}, {"name": "ptq", "bits": [3, 4]}],
        "seeds": 2,
        "search": {"name": "random", "num_trials": 7},
    }
).to_dict()


def ending(**changes: Any) -> Ending:
    given: dict[str, Any] = {
        "experiment_id": "3",
        "run_id": "ab" * 16,
        "num_trials": 28,
        "num_finished": 24,
        "num_stopped": 1,
        "failures": ["diverged: nan", "diverged: nan", "OSError: `full` | disk"],
        "versions": {"python": "3.11.7", "version.ratefront": "0.1.0"},
        "commit": "c0ffee",
    }
    return Ending(**given | changes)


@pytest.fixture(scope="module")
def text() -> str:
    rows = points()
    return note(DOCUMENT, summarise(rows), len(rows), ending())


def test_it_says_what_was_asked_and_what_came_of_it(text: str) -> None:
    assert "- task: `digits`" in text
    assert "- architecture: `mlp` (hidden [8]), `cnn` (channels [4])" in text
    assert "- method: `epr` (lam `loguniform [0.1, 3.0]`), `ptq` (bits `3, 4`)" in text
    assert "- 2000 steps, 2 seeds" in text
    assert "- search: random (num_trials 7)" in text
    assert "- 24 of 28 trials finished, 3 failed, 1 stopped early" in text
    assert "  - 2 x `diverged: nan`" in text


def test_it_opens_with_the_frontier_and_links(text: str) -> None:
    """Only what comes first is seen before somebody asks for more."""
    first, links, picture, *_ = text.split("\n\n")
    assert first.startswith(
        "**6 of 12 configurations are on the frontier: accuracy 50.00 % in 100 B to 75.00 % in 150 B.**"
    )
    view = "#/experiments/3/runs?workflowType=machine_learning&compareRunsMode=CHART&viewStateShareKey="
    assert f"[charts]({view}digits-0123abcd-points)" in links
    assert f"[training curves]({view}digits-0123abcd-curves)" in links
    assert f"(#/experiments/3/runs/{'ab' * 16}/artifacts/frontier/frontier.html?workflowType=machine_learning)" in links
    assert picture == f"![The frontier](get-artifact?path=frontier/frontier.svg&run_uuid={'ab' * 16})"


def test_the_table_links_each_file_to_its_run(text: str) -> None:
    rows = [line for line in text.splitlines() if line.startswith("| [")]
    assert len(rows) == 6
    assert rows[0].startswith("| [100 B](#/experiments/1/runs/run0?workflowType=machine_learning)")


def test_a_long_frontier_is_cut_and_its_ends_are_kept() -> None:
    rows = points(num_lams=20)
    text = note(DOCUMENT, summarise(rows), len(rows), ending())
    table = [line for line in text.splitlines() if line.startswith("| [")]
    assert len(table) == 8
    assert table[0].startswith("| [100 B]")
    assert table[-1].startswith("| [320 B]")
    assert "15 more are in `frontier/frontier.csv`" in text


def test_it_says_how_to_run_the_sweep_again(text: str) -> None:
    assert f"mlflow artifacts download --run-id {'ab' * 16} --artifact-path sweep.yaml --dst-path ." in text
    assert "\nratefront sweep sweep.yaml\n" in text
    assert "Made with python 3.11.7, ratefront 0.1.0, commit c0ffee." in text


def test_names_and_reasons_make_no_markup(text: str) -> None:
    assert "`OSError: 'full' / disk`" in text


def test_a_frontier_that_is_empty_is_said() -> None:
    rows = points().assign(num_failed=1)
    text = note(DOCUMENT, summarise(rows), len(rows), ending())
    assert text.startswith("**No frontier: of each of the 12 configurations a seed failed.**")


def test_more_points_than_the_ui_draws_link_the_frontier() -> None:
    rows = points(num_lams=30)
    text = note(DOCUMENT, summarise(rows), len(rows), ending())
    assert "compareRunsMode=CHART&viewStateShareKey=digits-0123abcd-frontier)" in text
    assert "of all 132 points only a part" in text


def test_it_is_cut_to_what_mlflow_takes() -> None:
    rows = points(num_lams=20)
    rows = rows.assign(architecture=rows["architecture"] + "x" * 500, label="y" * 500)
    long = {**DOCUMENT, "architecture": [{"name": f"net{index}", "depth": index} for index in range(400)]}
    text = note(long, summarise(rows), len(rows), ending())
    assert len(text) <= MAX_NOTE_LENGTH
    assert "[charts](#" in text


@pytest.mark.parametrize(
    "value", ["<img src=x onerror=alert(1)>", "[a](javascript:b)", "**a**", ["<b>"], "\x1b[31m", "a`b", "a|b"]
)
def test_settings_make_no_markup_in_the_note(value: object) -> None:
    shown = _domain(value)
    assert shown.startswith("`")
    assert shown.endswith("`")
    assert shown[1:-1].isprintable()
    assert "`" not in shown[1:-1]
    groups = {"choice": [{"5.*": "last"}, "kind"]}
    assert _domain(groups) == "`{'5.*': 'last'}, kind`"
    assert [_domain(plain) for plain in (3, 0.5, [64, 32], True, "adam")] == ["3", "0.5", "[64, 32]", "True", "adam"]


def test_headline_search_and_versions_make_no_markup() -> None:
    bad = "<img src=x onerror=alert(1)>"
    rows = points().assign(quality_name=bad)
    document = {**DOCUMENT, "search": {**DOCUMENT["search"], "note": bad}}
    text = note(document, summarise(rows), len(rows), ending(versions={"version.own": bad}))
    assert text.count(bad) >= 3
    assert [line for line in text.splitlines() if bad in re.sub("`[^`]*`", "", line)] == []


def test_what_was_asked_of_trainings_is_said() -> None:
    rows = points()
    document = {**DOCUMENT, "optimiser": [{"name": "own"}, {"name": "sgd", "momentum": 0.9}], "ema": 0.99}
    text = note(document, summarise(rows), len(rows), ending())
    assert "- optimiser: `own` or `sgd` (momentum 0.9)\n- ema: 0.99\n" in text
