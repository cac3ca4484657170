"""The contract suites run on one thread: they share their machine, and tiny networks gain nothing from more."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True, scope="package")
def _one_thread() -> None:
    torch.set_num_threads(1)
