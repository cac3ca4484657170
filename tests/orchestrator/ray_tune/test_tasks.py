"""Tasks in an object store: the same data, not copied, whatever its type."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest
import torch

from orchestrator.ray_tune.tasks import SharedTasks, pack, unpack
from orchestrator.search.space import identity
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
    assert again.loss == task.loss
    addresses = {np.frombuffer(view, np.uint8).ctypes.data for view in read_only}
    assert again.train.inputs.data_ptr() in addresses


def test_a_task_that_was_not_foreseen_is_loaded_here() -> None:
    assert len(SharedTasks({}).find(DIGITS).train) == len(make_task(DIGITS).train)


def test_specs_that_read_alike_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray's store is a dictionary here."""
    monkeypatch.setattr("ray.put", lambda packed: packed)
    monkeypatch.setattr("ray.get", lambda packed: packed)
    specs = [Spec(name="noisy", arguments={"sigma": sigma}) for sigma in (0.123412, 0.123449)]
    assert str(specs[0]) == str(specs[1])
    task = make_task(DIGITS)
    tasks = [dataclasses.replace(task, quality_name=name) for name in ("one", "other")]
    keys = [identity(spec.to_dict()) for spec in specs]
    shared = SharedTasks.load(
        dict(zip(keys, specs, strict=True)), import_path="", at_hand=dict(zip(keys, tasks, strict=True))
    )
    assert [shared.find(spec).quality_name for spec in specs] == ["one", "other"]


def test_a_task_that_does_not_travel_is_loaded_where_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(packed: object) -> None:
        raise TypeError("cannot pickle '_thread.lock' object")

    monkeypatch.setattr("ray.put", refuse)
    key = identity(DIGITS.to_dict())
    shared = SharedTasks.load({key: DIGITS}, import_path="", at_hand={key: make_task(DIGITS)})
    assert shared.references == {}
    assert shared.find(DIGITS).quality_name == "accuracy"
