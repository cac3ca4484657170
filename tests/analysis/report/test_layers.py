"""Bytes by layer."""

from __future__ import annotations

import pandas as pd
import pytest

from analysis.report.layers import by_layer, layers
from analysis.report.material import SHARE_COLUMNS
from tests.analysis.report.samples import SHARES, material


def shares(rows: list[tuple[str, str, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(SHARE_COLUMNS))


def test_the_largest_layer_comes_first_and_all_add_up() -> None:
    table = by_layer(shares(SHARES))
    assert list(table.index) == ["3", "1", "overhead"]
    assert table.loc["1", "weight"] == 600
    assert table.loc["1", "bias"] == 20
    assert table.to_numpy().sum() == pytest.approx(sum(size for _, _, size in SHARES))


def test_of_many_layers_the_smallest_are_one() -> None:
    table = by_layer(shares([("tensor", f"block.{i}.weight", 100.0 - i) for i in range(30)]))
    assert len(table) == 13
    assert table.index[0] == "block.0"
    assert table.index[-1] == "18 smaller ones"
    assert table.to_numpy().sum() == pytest.approx(sum(100.0 - i for i in range(30)))


def test_a_tensor_without_a_layer_is_its_own() -> None:
    assert list(by_layer(shares([("tensor", "scale", 3.0)])).index) == ["scale"]


def test_a_panel_is_drawn_for_each_recommended_file() -> None:
    assert layers(material()).count('id="layers-axes_') == 3
    assert "No recommended file" in layers(material(shares={}))


def test_more_kinds_of_tensors_than_colours_are_one() -> None:
    made = material()
    many = shares([("tensor", f"layer.kind{i}", 10.0 + i) for i in range(9)])
    assert layers(material(shares=dict.fromkeys(made.shares, many)))
