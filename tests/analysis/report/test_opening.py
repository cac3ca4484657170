"""The answer and the question."""

from __future__ import annotations

import pandas as pd
import pytest

from analysis.configurations.best import best
from analysis.report.opening import answer, budgets, heading, promise, question
from analysis.units import format_quality, format_size
from tests.analysis.points.rows import frame
from tests.analysis.report.samples import DOCUMENT, material
from tests.analysis.report.test_markup import read


def front(*sizes: int) -> pd.DataFrame:
    return pd.DataFrame({"file_size_bytes": sizes, "size_bytes_mean": sizes}, dtype="float64")


@pytest.mark.parametrize(
    ("sizes", "wanted"),
    [
        ((219, 309, 513, 785, 2322), [500, 1000, 5000]),
        ((1000,), [1000]),
        ((1001,), [2000]),
        ((10, 11, 12), [10, 20]),
        ((1, 3, 30, 300, 3000), [1, 50, 5000]),
    ],
)
def test_budgets_are_round_and_each_has_another_best(sizes: tuple[int, ...], wanted: list[float]) -> None:
    assert budgets(front(*sizes)) == wanted


def test_the_answer_is_the_best_at_each_budget() -> None:
    made = material()
    text = read(answer(made)).text
    assert text.startswith("The best you can ship in ")
    found = budgets(made.front[made.front["method"] != "uncompressed"])
    assert len(found) == 3
    for budget in found:
        chosen = best(made.configurations[made.configurations["method"] != "uncompressed"], max_size_bytes=budget)
        shown = format_quality(chosen["file_quality"], "accuracy")
        assert f"in {format_size(budget, trim=True)} " in text
        assert shown in text
    assert "Uncompressed, the best network has 98.40 % in 97.2 kB." in text


def test_an_uncompressed_network_is_no_answer() -> None:
    """It fits into the largest budget and is the best there."""
    compressed = {"config_hash": "a", "size_bytes": 1200, "quality_val": 0.8, "quality": 0.8}
    plain = {"method": "uncompressed", "size_bytes": 1300, "quality_val": 0.99, "quality": 0.99}
    made = material(frame(compressed, plain))
    assert "in 2 kB has test accuracy 80.00 %" in read(answer(made)).text


def test_an_answer_that_is_not_there_is_said() -> None:
    failed = material(frame({"num_failed": 1}))
    assert "of each configuration a seed failed" in answer(failed)
    plain = material(frame({"method": "uncompressed"}))
    assert "Nothing compressed is on the frontier" in answer(plain)


def test_the_question_says_what_was_asked_in_words_for_an_outsider() -> None:
    text = read(question(material())).text
    assert "mlp(hidden=[64]), 4,810 parameters, 19.2 kB as plain tensors" in text
    assert "epr: Entropy-penalized reparameterization. Searched: lam 0.3 to 10.0 (loguniform)" in text
    assert "ptq. Searched: bits 2, 3, 4, 8" in text
    assert "2000 steps in batches of 64, each configuration with 3 seeds" in text
    assert "grid (num_values 6)" in text
    points = material().points["size_bytes"]
    assert f"{format_size(points.min())} to {format_size(points.max())}" in text
    asked = {**DOCUMENT, "constraints": ["size_bytes <= 20 kB"], "budget": {"train_s": 60}}
    asked["init_from"] = f"fusion(a.rfz#sha256={'0' * 64}, b.rfz)"
    text = read(question(material(document=asked))).text
    for said in ("size_bytes <= 20 kB", "train_s 60", "from fusion(a.rfz, b.rfz)"):
        assert said in text
    asked["init_from"] = {"path": f"net.pt#sha256={'0' * 64}", "key": "EMA", "strict": False}
    assert "from net.pt (key: EMA, strict: false)" in read(question(material(document=asked))).text


def test_many_networks_are_a_range() -> None:
    rows = [{"config_hash": f"{i}", "architecture": f"net{i}", "num_parameters": 1000 * i} for i in range(1, 12)]
    assert "11 networks of 1,000 to 11,000 parameters" in question(material(frame(*rows)))


def test_the_promise_is_stated() -> None:
    text = read(promise(material())).text
    for said in ("a file on disk", "decoded from that file", "Validation data chooses", "Test chooses in one place"):
        assert said in text


def test_the_heading_counts_files_and_trainings() -> None:
    made = material()
    assert f"{len(made.points)} compressed networks from {len(made.trials)} trainings" in heading(made)
    assert "2023-11-14 22:13 UTC" in heading(made)


def test_what_was_asked_of_trainings_is_said() -> None:
    sgd = {"name": "sgd", "momentum": {"choice": [0.8, 0.9]}, "nesterov": False}
    asked = {**DOCUMENT, "optimiser": [{"name": "own"}, sgd], "clip": {"uniform": [0.5, 1.0]}}
    text = read(question(material(document=asked))).text
    assert "optimiser own or sgd (momentum 0.8, 0.9, nesterov False)" in text
    assert "clip 0.5 to 1.0 (uniform)" in text
