"""Reads the state_dict of somebody's checkpoint whole: a file, or a Hugging Face folder of safetensors."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainers.echo import echo
from trainers.lookup import one_line
from trainers.tensor_files import PICKLES, SAFETENSORS, few, read_tensors, without

_SUFFIXES = (*PICKLES, SAFETENSORS)
_INDEX = ".index.json"
_MOST_INDEX_BYTES = 1 << 26


@dataclass(frozen=True, kw_only=True)
class StateDict:
    """The tensors of a checkpoint."""

    tensors: dict[str, Tensor]
    """Each once, on the CPU."""
    aliases: dict[str, str]
    """Further names of tied tensors, with the name that each has in ``tensors``."""
    left_out: list[str]
    """The names of what lay beside the tensors."""


def read_state_dict(path: Path, *, key: str = "", ignore: Sequence[str] = (), field: str) -> StateDict:
    """Read a file (``tensor_files.read_tensors``), or all safetensors of a Hugging Face folder. No code in it is run.

    Args:
        path: of the file or folder.
        key: as in ``read_tensors``; of files alone.
        ignore: patterns of names that are left out.
        field: the name of the setting in errors.

    Raises:
        ValueError: it is missing or damaged, or holds no tensors; one line says what is wrong.
    """
    if path.is_dir():
        if key:
            raise ValueError(f"{field}: {path} is a folder, and key is {key!r}: a key is of a single file")
        found = _read_folder(path, field)
        others: list[str] = []
    else:
        if path.suffix not in _SUFFIXES:
            raise ValueError(f"{field} is {path}: wanted a folder, or a file that ends in {', '.join(_SUFFIXES)}")
        found, others = read_tensors(path, _content(path, field), key=key, field=field)
    found, others = without(ignore, found, others, path, field)
    first: dict[Any, str] = {}
    aliases = {}
    for name, tensor in found.items():
        one = first.setdefault(_place(name, tensor), name)
        if one != name:
            aliases[name] = one
    return StateDict(
        tensors={name: tensor for name, tensor in found.items() if name not in aliases},
        aliases=aliases,
        left_out=others,
    )


def _place(name: str, tensor: Tensor) -> Any:
    """What two names share where they mean the same values in memory."""
    if tensor.layout != torch.strided or tensor.is_quantized or not tensor.numel():
        return name
    return tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride()


def _read_folder(folder: Path, field: str) -> dict[str, Tensor]:
    indices = sorted(folder.glob(f"*{SAFETENSORS}{_INDEX}"))
    if len(indices) > 1:
        raise ValueError(f"{field}: {folder} has {few([one.name for one in indices])}: wanted one index; give a file")
    shards = _shards(indices[0], field) if indices else _only_file(folder, field)
    tensors: dict[str, Tensor] = {}
    for shard, names in shards.items():
        path = _inside(folder, shard, field)
        found, _ = read_tensors(path, _content(path, field), field=field)
        if names is not None and set(found) != names:
            differing = sorted(set(found) ^ names)
            raise ValueError(f"{field}: {path} and {indices[0].name} differ in {few(differing)}: wanted a whole folder")
        tensors.update(found)
    return tensors


def _only_file(folder: Path, field: str) -> dict[str, set[str] | None]:
    files = sorted(path.name for path in folder.glob(f"*{SAFETENSORS}"))
    if len(files) != 1:
        raise ValueError(
            f"{field}: {folder} has {few(files)} in safetensors and no *{SAFETENSORS}{_INDEX}: "
            "wanted one such file, or an index; other files are not read from a folder"
        )
    return {files[0]: None}


def _shards(index: Path, field: str) -> dict[str, set[str] | None]:
    """The names of the tensors in each file of a folder, as its index has them."""
    try:
        if index.stat().st_size > _MOST_INDEX_BYTES:
            raise ValueError(f"it has more than {_MOST_INDEX_BYTES} bytes")
        named = json.loads(_inside(index.parent, index.name, field).read_bytes())["weight_map"]
        if not isinstance(named, Mapping) or not named or not all(isinstance(file, str) for file in named.values()):
            raise ValueError("its weight_map is no mapping from tensors to files")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{field}: {index} cannot be read ({one_line(error)}): wanted an index of shards") from error
    shards: dict[str, set[str] | None] = {}
    for name, file in named.items():
        names = shards.setdefault(file, set())
        assert names is not None
        names.add(name)
    return shards


def _inside(folder: Path, name: str, field: str) -> Path:
    """The file of that name in a folder; never one elsewhere, whatever the name says or links to."""
    path = folder / name
    is_name = name == Path(name).name and name.isprintable() and "\\" not in name
    if not is_name or not name.endswith((SAFETENSORS, _INDEX)):
        raise ValueError(f"{field}: an index names {echo(name)}: wanted files of safetensors in {folder} alone")
    if not path.is_file():
        raise ValueError(f"{field}: {folder} has no file {echo(name)}: wanted a whole folder")
    if path.resolve().parent != folder.resolve():
        raise ValueError(f"{field}: {path} links out of its folder: copy the files there, without links")
    return path


def _content(path: Path, field: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{field}: cannot read {path} ({error.strerror}): wanted a file of tensors") from error
