"""The contract suites run on one thread."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True, scope="package")
def _one_thread() -> None:
    """Use one thread: the suites share their machine, and tiny networks gain nothing from more."""
    torch.set_num_threads(1)
