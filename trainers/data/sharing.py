"""Tensors that a worker makes where the training process finds them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import get_worker_info


def empty(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """A tensor to be filled. In a worker it lies in shared memory at once, so that it is not copied there later."""
    if get_worker_info() is None:
        return torch.empty(*shape, dtype=dtype)
    num_bytes = math.prod(shape) * dtype.itemsize
    storage = torch.UntypedStorage._new_shared(num_bytes)  # type: ignore[no-untyped-call]
    return torch.empty(0, dtype=dtype).set_(storage).view(*shape)  # the whole storage is one row
