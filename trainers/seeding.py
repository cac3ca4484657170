"""The one source of randomness: every random number is a function of (seed, purpose, index).

Nothing random is carried from step to step, so a checkpoint needs no generator states and a resumed training
draws exactly what the uninterrupted one would have drawn.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


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


def default_generator(device: torch.device) -> torch.Generator:
    """Torch's own generator for ``device``, from which whatever names no other draws."""
    import torch

    if device.type == "cuda":
        return torch.cuda.default_generators[torch.cuda.current_device() if device.index is None else device.index]
    return torch.default_generator


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Keep the generators of Python, numpy and torch as they are, whatever is drawn inside."""
    import numpy as np
    import torch

    states = random.getstate(), np.random.get_state(), torch.default_generator.get_state()  # noqa: NPY002
    on_gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        torch.default_generator.set_state(states[2])
        torch.cuda.set_rng_state_all(on_gpus)
