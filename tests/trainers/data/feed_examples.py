"""Examples that can be sent to workers."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from trainers.data.examples import Batch


@dataclass(frozen=True)
class Noisy:
    """Numbers with noise from every generator, and a sum that depends on how many threads compute it."""

    num: int

    def __len__(self) -> int:
        return self.num

    def take(self, numbers: Tensor, /) -> Batch:
        noise = torch.rand(len(numbers)) + random.random() + np.random.rand()  # noqa: NPY002 - what users draw from
        return Batch({"number": numbers.clone(), "noise": noise}, (numbers * 2).float())


@dataclass(frozen=True)
class Odd:
    """Examples of which one does what ``deed`` says."""

    deed: str
    at: int = 40

    def __len__(self) -> int:
        return 100

    def take(self, numbers: Tensor, /) -> Batch:
        if self.at in numbers:
            if self.deed == "refuse":
                raise ValueError(f"picture {self.at} is torn")
            if self.deed == "fail":
                raise KeyError(self.at)
            if self.deed == "exit":
                sys.exit("no data")
            if self.deed == "stop":
                next(iter([]))
            if self.deed == "fill":
                raise MemoryError("no memory")
            if self.deed == "shm":
                raise RuntimeError("unable to allocate shared memory(shm) for file </torch_1>: No space left on device")
            if self.deed == "sleep":
                time.sleep(600)
            os.kill(os.getpid(), getattr(signal, self.deed))
        return Batch(numbers[:, None].float(), numbers % 2)


@dataclass(frozen=True)
class Pids:
    """Examples that say which process reads them."""

    def __len__(self) -> int:
        return 10_000

    def take(self, numbers: Tensor, /) -> Batch:
        return Batch(torch.full((len(numbers),), os.getpid()), torch.full((len(numbers),), torch.get_num_threads()))


@dataclass(frozen=True)
class Wide:
    """Examples of 200 kB."""

    def __len__(self) -> int:
        return 1000

    def take(self, numbers: Tensor, /) -> Batch:
        return Batch(torch.ones(len(numbers), 50_000), numbers.clone())


@dataclass(frozen=True)
class Jittered:
    """Points of two classes, moved a little whenever they are read."""

    num: int

    def __len__(self) -> int:
        return self.num

    def take(self, numbers: Tensor, /) -> Batch:
        targets = numbers % 2
        return Batch(targets[:, None] + 0.3 * torch.randn(len(numbers), 4), targets)
