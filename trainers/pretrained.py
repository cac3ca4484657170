"""Loads a plain network's initial values: from files, from known trained networks by name, or from several fused."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from trainers import pinned
from trainers.architectures.base import Architecture, build, build_on_meta
from trainers.coding import container
from trainers.compressed import open_bytes
from trainers.downloads import DataFile, locate
from trainers.fitting import Fitted, MisfitError, fitted, is_narrow, named_alike, without_counters
from trainers.fusion import fuse, shapes_at_widths
from trainers.hidden_units import UnitGroup
from trainers.lookup import is_import_path, one_line
from trainers.networks.norms import BatchNorm
from trainers.networks.parametrizations import is_parametrized, without_parametrizations
from trainers.networks.storable import holding
from trainers.networks.tensors import first_names
from trainers.sources import Source, fused_parts
from trainers.state_dicts import read_state_dict
from trainers.tensor_files import PICKLES, SAFETENSORS, few, read_tensors, safetensors_bytes, without

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

BUILT_BY: dict[str, dict[str, Any]] = {
    "resnet20_cifar10": {"name": "resnet_cifar", "depth": 20},
    "resnet32_cifar10": {"name": "resnet_cifar", "depth": 32},
}
"""The architecture of each, as a sweep file has it."""

_COMPRESSED = ".rfz"
_SUFFIXES = (*PICKLES, SAFETENSORS, _COMPRESSED)
_told: set[str] = set()


def pin(source: Any, *, field: str = "init_from") -> Any:
    """Return a source that means the same values anywhere: a name as it is, a path absolute and with a digest.

    ``weights.pth`` becomes ``/home/me/weights.pth#sha256=...``, which refuses another content from then on. In
    ``fusion(a.pth, b.rfz)`` each part does.

    Args:
        source: what ``Source.from_dict`` reads.
        field: the name of the setting in errors.

    Raises:
        ValueError: there is no such name or file, or the file's content is not the pinned one.
    """
    given = Source.from_dict(source, field=field)
    if parts := fused_parts(given.path):
        return f"fusion({', '.join(_pinned(part, field) for part in parts)})"
    return replace(given, path=_pinned(given.path, field)).to_dict()


def _pinned(path: str, field: str) -> str:
    if path == "" or path in PRETRAINED:
        return path
    found, content = read_pinned(path, field=field)
    return f"{found}#{pinned.digest(content)}"


def initial_values(
    source: Any,
    network: nn.Module,
    *,
    groups: Sequence[UnitGroup] = (),
    own: Architecture | None = None,
    field: str = "init_from",
) -> dict[str, Tensor]:
    """Load the values for ``network``'s ``state_dict``, on the CPU, in its dtypes.

    They are complete, except that an older file may lack counters of batches, and where ``source`` is not strict: then
    a line of the log says how many tensors were found. A file is a ``.rfz``, which is decoded, or holds a
    ``state_dict`` (``tensor_files.read_tensors``), whose names need not be quite those of the network
    (``fitting.fitted``). ``fusion(A, B, ...)`` fuses files or named networks of the same layers at any widths
    (``trainers/fusion.py``).

    A network with parametrizations takes what they compute weights from, or the weights; ``parametrizations.load``
    loads either.

    Args:
        source: what ``Source.from_dict`` reads: a registered name, a path, ``fusion`` of them, or what ``pin`` returns
            for any.
        network: as its architecture builds it, on any device.
        groups: its hidden units, which fusion matches.
        own: the architecture's function, for a ``.rfz`` of a user's own network.
        field: the name of the setting in errors.

    Raises:
        ValueError: a file is missing, or holds no ``state_dict``, one of another network, or values that are not finite
            numbers; or units of the architecture cannot be matched.
    """
    chosen = Source.from_dict(source, field=field)
    if not (parts := fused_parts(chosen.path)):
        return _fitting(chosen, network, own, field)
    plain = without_parametrizations(network)
    networks = []
    for part in parts:
        entries, _ = _entries(Source(path=part), own, field)
        with _refusals(part, field):
            given = named_alike(entries, plain)
            found = fitted(given, plain, shapes=shapes_at_widths(given, plain, groups))
        _check_complete(part, found, plain, field)
        _check_variances(part, found, plain, field)
        networks.append(found.values)
    return fuse(networks, plain, groups)


def given_network(source: Any, header: container.Header, architecture: Architecture, *, field: str) -> nn.Module:
    """Build a file's architecture with the values of ``source``, which are those of one whole network.

    Args:
        source: what ``Source.from_dict`` reads.
        header: of the file, which names the architecture and its arguments.
        architecture: what builds it.
        field: the name of the setting in errors.

    Raises:
        ValueError: as ``initial_values``, or the values are a part of a network, or several fused.
    """
    if not Source.from_dict(source, field=field).is_one_network:
        raise ValueError(f"{field} is {source!r}: wanted one whole network, such as a file's path")
    as_built = build_on_meta(header.architecture, architecture, header.arguments)
    values = initial_values(source, as_built, own=architecture, field=field)
    return holding(build(header.architecture, architecture, header.arguments), values).eval()


def _entries(source: Source, own: Architecture | None, field: str) -> tuple[dict[str, Tensor], list[str]]:
    """Read the tensors that a file or a known network holds, and the names of what lies beside them."""
    if source.path in PRETRAINED:
        path = locate(PRETRAINED[source.path])
        content = path.read_bytes()
    else:
        path, content = read_pinned(source.path, field=field)
    if path.suffix != _COMPRESSED:
        named = path / f"model{SAFETENSORS}" if path.is_dir() else path
        return without(source.ignore, *read_tensors(named, content, key=source.key, field=field), path, field)
    if source.key or source.ignore:
        option = "key" if source.key else "ignore"
        raise ValueError(
            f"{field}.{option} is {getattr(source, option)!r}: wanted none, since "
            f"a {_COMPRESSED} file holds one network"
        )
    return _decoded(path, content, own, field), []


def _fitting(source: Source, network: nn.Module, own: Architecture | None, field: str) -> dict[str, Tensor]:
    """Fit a file's tensors to the network as it is built or, failing that, to what its parametrizations compute."""
    entries, others = _entries(source, own, field)
    if others and source.strict:
        raise ValueError(
            f"{field}: {_shown(source.path)} holds {few(others)} beside tensors: "
            "wanted a state_dict; ignore leaves out what it names, and strict: false all other entries"
        )
    forms = [network, *([without_parametrizations(network)] if is_parametrized(network) else [])]
    found: list[Fitted] = []
    with _refusals(source.path, field):
        for form in forms:
            found.append(fitted(named_alike(entries, form, is_partial=not source.strict), form))
    best = min(found, key=lambda one: len(one.missing) + len(one.unknown) + len(one.misshapen))
    form = forms[found.index(best)]
    _check_complete(source.path, best, form, field, is_partial=not source.strict)
    _check_variances(source.path, best, form, field)
    if not source.strict:
        _check_scales(source.path, entries, best, field)
        _tell(source.path, best, form, len(others), field)
    return best.values


@contextlib.contextmanager
def _refusals(source: str, field: str) -> Iterator[None]:
    """Name the file in what is wrong with its tensors."""
    try:
        yield
    except MisfitError as error:
        raise ValueError(f"{field}: {_shown(source)}: {error}") from error


def _check_complete(source: str, found: Fitted, network: nn.Module, field: str, *, is_partial: bool = False) -> None:
    """Refuse a file that does not hold the network, or nothing of it where a part is enough."""
    kinds = (("lacks", found.missing), ("has unknown", found.unknown), ("has of another shape", found.misshapen))
    wrong = [f"{kind} {few(names)}" for kind, names in kinds if names]
    if found.misshapen or not without_counters(found.values) or (wrong and not is_partial):
        mend = ", or leave out what it has beside the network (ignore)" if found.unknown and len(wrong) == 1 else ""
        raise ValueError(
            f"{field}: {_shown(source)} is of another network: it {', '.join(wrong)}; wanted the "
            f"{len(network.state_dict())} tensors of the architecture: change its name or arguments to those of the "
            f"file, or give another file{mend}"
        )


def _check_variances(source: str, found: Fitted, network: nn.Module, field: str) -> None:
    """Refuse batch norms with variances below zero, whose outputs are no numbers."""
    for prefix, module in network.named_modules():
        name = f"{prefix}.running_var" if prefix else "running_var"
        variance = found.values.get(name) if isinstance(module, BatchNorm) else None
        if variance is not None and (variance < 0).any():
            raise ValueError(
                f"{field}: {_shown(source)}: tensor {name} holds {float(variance.min()):g}: wanted variances, which "
                "are at least 0"
            )


def _check_scales(source: str, entries: Mapping[str, Tensor], found: Fitted, field: str) -> None:
    """Refuse to leave out the scales of values with so few bits that they mean nothing without."""
    narrow = {name.rpartition(".")[0] for name, tensor in entries.items() if is_narrow(tensor.dtype)}
    scales = [
        name for name in found.unknown if "scale" in name.rpartition(".")[2] and name.rpartition(".")[0] in narrow
    ]
    if scales:
        raise ValueError(
            f"{field}: {_shown(source)} has float8 values with scales beside them, such as {scales[0]}: "
            "wanted them multiplied, in bfloat16 or a wider type"
        )


def _tell(source: str, found: Fitted, network: nn.Module, num_others: int, field: str) -> None:
    """Say how much of a network a file holds, once in a process, whose trials may all start so."""
    first = first_names(network)  # a tied tensor is one
    num_found, num_missing = (len({first[name] for name in names}) for names in (found.values, found.missing))
    num_left_out = len(found.unknown) + num_others
    line = (
        f"{field}: {_shown(source)} has {num_found} of the network's {num_found + num_missing} tensors; {num_missing} "
        f"keep their initial values, and {num_left_out} entries of the file are left out"
    )
    if line not in _told:
        _told.add(line)
        logging.getLogger(__name__).warning(line)


def _shown(source: str) -> str:
    return source.partition("#")[0]


def _decoded(path: Path, content: bytes, own: Architecture | None, field: str) -> dict[str, Tensor]:
    try:
        is_own = is_import_path(container.read_header(content).architecture)  # a name in a file imports nothing
        return open_bytes(content, architecture=own if is_own else None).state_dict()
    except ValueError as error:
        raise ValueError(f"{field}: {path} cannot be loaded ({one_line(error)}): wanted a .rfz file") from error


def read_pinned(source: str, *, field: str) -> tuple[Path, bytes]:
    """Return the absolute path and the content, checked if ``source`` is pinned; arguments and errors as in ``pin``."""
    path = pinned.path_of(source)
    if path.is_dir():
        held = read_state_dict(path, field=field)
        content = safetensors_bytes({**held.tensors, **{name: held.tensors[one] for name, one in held.aliases.items()}})
        pinned.check(source, path, content, field=field)
        return path, content
    if path.suffix not in _SUFFIXES:
        fusion = "; or fusion(A, B) of several" if field == "init_from" else ""
        raise ValueError(
            f"{field} is {source!r}: wanted a file that ends in {', '.join(_SUFFIXES)}, "
            f"a folder of safetensors, or a trained network's name: {', '.join(PRETRAINED)}{fusion}"
        )
    return pinned.read(source, field=field, wanted="a file of trained values")
