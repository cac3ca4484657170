"""A network's norm layers, and which batch norms may be reduced to one scale and one shift for each channel."""

from __future__ import annotations

import collections
import contextlib
import copy
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from trainers.networks.calling import call
from trainers.networks.modes import evaluating
from trainers.trees import Tree, copied

NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
"""Layers whose parameters are scales and shifts, few and sensitive: no method quantises them."""

BatchNorm = nn.modules.batchnorm._BatchNorm
_STATISTICS = ("running_mean", "running_var")
_FOLDED = (*_STATISTICS, "num_batches_tracked", "weight", "bias")
_TOLERANCE = 1e-3


def norm_parameters(network: nn.Module) -> set[str]:
    """The names of the parameters of norm layers."""
    return {
        f"{prefix}.{name}" if prefix else name
        for prefix, module in network.named_modules()
        if isinstance(module, NORMS)
        for name, _ in module.named_parameters(recurse=False)
    }


def norms_without_statistics(network: nn.Module) -> dict[str, nn.Module]:
    """The norms of layers, of groups and by the root mean square, by the prefix of their tensors' names.

    They have a scale or a shift, or both.
    """
    return {
        f"{prefix}." if prefix else "": module
        for prefix, module in network.named_modules()
        if isinstance(module, nn.LayerNorm | nn.GroupNorm | nn.RMSNorm)
    }


def batch_norms(network: nn.Module) -> dict[str, BatchNorm]:
    """The batch norms with a scale, a shift and running statistics of their own, by the prefix of their tensors' names.

    One that shares a tensor with another module is left out: what folding changes would change there, too.
    """
    uses = collections.Counter(id(tensor) for module in network.modules() for tensor in _held(module))
    return {
        f"{prefix}." if prefix else "": module
        for prefix, module in network.named_modules()
        if isinstance(module, BatchNorm)
        and all(getattr(module, key) is not None for key in _FOLDED)
        and all(uses[id(tensor)] == 1 for tensor in _held(module))
    }


def _held(module: nn.Module) -> list[Tensor]:
    return [tensor for tensor in (*module._parameters.values(), *module._buffers.values()) if tensor is not None]


def foldable(network: nn.Module, inputs: Tree) -> frozenset[str]:
    """The prefixes of the batch norms that compute x * scale + shift, and whose tensors nothing else reads.

    A subclass with a ``forward`` of its own is tried where the network calls it: with statistics at random, folded and
    not. What a network does with a norm's tensors outside the norm shows when it computes outputs.

    Args:
        network: a real network, which stays as it is.
        inputs: those of a small batch.
    """
    norms = batch_norms(network)
    if not norms:
        return frozenset()
    with torch.no_grad(), evaluating(network), _seen_calls(norms) as seen, _Readers(norms) as readers:
        call(network, copied(inputs))
    return frozenset(
        prefix
        for prefix, norm in norms.items()
        if prefix not in readers.found
        and (_computes_as_its_class(norm) or (seen[prefix] and all(_is_affine(norm, call) for call in seen[prefix])))
    )


class _Readers(TorchFunctionMode):
    """Notes the batch norms whose tensors an operation outside of them takes."""

    def __init__(self, norms: dict[str, BatchNorm]) -> None:
        super().__init__()
        self.found: set[str] = set()
        self._prefixes = {
            id(tensor): prefix
            for prefix, norm in norms.items()
            for key in _FOLDED
            if (tensor := getattr(norm, key)) is not None
        }
        self._inside: list[str] = []
        self._handles = [
            handle
            for prefix, norm in norms.items()
            for handle in (
                norm.register_forward_pre_hook(self._entering(prefix)),
                norm.register_forward_hook(self._leaving, always_call=True),
            )
        ]

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        for leaf in pytree.tree_leaves((args, kwargs)):
            prefix = self._prefixes.get(id(leaf)) if isinstance(leaf, Tensor) else None
            if prefix is not None and prefix not in self._inside:
                self.found.add(prefix)
        return func(*args, **(kwargs or {}))

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        for handle in self._handles:
            handle.remove()

    def _entering(self, prefix: str) -> Callable[..., None]:
        return lambda *_: self._inside.append(prefix)

    def _leaving(self, *_: Any) -> None:
        self._inside.pop()


def _computes_as_its_class(norm: BatchNorm) -> bool:
    return type(norm).forward is BatchNorm.forward


_Call = tuple[tuple[Any, ...], dict[str, Any]]
"""Positional and keyword arguments."""


@contextlib.contextmanager
def _seen_calls(norms: dict[str, BatchNorm]) -> Iterator[dict[str, list[_Call]]]:
    """Collects the calls of each norm that computes in a way of its own."""
    seen: dict[str, list[_Call]] = {prefix: [] for prefix in norms}
    handles = [
        norm.register_forward_pre_hook(
            lambda _, args, kwargs, prefix=prefix: seen[prefix].append(copy.deepcopy((args, kwargs))), with_kwargs=True
        )
        for prefix, norm in norms.items()
        if not _computes_as_its_class(norm)
    ]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def _is_affine(norm: BatchNorm, call: _Call) -> bool:
    """Whether the norm computes the same with its statistics folded into scale and shift, for any statistics."""
    own, folded = copy.deepcopy(norm), copy.deepcopy(norm)
    generator = torch.Generator().manual_seed(0)
    for key in (*_STATISTICS, "weight", "bias"):
        tensor = getattr(own, key)
        tensor.copy_(torch.rand(tensor.shape, generator=generator).to(tensor) + 0.5)
    for key, values in fold(own, {key: getattr(own, key) for key in (*_STATISTICS, "weight", "bias")}).items():
        getattr(folded, key).copy_(values)
    outputs = []
    for module in (own, folded):
        args, kwargs = copy.deepcopy(call)
        outputs.append(module.eval()(*args, **kwargs))
    one, other = outputs
    if not isinstance(one, Tensor) or not one.numel():  # nothing shows
        return False
    return bool((one - other).abs().max() <= _TOLERANCE * one.abs().max())


def fold_norms(norms: Mapping[str, BatchNorm], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Reduce batch norms to one scale and one shift for each channel: see ``fold``.

    Args:
        norms: those to reduce, by the prefix of their tensors' names.
        state: the network's ``state_dict``.

    Returns:
        The entries of ``state`` that change.
    """
    changed: dict[str, Tensor] = {}
    for prefix, norm in norms.items():
        folded = fold(norm, {key: state[f"{prefix}{key}"] for key in (*_STATISTICS, "weight", "bias")})
        changed |= {f"{prefix}{key}": values for key, values in folded.items()}
        changed[f"{prefix}num_batches_tracked"] = torch.zeros_like(state[f"{prefix}num_batches_tracked"])
    return changed


def is_folded(prefix: str, state: Mapping[str, Tensor]) -> bool:
    """Whether a batch norm has mean 0 and variance 1, as ``fold_norms`` leaves it."""
    mean, variance = (state[f"{prefix}{key}"] for key in _STATISTICS)
    return bool((mean == 0).all() and (variance == 1).all())


def unfold(norm: BatchNorm, weight: Tensor, bias: Tensor) -> dict[str, Tensor]:
    """The scale and shift with which ``norm``, at its own statistics, computes what a folded one does.

    Args:
        norm: a batch norm with statistics.
        weight: the folded norm's, (channels,).
        bias: the folded norm's, (channels,).
    """
    mean, variance = (cast(Tensor, getattr(norm, key)).double().to(weight.device) for key in _STATISTICS)
    scale = weight.double() / math.sqrt(1 + norm.eps)
    made = {"weight": scale * (variance + norm.eps).sqrt(), "bias": bias.double() + mean * scale}
    return {key: values.to(weight.dtype) for key, values in made.items()}


def fold(norm: BatchNorm, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a batch norm with mean 0 and variance 1 that computes the same in evaluation mode.

    With running mean m and variance v, weight w and bias b, (x - m) / sqrt(v + eps) * w + b = x * scale + shift.
    The new weight is scale * sqrt(1 + eps), and the new bias is the shift.

    Args:
        norm: for its eps.
        tensors: ``running_mean``, ``running_var``, ``weight`` and ``bias``, each (channels,).
    """
    mean, variance, weight, bias = (tensors[key].double() for key in (*_STATISTICS, "weight", "bias"))
    scale = weight / (variance + norm.eps).sqrt()
    made = {
        "running_mean": torch.zeros_like(mean),
        "running_var": torch.ones_like(variance),
        "weight": scale * math.sqrt(1 + norm.eps),
        "bias": bias - mean * scale,
    }
    return {key: values.to(tensors[key].dtype) for key, values in made.items()}
