"""Every method and modifier takes networks of several inputs, by position or by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.trainers.networks import TWINS
from tests.trainers.trials import configuration, run
from trainers.methods import METHODS

PAIRS = "tests.trainers.networks:pairs"


def files_of(name: str, as_dict: bool, directory: Path, **changes: Any) -> dict[str, bytes]:
    task = {"name": PAIRS, "as_dict": as_dict}
    config = configuration(name, task=task, architecture={"name": TWINS}, batch_size=32, **changes)
    return run(config, directory / str(as_dict))[0]


@pytest.mark.parametrize("name", METHODS)
def test_two_inputs_by_position_and_by_name_give_the_same_files(name: str, tmp_path: Path) -> None:
    found = [files_of(name, as_dict, tmp_path) for as_dict in (False, True)]
    assert found[0]
    assert found[0] == found[1]


def test_modifiers_take_two_inputs(tmp_path: Path) -> None:
    files_of("uncompressed", False, tmp_path / "teacher")
    teacher = {"teacher": str(tmp_path / "teacher/False/point.rfz"), "architecture": TWINS}
    plain = files_of("ptq", False, tmp_path / "plain")
    for modifiers in ({"distillation": teacher}, {"disout": {"block": 2}}):
        found = [
            files_of("ptq", as_dict, tmp_path / next(iter(modifiers)), modifiers=modifiers) for as_dict in (False, True)
        ]
        assert found[0] == found[1] != plain


@pytest.mark.parametrize("method", ["ptq", "obs"])
def test_a_given_network_of_two_inputs_is_compressed_and_compared(method: str, tmp_path: Path) -> None:
    files_of("uncompressed", False, tmp_path / "given")
    given = str(tmp_path / "given/False/point.rfz")
    found = [files_of(method, as_dict, tmp_path / method, steps=0, init_from=given) for as_dict in (False, True)]
    assert found[0] == found[1]
