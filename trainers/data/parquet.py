"""Rows of Parquet files as examples, read by row group."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainers import checks
from trainers.data.examples import Batch
from trainers.data.pictures import Pictures
from trainers.lookup import one_line
from trainers.nearest import nearest

T = TypeVar("T")

_MOST_OPEN = 32
"""Files that each process keeps open."""


class ParquetExamples:
    """Examples in Parquet files. Rows are numbered as the files are given, and in each as they lie.

    A column holds numbers (n,), lists of equally many numbers (n, k), lists of such, or, of inputs, images: the
    contents of files, as bytes or as Hugging Face writes them, in a field ``bytes``. What has a fraction is given as
    float32.

    Whole row groups are read, and the last few are kept. As a training takes rows in random order, small row groups
    are faster: ``pyarrow.parquet.write_table(table, path, row_group_size=1000)``.
    """

    def __init__(
        self,
        paths: str | Path | Sequence[str | Path],
        *,
        inputs: str | Sequence[str],
        targets: str | Sequence[str],
        groups_kept: int = 8,
        **pictures: Any,
    ) -> None:
        """Find out where the rows lie.

        Args:
            paths: a file, several, or a folder, whose files are sorted by name.
            inputs: a column, or several of numbers, which are stacked to (n, columns).
            targets: likewise.
            groups_kept: the row groups that each process keeps in memory.
            pictures: how an image becomes a tensor: the fields of ``Pictures``, such as ``size=64``.

        Raises:
            ValueError: a file is missing or no Parquet file, or a column is not in it or holds something else.
        """
        checks.integer("groups_kept", groups_kept, low=1)
        self.paths = _files(paths)
        self._inputs, self._targets = _listed(inputs), _listed(targets)
        self._stacked = (not isinstance(inputs, str), not isinstance(targets, str))
        self._groups_kept = groups_kept
        self._open: OrderedDict[int, Any] = OrderedDict()
        self._read: OrderedDict[int, dict[str, Any]] = OrderedDict()
        groups, ends = [], [0]
        for index in range(len(self.paths)):
            file = self._file(index)
            self._check_columns(index, file.schema_arrow)
            for group in range(file.metadata.num_row_groups):
                groups.append((index, group))
                ends.append(ends[-1] + file.metadata.row_group(group).num_rows)
        if not ends[-1]:
            raise ValueError(f"{self.paths[0]} has no rows: wanted at least 1")
        self._groups, self._ends = groups, np.array(ends)
        has_images = self._is_image(self._file(0).schema_arrow, self._inputs[0])
        self.pictures = Pictures(**pictures) if has_images else None
        if pictures and not has_images:
            raise ValueError(f"{', '.join(pictures)}: no column of {self.paths[0]} that is asked for holds images")
        self._shape = self._shape_of_images()

    def __len__(self) -> int:
        return int(self._ends[-1])

    def take(self, numbers: Tensor, /) -> Batch:
        chosen = numbers.numpy()
        groups = np.searchsorted(self._ends, chosen, side="right") - 1
        by_group = np.argsort(groups, kind="stable")
        parts: dict[str, list[Any]] = {name: [] for name in (*self._inputs, *self._targets)}
        for group in np.unique(groups):
            rows = chosen[by_group][groups[by_group] == group] - self._ends[group]
            columns = self._columns(int(group))
            for name, found in parts.items():
                found.append(_rows(columns[name], rows))
        back = np.argsort(by_group)  # rows in the order of their numbers
        if self.pictures is None:
            inputs = self._numbers(self._inputs, parts, back, stacked=self._stacked[0])
        else:
            contents = [one for found in parts[self._inputs[0]] for one in found]
            names = [self._name_of(number) for number in chosen]
            inputs = self.pictures.batch([contents[place] for place in back], names, self._shape)
        return Batch(inputs, self._numbers(self._targets, parts, back, stacked=self._stacked[1]))

    def _numbers(
        self, names: Sequence[str], parts: dict[str, list[Any]], back: NDArray[np.int64], *, stacked: bool
    ) -> Tensor:
        columns = []
        for name in names:
            if len(shapes := sorted({found.shape[1:] for found in parts[name]})) > 1:
                raise ValueError(f"column {name!r} has lists of {shapes[0]} and of {shapes[1]}: wanted equally many")
            columns.append(np.concatenate(parts[name])[back])
        if len({column.shape for column in columns}) > 1:
            raise ValueError(
                f"columns {', '.join(names)} have lists of different lengths: wanted ones that go together"
            )
        together = np.stack(columns, axis=1) if stacked else columns[0]
        if together.dtype.kind == "f":
            together = together.astype(np.float32, copy=False)
        elif together.dtype.kind == "u" and together.itemsize > 1:
            together = together.astype(np.int64)
        return torch.from_numpy(together)

    def _shape_of_images(self) -> tuple[int, int]:
        if self.pictures is None:
            return (0, 0)
        if self.pictures.size is not None:
            return self.pictures.shape_of(b"", "")
        first = int(np.flatnonzero(np.diff(self._ends))[0])
        (contents,) = _rows(self._columns(first)[self._inputs[0]], np.array([0]))
        return self.pictures.shape_of(contents, self._name_of(0))

    def _columns(self, group: int) -> dict[str, Any]:
        """The columns of a row group: arrays of numbers; arrow arrays of images."""
        return _kept(self._read, group, self._groups_kept, lambda: self._read_group(group))

    def _read_group(self, group: int) -> dict[str, Any]:
        index, place = self._groups[group]
        names = list(dict.fromkeys((*self._inputs, *self._targets)))
        with _one_line(self.paths[index]):
            table = self._file(index).read_row_group(place, columns=names, use_threads=False)
        found = {}
        for name in names:
            column, called = table.column(name), f"column {name!r} of {self.paths[index]}"
            found[name] = (_contents if self._is_image(table.schema, name) else _array)(column, called)
        return found

    def _file(self, index: int) -> Any:
        def opened() -> Any:
            with _one_line(self.paths[index]):
                return pq.ParquetFile(self.paths[index], memory_map=True)

        return _kept(self._open, index, _MOST_OPEN, opened)

    def _check_columns(self, index: int, schema: Any) -> None:
        for name in (*self._inputs, *self._targets):
            if name not in schema.names:
                raise ValueError(f"{self.paths[index]} has no column {name!r}{nearest(name, schema.names)}")
            kind = schema.field(name).type
            if not _is_numbers(kind) and not (self._is_image(schema, name) and self._inputs == (name,)):
                raise ValueError(
                    f"column {name!r} of {self.paths[index]} holds {kind}: wanted numbers, lists of numbers or, for "
                    "inputs, one column of images"
                )
            if index and self._is_image(schema, name) != self._is_image(self._file(0).schema_arrow, name):
                raise ValueError(f"column {name!r} of {self.paths[index]} holds {kind}, and in {self.paths[0]} another")

    @staticmethod
    def _is_image(schema: Any, name: str) -> bool:
        return _is_bytes(schema.field(name).type)

    def _name_of(self, number: int) -> str:
        group = int(np.searchsorted(self._ends, number, side="right")) - 1
        index, place = self._groups[group]
        return f"row {number - self._ends[group]} of row group {place} of {self.paths[index]}"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": OrderedDict(), "_read": OrderedDict()}


def _files(paths: str | Path | Sequence[str | Path]) -> list[Path]:
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    found: list[Path] = []
    for one in given:
        path = Path(one).absolute()  # workers may have another working directory
        found += sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not found:
        raise ValueError(f"{', '.join(map(str, given)) or 'no path'}: wanted one Parquet file or more")
    return found


def _listed(given: str | Sequence[str]) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else tuple(given)
    if not names:
        raise ValueError("inputs or targets name no column: wanted one or more")
    return names


def _kept(cache: OrderedDict[int, T], key: int, most: int, make: Callable[[], T]) -> T:
    """What ``make`` made before, or makes now; the ``most`` that were used last are kept."""
    if key not in cache:
        cache[key] = make()
        if len(cache) > most:
            cache.popitem(last=False)
    cache.move_to_end(key)
    return cache[key]


@contextlib.contextmanager
def _one_line(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise ValueError(f"{path} is not there") from error
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"{path} cannot be read as Parquet: {one_line(error)}") from error


def _is_list(kind: Any) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_numbers(kind: Any) -> bool:
    if _is_list(kind):
        return _is_numbers(kind.value_type)
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _is_bytes(kind: Any) -> bool:
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _is_bytes(kind.field("bytes").type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _rows(column: Any, rows: NDArray[np.int64]) -> Any:
    """Some rows of a column: an array, or a list of contents of files."""
    return column[rows] if isinstance(column, np.ndarray) else column.take(pa.array(rows)).to_pylist()


def _contents(column: Any, called: str) -> Any:
    """The contents of image files, as an arrow array."""
    if pa.types.is_struct(column.type):
        column = pa.chunked_array([chunk.field("bytes") for chunk in column.chunks], column.type.field("bytes").type)
    _check_values(column, called)
    return column


def _check_values(column: Any, called: str) -> None:
    if column.null_count:
        raise ValueError(f"{called} has rows without a value: wanted one in each row")


def _array(column: Any, called: str) -> NDArray[Any]:
    """The numbers of a column (rows, ...)."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    _check_values(array, called)
    if not _is_list(array.type):
        found: NDArray[Any] = array.to_numpy(zero_copy_only=False)
        return found
    inner = _array(array.flatten(), called)
    length = len(inner) // max(1, len(array))
    if (np.asarray(array.value_lengths()) != length).any():
        raise ValueError(f"{called} has lists of different lengths: wanted equally many numbers in each row")
    return inner.reshape(len(array), length, *inner.shape[1:])
