"""Recommended files and the ratios have the numbers of the frame."""

from __future__ import annotations

import shlex
from typing import Any

import pandas as pd
import pytest

from analysis.configurations.recommended import sizes_within
from analysis.configurations.summary import summarise
from analysis.report.recommendations import chosen, loss_text, losses, losses_words, ratios, recommendations
from analysis.units import format_quality, format_ratio, format_size
from tests.analysis.points.rows import frame
from tests.analysis.report.samples import DOCUMENT, material, measured
from tests.analysis.report.test_markup import read


def test_a_card_has_the_size_quality_and_digest_of_its_file() -> None:
    made = material()
    page = recommendations(made)
    text = read(page).text
    rows = chosen(made.configurations)
    assert page.count('class="card"') == len(rows) == 3
    for row in rows.values():
        assert format_size(row["file_size_bytes"]) in text
        assert f"{row['file_size_bytes']:,}" in text
        assert row["file_sha256"] in text
        assert row["file_path"] in text
        assert f"{format_quality(row['quality_mean'], 'accuracy', spread=row['quality_std'])} on test, 3 seeds" in text
        assert f"accuracy {format_quality(row['file_quality'], 'accuracy')} on test" in text


def test_one_configuration_that_is_recommended_twice_has_one_card() -> None:
    points = frame({"config_hash": "a"})
    assert list(chosen(summarise(points))) == ["smallest, best"]


def commands(page: str) -> list[list[str]]:
    lines = read(page.partition("<pre>")[2].partition("</pre>")[0]).text.splitlines()
    return [shlex.split(line) for line in lines]


def test_the_commands_are_those_of_the_file() -> None:
    made = material()
    row = next(iter(chosen(made.configurations).values()))
    fetch, check, evaluate, decode = commands(recommendations(made))
    assert fetch[:5] == ["mlflow", "artifacts", "download", "--run-id", row["file_run_id"]]
    assert check[:2] == ["echo", f"{row['file_sha256']}  0.rfz"]
    assert evaluate == ["ratefront", "evaluate", "0.rfz", "--task", "digits"]
    assert decode == ["ratefront", "decode", "0.rfz", "--out", "network.safetensors"]


def test_a_users_own_task_and_network_are_named_so_that_a_shell_takes_them() -> None:
    task: dict[str, Any] = {"name": "my data:moons", "noise": 0.3}
    points = frame({"config_hash": "a", "architecture": "my nets:net(width=3)", "point_id": "a b"})
    _, _, evaluate, decode = commands(recommendations(material(points, document={**DOCUMENT, "task": task})))
    assert evaluate[2:] == ["a b.rfz", "--task", '{"name": "my data:moons", "noise": 0.3}', *decode[-2:]]
    assert decode[-2:] == ["--architecture", "my nets:net"]


def test_ratios_are_those_of_the_analysis() -> None:
    made = material()
    text = read(ratios(made)).text
    found = sizes_within(made.configurations, [0.005, 0.01, 0.02])
    assert len(found) == 3
    for row in found.to_dict("records"):
        assert format_ratio(row["ratio"]) in text
        assert format_size(row["file_size_bytes"]) in text


def test_where_nothing_compressed_is_good_enough_it_is_said() -> None:
    points = frame({"config_hash": "a", "quality_val": 0.5}, {"config_hash": "u", "method": "uncompressed"})
    assert read(ratios(material(points))).text.count("nothing compressed is that good") == 3


@pytest.mark.parametrize("method", ["epr", "uncompressed"])
def test_nothing_is_recommended_where_of_each_compressed_configuration_a_seed_failed(method: str) -> None:
    points = frame({"config_hash": "a", "num_failed": 1}, {"config_hash": "u", "method": method, "num_failed": 1})
    assert chosen(summarise(points)) == {}
    assert "Nothing" in recommendations(material(points))


@pytest.mark.parametrize(
    ("name", "maximise", "values", "wanted", "why"),
    [
        ("accuracy", True, [0.9, 0.95], [0.005, 0.01, 0.02], "points of accuracy"),
        ("psnr_db", True, [30.0, 40.0], [0.5, 1.0, 2.0], "they mean 12, 26 and 58 % more squared error"),
        ("psnr_db", True, [-3.0, -1.0], [0.5, 1.0, 2.0], "in dB, which are ratios"),
        ("bits_per_character", False, [4.0, 2.0], [0.01, 0.02, 0.04], "0.5, 1 and 2 % of the quality"),
        ("log_likelihood", True, [-300.0, -100.0], [2.0, 4.0, 10.0], "1, 2 and 5 % of the frontier's range"),
    ],
)
def test_losses_follow_from_what_the_quality_is(
    name: str, maximise: bool, values: list[float], wanted: list[float], why: str
) -> None:
    small, large = (
        {"quality_val": value, "quality": value, "quality_name": name, "maximise": maximise} for value in values
    )
    points = frame({"config_hash": "a", "size_bytes": 100, **small}, {"config_hash": "b", "size_bytes": 900, **large})
    assert losses(summarise(points)) == pytest.approx(wanted)
    assert why in losses_words(summarise(points))
    assert why.replace("'", "&#x27;") in ratios(material(points))


def test_a_loss_has_the_unit_of_its_quality() -> None:
    assert loss_text(0.5, "psnr_db") == "0.5 dB"
    assert loss_text(0.35, "bits_per_character") == "0.35"
    assert loss_text(0.01, "accuracy") == "1 point"
    assert loss_text(0.005, "accuracy") == "0.5 points"


def test_measured_has_a_file_for_each_point() -> None:
    points: pd.DataFrame = measured()
    assert points["path"].is_unique
