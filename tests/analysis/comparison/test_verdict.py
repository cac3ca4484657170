"""What a comparison says, and what it does not claim."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from analysis.comparison.compare import compare
from analysis.comparison.verdict import needs, verdicts
from tests.analysis.comparison.samples import side


def verdict(first: pd.DataFrame, second: pd.DataFrame) -> str:
    (said,) = verdicts(compare({"A": first, "B": second}, num_resamples=100))
    return said


def test_fewer_bytes_are_said_with_their_interval_and_overlap() -> None:
    noisy = (0.99, 1.0, 1.01)
    said = verdict(side("a", spread=noisy), side("b", factor=0.77, spread=noisy))
    found = re.fullmatch(
        r"B needs 23 % fewer bytes than A at equal accuracy "
        r"\(95 % interval (\d+) to (\d+) % over 3 seeds, overlap 100 %\)\.",
        said,
    )
    assert found is not None, said
    assert 20 <= int(found[1]) <= 23 <= int(found[2]) <= 26


def test_more_bytes_and_times_the_bytes_have_words_of_their_own() -> None:
    assert verdict(side("a"), side("b", factor=1.5)).startswith(
        "B needs 50 % more bytes than A at equal accuracy (95 % interval 50 to 50 % over 3 seeds"
    )
    assert verdict(side("a"), side("b", factor=2.5)).startswith(
        "B needs 2.5 times the bytes of A at equal accuracy (95 % interval 2.5 to 2.5 times over 3 seeds"
    )


def test_an_interval_with_0_in_it_tells_no_difference() -> None:
    said = verdict(side("a", spread=(0.8, 1.2, 1.0)), side("b", spread=(1.2, 0.9, 1.05), factor=0.97))
    assert re.match(
        r"No difference between B and A can be told: BD-rate \+1\.8 %, 95 % interval -\d+\.\d to \+\d+\.\d % "
        r"over 3 seeds, overlap 100 %\.",
        said,
    ), said


def test_0_may_be_at_either_side_of_what_was_measured() -> None:
    said = verdict(side("a", spread=(0.8, 1.2, 1.0)), side("b", spread=(0.7, 1.2, 0.95)))
    assert said.startswith("No difference between B and A can be told: BD-rate -5.0 %, 95 % interval -")
    assert " to +" in said


def test_one_seed_is_no_proof() -> None:
    assert verdict(side("a", spread=(1,)), side("b", spread=(1,), factor=0.77)) == (
        "The BD-rate of B against A is -23.0 %, overlap 100 %; how sure that is cannot be said: a "
        "configuration on a front has 1 seed: wanted at least 3 of each for an interval."
    )


def test_too_few_points_are_said_with_what_is_known() -> None:
    short = side("b", num_points=3, factor=0.9)
    said = verdict(side("a"), short)
    assert said.startswith("B and A cannot be compared by BD-rate: their fronts have 3 and 6 points: wanted at least 4")
    assert said.endswith("; B from 80.00 % to 96.00 %, A from 80.00 % to 96.00 %.")
    single = verdict(side("a"), side("b", num_points=1, low=0.9, high=0.9, factor=3.0))
    assert single.endswith("; for each point of B A has one that is no larger and no worse.")
    assert verdict(side("a", low=0.7, high=0.75), side("b", num_points=1, low=0.9)).endswith(
        "; B at 90.00 %, A from 70.00 % to 75.00 %."
    )


def test_dominance_is_said_where_there_is_no_shared_range() -> None:
    better = side("b", low=0.97, high=0.99, factor=1e-3)
    assert verdict(side("a"), better).endswith(
        "share no range of quality: a Bjøntegaard delta has nothing to average over; "
        "for each point of A B has one that is no larger and no worse."
    )


def test_equal_fronts_do_not_beat_each_other() -> None:
    assert "no larger and no worse" not in verdict(side("a", num_points=2), side("b", num_points=2))


def test_a_short_overlap_is_marked() -> None:
    said = verdict(side("a", low=0.7, high=0.9), side("b", low=0.85, high=0.96, factor=0.5))
    assert "overlap only 19 %" in said


def test_unequal_training_is_said() -> None:
    said = verdict(side("a", num_steps=500), side("b", num_steps=2000, factor=0.5))
    assert said.endswith(" They did not train for the same number of steps: B for 2,000, A for 500.")
    assert "steps" not in verdict(side("a"), side("b", factor=0.5))


def test_interpolations_that_disagree_are_marked() -> None:
    bent = side("b")
    steps = dict(zip(sorted(set(bent["quality"])), [1e5, 1e5 + 1, 1e8, 1.1e8, 1.2e8, 9e8], strict=True))
    said = verdict(side("a", low=0.83, high=0.865), bent.assign(size_bytes=bent["quality"].map(steps)))
    assert "B needs 63 % more bytes" in said
    assert said.endswith(" Akima's interpolation gives +113.2 %: the fronts have too few points for either.")
    assert "Akima" not in verdict(side("a"), side("b", factor=0.5))


@pytest.mark.parametrize(
    ("percent", "text"),
    [
        (-23.4, "needs 23 % fewer bytes than"),
        (-0.004, "needs under 0.01 % fewer bytes than"),
        (0.04, "needs 0.04 % more bytes than"),
        (-99.996, "needs over 99.99 % fewer bytes than"),
        (-99.97, "needs 99.97 % fewer bytes than"),
        (-0.44, "needs 0.4 % fewer bytes than"),
        (-99.2, "needs 99.2 % fewer bytes than"),
        (-94.25, "needs 94.2 % fewer bytes than"),
        (9.97, "needs 10 % more bytes than"),
        (99.9, "needs 99.9 % more bytes than"),
        (100.0, "needs 2 times the bytes of"),
        (1150.0, "needs 12.5 times the bytes of"),
    ],
)
def test_percentages_are_rounded_as_people_read_them(percent: float, text: str) -> None:
    assert needs(percent) == text
