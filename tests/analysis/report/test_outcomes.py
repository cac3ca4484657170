"""How trainings ended and what they took."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from analysis.report.material import TRIAL_COLUMNS
from analysis.report.outcomes import costs, grouped, outcomes
from tests.analysis.report.samples import material, measured, trial
from tests.analysis.report.test_markup import read

ROW = {"trial_id": "0000-epr-s0", "seed": 0, "architecture": "mlp", "method": "epr", "train_s": 2.0}


def trials(*rows: dict[str, Any]) -> pd.DataFrame:
    given = [trial(ROW, **{"trial_id": f"{number:04}", **row}) for number, row in enumerate(rows)]
    return pd.DataFrame(given, columns=list(TRIAL_COLUMNS))


FAILED = trials(
    {"outcome": "failed", "reason": "the loss became nan at step 12"},
    {"outcome": "failed", "reason": "out of memory: <b>"},
    {"outcome": "failed", "reason": "the loss became nan at step 1,300"},
    {"outcome": "stopped", "reason": "at 10% of its steps it was 4 of 4", "train_s": 1.0},
    {"outcome": "unfinished", "ended_at_s": math.nan},
    {},
)


def test_reasons_that_differ_in_numbers_alone_are_one() -> None:
    found = grouped(FAILED[FAILED["outcome"] == "failed"])
    assert list(found["num"]) == [2, 1]
    assert list(found["reason"]) == ["the loss became nan at step 12", "out of memory: <b>"]
    assert list(found["trial_id"]) == ["0000", "0001"]


def test_every_outcome_is_counted_and_reasons_are_text() -> None:
    page = outcomes(material(trials=FAILED))
    said = "Of 6 trainings 1 finished, 3 failed, 1 were stopped early, 1 did not end."
    assert said in read(page).text
    assert "out of memory: <b>" in read(page).text
    assert "b" not in read(page).tags
    assert "at 10% of its steps it was 4 of 4" in page


def test_files_that_finished_and_are_odd_are_counted_and_one_is_named() -> None:
    assert "all zero" not in outcomes(material(trials=FAILED))
    points = measured()
    points.loc[[1, 4], "is_constant"] = True
    points.loc[[1, 2, 4], "zero_weights"] = "1.weight"
    said = read(outcomes(material(points))).text
    first, second = points["path"].iloc[[1]].item(), len(points)
    assert f"Of 2 of {second} files the network computes the same whatever its inputs" in said
    assert f"Of 3 of {second} files the network has a layer whose weights are all zero" in said
    assert f"Such as {first}: 1.weight." in said


def test_of_many_reasons_the_rest_is_counted() -> None:
    many = trials(*({"outcome": "failed", "reason": f"because {chr(97 + index) * 3}"} for index in range(20)))
    assert "And 8 more reasons" in outcomes(material(trials=many))


def test_costs_add_up() -> None:
    text = read(costs(material(trials=FAILED))).text
    assert text.startswith("What it took11 s of training, all trainings together, of it 6.0 s (55%)")
    assert "1.0 s (9%) for trainings that were stopped early" in text
    nothing = trials({"train_s": 0.0})
    assert "0.0 s of training" in costs(material(trials=nothing))
