"""Arrays that stay on the disk: only the examples of a batch are copied to memory."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainers import checks
from trainers.data.examples import Batch
from trainers.echo import echo
from trainers.trees import Tree, leaves, mapped

_WIDER = {"uint16": np.int32, "uint32": np.int64}
"""Types that torch computes little with, and those that they are given in."""
_KINDS = "biuf"


class ArrayFile:
    """An array in a file, mapped to memory by each process that reads it. It is pickled as its path.

    The file is a ``.npy`` file, or has nothing but numbers, whose type and shape are given.
    """

    def __init__(
        self, path: str | Path, *, dtype: Any = None, shape: Sequence[int] | None = None, offset: int = 0
    ) -> None:
        """Look at the file.

        Args:
            path: the file.
            dtype: the type of its numbers, where it is no ``.npy`` file.
            shape: the array's shape, where it is no ``.npy`` file: by default one axis, up to the file's end.
            offset: the bytes before the first number, where it is no ``.npy`` file.

        Raises:
            ValueError: it is not there, or is not what was said; one line says which.
        """
        self.path = Path(path).absolute()  # workers may have another working directory
        if dtype is not None and self.path.suffix == ".npy":
            raise ValueError(f"{self.path} says its dtype and shape itself, as all .npy files do: leave dtype out")
        self._raw: tuple[np.dtype[Any], tuple[int, ...], int] | None = None
        if dtype is not None:
            self._raw = self._checked(_dtype(dtype), None if shape is None else _shape(shape), offset)
        elif shape is not None or offset or self.path.suffix != ".npy":
            raise ValueError(f"{self.path} has no dtype: wanted that of its numbers, or a .npy file")
        self._array: NDArray[Any] | None = None
        self.shape, self.dtype = self.array.shape, self.array.dtype
        if self.dtype.kind not in _KINDS or self.dtype == np.uint64 or not self.shape:
            raise ValueError(
                f"{self.path} holds {self.dtype} of the shape {self.shape}: wanted an axis of examples, and numbers "
                "that torch has"
            )

    def _checked(
        self, dtype: np.dtype[Any], shape: tuple[int, ...] | None, offset: int
    ) -> tuple[np.dtype[Any], tuple[int, ...], int]:
        checks.integer("offset", offset, low=0)
        try:
            num_bytes = self.path.stat().st_size - offset
        except OSError as error:
            raise self._unread(error) from error
        whole = (num_bytes // dtype.itemsize,) if shape is None else shape
        wanted = math.prod(whole) * dtype.itemsize
        if num_bytes < wanted or (shape is None and num_bytes != wanted) or not wanted:
            raise ValueError(
                f"{self.path} has {num_bytes} bytes after the first {offset}: wanted "
                + (f"{wanted}, for {dtype} {whole}" if shape is not None else f"one or more {dtype}, all whole")
            )
        return dtype, whole, offset

    @property
    def array(self) -> NDArray[Any]:
        """The mapped array, which nobody may write to."""
        if self._array is None:
            try:
                if self._raw is None:
                    found = np.load(self.path, mmap_mode="r", allow_pickle=False)
                else:
                    dtype, shape, offset = self._raw
                    found = np.memmap(self.path, dtype, mode="r", shape=shape, offset=offset)
            except (OSError, ValueError, EOFError) as error:
                raise self._unread(error) from error
            self._array = found.view(np.ndarray)  # a plain one: its parts are taken faster
        return self._array

    def _unread(self, error: Exception) -> ValueError:
        return ValueError(f"{self.path} cannot be mapped: {getattr(error, 'strerror', None) or error}")

    def rows(self, chosen: Any) -> Tensor:
        """A copy of the parts that ``chosen`` indexes."""
        copied = self.array[chosen]
        wanted = _WIDER.get(copied.dtype.name, copied.dtype.newbyteorder("="))
        return torch.from_numpy(copied.astype(wanted, copy=False))

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_array": None}

    def __repr__(self) -> str:
        return f"ArrayFile({str(self.path)!r})"


def _dtype(given: Any) -> np.dtype[Any]:
    try:
        found: np.dtype[Any] = np.dtype(given)
    except TypeError as error:
        raise ValueError(f"dtype is {echo(given)}: wanted a type of numbers, such as 'float32'") from error
    return found


def _shape(given: Any) -> tuple[int, ...]:
    try:
        found = tuple(operator.index(size) for size in given)
    except TypeError:  # one number, or fractions
        found = (-1,)
    if min(found, default=-1) < 0:
        raise ValueError(f"shape is {echo(given)}: wanted the lengths of all axes, such as (1000, 3)")
    return found


@dataclass(frozen=True, kw_only=True)
class Mapped:
    """Examples in arrays on the disk: ``inputs`` (n, ...) and ``targets`` (n, ...).

    Each is the path of a ``.npy`` file or an ``ArrayFile``, or tuples and dicts of such. What is stored as uint16 is
    given as int32, and uint32 as int64.
    """

    inputs: Tree
    targets: Tree

    def __post_init__(self) -> None:
        for name in ("inputs", "targets"):
            object.__setattr__(self, name, mapped(_file, getattr(self, name)))
        lengths = sorted({len(file) for tree in (self.inputs, self.targets) for file in leaves(tree)})
        if len(lengths) != 1 or lengths == [0]:
            raise ValueError(
                f"arrays of a split have {' and '.join(map(str, lengths)) or 'no'} examples: wanted equally many, at "
                "least 1"
            )

    def __len__(self) -> int:
        file: ArrayFile = next(leaves(self.inputs))
        return len(file)

    def take(self, numbers: Tensor, /) -> Batch:
        chosen = numbers.numpy()
        inputs, targets = (mapped(lambda file: file.rows(chosen), tree) for tree in (self.inputs, self.targets))
        return Batch(inputs, targets)


def _file(given: Any) -> ArrayFile:
    return given if isinstance(given, ArrayFile) else ArrayFile(given)


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Windows of one long array of tokens on the disk. Inputs are ``length`` tokens, targets those one place later.

    Both are int64 (batch, length).
    """

    tokens: str | Path | ArrayFile
    """The path of a ``.npy`` file, or an ``ArrayFile``; of one axis, whole numbers."""
    length: int
    stride: int = 1
    """How many tokens later the next window begins: 1 for windows at every place, ``length`` for ones side by side."""
    start: int = 0
    """The first token that is used."""
    stop: int | None = None
    """The first token that is not used any more; None for the file's end."""
    _num: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        file = _file(self.tokens)
        if len(file.shape) != 1 or file.dtype.kind not in "iu":
            raise ValueError(f"{file.path} holds {file.dtype} of the shape {file.shape}: wanted one axis of tokens")
        checks.integer("length", self.length, low=1)
        checks.integer("stride", self.stride, low=1)
        checks.integer("start", self.start, low=0, high=len(file))
        stop = len(file) if self.stop is None else self.stop
        checks.integer("stop", stop, low=0, high=len(file))
        num = (stop - self.start - self.length - 1) // self.stride + 1
        if num < 1:
            raise ValueError(
                f"{file.path} has {max(0, stop - self.start)} tokens from {self.start} to {stop}: wanted at least "
                f"length + 1 = {self.length + 1}"
            )
        object.__setattr__(self, "tokens", file)
        object.__setattr__(self, "_num", num)

    def __len__(self) -> int:
        return self._num

    def take(self, numbers: Tensor, /) -> Batch:
        assert isinstance(self.tokens, ArrayFile)
        places = self.start + numbers[:, None] * self.stride + torch.arange(self.length + 1)
        windows = self.tokens.rows(places.numpy()).long()
        return Batch(windows[:, :-1].clone(), windows[:, 1:].clone())
