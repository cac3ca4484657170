"""Which settings vary, and what the page says about them."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from analysis.configurations.summary import summarise
from analysis.report.settings import settings, shares, varying
from tests.analysis.points.rows import frame
from tests.analysis.report.samples import material, measured
from tests.analysis.report.test_markup import read


def of(*params: dict[str, str], **changes: Any) -> pd.DataFrame:
    """One configuration for each of ``params``; from one to the next, size falls and quality rises."""
    rows = [
        {
            "config_hash": f"{index:03}",
            "params": json.dumps(one),
            "size_bytes": 1000 - index,
            "quality_val": 0.5 + index / 1000,
            **changes,
        }
        for index, one in enumerate(params)
    ]
    return frame(*rows)


def test_what_is_the_same_everywhere_is_no_setting() -> None:
    points = of({"method.lam": "0.1", "method.a": "x"}, {"method.lam": "1e-3", "method.a": "x"})
    table = varying(summarise(points), points)
    assert list(table) == ["lam"]
    assert sorted(table["lam"]) == [0.001, 0.1]


def test_words_infinities_and_what_is_missing_are_text() -> None:
    points = of({"method.a": "1", "method.b": "inf"}, {"method.b": "2"})
    table = varying(summarise(points), points)
    assert sorted(table["a"]) == ["-", "1"]
    assert sorted(table["b"]) == ["2", "inf"]


def test_the_network_and_the_schedule_are_settings() -> None:
    points = measured()
    rows = summarise(points).query("method == 'epr'")
    assert list(varying(rows, points)) == ["architecture", "lam"]
    longer = of({"steps": "100"}, {"steps": "200"})
    assert list(varying(summarise(longer), longer)) == ["steps"]


def test_too_few_configurations_have_no_importance() -> None:
    points = measured()
    rows = summarise(points).query("method == 'epr'")
    assert shares(varying(rows, points), rows) == {}
    assert "that takes 20 configurations of which no seed failed, and there are 12" in settings(material())


@pytest.fixture(scope="module")
def many() -> pd.DataFrame:
    """Thirty configurations; lam alone decides."""
    return of(*({"method.lam": f"{0.1 + index}", "method.word": "ab"[index % 2]} for index in range(30)))


def test_the_setting_that_decides_matters_most(many: pd.DataFrame) -> None:
    rows = summarise(many)
    found = shares(varying(rows, many), rows)
    assert list(found) == ["size", "quality", "frontier"]
    for target in ("size", "quality"):
        assert found[target]["lam"] > 0.9
    page = settings(material(many))
    assert 'id="settings0-bars-' in page
    assert "the best 17% of the 30 configurations" in read(page).text


def test_one_setting_alone_is_not_weighed() -> None:
    points = of(*({"method.lam": f"{index + 1}"} for index in range(30)))
    assert "Only lam was varied" in settings(material(points))


def test_methods_in_which_little_varied_are_named() -> None:
    assert "Too little was varied to show it: uncompressed (2 configurations)." in settings(material())


def test_a_name_of_a_users_own_becomes_no_markup() -> None:
    hostile = "<script>alert(1)</script>"
    points = of(*({f"method.{hostile}": f"{hostile}{index % 3}"} for index in range(30)), method=hostile)
    page = settings(material(points))
    assert "script" not in read(page).tags


def test_failed_configurations_are_left_out() -> None:
    points = of(*({"method.lam": f"{index + 1}"} for index in range(6)), num_failed=1)
    assert "<svg" not in settings(material(points))
