"""Counts the multiply-accumulates of a network."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from torch.utils.flop_counter import flop_registry

from trainers.lookup import one_line
from trainers.networks.calling import call, other_type
from trainers.networks.modes import evaluating
from trainers.trees import Tree, mapped, shape_text


def count_macs(model: nn.Module, inputs: Tree) -> tuple[int, int]:
    """Count the multiply-accumulates of one forward pass on one example.

    Args:
        model: the network; its mode is restored.
        inputs: those of examples, where the network is; one is used, or two if the network refuses one.

    Returns:
        The multiply-accumulates, and the fewest examples that the network takes at once.

    Raises:
        ValueError: the network does not take such examples.
    """
    for num_examples in (1, 2):  # a norm that uses the batch's own statistics refuses a batch of one
        some = mapped(lambda one: one[:1].repeat_interleave(num_examples, 0), inputs)  # noqa: B023 - called at once
        try:
            return _counted(model, some) // num_examples, num_examples
        except Exception as error:  # a user's own architecture may raise anything
            reason = error
    raise ValueError(
        f"the architecture does not take inputs of shape {shape_text(inputs)}: {one_line(reason)}"
        f"{other_type(model, inputs)}"
    ) from reason


def _counted(model: nn.Module, inputs: Tree) -> int:
    counter = _Counter()
    with evaluating(model), torch.no_grad(), _without_fused_kernels(), counter:
        call(model, inputs)
    return counter.num_operations // 2


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up what torch's own formulas say of the operations that a pass comes down to.

    ``FlopCounterMode`` does the same, but its first use loads ``torch._dynamo``, which takes longer than many a pass.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.num_operations = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else the first operation loads it

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        with self:
            parts = func.decompose(*args, **kwargs)
        if parts is not NotImplemented:
            return parts
        made = func(*args, **kwargs)
        packet = func._overloadpacket
        formula: Any = flop_registry.get(packet)  # takes tensors as they are
        if packet in _UNKNOWN_TO_TORCH:
            self.num_operations += _UNKNOWN_TO_TORCH[packet](*tree_map_only(Tensor, lambda one: one.shape, args))
        elif formula is not None:
            self.num_operations += formula(*args, **kwargs, out_val=made)
        return made


@contextlib.contextmanager
def _without_fused_kernels() -> Iterator[None]:
    """Kernels for whole layers hide their products from the counter: of attention, of a transformer, of an LSTM."""
    mha, mkldnn = torch.backends.mha, torch.backends.mkldnn
    were_enabled = mha.get_fastpath_enabled(), mkldnn.enabled
    mha.set_fastpath_enabled(False)
    mkldnn.enabled = False  # type: ignore[assignment] # not by flags(): it warns where it restores what was never set
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        mha.set_fastpath_enabled(were_enabled[0])
        mkldnn.enabled = were_enabled[1]


def _dot(first: Any, *_: Any, **__: Any) -> int:
    return int(2 * math.prod(first))


def _addmv(added: Any, matrix: Any, *_: Any, **__: Any) -> int:
    return int(2 * math.prod(matrix))


def _bilinear(first: Any, weight: Any, second: Any, *_: Any, **__: Any) -> int:
    """Shapes (batch, in1), (out, in1, in2), (batch, in2); the weight is multiplied by ``first``, then by ``second``."""
    num_outputs, num_first, num_second = weight
    return int(2 * first[0] * num_outputs * num_second * (num_first + 1))


_UNKNOWN_TO_TORCH: dict[Any, Callable[..., int]] = {
    torch.ops.aten.mv: _dot,
    torch.ops.aten.addmv: _addmv,
    torch.ops.aten.dot: _dot,
    torch.ops.aten.vdot: _dot,
    torch.ops.aten._trilinear: _bilinear,
}
"""Floating point operations of products that torch's own counter leaves out, from the shapes of their arguments."""
