"""Tasks in an object store: the same data, not copied, whatever its type."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import torch

from orchestrator.shared_data import SharedTasks, pack, unpack
from trainers.config import Spec
from trainers.instantiate import make_task
from trainers.tasks.base import Split

DIGITS = Spec(name="digits")


def test_a_task_comes_back_as_it_was_and_its_data_is_mapped() -> None:
    task = make_task(DIGITS)
    odd = Split(inputs=task.test.inputs.to(torch.bfloat16).mT, targets=task.test.targets.to(torch.int16))
    task = dataclasses.replace(task, test=odd)
    buffers: list[pickle.PickleBuffer] = []
    body = pickle.dumps(pack(task), protocol=5, buffer_callback=buffers.append)
    assert len(body) < 20_000, "data is outside of what is pickled"
    read_only = [memoryview(bytes(buffer.raw())) for buffer in buffers]
    again = unpack(pickle.loads(body, buffers=read_only))
    for name in ("train", "validation", "test"):
        for part in ("inputs", "targets"):
            one, other = getattr(getattr(task, name), part), getattr(getattr(again, name), part)
            assert one.dtype == other.dtype
            assert torch.equal(one, other)
    assert again.input_shape == task.input_shape
    assert again.loss is task.loss
    addresses = {np.frombuffer(view, np.uint8).ctypes.data for view in read_only}
    assert again.train.inputs.data_ptr() in addresses


def test_a_task_that_was_not_foreseen_is_loaded_here() -> None:
    assert len(SharedTasks({}).find(DIGITS).train) == len(make_task(DIGITS).train)
