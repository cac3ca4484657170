"""A network as calls of the functions of ``layers.h``, in order."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F

from trainers.architectures.graph import Shapes
from trainers.echo import echo
from trainers.lookup import one_line
from trainers.networks.modes import evaluating
from trainers.networks.parametrizations import duplicate

KNOWN = "linear, conv, batch norm, max and average pools, ReLU, flatten, residual addition"
Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call: it reads some values, of which each has a number, and makes others."""

    text: str
    """C, with ``{0}`` and ``{1}`` for what it reads and ``{out}`` for what it makes."""
    inputs: tuple[int, ...]
    output: int
    may_overwrite: bool = False
    """Whether what it makes may stand where it reads."""
    tensors: tuple[str, ...] = ()
    """The weights that it reads from the file, in order."""
    layer: str
    row: int = 0
    """The number of weights that it has in memory."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """All calls. Value 0 is the network's input, ``sizes`` has the length of each value, ``result`` is the output."""

    calls: tuple[Call, ...]
    sizes: tuple[int, ...]
    result: int


def program_of(network: nn.Module, input_shape: Sequence[int]) -> Program:
    """Trace a network and write its layers as calls.

    Args:
        network: one that takes one tensor and returns one.
        input_shape: the shape of one example.

    Raises:
        ValueError: it has a layer that ``layers.h`` does not; one line names it.
    """
    for name, module in network.named_modules():
        if not any(module.children()) and type(module) not in _MODULES:
            raise _unknown(name, type(module).__name__)
    try:
        with evaluating(network), torch.no_grad():
            traced = fx.symbolic_trace(duplicate(network))
            Shapes(traced).run(torch.zeros(2, *input_shape))
    except Exception as error:  # a user's own architecture may raise anything
        raise ValueError(
            f"the network cannot be traced with inputs of shape {list(input_shape)}: {one_line(error)}"
        ) from error
    return _Writer(traced).program()


def _unknown(name: str, what: str) -> ValueError:
    return ValueError(f"layer {echo(name)} is {what}, which the C program does not have: wanted {KNOWN}")


class _Writer:
    def __init__(self, traced: fx.GraphModule) -> None:
        self._modules = dict(traced.named_modules())
        self._numbers: dict[fx.Node, int] = {}
        self._sizes: list[int] = []
        self._calls: list[Call] = []
        self._result = -1
        for node in traced.graph.nodes:
            self._visit(node)

    def program(self) -> Program:
        return Program(calls=tuple(self._calls), sizes=tuple(self._sizes), result=self._result)

    def call(
        self, text: str, node: fx.Node, *, size: int | None = None, tensors: tuple[str, ...] = (), row: int = 0
    ) -> None:
        """Write a call that reads ``node``'s inputs and makes its value; ``size`` where that is not the node's own."""
        before = tuple(self._numbers[one] for one in node.all_input_nodes)
        made = math.prod(shape_of(node)) if size is None else size
        overwrites = text.startswith(_OVERWRITING)
        self._sizes.append(made)
        self._numbers[node] = len(self._sizes) - 1
        self._calls.append(
            Call(
                text=text,
                inputs=before,
                output=self._numbers[node],
                may_overwrite=overwrites,
                tensors=tensors,
                layer=str(node.target),
                row=row,
            )
        )

    def add_bias(self, node: fx.Node, name: str) -> None:
        """Write a call that adds a bias to the value of ``node``, where that stands."""
        channels, *plane = shape_of(node)
        number = self._numbers[node]
        text = f"net_bias(&net, {{out}}, {channels}, {math.prod(plane)})"
        self._calls.append(
            Call(text=text, inputs=(number,), output=number, tensors=(name,), layer=str(node.target), row=channels)
        )

    def alias(self, node: fx.Node) -> None:
        """Give a node the value of its input."""
        self._numbers[node] = self._numbers[node.all_input_nodes[0]]

    def module(self, node: fx.Node) -> Any:
        return self._modules[str(node.target)]

    def _visit(self, node: fx.Node) -> None:
        if node.op == "placeholder":
            if self._numbers:
                raise ValueError("the network takes several tensors: the C program has networks that take one")
            self._sizes.append(math.prod(shape_of(node)))
            self._numbers[node] = 0
        elif node.op == "output":
            (made,) = node.args
            if not isinstance(made, fx.Node):
                raise ValueError("the network returns several tensors: the C program has networks that return one")
            self._result = self._numbers[made]
        elif node.op == "call_module":
            self._write(_MODULES.get(type(self.module(node))), node)
        elif node.op in ("call_function", "call_method"):
            self._write(_FUNCTIONS.get(node.target), node)
        else:
            raise _unknown(str(node.target), "a tensor of the network itself")

    def _write(self, writer: Callable[[_Writer, fx.Node], bool] | None, node: fx.Node) -> None:
        is_known = (
            writer is not None and "shape" in node.meta and all("shape" in one.meta for one in node.all_input_nodes)
        )
        if is_known and writer is not None and writer(self, node):
            return
        where = [*node.meta.get("nn_module_stack", {"": None})][-1]
        if node.op == "call_module":
            raise _unknown(str(node.target), str(self.module(node)))
        raise _unknown(where, f"a network that computes {getattr(node.target, '__name__', node.target)} in a way")


def shape_of(node: fx.Node) -> Shape:
    """The shape of a node's value, of one example."""
    shape: Shape = node.meta["shape"]
    return shape[1:]


def _before(node: fx.Node) -> Shape:
    return shape_of(node.all_input_nodes[0])


def _linear(writer: _Writer, node: fx.Node) -> bool:
    module = writer.module(node)
    if len(_before(node)) != 1:
        return False
    text = f"net_linear(&net, {{0}}, {module.in_features}, {{out}}, {module.out_features})"
    writer.call(text, node, tensors=(f"{node.target}.weight",), row=module.in_features)
    if module.bias is not None:
        writer.add_bias(node, f"{node.target}.bias")
    return True


def _conv(writer: _Writer, node: fx.Node) -> bool:
    module = writer.module(node)
    is_plain = module.groups == 1 and module.dilation == (1, 1) and module.padding_mode == "zeros"
    if not is_plain or isinstance(module.padding, str) or len(_before(node)) != 3:
        return False
    window = _window(module.kernel_size, module.stride, module.padding)
    text = f"net_conv(&net, {{0}}, {_image(_before(node))}, {{out}}, {_image(shape_of(node))}, {window})"
    writer.call(text, node, tensors=(f"{node.target}.weight",), row=module.in_channels * math.prod(module.kernel_size))
    if module.bias is not None:
        writer.add_bias(node, f"{node.target}.bias")
    return True


def _norm(writer: _Writer, node: fx.Node) -> bool:
    module, (channels, *plane) = writer.module(node), shape_of(node)
    if not module.affine or module.running_mean is None:
        return False
    text = f"net_norm(&net, {{0}}, {{out}}, {channels}, {math.prod(plane)}, {as_float(module.eps)})"
    tensors = tuple(f"{node.target}.{name}" for name in ("weight", "bias", "running_mean", "running_var"))
    writer.call(text, node, tensors=tensors, row=4 * channels)
    return True


def _pool(writer: _Writer, node: fx.Node) -> bool:
    module = writer.module(node)
    padding, is_max = _pair(module.padding), isinstance(module, nn.MaxPool2d)
    if module.ceil_mode or len(_before(node)) != 3:
        return False
    if is_max and (_pair(module.dilation) != (1, 1) or module.return_indices):
        return False
    if not is_max and (module.divisor_override is not None or not (module.count_include_pad or padding == (0, 0))):
        return False
    _write_pool(writer, node, _window(_pair(module.kernel_size), _pair(module.stride), padding), is_max=is_max)
    return True


def _average(writer: _Writer, node: fx.Node) -> bool:
    """Write a mean over all places."""
    before = _before(node)
    if len(before) != 3:
        return False
    if node.op == "call_module":
        if math.prod(shape_of(node)) != before[0]:
            return False
    else:
        dims = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None)
        if not isinstance(dims, list | tuple) or sorted(int(str(one)) % 4 for one in dims) != [2, 3]:
            return False
    _write_pool(writer, node, _window(before[1:], (1, 1), (0, 0)), is_max=False, to=(before[0], 1, 1))
    return True


def _write_pool(writer: _Writer, node: fx.Node, window: str, *, is_max: bool, to: Shape | None = None) -> None:
    name = "net_max_pool" if is_max else "net_average_pool"
    writer.call(f"{name}({{0}}, {_image(_before(node))}, {{out}}, {_image(to or shape_of(node))}, {window})", node)


def _relu(writer: _Writer, node: fx.Node) -> bool:
    slope, most = 0.0, "INFINITY"
    if node.op == "call_module":
        module = writer.module(node)
        slope = getattr(module, "negative_slope", 0.0)
        most = as_float(6) if isinstance(module, nn.ReLU6) else most
    writer.call(f"net_clamp({{0}}, {{out}}, {math.prod(shape_of(node))}, {as_float(slope)}, {most})", node)
    return True


def _same(writer: _Writer, node: fx.Node) -> bool:
    """Write nothing: the values stay where they are. A flattening keeps the examples apart."""
    if math.prod(_before(node)) != math.prod(shape_of(node)) or len(node.all_input_nodes) != 1:
        return False
    writer.alias(node)
    return True


def _add(writer: _Writer, node: fx.Node) -> bool:
    inputs = [one for one in node.args if isinstance(one, fx.Node)]
    if len(node.args) != 2 or len(inputs) != 2 or node.kwargs or shape_of(inputs[0]) != shape_of(inputs[1]):
        return False
    other = "{1}" if len(node.all_input_nodes) == 2 else "{0}"
    writer.call(f"net_add({{0}}, {other}, {{out}}, {math.prod(shape_of(node))})", node)
    return True


def _every(writer: _Writer, node: fx.Node) -> bool:
    """Write what takes every n-th row and column, from the first."""
    taken = node.args[1]
    if len(_before(node)) != 3 or not isinstance(taken, tuple) or len(taken) != 4:
        return False
    if not all(isinstance(one, slice) and one.start is None and one.stop is None for one in taken):
        return False
    steps = [1 if one.step is None else one.step for one in taken]  # type: ignore[union-attr]
    if not all(isinstance(step, int) for step in steps) or steps[:2] != [1, 1]:
        return False
    images = f"{{0}}, {_image(_before(node))}, {{out}}, {_image(shape_of(node))}"
    writer.call(f"net_every({images}, {steps[2]}, {steps[3]})", node)
    return True


def _pad(writer: _Writer, node: fx.Node) -> bool:
    """Write zeros for channels before and after an image's."""
    if node.kwargs.get("mode", "constant") != "constant" or node.kwargs.get("value") not in (None, 0):
        return False
    if len(node.args) != 2 or len(_before(node)) != 3 or not isinstance(node.args[1], tuple | list):
        return False
    sides = [int(str(one)) for one in node.args[1]]
    if len(sides) != 6 or any(sides[:4]) or min(sides) < 0:
        return False
    plane = math.prod(shape_of(node)[1:])
    size = math.prod(_before(node))
    writer.call(f"net_pad({{0}}, {size}, {{out}}, {sides[4] * plane}, {sides[5] * plane})", node)
    return True


def _image(shape: Shape) -> str:
    return f"(net_image){{{{{', '.join(map(str, shape))}}}}}"


def _window(size: Shape, step: Shape, border: Shape) -> str:
    return f"(net_window){{{{{', '.join(map(str, (*size, *step, *border)))}}}}}"


def _pair(value: int | Shape) -> Shape:
    return (value, value) if isinstance(value, int) else tuple(value)


def as_float(value: float) -> str:
    """A number as C writes a float, to the last bit."""
    text = f"{value:.9g}"
    return f"{text}F" if "." in text or "e" in text else f"{text}.0F"


_OVERWRITING = ("net_norm", "net_clamp", "net_add")
_MODULES: dict[type[nn.Module], Callable[[_Writer, fx.Node], bool]] = {
    nn.Linear: _linear,
    nn.Conv2d: _conv,
    nn.BatchNorm1d: _norm,
    nn.BatchNorm2d: _norm,
    nn.MaxPool2d: _pool,
    nn.AvgPool2d: _pool,
    nn.AdaptiveAvgPool2d: _average,
    nn.ReLU: _relu,
    nn.ReLU6: _relu,
    nn.LeakyReLU: _relu,
    nn.Flatten: _same,
    nn.Identity: _same,
    nn.Dropout: _same,
    nn.Dropout2d: _same,
    nn.Sequential: _same,  # an empty one
}
_FUNCTIONS: dict[Any, Callable[[_Writer, fx.Node], bool]] = {
    F.relu: _relu,
    torch.relu: _relu,
    "relu": _relu,
    "relu_": _relu,
    torch.mean: _average,
    "mean": _average,
    torch.flatten: _same,
    "flatten": _same,
    operator.add: _add,
    operator.iadd: _add,
    torch.add: _add,
    "add": _add,
    "add_": _add,
    operator.getitem: _every,
    F.pad: _pad,
}
