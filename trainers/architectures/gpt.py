"""GPT: a transformer that predicts each token from those before it."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from trainers import checks
from trainers.architectures.transformer import Form, Transformer
from trainers.pieces import check_tokens


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
    checks.boolean("tied", tied)
    check_tokens(num_outputs, characters=characters, pieces=pieces)
    form = Form(
        num_tokens=num_outputs,
        context=context,
        layers=layers,
        width=width,
        heads=heads,
        positions=positions,
        norm=norm,
        activation=activation,
        embedding_rank=embedding_rank,
        shared_layers=shared_layers,
    )
    return Gpt(form, tied=tied)


class Gpt(Transformer):
    """See ``gpt``."""

    def __init__(self, form: Form, *, tied: bool) -> None:
        super().__init__(form, causal=True)
        width, rank = form.width, form.embedding_rank
        self.narrow = nn.Linear(width, rank, bias=False) if rank and not tied else None
        self.head = None if tied else nn.Linear(rank or width, form.num_tokens, bias=False)
        self.draw()

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.hidden(tokens)
        if self.narrow is not None:
            hidden = self.narrow(hidden)
        elif self.widen is not None:
            hidden = hidden @ self.widen.weight
        return F.linear(hidden, self.embedding.weight if self.head is None else self.head.weight)
