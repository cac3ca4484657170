"""Fits the tensors of a file to a network: names that wrappers change, tied tensors, older names, other dtypes."""

from __future__ import annotations

import re
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainers.lookup import one_line
from trainers.networks.parametrizations import duplicate
from trainers.networks.tensors import first_names

_PREFIXES = ("module.", "model.", "_orig_mod.")
"""What DataParallel, Lightning and torch.compile put before every name."""
_COMPILED = re.compile(r"(^|\.)_orig_mod\.")
"""What torch.compile puts into the names of a module that was compiled alone."""
_COUNTER = "num_batches_tracked"


class MisfitError(ValueError):
    """Tensors that cannot be those of the network; the message says which."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """Tensors by the network's names, and what did not fit."""

    values: dict[str, Tensor]
    """Those that fit, with the network's shapes and dtypes."""
    missing: Sequence[str]
    """The network's tensors that were not given, without counters of batches, which older files lack."""
    unknown: Sequence[str]
    """The names, as they were given, that the network does not have."""
    misshapen: Sequence[str]
    """The names that both have, of another shape, with both shapes."""


def named_alike(given: Mapping[str, Tensor], network: nn.Module, *, is_partial: bool = False) -> dict[str, Tensor]:
    """The tensors of a file under the names that they have in a network.

    Names may begin with ``module.``, ``model.`` or ``_orig_mod.``: if those that do make a complete network, the others
    (a counter, a loss's weights) are left out. Tied tensors need one of their names, and get all.

    Args:
        given: the tensors.
        network: on any device.
        is_partial: whether some of the network's tensors may be missing.

    Raises:
        MisfitError: two names of a tied tensor have different values.
    """
    return _with_aliases(_unwrapped(given, network.state_dict(), is_partial=is_partial), network)


def fitted(
    given: Mapping[str, Tensor], network: nn.Module, *, shapes: Mapping[str, tuple[int, ...]] | None = None
) -> Fitted:
    """Find the tensors of a network among those that are named alike.

    Names that the network does not have are given to its own hooks of ``load_state_dict``, which know older ones.

    Args:
        given: from ``named_alike``.
        network: on any device; it stays as it is.
        shapes: those that are wanted, where they are not the network's own.

    Raises:
        MisfitError: values are not finite, not dense or not of a dtype that the network's can hold; or a hook raised.
    """
    wanted = network.state_dict()
    own = {name: tuple(tensor.shape) for name, tensor in wanted.items()}
    sizes = own if shapes is None else shapes
    misshapen = [name for name, tensor in given.items() if name in sizes and tuple(tensor.shape) != sizes[name]]
    missing, unknown = [name for name in wanted if name not in given], [name for name in given if name not in wanted]
    found, values = dict(given), OrderedDict[str, Tensor]()
    if unknown and without_counters(missing) and shapes is None:
        found, missing, unknown = _renamed(given, misshapen, network)
        values._metadata = wanted._metadata  # type: ignore[attr-defined] # hooks are not to do it again
    for name, tensor in found.items():
        if name in wanted and name not in misshapen:
            values[name] = converted(name, tensor, wanted[name].dtype)
    described = [f"{name} {tuple(given[name].shape)} for {sizes[name]}" for name in misshapen]
    return Fitted(values=values, missing=without_counters(missing), unknown=unknown, misshapen=described)


def converted(name: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """The values of a tensor in the network's dtype.

    Raises:
        MisfitError: they are not finite, or not dense, or the dtype cannot hold them.
    """
    is_dense = tensor.layout == torch.strided and not (tensor.is_meta or tensor.is_quantized or tensor.is_nested)
    if not is_dense or tensor.is_complex() or tensor.is_floating_point() != dtype.is_floating_point:
        raise MisfitError(f"{name} is {tensor.dtype}, {tensor.layout}: wanted dense values that fit {dtype}")
    try:
        wide = tensor.float() if is_narrow(tensor.dtype) else tensor
        made = wide.to(dtype)
    except RuntimeError as error:  # two values of four bits in a byte, say
        raise MisfitError(
            f"{name} is {tensor.dtype}, which torch does not convert: wanted {dtype}, or a type that it converts"
        ) from error
    if not wide.isfinite().all():
        raise MisfitError(f"{name} holds NaN or infinity: wanted finite values")
    is_lost = ~made.isfinite() if dtype.is_floating_point else made.to(tensor.dtype) != tensor
    if is_lost.any():
        value, (least, most) = wide[is_lost].flatten()[0].item(), _limits(dtype)
        raise MisfitError(
            f"{name} holds {value:.6g} as {tensor.dtype}, and the network's {dtype} holds {least:.6g} to {most:.6g}: "
            "wanted values in between, or a network with a wider type"
        )
    return made


def _limits(dtype: torch.dtype) -> tuple[float, float]:
    """The least and the largest number of a dtype."""
    if dtype == torch.bool:
        return 0, 1
    info = torch.finfo(dtype) if dtype.is_floating_point else torch.iinfo(dtype)
    return info.min, info.max


def is_narrow(dtype: torch.dtype) -> bool:
    """Whether a floating point type has a byte or less, so that torch computes nothing with it."""
    return dtype.is_floating_point and dtype.itemsize == 1


def without_counters(names: Iterable[str]) -> list[str]:
    """The names of tensors other than a norm's counter of batches, which older files lack."""
    return [name for name in names if name.rpartition(".")[2] != _COUNTER]


def _unwrapped(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor], *, is_partial: bool) -> Mapping[str, Tensor]:
    """Remove what wrappers put into names, unless the network's own names have it, or the file has all of those."""
    needed = set(without_counters(wanted))
    if needed <= set(given):
        return given
    for prefix in _PREFIXES:
        inner = {name.removeprefix(prefix): tensor for name, tensor in given.items() if name.startswith(prefix)}
        is_whole = bool(inner) and (len(inner) == len(given) or needed <= set(inner))
        is_nearer = is_partial and len(needed & set(inner)) > len(needed & set(given))
        if (is_whole or is_nearer) and not all(name.startswith(prefix) for name in wanted):
            others = {name: tensor for name, tensor in given.items() if not name.startswith(prefix)}
            return _unwrapped({**others, **inner} if is_partial else inner, wanted, is_partial=is_partial)
    if any(map(_COMPILED.search, wanted)) or not any(map(_COMPILED.search, given)):
        return given
    bare = {_COMPILED.sub(r"\1", name): tensor for name, tensor in given.items()}
    return _unwrapped(bare, wanted, is_partial=is_partial) if len(bare) == len(given) else given


def _with_aliases(given: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Give a tied tensor all its names; files may have one of them or several."""
    tied: dict[str, list[str]] = defaultdict(list)
    for name, first in first_names(network).items():
        tied[first].append(name)
    filled = dict(given)
    for names in tied.values():
        present = [name for name in names if name in given]
        for other in present[1:]:
            if not _same(given[present[0]], given[other]):
                raise MisfitError(
                    f"{present[0]} and {other} differ, and are one tensor in the architecture: wanted equal values, "
                    "or an architecture that does not tie them"
                )
        filled |= {name: given[present[0]] for name in names if present}
    return filled


def _same(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype or one.layout != other.layout:
        return False
    if one.layout != torch.strided or one.is_quantized or one.is_nested:
        return one is other
    raw = (tensor.contiguous().flatten().view(torch.uint8) for tensor in (one, other))
    return bool(torch.equal(*raw))


def _renamed(
    given: Mapping[str, Tensor], misshapen: Sequence[str], network: nn.Module
) -> tuple[dict[str, Tensor], list[str], list[str]]:
    """Load the tensors into a copy of the network, whose hooks rename them as they see fit, and read them back.

    Returns:
        The tensors, the names that are missing, and those that the network does not know.

    Raises:
        MisfitError: a tensor of another name has another shape.
    """
    wanted = network.state_dict()
    copied = duplicate(network).requires_grad_(False)  # what is given may have any dtype
    stand_ins = {name: torch.empty_like(wanted[name]) for name in misshapen}
    try:
        found = copied.load_state_dict({**given, **stand_ins}, strict=False, assign=True)
    except Exception as error:  # a network's hooks may raise anything
        lines = [line.strip() for line in str(error).splitlines()]
        raise MisfitError(lines[1] if len(lines) > 1 else one_line(error)) from error
    loaded = {name: tensor for name, tensor in copied.state_dict().items() if name not in found.missing_keys}
    named = {**loaded, **{name: given[name] for name in misshapen}}
    return named, list(found.missing_keys), list(found.unexpected_keys)
