"""Calibration examples from a file: one array of ready inputs, of which some calibrate and the others measure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from trainers.echo import echo
from trainers.lookup import one_line
from trainers.tasks.base import InMemory, Task, supervised
from trainers.tensor_files import SAFETENSORS, few

_NUMPY = ".npz"
_EVERY = 4
"""One example of so many measures, and the others calibrate."""
_NUM_RANDOM = 32


def read_inputs(path: Path) -> Tensor:
    """Read inputs (n, ...) from a file with one array: finite numbers, floats as float32 and whole ones as int64.

    Raises:
        ValueError: the file cannot be read, or holds anything else; one line says what.
    """
    arrays = _arrays(path)
    if len(arrays) != 1:
        raise ValueError(f"calibration: {path} holds {len(arrays)} arrays, {few(list(arrays))}: wanted one, of inputs")
    name, array = next(iter(arrays.items()))
    kind = f"{array.dtype} {tuple(array.shape)}".removeprefix("torch.")
    if isinstance(array, np.ndarray):
        if array.dtype.kind not in "fiub":
            raise ValueError(f"calibration: {echo(name)} of {path} is {kind}: wanted numbers")
        if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
            raise ValueError(f"calibration: {echo(name)} of {path} is {kind} with {array.max()}: wanted int64")
        with np.errstate(over="ignore"):  # infinity is refused below
            array = torch.from_numpy(array.astype(_WIDE[array.dtype.kind]))
    if array.is_complex():
        raise ValueError(f"calibration: {echo(name)} of {path} is {kind}: wanted real numbers")
    inputs: Tensor = (
        array.float() if array.is_floating_point() else array if array.dtype == torch.bool else array.long()
    )
    if inputs.ndim < 2 or len(inputs) < 2 or not inputs.numel():
        raise ValueError(
            f"calibration: {echo(name)} of {path} is {kind}: wanted (n, ...), the inputs of two examples or more"
        )
    if not inputs.isfinite().all():
        raise ValueError(f"calibration: {echo(name)} of {path} holds NaN or infinity: wanted finite inputs")
    return inputs


_WIDE = {"f": np.float32, "i": np.int64, "u": np.int64, "b": np.bool_}


def _arrays(path: Path) -> dict[str, Any]:
    try:
        if path.suffix == SAFETENSORS:
            return safetensors.torch.load(path.read_bytes())
        if path.suffix == _NUMPY:
            with np.load(path, allow_pickle=False) as archive:
                return dict(archive)
    except OSError as error:
        raise ValueError(f"calibration: cannot read {path} ({error.strerror or one_line(error)})") from error
    except Exception as error:  # a file may hold anything
        raise ValueError(f"calibration: {path} cannot be read ({type(error).__name__}: {one_line(error)})") from error
    raise ValueError(f"calibration is {str(path)!r}: wanted a file that ends in {_NUMPY} or {SAFETENSORS}")


def task_of(inputs: Tensor, *, of_classes: bool = True) -> Task:
    """A task of inputs (n, ...) without targets, of two examples or more.

    Every fourth example is for validation, and of fewer than four the last; the others are for calibration. With
    ``of_classes`` outputs that may be logits of classes, (batch, 2 or more), are compared as such.
    """
    is_measured = torch.arange(len(inputs)) % _EVERY == _EVERY - 1
    is_measured[-1] |= not is_measured.any()
    return _without_targets(inputs[~is_measured], inputs[is_measured], of_classes=of_classes)


def random_task(shape: Sequence[int]) -> Task:
    """A task of standard normal inputs of one shape: enough to run a network, and to measure nothing."""
    generator = torch.Generator().manual_seed(0)
    train, validation = torch.randn(2, _NUM_RANDOM, *shape, generator=generator)
    return _without_targets(train, validation)


def empty_task() -> Task:
    """A task for networks of whose inputs nothing is known: nothing is computed on it."""
    return _without_targets(torch.zeros(1, 0), torch.zeros(1, 0))


def _without_targets(train: Tensor, validation: Tensor, *, of_classes: bool = True) -> Task:
    """A task whose targets mean nothing, and with them its loss and its quality.

    Its loss says whether outputs are classes.
    """

    def split(inputs: Tensor) -> InMemory:
        return InMemory(inputs=inputs, targets=torch.zeros(len(inputs), dtype=torch.int64))

    return supervised(
        train=split(train),
        validation=split(validation),
        test=split(validation[:1]),
        num_outputs=0,
        loss=torch.nn.functional.cross_entropy if of_classes else torch.nn.functional.mse_loss,
        score=lambda outputs, targets: torch.zeros(len(targets)),
        quality_name="none",
        maximise=True,
    )
