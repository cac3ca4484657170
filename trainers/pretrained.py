"""Loads a plain network's initial values: from files, from known trained networks by name, or from several fused."""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from trainers.architectures.base import Architecture
from trainers.coding import container
from trainers.compressed import open_bytes
from trainers.config import fused_parts
from trainers.downloads import DataFile, locate
from trainers.fusion import fuse, shapes_at_widths
from trainers.hidden_units import UnitGroup
from trainers.lookup import is_import_path, one_line

_AUTHORS = "https://github.com/akamaster/pytorch_resnet_cifar10/raw/master/pretrained_models"
_MIRROR = "https://cdn.jsdelivr.net/gh/akamaster/pytorch_resnet_cifar10@master/pretrained_models"


def _cifar10(file: str, sha256: str) -> DataFile:
    return DataFile(path=f"models/{file}", sha256=sha256, urls=(f"{_AUTHORS}/{file}", f"{_MIRROR}/{file}"))


PRETRAINED: dict[str, DataFile] = {
    # for task cifar10, by Yerlan Idelbayev; BSD 2-clause; chosen on test data, so slightly optimistic
    # resnet_cifar(depth=20), 91.73 % of test images
    "resnet20_cifar10": _cifar10(
        "resnet20-12fca82f.th", "12fca82f0bebc4135bf1f32f6e3710e61d5108578464b84fd6d7f5c1b04036c8"
    ),
    # resnet_cifar(depth=32), 92.63 %
    "resnet32_cifar10": _cifar10(
        "resnet32-d509ac18.th", "d509ac1820d7f25398913559d7e81a13229b1e7adc5648e3bfa5e22dc137f850"
    ),
}
"""Trained networks by name. A name's meaning never changes: sweeps in the world refer to it."""

_SUFFIXES = (".pth", ".pt", ".th", ".safetensors", ".rfz")
_PINNED = re.compile(r"(?P<path>.+)#(?P<digest>sha256=[0-9a-f]{64})")
_NESTED_IN = ("state_dict", "model", "net")
_MOST_NESTED = 4
_PREFIXES = ("module.", "model.", "_orig_mod.")
"""What DataParallel, Lightning and torch.compile put before every name."""
_COUNTER = "num_batches_tracked"
_MOST_NAMED = 3


def pin(source: str, *, field: str = "init_from") -> str:
    """Return a source that means the same values anywhere: a name as it is, a path absolute and with a digest.

    ``weights.pth`` becomes ``/home/me/weights.pth#sha256=...``, which refuses another content from then on. In
    ``fusion(a.pth, b.rfz)`` each part does.

    Args:
        source: the name or path.
        field: the name of the setting in errors.

    Raises:
        ValueError: there is no such name or file, or the file's content is not the pinned one.
    """
    if source == "" or source in PRETRAINED:
        return source
    if parts := fused_parts(source):
        return f"fusion({', '.join(pin(part, field=field) for part in parts)})"
    path, content = read_pinned(source, field=field)
    return f"{path}#{_digest(content)}"


def initial_values(
    source: str,
    plain: nn.Module,
    *,
    groups: Sequence[UnitGroup] = (),
    own: Architecture | None = None,
    field: str = "init_from",
) -> dict[str, Tensor]:
    """Load the values for ``plain``'s ``state_dict``, on the CPU.

    They are complete, except that an older file may lack counters of batches. A file is a ``.rfz``, which is decoded,
    or holds a ``state_dict``, alone or under ``state_dict``, ``model`` or ``net``. Its names may begin with
    ``module.``, ``model.`` or ``_orig_mod.``: if those that do make a complete network, the others (a counter, a loss's
    weights) are left out. ``fusion(A, B, ...)`` fuses files or named networks of the same layers at any widths
    (``trainers/fusion.py``).

    Args:
        source: a registered name, a path, ``fusion`` of them, or what ``pin`` returns for any.
        plain: the architecture, on any device.
        groups: its hidden units, which fusion matches.
        own: the architecture's function, for a ``.rfz`` of a user's own network.
        field: the name of the setting in errors.

    Raises:
        ValueError: a file is missing, or holds no ``state_dict``, one of another network, or values that are not finite
            numbers; or units of the architecture cannot be matched.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in plain.state_dict().items()}
    parts = fused_parts(source)
    if not parts:
        given = _given(source, plain, own, field)
        _check_network(source, given, plain, shapes, field)
        return given
    networks = []
    for part in parts:
        networks.append(given := _given(part, plain, own, field))
        _check_network(part, given, plain, shapes_at_widths(given, plain, groups), field)
    return fuse(networks, plain, groups)


def _given(source: str, plain: nn.Module, own: Architecture | None, field: str) -> dict[str, Tensor]:
    """Read what a file or a named network holds."""
    if source in PRETRAINED:
        path = locate(PRETRAINED[source])
        content = path.read_bytes()
    else:
        path, content = read_pinned(source, field=field)
    if path.suffix == ".rfz":
        return _decoded(path, content, own, field)
    return dict(_without_prefixes(_tensors(path, content, field), plain.state_dict()))


def _decoded(path: Path, content: bytes, own: Architecture | None, field: str) -> dict[str, Tensor]:
    try:
        is_own = is_import_path(container.read_header(content).architecture)  # a name in a file imports nothing
        return open_bytes(content, architecture=own if is_own else None).state_dict()
    except ValueError as error:
        raise ValueError(f"{field}: {path} cannot be loaded ({one_line(error)}): wanted a .rfz file") from error


def _check_network(
    source: str, given: Mapping[str, Tensor], plain: nn.Module, shapes: Mapping[str, tuple[int, ...]], field: str
) -> None:
    """Refuse values with other tensors than ``plain``, with other ``shapes``, or that are not finite numbers."""
    path, wanted = source.partition("#")[0], plain.state_dict()
    missing = [name for name in wanted if name not in given and name.rpartition(".")[2] != _COUNTER]
    unexpected = [name for name in given if name not in wanted]
    misshapen = [
        f"{name} {tuple(given[name].shape)} for {shape}"
        for name, shape in shapes.items()
        if name in given and given[name].shape != shape
    ]
    kinds = (("lacks", missing), ("has unknown", unexpected), ("has of another shape", misshapen))
    if wrong := [f"{kind} {_few(names)}" for kind, names in kinds if names]:
        raise ValueError(
            f"{field}: {path} is of another network: it {', '.join(wrong)}; wanted the {len(wanted)} tensors "
            "of the architecture: change its name or arguments to those of the file, or give another file"
        )
    for name, tensor in given.items():
        _check_values(f"{field}: {path}: {name}", tensor, wanted[name])


def _check_values(name: str, tensor: Tensor, like: Tensor) -> None:
    is_dense = tensor.layout == torch.strided and not tensor.is_meta and not tensor.is_quantized
    if not is_dense or tensor.is_floating_point() != like.is_floating_point() or tensor.is_complex():
        raise ValueError(f"{name} is {tensor.dtype}, {tensor.layout}: wanted dense values that fit {like.dtype}")
    if not tensor.isfinite().all():
        raise ValueError(f"{name} holds NaN or infinity: wanted finite values")


def read_pinned(source: str, *, field: str) -> tuple[Path, bytes]:
    """Return the absolute path and the content, checked if ``source`` is pinned; arguments and errors as in ``pin``."""
    pinned = _PINNED.fullmatch(source)
    path = Path(pinned["path"] if pinned else source).expanduser().absolute()
    if path.suffix not in _SUFFIXES:
        fusion = "; or fusion(A, B) of several" if field == "init_from" else ""
        raise ValueError(
            f"{field} is {source!r}: wanted a file that ends in {', '.join(_SUFFIXES)}, "
            f"or a trained network's name: {', '.join(PRETRAINED)}{fusion}"
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(
            f"{field}: cannot read {path} ({error.strerror}): wanted a file of trained values; "
            "a relative path begins at the working directory"
        ) from error
    if pinned and pinned["digest"] != (found := _digest(content)):
        raise ValueError(
            f"{field}: {path} has changed: its content is {found}, wanted {pinned['digest']}: "
            "restore it, or give the path alone to take what it holds now"
        )
    return path, content


def _digest(content: bytes) -> str:
    return f"sha256={hashlib.sha256(content).hexdigest()}"


def _tensors(path: Path, content: bytes, field: str) -> Mapping[str, Tensor]:
    """Read the tensors of the file's ``state_dict``. No code in the file is run."""
    found: Any
    try:
        if path.suffix == ".safetensors":
            found = safetensors.torch.load(content)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about newer pickle protocols; what does not load is an error below
                found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # a file may hold anything
        raise ValueError(
            f"{field}: {path} cannot be loaded ({type(error).__name__}: {one_line(error)[:200]}): "
            "wanted a state_dict, from torch.save(model.state_dict(), path) or as safetensors"
        ) from error
    for _ in range(_MOST_NESTED):  # not for ever: a pickle may contain itself
        keys = [key for key in _NESTED_IN if isinstance(found, Mapping) and isinstance(found.get(key), Mapping)]
        found = found[keys[0]] if keys else found
    if not isinstance(found, Mapping) or not found or not all(isinstance(value, Tensor) for value in found.values()):
        held = f"entries {_few([str(key) for key in found])}" if isinstance(found, Mapping) else type(found).__name__
        raise ValueError(f"{field}: {path} holds {held}: wanted a state_dict, alone or under {_NESTED_IN}")
    return {str(name): tensor for name, tensor in found.items()}


def _without_prefixes(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Remove the prefix that wrappers put before every name, unless the network's own names begin with it."""
    needed = {name for name in wanted if name.rpartition(".")[2] != _COUNTER}
    for prefix in _PREFIXES:
        inner = {name.removeprefix(prefix): tensor for name, tensor in given.items() if name.startswith(prefix)}
        is_whole = bool(inner) and (len(inner) == len(given) or needed <= set(inner))
        if is_whole and not all(name.startswith(prefix) for name in wanted):
            return _without_prefixes(inner, wanted)
    return given


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMED]) or "none"
    return shown + (f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else "")
