"""Recommended files and the ratios have the numbers of the frame."""

from __future__ import annotations

import shlex
from typing import Any

import pandas as pd
import pytest

from analysis.configurations.recommended import sizes_within
from analysis.configurations.summary import summarise
from analysis.report.recommendations import chosen, loss_text, losses, ratios, recommendations
from analysis.units import format_quality, format_ratio, format_size
from tests.analysis.points.rows import frame, seeds
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


def test_losses_of_a_quality_without_ends_are_shares_of_the_baselines() -> None:
    points = frame(*seeds("a", [100, 100], [40.0, 40.0], quality_name="psnr_db"))
    assert losses(summarise(points)) == [0.2, 0.4, 0.8]
    assert loss_text(0.4, "psnr_db") == "0.4"
    assert loss_text(0.01, "accuracy") == "1 point"
    assert loss_text(0.005, "accuracy") == "0.5 points"


def test_measured_has_a_file_for_each_point() -> None:
    points: pd.DataFrame = measured()
    assert points["path"].is_unique
