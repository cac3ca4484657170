"""Networks as people have them, whose layers are hard to trace, to count or to load."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NUM_IDS, WIDTH = 9, 8
"""How many different tokens there are, and the values that stand for each inside a network."""


def _num_values(input_shape: Sequence[int]) -> int:
    return math.prod(input_shape)


def _ids(x: Tensor) -> Tensor:
    """Whole numbers from 0 to 8, (batch, tokens): the inputs, coarsely."""
    return (2 * x.flatten(1) + NUM_IDS // 2).round().clamp(0, NUM_IDS - 1).long()


class _Called(nn.Module):
    """Modules by name, and a function of them and the inputs."""

    def __init__(self, call: Any, **modules: nn.Module) -> None:
        super().__init__()
        self.call = call
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x: Tensor) -> Any:
        return self.call(self, x)


class _Encoder(nn.Module):
    """Rows of an image are tokens; each sees itself and those before it."""

    def __init__(self, num_tokens: int, width: int, num_outputs: int, *, is_registered: bool) -> None:
        super().__init__()
        self.embed = nn.Linear(width, WIDTH)
        layer = nn.TransformerEncoderLayer(WIDTH, 2, 2 * WIDTH, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.hidden = nn.Linear(WIDTH, 6)
        self.head = nn.Linear(6, num_outputs)
        self.is_registered = is_registered
        if is_registered:
            self.register_buffer("mask", torch.ones(num_tokens, num_tokens).triu(1).bool())

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed(x.flatten(1, 2))
        num_tokens = tokens.shape[1]
        mask = self.mask if self.is_registered else nn.Transformer.generate_square_subsequent_mask(num_tokens)
        mixed = self.encoder(tokens, mask=mask)
        return self.head(F.relu(self.hidden(mixed.mean(1))))  # type: ignore[no-any-return]


def masked_encoder(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    """``nn.TransformerEncoder`` with a mask that ``forward`` makes."""
    channels, height, width = input_shape
    return _Encoder(channels * height, width, num_outputs, is_registered=False)


def causal_decoder(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    """A decoder-only network as in language models: causal by a mask in a buffer, whose values ``forward`` reads."""
    channels, height, width = input_shape
    return _Encoder(channels * height, width, num_outputs, is_registered=True)


def tied_language_model(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    """Tokens are predicted by the matrix that embeds them; the first few are the classes."""

    def call(m: Any, x: Tensor) -> Tensor:
        tokens = m.embed(_ids(x))
        return m.lm_head(tokens + m.mix(tokens).relu()).mean(1)[:, :num_outputs]  # type: ignore[no-any-return]

    lm_head = nn.Linear(WIDTH, NUM_IDS, bias=False)
    network = _Called(call, embed=nn.Embedding(NUM_IDS, WIDTH), mix=nn.Linear(WIDTH, WIDTH), lm_head=lm_head)
    lm_head.weight = network.embed.weight  # type: ignore[assignment, union-attr]
    return network


def token_gru(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    """An embedding and a GRU, read at its last step."""

    def call(m: Any, x: Tensor) -> Tensor:
        return m.head(m.rnn(m.embed(_ids(x)))[0][:, -1])  # type: ignore[no-any-return]

    embed, rnn = nn.Embedding(NUM_IDS, WIDTH), nn.GRU(WIDTH, WIDTH, batch_first=True)
    return _Called(call, embed=embed, rnn=rnn, head=nn.Linear(WIDTH, num_outputs))


def row_lstm(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    """A bidirectional LSTM of two layers over the rows of an image."""

    def call(m: Any, x: Tensor) -> Tensor:
        return m.head(m.rnn(x.flatten(1, 2))[0].mean(1))  # type: ignore[no-any-return]

    rnn = nn.LSTM(input_shape[-1], 3, num_layers=2, batch_first=True, bidirectional=True)
    return _Called(call, rnn=rnn, head=nn.Linear(6, num_outputs))


def elman_rnn(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    """Cells that ``forward`` steps itself."""

    def call(m: Any, x: Tensor) -> Tensor:
        state = x.new_zeros(len(x), WIDTH)
        for row in x.flatten(1, 2).unbind(1):
            state = m.cell(row, state)
        return m.head(state)  # type: ignore[no-any-return]

    return _Called(call, cell=nn.RNNCell(input_shape[-1], WIDTH), head=nn.Linear(WIDTH, num_outputs))


def bare_attention(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    """``nn.MultiheadAttention`` called directly, with keys and values of another width than the queries."""

    def call(m: Any, x: Tensor) -> Tensor:
        rows = x.flatten(1, 2)
        queries = m.queries(rows)
        mixed, weights = m.attention(queries, rows, rows, need_weights=True)
        return m.head((queries + mixed).mean(1)) + weights.mean()  # type: ignore[no-any-return]

    width = input_shape[-1]
    attention = nn.MultiheadAttention(WIDTH, 2, kdim=width, vdim=width, batch_first=True)
    return _Called(call, queries=nn.Linear(width, WIDTH), attention=attention, head=nn.Linear(WIDTH, num_outputs))


class _Matrix(nn.Module):
    """Its output is a view of its parameter."""

    def __init__(self, num_rows: int, num_columns: int) -> None:
        super().__init__()
        self.values = nn.Parameter(0.3 * torch.randn(num_columns, num_rows))

    def forward(self) -> Tensor:
        return self.values.T


def returned_parameter(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    """One module returns a view of its own parameter, another the parameter itself; the network multiplies by them."""

    def call(m: Any, x: Tensor) -> Tensor:
        return (x.flatten(1) @ m.first()).relu() @ m.second() * m.scale()  # type: ignore[no-any-return]

    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.values = nn.Parameter(torch.ones(num_outputs))

        def forward(self) -> Tensor:
            return self.values

    num_values = _num_values(input_shape)
    return _Called(call, first=_Matrix(num_values, WIDTH), second=_Matrix(WIDTH, num_outputs), scale=Scale())


def convolutions(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    """Depthwise, grouped, dilated and transposed convolutions, in two dimensions and in one."""
    channels, height, width = input_shape
    return nn.Sequential(
        *(nn.Conv2d(channels, 4, 3, padding=1), nn.PReLU(4)),
        *(nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=4), nn.ReLU()),
        *(nn.Conv2d(4, 8, 1, groups=2), nn.PReLU()),
        *(nn.ConvTranspose2d(8, 4, 2, stride=2, groups=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(2), nn.Conv1d(4, 3, 3, padding=1, padding_mode="circular"), nn.ReLU()),
        *(nn.ConvTranspose1d(3, 2, 1), nn.Flatten(), nn.Linear(2 * height * width, num_outputs)),
    )


def bilinear(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    """``nn.Bilinear`` of two halves of the inputs, and a product with a vector."""

    class Halves(nn.Module):
        def __init__(self, half: int) -> None:
            super().__init__()
            self.pairs = nn.Bilinear(half, half, num_outputs)
            self.direction = nn.Parameter(0.1 * torch.randn(2 * half))

        def forward(self, x: Tensor) -> Tensor:
            first, second = x.flatten(1).chunk(2, dim=1)
            return self.pairs(first, second) + (x.flatten(1) @ self.direction)[:, None]  # type: ignore[no-any-return]

    return Halves(_num_values(input_shape) // 2)


def bag_of_ids(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    """``nn.EmbeddingBag``, with a row for padding."""
    bag = nn.EmbeddingBag(NUM_IDS, WIDTH, mode="mean", padding_idx=0)
    return _Called(lambda m, x: m.head(m.bag(_ids(x))), bag=bag, head=nn.Linear(WIDTH, num_outputs))


def other_norms(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    """Group, instance, layer, root mean square and local response norms; some have no scale, some have statistics."""
    channels, height, width = input_shape
    return nn.Sequential(
        *(nn.Conv2d(channels, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.ReLU()),
        *(nn.Conv2d(4, 4, 3, padding=1), nn.InstanceNorm2d(4, affine=True, track_running_stats=True), nn.ReLU()),
        *(nn.InstanceNorm2d(4), nn.BatchNorm2d(4, affine=False), nn.BatchNorm2d(4, track_running_stats=False)),
        *(nn.LocalResponseNorm(2), nn.Flatten(), nn.LayerNorm(4 * height * width, elementwise_affine=False)),
        *(nn.Linear(4 * height * width, WIDTH), nn.RMSNorm(WIDTH), nn.LayerNorm(WIDTH, bias=False)),
        nn.Linear(WIDTH, num_outputs),
    )


def listed_parameters(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    """Weights in ``nn.ParameterList`` and ``nn.ParameterDict``, multiplied by hand."""

    class Listed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            widths = [_num_values(input_shape), WIDTH, num_outputs]
            pairs = itertools.pairwise(widths)
            self.weights = nn.ParameterList(0.3 * torch.randn(num_in, num_out) for num_in, num_out in pairs)
            self.extras = nn.ParameterDict({"bias": torch.zeros(num_outputs), "gain": torch.ones(())})

        def forward(self, x: Tensor) -> Tensor:
            hidden = torch.tanh(x.flatten(1) @ self.weights[0])
            return torch.einsum("bi,io->bo", hidden, self.weights[1]) * self.extras["gain"] + self.extras["bias"]

    return Listed()


def chosen_by_name(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    """Layers in an ``nn.ModuleDict``, with an ``nn.ModuleList`` in it; ``in`` is a word of Python's."""
    num_values = _num_values(input_shape)
    blocks = nn.ModuleList([nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)])
    head = nn.Linear(WIDTH, num_outputs)
    layers = nn.ModuleDict({"in": nn.Linear(num_values, WIDTH), "blocks": blocks, "state": head})

    def call(m: Any, x: Tensor) -> Tensor:
        x = m.layers["in"](x.flatten(1)).relu()
        for block in m.layers["blocks"]:
            x = x + block(x).relu()
        return m.layers["state"](x)  # type: ignore[no-any-return]

    return _Called(call, layers=layers)


def drop_path(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    """An architecture that reads values of tensors while it is built, as networks with stochastic depth do."""
    num_values = _num_values(input_shape)
    rates = [rate.item() for rate in torch.linspace(0.0, 0.2, 3)]
    layers = [nn.Flatten(), nn.Linear(num_values, WIDTH)]
    for rate in rates:
        layers += [nn.ReLU(), nn.Dropout(rate), nn.Linear(WIDTH, WIDTH)]
    layers.append(nn.Linear(WIDTH, num_outputs))
    layers[4].weight = layers[7].weight  # type: ignore[assignment]
    return nn.Sequential(*layers)


def orthogonal(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    """A parametrization that cannot be put on where tensors have no values."""
    hidden = nn.utils.parametrizations.orthogonal(nn.Linear(WIDTH, WIDTH))
    return nn.Sequential(nn.Flatten(), nn.Linear(_num_values(input_shape), WIDTH), hidden, nn.ReLU(), nn.Linear(8, 3))


def routed(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    """An expert sees only the examples for which its gate is open: a path that depends on values."""

    def call(m: Any, x: Tensor) -> Tensor:
        x = x.flatten(1)
        gate = m.gate(x).softmax(dim=1)
        outputs = x.new_zeros(len(x), num_outputs)
        for number, expert in enumerate(m.experts):
            rows = (gate[:, number] > 1e-6).nonzero().squeeze(1)
            if rows.numel():
                outputs = outputs.index_add(0, rows, expert(x[rows]) * gate[rows, number, None])
        return outputs

    num_values = _num_values(input_shape)
    experts = nn.ModuleList(nn.Linear(num_values, num_outputs) for _ in range(2))
    return _Called(call, gate=nn.Linear(num_values, 2), experts=experts)
