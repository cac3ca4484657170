"""A mistake that pydantic finds in a section becomes one line."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError, field_validator

from orchestrator.sweep.section import YamlSection, mistake_line


class Site(YamlSection):
    nodes: int = 1
    place: str = ""

    @field_validator("place")
    @classmethod
    def _is_near(cls, value: str) -> str:
        if value == "far":
            raise ValueError("place is 'far': wanted a near one")
        return value


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"nodes": "many"}, "nodes is <many>: wanted a valid integer"),
        ({"place": "far"}, "place is 'far': wanted a near one"),
        ({"node": 3}, "no node, and 3 was given"),
    ],
)
def test_a_mistake_says_what_was_given_and_what_was_wanted(given: dict[str, Any], line: str) -> None:
    with pytest.raises(ValidationError) as error:
        Site.model_validate(given)
    texts = {"extra_forbidden": lambda field, given: f"no {field}, and {given} was given"}
    assert mistake_line(error.value.errors()[0], texts, show=lambda value: f"<{value}>") == line
