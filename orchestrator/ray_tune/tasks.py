"""Tasks in Ray's object store: data is loaded once, copied once to each node, and mapped by all its workers."""

from __future__ import annotations

import pickle
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from orchestrator.search.space import identity
from trainers.config import Spec

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from trainers.tasks.base import Task


@dataclass(frozen=True)
class SharedTasks:
    """The tasks of a sweep, as every worker finds them."""

    references: dict[str, Any]
    """Ray's reference to each ``_Packed`` task, by the ``identity`` of the task's spec."""

    @staticmethod
    def load(specs: Mapping[str, Spec], import_path: str, at_hand: Mapping[str, Task]) -> SharedTasks:
        """Put tasks where workers find them. What is not at hand is loaded by a worker, while this process goes on.

        Args:
            specs: specs of the tasks, by identity.
            import_path: folder of the user's own modules.
            at_hand: tasks that this process has loaded, by identity.
        """
        import ray

        load: Any = ray.remote(num_cpus=0)(_load)
        references = {}
        for key, spec in specs.items():
            try:
                references[key] = ray.put(pack(at_hand[key])) if key in at_hand else load.remote(spec, import_path)
            except (pickle.PicklingError, TypeError, AttributeError):  # it cannot be pickled: each trial loads it
                continue
        return SharedTasks(references)

    def find(self, spec: Spec) -> Task:
        """The task of a spec, with its tensors mapped; one that was not foreseen is loaded here.

        Raises:
            Exception: what loading it raised.
        """
        import ray
        from ray.exceptions import RayTaskError

        from trainers.instantiate import make_task

        key = identity(spec.to_dict())
        if key not in self.references:
            return make_task(spec)
        try:
            packed: _Packed = ray.get(self.references[key])
        except RayTaskError as error:
            raise error.cause from None
        return unpack(packed)


@dataclass(frozen=True)
class _Packed:
    """A task with its tensors as arrays of bytes: an object store maps NumPy's arrays, and copies anything else."""

    bare: Task
    """The task with one example in each split."""
    arrays: list[NDArray[np.uint8]]
    """Bytes of the inputs and targets of the splits for training, validation and test."""
    forms: list[tuple[torch.dtype, torch.Size]]
    """Type and shape of each tensor in ``arrays``."""


def _load(spec: Spec, import_path: str) -> _Packed:
    """Load a task on a worker."""
    from trainers.instantiate import make_task

    if import_path not in sys.path:
        sys.path.insert(0, import_path)
    return pack(make_task(spec))


def pack(task: Task) -> _Packed:
    """The inverse of ``unpack``."""
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
    """The packed task. Its tensors share memory with the arrays, which are read-only: networks are given copies."""
    import torch

    from trainers.tasks.base import Split

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        flat = [torch.from_numpy(array) for array in packed.arrays]
    tensors = [one.view(dtype).reshape(shape) for one, (dtype, shape) in zip(flat, packed.forms, strict=True)]
    train, validation, test = (Split(inputs=tensors[i], targets=tensors[i + 1]) for i in (0, 2, 4))
    return replace(packed.bare, train=train, validation=validation, test=test)
