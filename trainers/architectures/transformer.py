"""What transformers share: tokens to vectors, and blocks of attention and an MLP; no layer has a bias."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainers import checks

_DEVIATION = 0.02
_ROTARY_BASE = 10_000.0
_NORMS = ("layer", "rms")
_ACTIVATIONS = ("gelu", "swiglu")


@dataclass(frozen=True, kw_only=True)
class Form:
    """The sizes and kinds of a transformer's parts, as its architecture's arguments say them."""

    num_tokens: int
    context: int
    layers: int
    width: int
    heads: int
    positions: str
    norm: str
    activation: str
    embedding_rank: int
    shared_layers: bool

    def __post_init__(self) -> None:
        checks.integer("context", self.context, low=1, high=1 << 16)
        checks.integer("layers", self.layers, low=1, high=256)
        checks.integer("width", self.width, low=1, high=1 << 14)
        checks.integer("heads", self.heads, low=1, high=1 << 10)
        checks.choice("positions", self.positions, ("learned", "rotary"))
        checks.choice("norm", self.norm, _NORMS)
        checks.choice("activation", self.activation, _ACTIVATIONS)
        checks.integer("embedding_rank", self.embedding_rank, low=0, high=1 << 14)
        checks.boolean("shared_layers", self.shared_layers)
        if self.width % self.heads:
            raise ValueError(f"width is {self.width} and heads is {self.heads}: wanted a width that heads divide")
        if self.positions == "rotary" and (self.width // self.heads) % 2:
            raise ValueError(
                f"a head has {self.width // self.heads} values: wanted an even number for rotary positions"
            )


class Transformer(nn.Module):
    """Blocks of attention and an MLP, each after a norm and added to what came in, and a norm of the sum."""

    def __init__(self, form: Form, *, causal: bool) -> None:
        super().__init__()
        self.num_layers, self.is_shared = form.layers, form.shared_layers
        width, rank, is_rotary = form.width, form.embedding_rank, form.positions == "rotary"
        self.embedding = nn.Embedding(form.num_tokens, rank or width)
        self.widen = nn.Linear(rank, width, bias=False) if rank else None
        self.positions = None if is_rotary else nn.Embedding(form.context, width)
        self.blocks = nn.ModuleList(
            Block(width, form.heads, norm=form.norm, gated=form.activation == "swiglu", rotary=is_rotary, causal=causal)
            for _ in range(1 if form.shared_layers else form.layers)
        )
        self.norm = _norm(form.norm, width)

    def draw(self) -> None:
        """Draw initial values as GPT-2 does: those that add to the sum are smaller the more of them there are."""
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1:
                is_added = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(parameter, std=_DEVIATION / math.sqrt(2 * self.num_layers) if is_added else _DEVIATION)

    def hidden(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """What each token is inside, float (batch, length, width); ``mask`` as in ``Attention``."""
        hidden = self.embedding(tokens)
        if self.widen is not None:
            hidden = self.widen(hidden)
        if self.positions is not None:
            hidden = hidden + self.positions.weight[: tokens.shape[-1]]
        for index in range(self.num_layers):
            hidden = self.blocks[0 if self.is_shared else index](hidden, mask)
        out: Tensor = self.norm(hidden)
        return out


class Block(nn.Module):
    """Attention and an MLP."""

    def __init__(self, width: int, heads: int, *, norm: str, gated: bool, rotary: bool, causal: bool) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = _norm(norm, width), _norm(norm, width)
        self.attention = Attention(width, heads, rotary=rotary, causal=causal)
        self.mlp = Gated(width, 8 * width // 3) if gated else Mlp(width, 4 * width)

    def forward(self, hidden: Tensor, mask: Tensor | None = None) -> Tensor:
        hidden = hidden + self.attention(self.norm_1(hidden), mask)
        added: Tensor = hidden + self.mlp(self.norm_2(hidden))
        return added


class Attention(nn.Module):
    """Each token attends to all, or where it is causal to itself and those before it."""

    def __init__(self, width: int, heads: int, *, rotary: bool, causal: bool) -> None:
        super().__init__()
        self.heads, self.is_rotary, self.is_causal = heads, rotary, causal
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, hidden: Tensor, mask: Tensor | None = None) -> Tensor:
        """``mask`` is true at tokens that are attended to, and broadcasts to (batch, heads, length, length)."""
        parts = self.query_key_value(hidden).unflatten(-1, (3, self.heads, -1))
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # (batch, heads, length, values) each
        if self.is_rotary:
            query, key = _turned(query), _turned(key)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=self.is_causal)
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
