"""Switches of torch that a training sets, so that equal configurations give equal bytes at full speed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def denormals_flushed() -> Iterator[None]:
    """Flush denormals to zero: they are 5 to 10 times slower, and dead latents and their moments decay into them."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@contextlib.contextmanager
def deterministic(device: torch.device) -> Iterator[None]:
    """On a GPU, use kernels that sum in the same order each time; an operation that has none warns, and runs.

    cuBLAS also wants ``CUBLAS_WORKSPACE_CONFIG=:4096:8`` in the environment before its first use.
    """
    if device.type != "cuda":
        yield
        return
    cudnn = torch.backends.cudnn
    strict, warns = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    was_deterministic, was_benchmark = cudnn.deterministic, cudnn.benchmark
    torch.use_deterministic_algorithms(True, warn_only=True)
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(strict, warn_only=warns)
        cudnn.deterministic, cudnn.benchmark = was_deterministic, was_benchmark
