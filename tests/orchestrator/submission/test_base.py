"""What every target has in common: settings that are kept as JSON, and short names of sweeps."""

from __future__ import annotations

import json

import pytest

from orchestrator.submission import SUBMITTERS
from orchestrator.submission.base import AbstractSubmitter, short_name


def test_a_name_keeps_the_hash_however_long_it_is() -> None:
    assert short_name("My_sweep.v2-0a1b2c3d", longest=47) == "my-sweep-v2-0a1b2c3d"
    long = short_name("x" * 80 + "-0a1b2c3d", longest=47)
    assert len(long) == 47
    assert long.endswith("x-0a1b2c3d")


@pytest.mark.parametrize("kind", SUBMITTERS.values())
def test_settings_of_every_target_come_back_from_json(kind: type[AbstractSubmitter]) -> None:
    assert kind.model_validate(json.loads(json.dumps(kind().model_dump()))) == kind()
