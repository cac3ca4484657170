"""What the layers of a network are given: the inputs that each of their weight matrices is multiplied with."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence

from trainers.methods.parts.weight_matrices import is_linear_by_inputs, is_transposed

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_RECURRENT = (nn.RNN, nn.LSTM, nn.GRU)
_CELLS = (nn.RNNCell, nn.LSTMCell, nn.GRUCell)
_MOST_AT_ONCE = 1 << 25
"""The most values of inputs that are laid out at once: a convolution repeats each of them for every place of its
kernel."""

_MOST_POSITIONS = 1 << 14
_POSITIONS_A_COLUMN = 8
"""A layer that has more positions than this many for each column, and than the former, is looked at in some of them."""

Note = Callable[[str, Tensor], None]
"""(name of the weight, inputs (groups, positions, columns)). The weight as a matrix (``weight_matrices.py``) is (rows,
columns); its rows fall into as many equal groups, each of which is multiplied with inputs of its own."""


@contextlib.contextmanager
def watching(network: nn.Module, names: set[str], note: Note) -> Iterator[None]:
    """Call ``note`` with the inputs of the weights in ``names`` whenever ``network`` uses them.

    A weight of a module whose computation is not known is never noted.
    """
    names = names & set(owners(network))
    first = {id(parameter): name for name, parameter in network.named_parameters()}
    handles = []
    for module in network.modules():
        own = {attribute: first[id(module.get_parameter(attribute))] for attribute in _weights_of(module)}
        own = {attribute: name for attribute, name in own.items() if name in names}
        if own:
            handles.append(module.register_forward_hook(_noting(own, note), with_kwargs=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def owners(network: nn.Module) -> dict[str, nn.Module]:
    """A module that has the weight, by the names of the weights whose inputs are known.

    One that several modules have, as matrices of different layouts, is left out.
    """
    first = {id(parameter): name for name, parameter in network.named_parameters()}
    found: dict[str, list[nn.Module]] = {}
    for module in network.modules():
        for attribute in _weights_of(module):
            found.setdefault(first[id(module.get_parameter(attribute))], []).append(module)
    return {
        name: modules[0]
        for name, modules in found.items()
        if len({(is_transposed(one), is_linear_by_inputs(one)) for one in modules}) == 1
    }


def _noting(own: Mapping[str, str], note: Note) -> Callable[..., None]:
    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any) -> None:
        for attribute, inputs in _inputs(module, args, kwargs):
            if attribute in own:
                note(own[attribute], inputs)

    return hook


def _weights_of(module: nn.Module) -> list[str]:
    """The weight matrices of a module whose inputs are known; a subclass that computes in a way of its own has none."""
    kind = _kind(module)
    if kind in _RECURRENT:
        return [name for name in module._parameters if name.startswith(("weight_ih", "weight_hh"))]
    if kind in _CELLS:
        return ["weight_ih", "weight_hh"]
    if kind is nn.MultiheadAttention:
        projections = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")
        return [*(name for name in projections if module._parameters[name] is not None), "out_proj.weight"]
    return ["weight"] if kind or is_plain(module) else []


def _kind(module: nn.Module) -> type[nn.Module] | None:
    """The class of torch that ``module`` computes as."""
    kinds = (nn.Linear, *_CONVOLUTIONS, *_RECURRENT, *_CELLS, nn.MultiheadAttention)
    return next((kind for kind in kinds if isinstance(module, kind) and type(module).forward is kind.forward), None)


def _inputs(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[tuple[str, Tensor]]:
    kind = _kind(module)
    if kind is nn.MultiheadAttention:
        yield from _of_attention(cast(nn.MultiheadAttention, module), args, kwargs)
        return
    if is_plain(module):
        for part in inputs_of(module, first_argument(args, kwargs)):
            yield "weight", part
        return
    given = {**dict(zip(("input", "hx"), args, strict=False)), **kwargs}
    inputs, state = given["input"], given.get("hx")
    if isinstance(inputs, Tensor) and not inputs.numel():
        return
    hidden = state[0] if isinstance(state, tuple) else state
    if kind in _CELLS:
        yield "weight_ih", _flat(inputs)
        if hidden is not None:
            yield "weight_hh", _flat(hidden)
    else:
        yield from _of_recurrent(cast(nn.RNNBase, module), inputs, hidden)


def first_argument(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a module is given first, by position or by name."""
    return next(iter((*args, *kwargs.values())))


def is_plain(module: nn.Module) -> bool:
    """Whether a module is a linear or convolutional layer, with one weight that it multiplies with its inputs."""
    return _kind(module) in (nn.Linear, *_CONVOLUTIONS) or is_transposed(module) or is_linear_by_inputs(module)


def inputs_of(layer: nn.Module, inputs: Tensor) -> Iterator[Tensor]:
    """What the weight of a layer, for which ``is_plain`` holds, is multiplied with, as for ``Note``, in parts.

    Where there are many positions, some of them, evenly spaced: neighbours in an image say nearly the same.
    """
    if not inputs.numel():  # an expert that no example takes, say
        return
    if isinstance(layer, nn.Linear) or is_linear_by_inputs(layer):
        flat = _flat(inputs)
        yield flat[:, :: _stride(flat.shape[1], flat.shape[2])]
    elif is_transposed(layer):
        yield from _spread_patches(cast(nn.ConvTranspose2d, layer), inputs)
    else:
        yield from _of_convolution(cast(nn.Conv2d, layer), inputs)


def _stride(num_positions: int, num_columns: int) -> int:
    return -(-num_positions // max(_MOST_POSITIONS, _POSITIONS_A_COLUMN * num_columns))


def _flat(inputs: Tensor) -> Tensor:
    """Vectors as one group."""
    return inputs.reshape(1, -1, inputs.shape[-1])


def _of_convolution(layer: nn.Conv2d, inputs: Tensor) -> Iterator[Tensor]:
    if inputs.ndim == len(layer.kernel_size) + 1:
        inputs = inputs.unsqueeze(0)
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    return _patches(layer, F.pad(inputs, layer._reversed_padding_repeated_twice, mode=mode), layer.stride)


def _spread_patches(layer: nn.ConvTranspose2d, inputs: Tensor) -> Iterator[Tensor]:
    """Those of a transposed convolution: it convolves its inputs, apart by its stride, with the kernel turned round."""
    num_axes = len(layer.kernel_size)
    if inputs.ndim == num_axes + 1:
        inputs = inputs.unsqueeze(0)
    reach = [dilation * (size - 1) for dilation, size in zip(layer.dilation, layer.kernel_size, strict=True)]
    padding = cast(tuple[int, ...], layer.padding)
    sizes = [stride * (length - 1) + 1 for stride, length in zip(layer.stride, inputs.shape[2:], strict=True)]
    margins = [
        margin
        for axis in reversed(range(num_axes))
        for margin in (reach[axis] - padding[axis], reach[axis] - padding[axis] + layer.output_padding[axis])
    ]
    at_once = max(1, _MOST_AT_ONCE // max(1, layer.in_channels * math.prod(sizes)))
    for part in torch.split(inputs, at_once):
        apart = part.new_zeros(*part.shape[:2], *sizes)
        spread = apart
        for axis, stride in enumerate(layer.stride):  # views
            spread = spread.unfold(2 + axis, 1, stride).squeeze(-1)
        spread.copy_(part)
        yield from _patches(layer, F.pad(apart, margins), [1] * num_axes, is_turned=True)


def _patches(
    layer: nn.Conv2d | nn.ConvTranspose2d, padded: Tensor, strides: Sequence[int], *, is_turned: bool = False
) -> Iterator[Tensor]:
    """The inputs under the kernel at each position, (groups, positions, channels of a group times places)."""
    num_axes = len(layer.kernel_size)
    places = layer.in_channels * torch.Size(layer.kernel_size).numel()
    for axis in range(num_axes):  # views
        size, dilation = layer.kernel_size[axis], layer.dilation[axis]
        padded = padded.unfold(2 + axis, dilation * (size - 1) + 1, strides[axis])[..., ::dilation]
    # (examples, channels, *positions, *kernel) to (channels, *kernel, examples, *positions)
    axes = [1, *range(2 + num_axes, 2 + 2 * num_axes), 0, *range(2, 2 + num_axes)]
    an_example = padded[0, 0].numel() * layer.in_channels
    at_once = max(1, _MOST_AT_ONCE // max(1, an_example))
    stride = _stride(len(padded) * an_example // places, places // layer.groups)
    for part in torch.split(padded, at_once):
        laid = part.permute(axes)
        if is_turned:
            laid = laid.flip([*range(1, 1 + num_axes)])
        if stride > 1:  # only these are copied
            laid = laid[(..., *_every(stride, laid.shape[1 + num_axes :], part.device))]
        yield laid.reshape(layer.groups, places // layer.groups, -1).transpose(1, 2)


def _every(stride: int, sizes: torch.Size, device: torch.device) -> Any:
    """The indices along each of several axes, of every so many of their places in order."""
    left, found = torch.arange(0, sizes.numel(), stride, device=device), []
    for size in reversed(sizes):
        found.append(left % size)
        left = left // size
    return reversed(found)


def _of_attention(
    layer: nn.MultiheadAttention, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Iterator[tuple[str, Tensor]]:
    names = ("query", "key", "value")
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    if not all(given[name].numel() for name in names):
        return
    rows = [_flat(given[name]) for name in names]
    if layer._parameters["in_proj_weight"] is None:
        for name, inputs in zip(names, rows, strict=True):
            yield f"{name[0]}_proj_weight", inputs
    else:
        most = max(inputs.shape[1] for inputs in rows)  # there may be fewer keys than queries, and each counts as much
        even = [F.pad(inputs, (0, 0, 0, most - inputs.shape[1])) * (most / inputs.shape[1]) ** 0.5 for inputs in rows]
        yield "in_proj_weight", torch.cat(even)
    bare = copy.copy(layer)
    bare._modules = {"out_proj": _Identity(layer)}
    yield "out_proj.weight", _flat(nn.MultiheadAttention.forward(bare, *args, **kwargs)[0])


class _Identity(nn.Module):
    """Stands for the last projection of an attention, so that what it is given comes out."""

    def __init__(self, layer: nn.MultiheadAttention) -> None:
        super().__init__()
        like = layer.out_proj.weight
        self.weight = nn.Parameter(torch.eye(len(like), dtype=like.dtype, device=like.device), requires_grad=False)
        self.bias = nn.Parameter(torch.zeros_like(like[0]), requires_grad=False)


def _of_recurrent(layer: nn.RNNBase, inputs: Any, initial: Tensor | None) -> Iterator[tuple[str, Tensor]]:
    """The inputs and the hidden states of each layer of a recurrent network, computed layer by layer."""
    if isinstance(inputs, PackedSequence):
        inputs, _ = nn.utils.rnn.pad_packed_sequence(inputs, batch_first=layer.batch_first)
    if inputs.ndim == 2:
        inputs = inputs.unsqueeze(0 if layer.batch_first else 1)
    if layer.batch_first:
        inputs = inputs.transpose(0, 1)
    directions = ("", "_reverse") if layer.bidirectional else ("",)
    for index in range(layer.num_layers):
        outputs = []
        for offset, direction in enumerate(directions):
            run = inputs.flip(0) if direction else inputs
            yield f"weight_ih_l{index}{direction}", _flat(run)
            hidden = _single(layer, index, direction)(run)[0]
            first = hidden.new_zeros(hidden.shape[1:])
            if initial is not None:
                first = initial.reshape(initial.shape[0], -1, initial.shape[-1])[index * len(directions) + offset]
            before = torch.cat([first.unsqueeze(0), hidden[:-1]])
            yield f"weight_hh_l{index}{direction}", _flat(before)
            outputs.append(hidden.flip(0) if direction else hidden)
        inputs = torch.cat(outputs, dim=-1)


def _single(layer: nn.RNNBase, index: int, direction: str) -> nn.RNNBase:
    """One layer and direction of a recurrent network, as a network of its own over (time, batch, features)."""
    own = {
        name: parameter
        for name, parameter in layer._parameters.items()
        if parameter is not None and name.endswith(f"_l{index}{direction}")
    }
    weight = own[f"weight_ih_l{index}{direction}"]
    options: dict[str, Any] = {"bias": layer.bias}
    if isinstance(layer, nn.LSTM):
        options["proj_size"] = layer.proj_size
    if isinstance(layer, nn.RNN):
        options["nonlinearity"] = layer.nonlinearity
    kind = cast(Any, type(layer))
    single: nn.RNNBase = kind(weight.shape[1], layer.hidden_size, device="meta", **options)
    for name in list(single._parameters):
        single._parameters[name] = own[f"{name[:-1]}{index}{direction}"]
    single._init_flat_weights()
    return single.eval()
