"""The one source of randomness: every random number is a function of (seed, purpose, index).

Nothing random is carried from step to step, so a checkpoint needs no generator states and a resumed training
draws exactly what the uninterrupted one would have drawn.
"""

from __future__ import annotations

import hashlib
import random


def derive(seed: int, purpose: str, index: int = 0) -> int:
    """A 63-bit seed for one purpose, independent of every other (seed, purpose, index)."""
    digest = hashlib.blake2b(f"{seed}/{purpose}/{index}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def seed_everything(seed: int, purpose: str, index: int = 0) -> None:
    """Seed Python, numpy and torch (CPU and all GPUs) for one purpose, such as one training step."""
    import numpy as np
    import torch

    derived = derive(seed, purpose, index)
    random.seed(derived)
    np.random.seed(derived % 2**32)  # noqa: NPY002 - for users' code that draws from it
    # not torch.manual_seed: where there is no GPU it queues a call, with a stack trace, for each kind of one, each time
    torch.default_generator.manual_seed(derived)
    if torch.cuda.is_available():
        torch.cuda.manual_seed_all(derived)
