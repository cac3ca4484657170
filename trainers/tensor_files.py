"""Files of tensors as others write and read them: what ``torch.save`` writes, and safetensors."""

from __future__ import annotations

import fnmatch
import io
import warnings
import zipfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from trainers.lookup import one_line

SAFETENSORS = ".safetensors"
PICKLES = (".pth", ".pt", ".th")
NESTED_IN = ("state_dict", "model", "net", "model_state_dict", "model_state")
"""The entries under which training scripts save a ``state_dict``, beside other things."""
_MOST_NESTED = 4
_MOST_NAMED = 3


def read_tensors(path: Path, content: bytes, *, key: str = "", field: str) -> tuple[dict[str, Tensor], list[str]]:
    """Read a ``state_dict``, and the names of what lies beside its tensors. No code in the file is run.

    Args:
        path: of the file; its suffix says how it was written.
        content: the file's.
        key: the entry that holds the ``state_dict``, or what the names of its tensors begin with; empty: one of
            ``NESTED_IN``, or the file as a whole.
        field: the name of the setting in errors.

    Raises:
        ValueError: the file is damaged, or holds no tensors there; one line says what it holds.
    """
    if _is_torchscript(content):
        raise ValueError(
            f"{field}: {path} is a TorchScript archive, which holds code: save its tensors alone, "
            f"torch.save(torch.jit.load({path.name!r}).state_dict(), 'tensors.pt'), and give that file"
        )
    try:
        found = _unpacked(path, content)
    except Exception as error:  # a file may hold anything
        raise ValueError(
            f"{field}: {path} cannot be loaded ({type(error).__name__}: {one_line(error)[:200]}): "
            "wanted a state_dict, from torch.save(model.state_dict(), path) or as safetensors"
        ) from error
    wanted, shown = key, found
    for _ in range(_MOST_NESTED):  # not for ever: a pickle may contain itself
        if wanted and (chosen := _entry(found, wanted)) is not None:
            found, wanted = chosen, ""
            continue
        keys = [name for name in NESTED_IN if isinstance(found, Mapping) and isinstance(found.get(name), Mapping)]
        if len(keys) > 1 and not wanted:
            raise ValueError(f"{field}: {path} has entries {' and '.join(keys)}: say which one as key")
        found = found[keys[0]] if keys else found
    if wanted:
        raise ValueError(
            f"{field}: {path} has no entry {key!r}, and no names that begin with it: it holds {_held(shown)}"
        )
    if not isinstance(found, Mapping) or not any(isinstance(value, Tensor) for value in found.values()):
        raise ValueError(
            f"{field}: {path} holds {_held(found)}: wanted a state_dict, alone or under {NESTED_IN}; "
            "of another entry, give its name as key"
        )
    tensors = {str(name): value for name, value in found.items() if isinstance(value, Tensor)}
    return tensors, [str(name) for name in found if str(name) not in tensors]


def without(
    patterns: Sequence[str], tensors: dict[str, Tensor], others: list[str], path: Path, field: str
) -> tuple[dict[str, Tensor], list[str]]:
    """Leave out the names of a file that fit a pattern.

    Args:
        patterns: such as ``similarity_*``.
        tensors, others: as ``read_tensors`` returns them.
        path: of the file.
        field: the name of the setting in errors.

    Raises:
        ValueError: nothing fits a pattern.
    """
    for pattern in patterns:
        if not fnmatch.filter([*tensors, *others], pattern):
            raise ValueError(f"{field}.ignore: no name in {path} fits {pattern!r}: it holds {few([*tensors, *others])}")

    def is_kept(name: str) -> bool:
        return not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)

    return {name: tensor for name, tensor in tensors.items() if is_kept(name)}, list(filter(is_kept, others))


def safetensors_bytes(tensors: Mapping[str, Tensor]) -> bytes:
    """The content of a safetensors file, in which a tensor of several names stands once.

    As ``safetensors.torch.save_model`` does, which ``load_model`` reads: the first name by alphabet is kept, and the
    file's metadata has the kept name under each of the others.
    """
    names: dict[int, list[str]] = defaultdict(list)
    for name, tensor in sorted(tensors.items()):
        names[id(tensor)].append(name)
    left_out = {other: first for first, *others in names.values() for other in others}
    kept = {
        name: tensor.clone(memory_format=torch.contiguous_format)  # tensors may share memory without being the same
        for name, tensor in tensors.items()
        if name not in left_out
    }
    return safetensors.torch.save(kept, metadata=left_out or None)


def pickle_bytes(tensors: Mapping[str, Tensor]) -> bytes:
    """The content of a file that ``torch.load`` reads; every name is kept."""
    buffer = io.BytesIO()
    torch.save(dict(tensors), buffer)
    return buffer.getvalue()


def few(names: Sequence[str]) -> str:
    """The first of many names, for a line."""
    shown = ", ".join(names[:_MOST_NAMED]) or "none"
    return shown + (f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else "")


def _is_torchscript(content: bytes) -> bool:
    """Whether it is a zip with compiled code, as ``torch.jit.save`` writes it; it is not unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return any(name.count("/") and name.split("/")[1] == "code" for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError):
        return False


def _unpacked(path: Path, content: bytes) -> Any:
    if path.suffix == SAFETENSORS:
        return safetensors.torch.load(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about newer pickle protocols; what does not load is an error
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def _entry(found: Any, key: str) -> Any:
    """What lies under a key, where a dot leads on; or the tensors whose names begin with it; None if neither is."""
    if not isinstance(found, Mapping):
        return None
    if isinstance(found.get(key), Mapping):
        return found[key]
    head, dot, rest = key.partition(".")
    if dot and isinstance(found.get(head), Mapping):
        return _entry(found[head], rest)
    begins = f"{key}."
    inner = {str(name).removeprefix(begins): value for name, value in found.items() if str(name).startswith(begins)}
    return inner or None


def _held(found: Any) -> str:
    return f"entries {few([str(key) for key in found])}" if isinstance(found, Mapping) else type(found).__name__
