"""The contract suites run on one thread, and code by static tables except where the coder is tested."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from trainers.coding import planning

_PROMISING = planning._promising


@pytest.fixture(autouse=True, scope="package")
def _one_thread() -> None:
    """Use one thread: the suites share their machine, and tiny networks gain nothing from more."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="package")
def _static_tables() -> Iterator[None]:
    """Leave the adaptive coder out: it took three quarters of the time of these suites, and has tests of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "_promising", lambda values: [])
        yield


@pytest.fixture
def adaptive_coder(_static_tables: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code as a user's trials do."""
    monkeypatch.setattr(planning, "_promising", _PROMISING)
