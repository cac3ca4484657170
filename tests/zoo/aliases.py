"""Networks in which a tensor or a module has more than one name, or is used more than once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class NormUnderTwoNames(nn.Module):
    """A batch norm that a list holds as well; the forward pass uses the list."""

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__()
        self.first = nn.Linear(num_inputs, 8)
        self.bn = nn.BatchNorm1d(8)
        self.norms = nn.ModuleList([self.bn])
        self.last = nn.Linear(8, num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.last(self.norms[0](self.first(x.flatten(1))).relu())
        return output


def norm_under_two_names(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return NormUnderTwoNames(torch.Size(input_shape).numel(), num_outputs)


class LayerUnderTwoNames(nn.Module):
    """A linear layer under two names, called by the second."""

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__()
        self.first = nn.Linear(num_inputs, 8)
        self.body = nn.Linear(8, 8)
        self.layers = nn.ModuleList([self.body, nn.Linear(8, num_outputs)])

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x.flatten(1)).relu()
        for layer in self.layers:
            x = layer(x)
        return x


def layer_under_two_names(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return LayerUnderTwoNames(torch.Size(input_shape).numel(), num_outputs)


class CalledTwice(nn.Module):
    """A layer and its norm are called twice, one after the other."""

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__()
        self.first = nn.Linear(num_inputs, 8)
        self.block = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU())
        self.last = nn.Linear(8, num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x.flatten(1))
        output: Tensor = self.last(self.block(self.block(x)))
        return output


def called_twice(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return CalledTwice(torch.Size(input_shape).numel(), num_outputs)


class TiedEmbedding(nn.Module):
    """Tokens are embedded, and the embedding is the weight of the last layer, as in most language models."""

    def __init__(self, num_outputs: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(16, 8)
        self.body = nn.Linear(8, 8)
        self.head = nn.Linear(8, 16, bias=False)
        self.head.weight = self.embed.weight
        self.last = nn.Linear(16, num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        tokens = (x.flatten(1) * 4 + 8).long().clamp(0, 15)
        hidden = torch.tanh(self.body(self.embed(tokens).mean(1)))
        output: Tensor = self.last(self.head(hidden))
        return output


def tied_embedding(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return TiedEmbedding(num_outputs)


class TiedTransposed(nn.Module):
    """An autoencoder's weight is used twice, once transposed; its bias is tied to another layer's."""

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__()
        self.encoder = nn.Linear(num_inputs, 8)
        self.middle = nn.Linear(8, 8)
        self.middle.bias = self.encoder.bias
        self.last = nn.Linear(num_inputs, num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.middle(self.encoder(x.flatten(1)).relu())
        output: Tensor = self.last(F.linear(hidden, self.encoder.weight.T))
        return output


def tied_transposed(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return TiedTransposed(torch.Size(input_shape).numel(), num_outputs)


class TiedBuffer(nn.Module):
    """Two names of one buffer, and a parameter that two lists hold."""

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__()
        self.register_buffer("scale", torch.linspace(0.5, 1.5, num_inputs))
        self.register_buffer("again", self.scale)
        self.linear = nn.Linear(num_inputs, 8)
        self.weights = nn.ParameterList([self.linear.weight])
        self.last = nn.Linear(8, num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1) * self.again
        output: Tensor = self.last((F.linear(x, self.weights[0]) + self.linear(x)).relu())
        return output


def tied_buffer(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return TiedBuffer(torch.Size(input_shape).numel(), num_outputs)
