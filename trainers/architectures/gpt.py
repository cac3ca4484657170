"""GPT: a transformer that predicts each token from those before it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainers import checks
from trainers.pieces import check_tokens

_DEVIATION = 0.02
_ROTARY_BASE = 10_000.0
_NORMS = ("layer", "rms")
_ACTIVATIONS = ("gelu", "swiglu")


def gpt(
    *,
    num_outputs: int = 256,
    context: int = 64,
    layers: int = 4,
    width: int = 128,
    heads: int = 4,
    tied: bool = True,
    positions: str = "learned",
    norm: str = "layer",
    activation: str = "gelu",
    embedding_rank: int = 0,
    shared_layers: bool = False,
    characters: str = "",
    pieces: str = "",
) -> nn.Module:
    """Blocks of causal attention and an MLP, each after a norm and added to what came in; no layer has a bias.

    Inputs are tokens (batch, length), int64, outputs logits (batch, length, ``num_outputs``). With the defaults it is
    nanoGPT's network without biases.

    Args:
        num_outputs: the tokens that there are.
        context: the most tokens that it is given.
        layers: blocks.
        width: the values that a token is inside, a multiple of ``heads``.
        heads: of attention.
        tied: the embedding is the last layer as well.
        positions: ``learned``, one vector for each; or ``rotary``, which turns queries and keys.
        norm: ``layer``, without shifts, or ``rms``.
        activation: ``gelu`` of 4 ``width`` units, or ``swiglu`` of two thirds as many, of as many weights.
        embedding_rank: the embedding is a product of two matrices of this rank; 0: it is one matrix.
        shared_layers: all blocks are the same one.
        characters: what the tokens are, where they are characters: the network computes without them.
        pieces: likewise, where they are bytes and pieces of words (``trainers/pieces.py``).

    References:
        Radford, Wu, Child, Luan, Amodei, Sutskever 2019, "Language Models are Unsupervised Multitask Learners" (GPT-2).
        Press, Wolf 2017, arXiv 1608.05859: tied embeddings. Lan et al. 2020, "ALBERT", arXiv 1909.11942: factorised
        embeddings, shared layers. Su et al. 2021, arXiv 2104.09864: rotary positions. Shazeer 2020, arXiv 2002.05202:
        SwiGLU. Zhang, Sennrich 2019, arXiv 1910.07467: RMSNorm.
    """
    checks.integer("num_outputs", num_outputs, low=1, high=1 << 20)
    checks.integer("context", context, low=1, high=1 << 16)
    checks.integer("layers", layers, low=1, high=256)
    checks.integer("width", width, low=1, high=1 << 14)
    checks.integer("heads", heads, low=1, high=1 << 10)
    checks.boolean("tied", tied)
    checks.choice("positions", positions, ("learned", "rotary"))
    checks.choice("norm", norm, _NORMS)
    checks.choice("activation", activation, _ACTIVATIONS)
    checks.integer("embedding_rank", embedding_rank, low=0, high=1 << 14)
    checks.boolean("shared_layers", shared_layers)
    if width % heads:
        raise ValueError(f"width is {width} and heads is {heads}: wanted a width that heads divide")
    if positions == "rotary" and (width // heads) % 2:
        raise ValueError(f"a head has {width // heads} values: wanted an even number for rotary positions")
    check_tokens(num_outputs, characters=characters, pieces=pieces)
    return Gpt(
        num_outputs=num_outputs,
        context=context,
        layers=layers,
        width=width,
        heads=heads,
        tied=tied,
        rotary=positions == "rotary",
        norm=norm,
        gated=activation == "swiglu",
        rank=embedding_rank,
        shared=shared_layers,
    )


class Gpt(nn.Module):
    """See ``gpt``."""

    def __init__(
        self,
        *,
        num_outputs: int,
        context: int,
        layers: int,
        width: int,
        heads: int,
        tied: bool,
        rotary: bool,
        norm: str,
        gated: bool,
        rank: int,
        shared: bool,
    ) -> None:
        super().__init__()
        self.num_layers, self.is_shared = layers, shared
        self.embedding = nn.Embedding(num_outputs, rank or width)
        self.widen = nn.Linear(rank, width, bias=False) if rank else None
        self.positions = None if rotary else nn.Embedding(context, width)
        self.blocks = nn.ModuleList(
            Block(width, heads, norm=norm, gated=gated, rotary=rotary) for _ in range(1 if shared else layers)
        )
        self.norm = _norm(norm, width)
        self.narrow = nn.Linear(width, rank, bias=False) if rank and not tied else None
        self.head = None if tied else nn.Linear(rank or width, num_outputs, bias=False)
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1:
                is_added = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(parameter, std=_DEVIATION / math.sqrt(2 * layers) if is_added else _DEVIATION)

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.embedding(tokens)
        if self.widen is not None:
            hidden = self.widen(hidden)
        if self.positions is not None:
            hidden = hidden + self.positions.weight[: tokens.shape[-1]]
        for index in range(self.num_layers):
            hidden = self.blocks[0 if self.is_shared else index](hidden)
        return self._logits(self.norm(hidden))

    def _logits(self, hidden: Tensor) -> Tensor:
        if self.narrow is not None:
            hidden = self.narrow(hidden)
        elif self.widen is not None:
            hidden = hidden @ self.widen.weight
        return F.linear(hidden, self.embedding.weight if self.head is None else self.head.weight)


class Block(nn.Module):
    """Attention and an MLP."""

    def __init__(self, width: int, heads: int, *, norm: str, gated: bool, rotary: bool) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = _norm(norm, width), _norm(norm, width)
        self.attention = Attention(width, heads, rotary=rotary)
        self.mlp = Gated(width, 8 * width // 3) if gated else Mlp(width, 4 * width)

    def forward(self, hidden: Tensor) -> Tensor:
        hidden = hidden + self.attention(self.norm_1(hidden))
        added: Tensor = hidden + self.mlp(self.norm_2(hidden))
        return added


class Attention(nn.Module):
    """Each token attends to itself and those before it."""

    def __init__(self, width: int, heads: int, *, rotary: bool) -> None:
        super().__init__()
        self.heads, self.is_rotary = heads, rotary
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, hidden: Tensor) -> Tensor:
        parts = self.query_key_value(hidden).unflatten(-1, (3, self.heads, -1))
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # (batch, heads, length, values) each
        if self.is_rotary:
            query, key = _turned(query), _turned(key)
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out


class Mlp(nn.Module):
    """Two layers with GELU between them."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(width, hidden, bias=False), nn.Linear(hidden, width, bias=False)

    def forward(self, given: Tensor) -> Tensor:
        out: Tensor = self.down(F.gelu(self.up(given)))
        return out


class Gated(nn.Module):
    """SwiGLU: one layer opens and closes the units of another."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.gate, self.up = nn.Linear(width, hidden, bias=False), nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, given: Tensor) -> Tensor:
        out: Tensor = self.down(F.silu(self.gate(given)) * self.up(given))
        return out


def _norm(kind: str, width: int) -> nn.Module:
    return nn.LayerNorm(width, bias=False) if kind == "layer" else nn.RMSNorm(width)


def _turned(vectors: Tensor) -> Tensor:
    """(..., length, values), each pair of values turned by its place times a frequency of its own."""
    length, num_values = vectors.shape[-2:]
    half = num_values // 2
    exponents = torch.arange(half, device=vectors.device, dtype=torch.float32) / half
    places = torch.arange(length, device=vectors.device, dtype=torch.float32)
    angles = places[:, None] * _ROTARY_BASE**-exponents
    cosine, sine = angles.cos().to(vectors.dtype), angles.sin().to(vectors.dtype)
    first, second = vectors[..., :half], vectors[..., half:]
    return torch.cat((first * cosine - second * sine, first * sine + second * cosine), dim=-1)
