"""Tasks in Ray's object store: data is loaded once, copied once to each node, and mapped by all its workers."""

from __future__ import annotations

import pickle
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.search.space import identity
from trainers.config import Spec

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from trainers.data.examples import Examples
    from trainers.tasks.base import Task
    from trainers.trees import Tree


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
    """The task with one example in each split that is in memory; others travel as they are, such as paths."""
    arrays: list[NDArray[np.uint8]]
    """Bytes of the inputs and targets of the splits in memory, for training, validation and test."""
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

    from trainers.trees import mapped

    found: list[torch.Tensor] = []

    def taken_out(tensor: torch.Tensor) -> torch.Tensor:
        found.append(tensor)
        return tensor[:1].clone()

    bare = task.with_splits(lambda split: _with_tensors(split, lambda tree: mapped(taken_out, tree)))
    flat = [tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy() for tensor in found]
    return _Packed(bare, flat, [(tensor.dtype, tensor.shape) for tensor in found])


def unpack(packed: _Packed) -> Task:
    """The packed task. Its tensors share memory with the arrays, which are read-only: networks are given copies."""
    import torch

    from trainers.trees import mapped

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        flat = [torch.from_numpy(array) for array in packed.arrays]
    tensors = iter([one.view(dtype).reshape(shape) for one, (dtype, shape) in zip(flat, packed.forms, strict=True)])
    return packed.bare.with_splits(
        lambda split: _with_tensors(split, lambda tree: mapped(lambda _: next(tensors), tree))
    )


def _with_tensors(split: Examples, change: Callable[[Tree], Tree]) -> Examples:
    """A split with its inputs and targets changed, in this order, where these are in memory."""
    from trainers.data.examples import InMemory

    if not isinstance(split, InMemory):
        return split
    inputs = change(split.inputs)
    return InMemory(inputs=inputs, targets=change(split.targets))
