"""YAML as people mean it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sweep.yaml_text import parse_yaml, to_yaml


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0100", 100),
        ("-007", -7),
        ("1_000", 1000),
        ("0x10", 16),
        ("1e-3", 0.001),
        ("5.", 5.0),
        ("1:30", "1:30"),
        ("0b11", "0b11"),
        ("2026-11-29", "2026-11-29"),
        ('"08"', "08"),
        ("-.inf", -math.inf),
        ("yes", True),
    ],
)
def test_numbers_are_what_people_mean(text: str, wanted: Any) -> None:
    found = parse_yaml(text, source="x")
    assert found == wanted
    assert type(found) is type(wanted)


_TEXTS = st.text(alphabet="0123456789abefnxEI_.:+-~ ", max_size=8) | st.text(max_size=8)
_PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _TEXTS


@given(st.lists(_PLAIN) | st.dictionaries(_TEXTS, _PLAIN, max_size=4))
def test_what_is_written_is_read_back(data: Any) -> None:
    assert parse_yaml(to_yaml(data), source="x") == data
