"""A text, of which each token is to be predicted from those before it."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from trainers import checks, pinned
from trainers.data.examples import Batch
from trainers.data.mapped import ArrayFile
from trainers.data.vocabularies import Vocabulary, vocabulary_of
from trainers.data.windows import IGNORED, Passage, Text, Windows
from trainers.datasets import shakespeare
from trainers.networks.calling import Network, call
from trainers.tasks.marks import came_later, from_network, names_file
from trainers.tasks.task import Quality, Score, Task

_TRAIN, _VALIDATION = 90, 5
"""Per cent of the bytes, from the beginning; the rest are for the test."""
_AT_ONCE = 1 << 14
"""The tokens that are measured at once."""


@came_later("pieces")
@names_file("file")
@from_network("characters", "context", "pieces")
def text(
    *,
    file: str = "",
    vocabulary: str = "characters",
    context: int = 64,
    stride: int = 0,
    characters: str = "",
    pieces: str = "",
) -> Task:
    """Predict each token of a text from at most ``context`` tokens before it.

    The first 90 % of the bytes are for training, in windows that begin anywhere, 5 % for validation and the last 5 %
    for the test. The loss is the cross-entropy in nats for each token. The quality is in bits for each byte of the
    text, so that vocabularies compare: the sum over all tokens of -log2 p, divided by their bytes in UTF-8.

    Args:
        file: a file in UTF-8, or of any bytes where these are the tokens; empty: tinyshakespeare.
        vocabulary: what tokens are: ``characters``; ``bytes``; or ``bpe(N)``, of N tokens: all bytes, and pieces of
            words that are learned from what is for training by byte-pair encoding.
        context: the length of a window.
        stride: how many tokens of a window are predicted where quality is measured, so that each is predicted once,
            from ``context - stride + 1`` to ``context`` tokens; 0: half of the context.
        characters: those that are tokens, in order, such as a network's; empty: all of the text.
        pieces: those that are tokens beside the bytes, as a network has them; empty: what ``vocabulary`` says.
    """
    checks.integer("context", context, low=1, high=1 << 16)
    checks.integer("stride", stride, low=0, high=context)
    path = pinned.path_of(file) if file else shakespeare.path()
    content = pinned.read(file, field="file", wanted="a text")[1] if file else path.read_bytes()
    if not content:
        raise ValueError(f"{path} is empty: wanted a text")
    cuts = [0, *(_cut(content, share) for share in (_TRAIN, _TRAIN + _VALIDATION, 100))]
    parts = [content[begin:end] for begin, end in itertools.pairwise(cuts)]
    tokens = vocabulary_of(
        content, parts[0], called=str(path), vocabulary=vocabulary, characters=characters, pieces=pieces
    )
    numbers, (first, second, last) = _of_parts(path, parts, tokens)
    if first <= context or second <= first or last <= second:
        raise ValueError(
            f"{path} has {last} {tokens.what}: wanted more than {context}, the context, in the first {_TRAIN} %, and "
            "some in the rest"
        )
    stride, sizes = stride or -(-context // 2), tokens.sizes
    measured = [
        Passage(text=numbers, length=context, stride=stride, start=start, stop=stop)
        for start, stop in ((first, second), (second, last))
    ]
    return Task(
        train=Windows(text=numbers, length=context, start=0, stop=first),
        validation=measured[0],
        test=measured[1],
        loss=next_token,
        score=_Bits(sizes),
        quality_name="bits_per_byte",
        maximise=False,
        quality_of=_bits,
        others=(Quality(name="perplexity", maximise=False, of=_perplexity),),
        offers={
            "num_outputs": len(sizes),
            "context": context,
            "characters": tokens.characters,
            "pieces": tokens.pieces,
        },
        kept=("pieces",) if tokens.pieces else (),
        evaluation_batch_size=max(1, min(250, _AT_ONCE // context)),
    )


def _of_parts(path: Path, parts: list[bytes], vocabulary: Vocabulary) -> tuple[Text, list[int]]:
    """All tokens, and how many there are up to the end of each part; no token is of two parts."""
    if not (vocabulary.characters or vocabulary.pieces):
        return ArrayFile(path, dtype="uint8"), list(itertools.accumulate(map(len, parts)))
    numbers = vocabulary.numbers(*parts)
    return np.concatenate(numbers), list(itertools.accumulate(map(len, numbers)))


def _cut(content: bytes, share: int) -> int:
    """The byte at which ``share`` per cent end, or the next one that begins a character."""
    end = len(content) * share // 100
    while end < len(content) and content[end] & 0xC0 == 0x80:
        end += 1
    return end


def next_token(network: Network, batch: Batch) -> Tensor:
    """The mean cross-entropy in nats of the tokens that are predicted; outputs are logits (batch, length, tokens)."""
    return _nats(network, batch, "mean")


def _nats(network: Network, batch: Batch, reduction: str) -> Tensor:
    logits = call(network, batch.inputs)
    if not isinstance(logits, Tensor) or logits.shape[:-1] != batch.targets.shape:
        found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(f"the network returns {found}: wanted logits (*{tuple(batch.targets.shape)}, tokens)")
    return F.cross_entropy(
        logits.float().flatten(0, -2), batch.targets.flatten(), ignore_index=IGNORED, reduction=reduction
    )


@dataclass(frozen=True)
class _Bits:
    """Scores a batch: its nats, its tokens and its bytes."""

    sizes: Tensor
    """The bytes that each token stands for."""

    def __call__(self, network: Network, batch: Batch) -> Score:
        nats = _nats(network, batch, "none").double().sum()
        predicted = batch.targets[batch.targets != IGNORED]
        num_bytes = self.sizes.to(predicted.device)[predicted].sum()
        return Score((nats, torch.stack([nats, nats.new_tensor(len(predicted))])), int(num_bytes))


def _bits(nats_per_byte: float) -> float:
    return nats_per_byte / math.log(2)


def _perplexity(means: Tensor) -> float:
    """From nats and tokens, both for each byte."""
    return float((means[0] / means[1]).exp())
