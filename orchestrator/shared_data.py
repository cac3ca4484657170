"""Data of tasks in Ray's object store: loaded once, copied once to each node, and mapped by all its workers."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from trainers.config import Spec

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from trainers.tasks.base import Task


@dataclass(frozen=True)
class SharedTasks:
    """Where the tasks of a sweep are, by their specs."""

    references: dict[str, Any]
    """Ray's, each to a ``_Packed``."""

    @staticmethod
    def load(specs: Iterable[Spec], import_path: str, at_hand: Mapping[str, Task]) -> SharedTasks:
        """Put tasks where workers find them; what is not at hand is loaded by a worker, while this goes on.

        Args:
            specs: of tasks.
            import_path: folder of the user's own modules.
            at_hand: tasks that are loaded already, by their specs.
        """
        import ray

        load: Any = ray.remote(num_cpus=0)(_load)
        references = {
            str(spec): ray.put(pack(at_hand[str(spec)])) if str(spec) in at_hand else load.remote(spec, import_path)
            for spec in specs
        }
        return SharedTasks(references)

    def find(self, spec: Spec) -> Task:
        """The task, its tensors mapped read-only; one that was not foreseen is loaded here.

        Raises:
            Exception: what loading it raised.
        """
        import ray
        from ray.exceptions import RayTaskError

        from trainers.instantiate import make_task

        if str(spec) not in self.references:
            return make_task(spec)
        try:
            packed: _Packed = ray.get(self.references[str(spec)])
        except RayTaskError as error:
            raise error.cause from None
        return unpack(packed)


@dataclass(frozen=True)
class _Packed:
    """A task with its tensors as arrays of bytes: NumPy's arrays are what an object store maps instead of copying."""

    bare: Task
    """With one example in each split."""
    arrays: list[NDArray[np.uint8]]
    """Inputs and targets of the splits for training, validation and test."""
    forms: list[tuple[torch.dtype, torch.Size]]


def _load(spec: Spec, import_path: str) -> _Packed:
    """On a worker."""
    from trainers.instantiate import make_task

    if import_path not in sys.path:
        sys.path.insert(0, import_path)
    return pack(make_task(spec))


def pack(task: Task) -> _Packed:
    """What ``unpack`` makes ``task`` of."""
    import torch

    splits = (task.train, task.validation, task.test)
    tensors = [tensor for split in splits for tensor in (split.inputs, split.targets)]
    flat = [tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy() for tensor in tensors]
    train, validation, test = (
        replace(one, inputs=one.inputs[:1].clone(), targets=one.targets[:1].clone()) for one in splits
    )
    bare = replace(task, train=train, validation=validation, test=test)
    return _Packed(bare, flat, [(tensor.dtype, tensor.shape) for tensor in tensors])


def unpack(packed: _Packed) -> Task:
    """The task; its tensors share memory with the arrays, which may be read-only: nobody writes to data."""
    import torch

    from trainers.tasks.base import Split

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        flat = [torch.from_numpy(array) for array in packed.arrays]
    tensors = [one.view(dtype).reshape(shape) for one, (dtype, shape) in zip(flat, packed.forms, strict=True)]
    train, validation, test = (Split(inputs=tensors[i], targets=tensors[i + 1]) for i in (0, 2, 4))
    return replace(packed.bare, train=train, validation=validation, test=test)
