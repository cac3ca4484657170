"""Finds the hidden units of a network by tracing it."""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import fx, nn
from torch.nn import functional as F

from trainers.architectures.branches import ADDITIONS, branch_groups
from trainers.architectures.heads import SHAPES, head_groups
from trainers.architectures.normed import normed_groups
from trainers.hidden_units import Role, UnitAxis, UnitGroup
from trainers.networks.modes import evaluating
from trainers.networks.parametrizations import duplicate
from trainers.trees import Tree, zeros


def unit_groups(plain: nn.Module, inputs: Tree) -> tuple[UnitGroup, ...]:
    """Find the units of ``plain``: hidden ones in the order of its layers, heads, what norms scale, and branches.

    Knows fully connected layers, also those on the last of several axes, two-dimensional convolutions (ungrouped and
    depthwise), batch norms, elementwise activations, multiplication by a number, two-dimensional pooling, means over
    space or tokens, flattening, addition, and products of as many units, as in SwiGLU. Units that anything else touches
    are in no group, nor are inputs and outputs. Heads of attention may be removed, and are not moved (``heads.py``);
    channels that a layer norm scales are only emptied, where nothing reads them (``normed.py``); a branch that is added
    to what it begins with may be dropped as a whole (``branches.py``). A network that cannot be traced, or whose
    parameter has two names, has no groups. Leaving units where they are is always right.

    Args:
        plain: the network, with or without its memory; its mode is restored.
        inputs: those of a batch, for the shapes and types of one example.
    """
    device = next((parameter.device for parameter in plain.parameters()), None)
    try:
        with evaluating(plain), torch.no_grad():
            traced = fx.symbolic_trace(duplicate(plain))  # a buffer that it writes would keep what tracing makes
            Shapes(traced).run(*_in_order(traced, zeros(inputs, 2, device)))
    except Exception:  # a user's own architecture may raise anything when it is traced
        return ()
    names = [name for name, _ in plain.named_parameters(remove_duplicate=False)]
    if len(names) != len(list(plain.parameters())):
        return ()
    tracer = _Tracer(traced, set(plain.state_dict()))
    found = (finder(traced, tracer.usable) for finder in (head_groups, normed_groups, branch_groups))
    return (*tracer.groups(), *(group for groups in found for group in groups))


def _in_order(traced: fx.GraphModule, inputs: Tree) -> list[Any]:
    """Arguments of a traced network by position, as an interpreter takes them."""
    parameters = [str(node.target) for node in traced.graph.nodes if node.op == "placeholder"]
    bound = inspect.signature(traced.forward).bind(*inputs) if isinstance(inputs, tuple | list) else None
    if isinstance(inputs, Mapping):
        bound = inspect.signature(traced.forward).bind(**inputs)
    if bound is None:
        return [inputs]
    bound.apply_defaults()
    return [bound.arguments[name] for name in parameters]


_RECTIFIERS = (nn.ReLU, F.relu, torch.relu, "relu", "relu_")
_KEEP_ZERO = (
    *_RECTIFIERS,
    *(nn.LeakyReLU, nn.ReLU6, nn.GELU, nn.SiLU, nn.Tanh, nn.ELU, nn.Hardswish, nn.Identity, nn.Dropout, nn.Dropout2d),
    *(F.leaky_relu, F.relu6, F.gelu, F.silu, torch.tanh, "tanh", F.elu, F.hardswish, F.dropout, "contiguous"),
    *(torch.sin, "sin"),
)
_HOMOGENEOUS = (
    *_RECTIFIERS,
    *(nn.LeakyReLU, nn.Identity, nn.Dropout, nn.Dropout2d, F.leaky_relu, F.dropout, "contiguous"),
)
_POOLINGS = (
    *(nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d),
    *(F.max_pool2d, F.avg_pool2d, F.adaptive_avg_pool2d, F.adaptive_max_pool2d),
)
_OTHER_ELEMENTWISE = (nn.Sigmoid, nn.Softplus, torch.sigmoid, F.softplus, "sigmoid")
_FLATTENING = (torch.flatten, "flatten", torch.reshape, "reshape", "view")
_MEANS = (torch.mean, "mean")
_DIVISIONS = (operator.truediv, torch.div, "div")
_PRODUCTS = (operator.mul, torch.mul, "mul")
_SCALINGS = (*_PRODUCTS, operator.neg, torch.neg, "neg", *_DIVISIONS)
_NORM_ROLES = (Role.SCALE, Role.SHIFT, Role.MEAN, Role.VARIANCE)


class Shapes(fx.Interpreter):
    """Notes the shape and type of each activation; ``ShapeProp`` would print a traceback if a network does not run."""

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if isinstance(result, torch.Tensor):
            n.meta["shape"], n.meta["dtype"] = tuple(result.shape), result.dtype
        return result


@dataclass(eq=False)
class _Units:
    """The units of one axis; merged into those of another axis if they turn out to be the same."""

    num_units: int
    axes: list[UnitAxis]
    pinned: bool = False
    keeps_zero: bool = True
    homogeneous: bool = True
    num_layers: int = 0
    num_rectified: int = 0
    num_gated: int = 0
    rescaled: bool = False
    """Whether signs may be changed by more than one norm, or by one that is not right behind its layer."""
    merged: _Units | None = None

    def root(self) -> _Units:
        return self if self.merged is None else self.merged.root()


@dataclass(frozen=True)
class _Value:
    """The units on one axis of an activation, each in ``block`` places in a row."""

    units: _Units
    block: int
    axis: int = 1
    fresh: bool = False
    """Whether a layer or norm has just computed it: nothing has read it yet."""


class _Tracer:
    def __init__(self, traced: fx.GraphModule, stored: set[str]) -> None:
        """``stored``: names in the ``state_dict``, which lacks weights computed from others (``weight_norm``)."""
        self._stored = stored
        self._modules = dict(traced.named_modules())
        self._values: dict[fx.Node, _Value] = {}
        self._all: list[_Units] = []
        called = [node.target for node in traced.graph.nodes if node.op == "call_module"]
        self._repeated = {name for name in called if called.count(name) > 1 and self._modules[name].state_dict()}
        for name in called:  # a module that is called beside one that it belongs to has readers that are not seen
            self._repeated |= {part for other in called if name.startswith(f"{other}.") for part in (name, other)}
        self._taken = {str(node.target) for node in traced.graph.nodes if node.op == "get_attr"}
        """Tensors that something other than their module uses."""
        for node in traced.graph.nodes:
            self._visit(node)

    def groups(self) -> tuple[UnitGroup, ...]:
        roots = [units for units in self._all if units.merged is None and not units.pinned and units.axes]
        return tuple(
            UnitGroup(
                num_units=units.num_units,
                axes=tuple(units.axes),
                keeps_zero=units.keeps_zero,
                rectified=units.num_layers == units.num_rectified == 1 and not units.rescaled,
                gated=units.num_layers == units.num_gated and not units.rescaled,
                homogeneous=units.homogeneous,
            )
            for units in roots
            if all(axis.tensor in self._stored and axis.tensor not in self._taken for axis in units.axes)
        )

    def usable(self, node: fx.Node) -> bool:
        """Whether a node is a layer on the last axis, called once, whose tensors are stored and used by it alone."""
        if node.op != "call_module" or node.target in self._repeated:
            return False
        module = self._modules[str(node.target)]
        names = {f"{node.target}.{name}" for name in module.state_dict()}
        return type(module) is nn.Linear and names <= self._stored and not names & self._taken

    def _visit(self, node: fx.Node) -> None:
        inputs = [self._values[one] for one in node.all_input_nodes if one in self._values]
        shape = _shape(node)
        if shape is None and node.target in SHAPES:
            return
        if (
            node.op == "call_module"
            and node.target not in self._repeated
            and len(node.all_input_nodes) == len(inputs) == 1
        ):
            found = self._module(str(node.target), self._modules[str(node.target)], inputs[0], node)
        elif node.op in ("call_function", "call_method"):
            found = self._function(node, inputs)
        else:
            found = None
        if found is None:
            for value in inputs:
                value.units.root().pinned = True
            if shape is not None and len(shape) > 1:
                self._values[node] = self._new(shape[1], pinned=True)
        else:
            self._values[node] = found

    def _new(self, num_units: int, *axes: UnitAxis, axis: int = 1, pinned: bool = False) -> _Value:
        units = _Units(num_units=num_units, axes=list(axes), pinned=pinned, num_layers=1)
        self._all.append(units)
        return _Value(units, 1, axis, fresh=True)

    def _module(self, name: str, module: nn.Module, value: _Value, node: fx.Node) -> _Value | None:
        before, shape = _shape(node.all_input_nodes[0]), _shape(node)
        if before is None or shape is None:
            return None
        units, block, axis = value.units.root(), value.block, value.axis
        is_dense, last = isinstance(module, nn.Linear), len(before) - 1
        if not is_dense and axis != 1:
            return self._elementwise(type(module), value, node, before, shape)
        if is_dense or (isinstance(module, nn.Conv2d) and module.groups == 1 and block == 1):
            if is_dense and axis != last:
                units.pinned = True
            else:
                units.axes.append(UnitAxis(tensor=f"{name}.weight", dim=1, block=block, role=Role.READER))
            made = [UnitAxis(tensor=f"{name}.weight", dim=0, block=1, role=Role.WEIGHT)]
            if module.bias is not None:
                made.append(UnitAxis(tensor=f"{name}.bias", dim=0, block=1, role=Role.BIAS))
            made_axis = last if is_dense else 1
            return self._new(shape[made_axis], *made, axis=made_axis)
        if isinstance(module, nn.Conv2d) and 1 < module.groups == module.in_channels == module.out_channels:
            units.rescaled = True  # a depthwise kernel is one more scale of its channel, and its bias one more shift
            return self._scaled(units, name, module, block, {"weight": Role.SCALE, "bias": Role.SHIFT}, fresh=False)
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            is_first = value.fresh and not any(axis.role in _NORM_ROLES for axis in units.axes)
            is_alone = _is_read_once(node.all_input_nodes[0])
            units.rescaled |= not is_first
            units.num_gated += is_first and is_alone and module.affine
            roles = {"weight": Role.SCALE, "bias": Role.SHIFT, "running_mean": Role.MEAN, "running_var": Role.VARIANCE}
            return self._scaled(units, name, module, block, roles, fresh=value.fresh and is_alone)
        if isinstance(module, nn.Flatten) and module.start_dim == 1 and module.end_dim == -1:
            return _Value(units, block * math.prod(before[2:]))
        return self._elementwise(type(module), value, node, before, shape)

    def _scaled(
        self, units: _Units, name: str, module: nn.Module, block: int, roles: dict[str, Role], *, fresh: bool
    ) -> _Value:
        state = module.state_dict()
        units.axes += [
            UnitAxis(tensor=f"{name}.{key}", dim=0, block=block, role=role)
            for key, role in roles.items()
            if key in state
        ]
        return _Value(units, block, fresh=fresh)

    def _function(self, node: fx.Node, inputs: list[_Value]) -> _Value | None:
        shape, shapes = _shape(node), [_shape(one) for one in node.all_input_nodes if one in self._values]
        if shape is None or not inputs or None in shapes:
            return None
        before = cast(tuple[int, ...], shapes[0])
        if node.target in ADDITIONS and len(inputs) == 2 and shapes[0] == shapes[1] == shape:
            return self._merged(inputs[0], inputs[1])
        if node.target in _PRODUCTS and len(inputs) == 2 and shapes[0] == shapes[1] == shape:
            return self._multiplied(inputs[0], inputs[1])
        if len(inputs) != 1:
            return None
        (value,) = inputs
        flat = (before[0], math.prod(before[1:]))
        if node.target in _FLATTENING and shape == flat and value.axis == 1:
            return _Value(value.units.root(), value.block * math.prod(before[2:]))
        if node.target in _MEANS:
            axes = _averaged(node, len(before))
            if axes and not axes & {0, value.axis}:
                num_gone = len(before) - len(shape) and len([axis for axis in axes if axis < value.axis])
                return _Value(value.units.root(), value.block, value.axis - num_gone)
        if node.target in _SCALINGS and shape == before and _is_scaling(node):
            return _Value(value.units.root(), value.block, value.axis)
        return self._elementwise(node.target, value, node, before, shape)

    def _elementwise(
        self, kind: Any, value: _Value, node: fx.Node, before: tuple[int, ...], shape: tuple[int, ...]
    ) -> _Value | None:
        units = value.units.root()
        if kind in _POOLINGS and value.axis == 1 and len(shape) == len(before) == 4 and shape[:2] == before[:2]:
            return _Value(units, value.block)  # with three axes the first would be taken for the channels
        if shape != before:
            return None
        if kind in _KEEP_ZERO:
            units.homogeneous &= kind in _HOMOGENEOUS
            units.num_rectified += value.fresh and kind in _RECTIFIERS and _is_read_once(node.all_input_nodes[0])
            return _Value(units, value.block, value.axis)
        if kind in _OTHER_ELEMENTWISE:
            units.keeps_zero = units.homogeneous = False
            return _Value(units, value.block, value.axis)
        return None

    def _merged(self, first: _Value, second: _Value) -> _Value | None:
        one, other = first.units.root(), second.units.root()
        if (first.block, first.axis) != (second.block, second.axis) or one.num_units != other.num_units:
            return None
        if one is not other:
            one.axes += other.axes
            one.pinned |= other.pinned
            one.keeps_zero &= other.keeps_zero
            one.homogeneous &= other.homogeneous
            one.num_layers += other.num_layers
            one.num_rectified += other.num_rectified
            one.num_gated += other.num_gated
            one.rescaled |= other.rescaled
            other.merged = one
        return _Value(one, first.block, first.axis)

    def _multiplied(self, first: _Value, second: _Value) -> _Value | None:
        product = self._merged(first, second)
        if product is not None:
            product.units.homogeneous = False  # units twice as large have a product four times as large
        return product


def _is_read_once(node: fx.Node) -> bool:
    return len(node.users) == 1


def _averaged(node: fx.Node, num_axes: int) -> set[int]:
    """The axes that a mean is over; none if that is not known. Shapes do not tell: channels and sides may be equal."""
    dims = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else ())
    axes = list(dims) if isinstance(dims, list | tuple) else [dims]
    return {cast(int, axis) % num_axes for axis in axes} if all(isinstance(axis, int) for axis in axes) else set()


def _is_scaling(node: fx.Node) -> bool:
    """Whether a product, quotient or negative is that of one tensor with numbers that leave zero zero."""
    parts = [*node.args, *node.kwargs.values()]
    numbers = [part for part in parts if isinstance(part, int | float)]
    is_divisor = node.target in _DIVISIONS and not isinstance(parts[0], fx.Node)
    return len(parts) - len(numbers) == 1 and not is_divisor and all(one and math.isfinite(one) for one in numbers)


def _shape(node: fx.Node) -> tuple[int, ...] | None:
    shape: tuple[int, ...] | None = node.meta.get("shape")
    return shape
