"""The fixtures of tests of trainers."""

from __future__ import annotations

import pytest
import torch

from tests.trainers.methods.two_phases import TwoPhases
from trainers.methods import METHODS


@pytest.fixture(autouse=True, scope="package")
def _one_thread() -> None:
    """Use one thread: the suites share their machine, and tiny networks gain nothing from more."""
    torch.set_num_threads(1)


@pytest.fixture
def two_phases_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "two_phases", TwoPhases)
