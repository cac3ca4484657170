"""What is found out about a network before it is trained; one that a file could not reproduce is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor, nn

from trainers.architectures.base import Architecture, build, layout_of
from trainers.architectures.graph import unit_groups
from trainers.architectures.macs import count_macs
from trainers.coding.sections import Layout, digest
from trainers.echo import printable
from trainers.hidden_units import UnitGroup
from trainers.networks.calling import call
from trainers.networks.comparison import difference
from trainers.networks.norms import batch_norms, foldable
from trainers.networks.storable import storable
from trainers.seeding import seed_everything, undisturbed
from trainers.trees import Tree, copied, moved_to, rows, shape_text, type_text

MOST_EXAMINED = 4
_LARGE_MACS = 1e9
"""The multiplications of an example from which on as few as a network takes at once are looked at."""
_NUM_TRAINED = 2
"""The examples of a pass in training mode, which many networks refuse for one."""
_NOISE = 0.04
_MOST_KNOWN = 100
_known: dict[str, Examined] = {}


@dataclass(frozen=True, kw_only=True)
class Examined:
    """What a trial knows of its network beforehand."""

    macs: int
    """The multiply-accumulates of one example."""
    fewest: int
    """The fewest examples that it takes at once, in evaluation mode."""
    groups: tuple[UnitGroup, ...]
    kept_norms: frozenset[str]
    """The batch norms that are not to be folded, by prefix."""
    written: frozenset[str]
    """The parameters that the network itself writes to while it trains."""
    built: Mapping[str, bytes] = field(default_factory=dict)
    """``digest`` of each tensor that holds no floats and is the same in every build, by name."""


def examine(
    name: str,
    architecture: Architecture,
    arguments: Mapping[str, Any],
    layout: Layout,
    inputs: Tree,
) -> Examined:
    """Examine a network, once for all trials of a process.

    Args:
        name: the architecture's name.
        architecture: its function.
        arguments: its arguments.
        layout: the network's layout.
        inputs: of a few training examples.

    Raises:
        ValueError: the network does not take such inputs, or two builds with the same values compute differently; one
            line says where.
    """
    key = f"{name} {dict(arguments)} {layout} {shape_text(inputs)} {type_text(inputs)}"
    if key not in _known:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        inputs = moved_to(inputs, torch.device("cpu"))
        with undisturbed():
            first, second, built = _two_builds(name, architecture, arguments)
            macs, fewest = count_macs(first, inputs)
            few = rows(inputs, slice(MOST_EXAMINED if macs < _LARGE_MACS else fewest))
            _refuse_if_they_differ(name, first, second, few)
            kept_norms = frozenset(batch_norms(first)) - foldable(first, few)
            written = _written(second, rows(inputs, slice(_NUM_TRAINED)))
            groups = unit_groups(first, inputs)
        _known[key] = Examined(
            macs=macs, fewest=fewest, groups=groups, kept_norms=kept_norms, written=written, built=built
        )
    return _known[key]


def _two_builds(
    name: str, architecture: Architecture, arguments: Mapping[str, Any]
) -> tuple[nn.Module, nn.Module, dict[str, bytes]]:
    """Two builds with the values of the first, changed a little; refused if they are not of one structure.

    Also the digests of tensors that hold no floats and were the same in both.
    """
    builds: list[nn.Module] = []
    for index in range(2):
        seed_everything(0, "examination", index)
        builds.append(storable(build(name, architecture, arguments)))
    first, second = builds
    shared = {id(parameter) for parameter in first.parameters()} & {id(parameter) for parameter in second.parameters()}
    if shared:
        called = next(called for called, parameter in first.named_parameters() if id(parameter) in shared)
        raise ValueError(
            f"architecture {name!r} returns the same parameter {called} each time it is called: wanted a new network"
        )
    found = [{entry.name: entry for entry in layout_of(each)} for each in builds]
    for tensor in [*found[0], *found[1]]:
        one, other = (entries.get(tensor) for entries in found)
        if one is None or other is None:
            _refuse(name, f"tensor {tensor} is in one build and not in the next")
        elif one != other:
            _refuse(
                name, f"tensor {tensor} is {one.dtype} {one.shape} in one build and {other.dtype} {other.shape} next"
            )
    with torch.no_grad():
        for parameter in first.parameters():  # a layer that starts at zero would hide what comes before it
            if parameter.is_floating_point():
                parameter.add_(torch.empty(parameter.shape).uniform_(-_NOISE, _NOISE).to(parameter))
    numbers = [
        {called: digest(one.numpy()) for called, one in each.state_dict().items() if not one.is_floating_point()}
        for each in builds
    ]
    built = {called: one for called, one in numbers[0].items() if numbers[1][called] == one}
    second.load_state_dict(first.state_dict())
    return first, second, built


def _refuse_if_they_differ(name: str, first: nn.Module, second: nn.Module, inputs: Tree) -> None:
    """Refuse two builds that differ by more than their values, which are equal."""
    unstored = [kept for kept in _unstored(first, second) if not _equal(kept.first, kept.second)]
    found = difference(first, second, inputs, seed=lambda: seed_everything(0, "examination"))
    if found is not None or any(kept.is_buffer for kept in unstored):
        where = f"{unstored[0].called} differs from one build to the next" if unstored else ""
        _refuse(name, where or f"two builds with equal values: {found}")


def _refuse(name: str, seen: str) -> NoReturn:
    raise ValueError(
        f"a file could not hold architecture {name!r}: {printable(seen)}; wanted all that is drawn when the network is "
        "built in parameters, or in buffers with persistent=True"
    )


def _written(network: nn.Module, inputs: Tree) -> frozenset[str]:
    """The parameters that a pass in training mode writes to, such as those of a moving average."""
    before = {name: parameter._version for name, parameter in network.named_parameters()}
    try:
        with torch.no_grad():
            call(network.train(), copied(inputs))
    except Exception:  # a network that cannot be trained is refused when it is tried
        return frozenset()
    return frozenset(name for name, parameter in network.named_parameters() if parameter._version != before[name])


@dataclass(frozen=True, kw_only=True)
class _Unstored:
    """A tensor or an array that is in no ``state_dict``, in two builds; None where a build has none."""

    called: str
    is_buffer: bool
    first: Any
    second: Any


def _unstored(first: nn.Module, second: nn.Module) -> Iterator[_Unstored]:
    others = dict(second.named_modules())
    for prefix, module in first.named_modules():
        dot, other = f"{prefix}." if prefix else "", others.get(prefix)
        for name in sorted(module._non_persistent_buffers_set):
            called = f"buffer {dot}{name}, which is not persistent,"
            value = other._buffers.get(name) if other is not None else None
            yield _Unstored(called=called, is_buffer=True, first=module._buffers[name], second=value)
        for name, value in vars(module).items():
            if isinstance(value, Tensor | np.ndarray):
                called = f"attribute {dot}{name}"
                yield _Unstored(called=called, is_buffer=False, first=value, second=getattr(other, name, None))


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.shape == other.shape and one.dtype == other.dtype and bool(((one == other) | (one != one)).all())
    return type(one) is type(other) and np.array_equal(one, other)
