"""What is found out about a network before it is trained, and what is refused: it could not be told from its file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trainers.architectures.base import Architecture, build
from trainers.architectures.graph import unit_groups
from trainers.architectures.macs import count_macs
from trainers.coding.sections import Layout
from trainers.hidden_units import UnitGroup
from trainers.networks.comparison import difference
from trainers.networks.norms import batch_norms, foldable
from trainers.networks.storable import storable
from trainers.seeding import seed_everything, undisturbed

_NUM_EXAMPLES = 4
_NOISE = 0.02
_BUFFER = "buffer "
_MOST_KNOWN = 100
_known: dict[str, Examined] = {}


@dataclass(frozen=True, kw_only=True)
class Examined:
    """What a trial knows of its network beforehand."""

    macs: int
    """The multiply-accumulates of one example."""
    groups: tuple[UnitGroup, ...]
    kept_norms: frozenset[str]
    """The batch norms that are not to be folded, by prefix."""


def examine(
    name: str,
    architecture: Architecture,
    arguments: Mapping[str, Any],
    plain: nn.Module,
    layout: Layout,
    inputs: Tensor,
) -> Examined:
    """Examine a network, once for all trials of a process.

    Args:
        name: the architecture's name.
        architecture: its function.
        arguments: its arguments.
        plain: the network on the meta device, as ``storable`` makes it.
        layout: its layout.
        inputs: training examples; a few are used.

    Raises:
        ValueError: the network does not take such inputs, or two builds with the same values compute differently; one
            line says where.
    """
    key = f"{name} {dict(arguments)} {layout} {tuple(inputs.shape[1:])} {inputs.dtype}"
    if key not in _known:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        example = tuple(inputs.shape[1:]), inputs.dtype
        with undisturbed():
            macs = count_macs(
                plain, *example, real=lambda: (storable(build(name, architecture, arguments)), inputs[:1].cpu())
            )
            kept_norms = _tried(name, architecture, arguments, inputs[:_NUM_EXAMPLES].cpu())
        _known[key] = Examined(macs=macs, groups=unit_groups(plain, *example), kept_norms=kept_norms)
    return _known[key]


def _tried(name: str, architecture: Architecture, arguments: Mapping[str, Any], inputs: Tensor) -> frozenset[str]:
    """Build the network twice, refuse it if the builds differ by more than their values; return the norms to keep."""
    builds: list[nn.Module] = []
    for index in range(2):
        seed_everything(0, "examination", index)
        builds.append(storable(build(name, architecture, arguments)))
    first, second = builds
    with torch.no_grad():
        for parameter in first.parameters():  # a layer that starts at zero would hide what comes before it
            if parameter.is_floating_point():
                parameter.add_(_NOISE * torch.randn(parameter.shape).to(parameter))
    second.load_state_dict(first.state_dict())
    unstored = [where for where, one, other in _unstored(first, second) if not _equal(one, other)]
    found = difference(first, second, inputs, seed=lambda: seed_everything(0, "examination"))
    if found is not None or any(where.startswith(_BUFFER) for where in unstored):
        seen = (
            f"{unstored[0]} differs from one build to the next"
            if unstored
            else f"two builds with equal values: {found}"
        )
        raise ValueError(
            f"a file could not hold architecture {name!r}: {seen}; wanted all that is drawn when the network is built "
            "in parameters, or in buffers with persistent=True"
        )
    return frozenset(batch_norms(first)) - foldable(first, inputs)


def _unstored(first: nn.Module, second: nn.Module) -> Iterator[tuple[str, Any, Any]]:
    """The tensors and arrays of both networks that are in no ``state_dict``, with what a message calls them."""
    others = dict(second.named_modules())
    for prefix, module in first.named_modules():
        dot, other = f"{prefix}." if prefix else "", others[prefix]
        for name in sorted(module._non_persistent_buffers_set):
            yield f"{_BUFFER}{dot}{name}, which is not persistent,", module._buffers[name], other._buffers[name]
        for name, value in vars(module).items():
            if isinstance(value, Tensor | np.ndarray):
                yield f"attribute {dot}{name}", value, getattr(other, name)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.shape == other.shape and one.dtype == other.dtype and bool(((one == other) | (one != one)).all())
    return type(one) is type(other) and np.array_equal(one, other)
