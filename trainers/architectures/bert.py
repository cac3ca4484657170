"""BERT: a transformer that reads a whole text and says of which class it is."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from trainers import checks
from trainers.architectures.transformer import Form, Transformer
from trainers.pieces import check_tokens


def bert(
    *,
    num_outputs: int = 2,
    num_tokens: int = 256,
    context: int = 64,
    layers: int = 4,
    width: int = 128,
    heads: int = 4,
    positions: str = "learned",
    norm: str = "layer",
    activation: str = "gelu",
    embedding_rank: int = 0,
    shared_layers: bool = False,
    characters: str = "",
    pieces: str = "",
) -> nn.Module:
    """Blocks of attention to the whole text and an MLP; a linear layer reads the mean over the text's tokens.

    Inputs are tokens (batch, length), int64; texts that are shorter end in the number ``num_tokens``, which stands for
    no token: it is not attended to, not part of the mean, and has no row in the embedding. Outputs are logits (batch,
    ``num_outputs``). The blocks are those of ``gpt``: the norm comes before attention and MLP, and no layer but the
    last has a bias. The mean is read, and not the first token as in BERT: there that is the same in all texts, and has
    learned from much other text to stand for the rest. Nothing marks a second text, since there is one.

    Args:
        num_outputs: classes.
        num_tokens: the tokens that there are.
        context: the most tokens of a text.
        layers: blocks.
        width: the values that a token is inside, a multiple of ``heads``.
        heads: of attention.
        positions: ``learned``, one vector for each; or ``rotary``, which turns queries and keys.
        norm: ``layer``, without shifts, or ``rms``.
        activation: ``gelu`` of 4 ``width`` units, or ``swiglu`` of two thirds as many, of as many weights.
        embedding_rank: the embedding is a product of two matrices of this rank; 0: it is one matrix.
        shared_layers: all blocks are the same one.
        characters: what the tokens are, where they are characters: the network computes without them.
        pieces: likewise, where they are bytes and pieces of words (``trainers/pieces.py``).

    References:
        Devlin, Chang, Lee, Toutanova 2019, "BERT", arXiv 1810.04805. Xiong et al. 2020, arXiv 2002.04745: norms first.
        Lan et al. 2020, "ALBERT", arXiv 1909.11942: factorised embeddings, shared layers. Others: ``gpt``.
    """
    checks.integer("num_outputs", num_outputs, low=1, high=1 << 20)
    checks.integer("num_tokens", num_tokens, low=1, high=1 << 20)
    check_tokens(num_tokens, characters=characters, pieces=pieces)
    form = Form(
        num_tokens=num_tokens,
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
    return Bert(form, num_outputs)


class Bert(Transformer):
    """See ``bert``."""

    def __init__(self, form: Form, num_outputs: int) -> None:
        super().__init__(form, causal=False)
        self.num_tokens = form.num_tokens
        self.head = nn.Linear(form.width, num_outputs)
        self.draw()
        nn.init.zeros_(self.head.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        is_token = tokens != self.num_tokens
        # the first place is attended to in any case: a softmax over nothing is NaN, for an empty text
        attended = F.pad(is_token[:, 1:], (1, 0), value=True)
        hidden = self.hidden(tokens.clamp_max(self.num_tokens - 1), attended[:, None, None])
        shares = is_token.to(hidden.dtype)[..., None]
        mean = (hidden * shares).sum(1) / shares.sum(1).clamp_min(1)
        logits: Tensor = self.head(mean)
        return logits
