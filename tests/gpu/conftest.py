"""Tests that need a GPU: they fail without one, and run where they are asked for: ``pytest -m gpu tests/gpu``.

They use no fixture of the folder above, so that ``--confcutdir tests/gpu`` does with few packages.
"""

from __future__ import annotations

import os

import pytest
import torch

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # before CUDA starts: else cuBLAS sums in any order


@pytest.fixture(autouse=True)
def _gpu() -> None:
    if not torch.cuda.is_available():
        pytest.fail("torch sees no GPU: these tests are about one", pytrace=False)
