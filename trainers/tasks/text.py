"""A text, of which each token is to be predicted from those before it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from trainers import checks, pinned
from trainers.data.examples import Batch
from trainers.data.mapped import ArrayFile
from trainers.data.windows import IGNORED, Passage, Text, Windows
from trainers.datasets import shakespeare
from trainers.echo import echo
from trainers.networks.calling import Network, call
from trainers.tasks.marks import from_network, names_file
from trainers.tasks.task import Quality, Score, Task

_TRAIN, _VALIDATION = 90, 5
"""Per cent of the bytes, from the beginning; the rest are for the test."""
_MOST_ALPHABET_BYTES = 3000
"""So that an alphabet fits into the header of a file."""
_AT_ONCE = 1 << 14
"""The tokens that are measured at once."""
_VOCABULARIES = ("characters", "bytes")


@names_file("file")
@from_network("characters", "context")
def text(
    *, file: str = "", vocabulary: str = "characters", context: int = 64, stride: int = 0, characters: str = ""
) -> Task:
    """Predict each token of a text from at most ``context`` tokens before it.

    The first 90 % of the bytes are for training, in windows that begin anywhere, 5 % for validation and the last 5 %
    for the test. The loss is the cross-entropy in nats for each token. The quality is in bits for each byte of the
    text, so that vocabularies compare: the sum over all tokens of -log2 p, divided by their bytes in UTF-8.

    Args:
        file: a file in UTF-8, or of any bytes where these are the tokens; empty: tinyshakespeare.
        vocabulary: what tokens are: ``characters``, or ``bytes``.
        context: the length of a window.
        stride: how many tokens of a window are predicted where quality is measured, so that each is predicted once,
            from ``context - stride + 1`` to ``context`` tokens; 0: half of the context.
        characters: those that are tokens, in order, such as a network's; empty: all of the text.
    """
    checks.choice("vocabulary", vocabulary, _VOCABULARIES)
    checks.integer("context", context, low=1, high=1 << 16)
    checks.integer("stride", stride, low=0, high=context)
    if not isinstance(characters, str) or len({*characters}) < len(characters):
        raise ValueError(f"characters is {echo(characters)}: wanted a text that has each character once")
    if characters and vocabulary != "characters":
        raise ValueError(f"characters are given, and vocabulary is {vocabulary!r}: leave one of them out")
    path = pinned.path_of(file) if file else shakespeare.path()
    content = pinned.read(file, field="file", wanted="a text")[1] if file else path.read_bytes()
    tokens = _of_bytes(path, content) if vocabulary == "bytes" else _of_characters(content, str(path), characters)
    ends = (tokens.place(content, _cut(content, share)) for share in (_TRAIN, _TRAIN + _VALIDATION, 100))
    first, second, last = ends
    if first <= context or second <= first or last <= second:
        raise ValueError(
            f"{path} has {last} {vocabulary}: wanted more than {context}, the context, in the first {_TRAIN} %, and "
            "some in the rest"
        )
    stride = stride or -(-context // 2)
    measured = [
        Passage(text=tokens.text, length=context, stride=stride, start=start, stop=stop)
        for start, stop in ((first, second), (second, last))
    ]
    return Task(
        train=Windows(text=tokens.text, length=context, start=0, stop=first),
        validation=measured[0],
        test=measured[1],
        loss=next_token,
        score=_Bits(tokens.sizes),
        quality_name="bits_per_byte",
        maximise=False,
        quality_of=_bits,
        others=(Quality(name="perplexity", maximise=False, of=_perplexity),),
        offers={"num_outputs": len(tokens.sizes), "context": context, "characters": tokens.characters},
        evaluation_batch_size=max(1, min(250, _AT_ONCE // context)),
    )


@dataclass(frozen=True, kw_only=True)
class _Tokens:
    """A text as numbers."""

    text: Text
    sizes: Tensor
    """The bytes that each token stands for, int64 (tokens,)."""
    characters: str
    """The characters of the tokens; empty where these are bytes."""

    def place(self, content: bytes, end: int) -> int:
        """How many tokens the first ``end`` bytes are."""
        return len(content[:end].decode()) if self.characters else end


def _of_bytes(path: Path, content: bytes) -> _Tokens:
    if not content:
        raise ValueError(f"{path} is empty: wanted a text")
    return _Tokens(text=ArrayFile(path, dtype="uint8"), sizes=torch.ones(256, dtype=torch.int64), characters="")


def _of_characters(content: bytes, called: str, characters: str) -> _Tokens:
    try:
        codes = np.frombuffer(content.decode().encode("utf-32-le"), np.uint32)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{called} is no text in UTF-8 (byte {error.start} is {content[error.start]:#04x}): recode it, or take "
            "vocabulary: bytes"
        ) from error
    found = np.unique(codes)
    given = np.array([ord(one) for one in characters], np.uint32) if characters else found
    if len(unknown := np.setdiff1d(found, given)):
        raise ValueError(
            f"{called} has the character {chr(unknown[0])!r}, which is none of the {len(given)} of the network: wanted "
            "a text of these, or a network of vocabulary: bytes"
        )
    alphabet = "".join(map(chr, given))
    if (num_bytes := len(alphabet.encode())) > _MOST_ALPHABET_BYTES:
        raise ValueError(
            f"{called} has {len(alphabet)} different characters, which take {num_bytes} bytes: wanted at most "
            f"{_MOST_ALPHABET_BYTES}, or vocabulary: bytes"
        )
    order = np.argsort(given)
    numbers: NDArray[Any] = order[np.searchsorted(given, codes, sorter=order)]
    sizes = torch.tensor([len(one.encode()) for one in alphabet])
    return _Tokens(
        text=numbers.astype(np.uint8 if len(alphabet) <= 256 else np.uint16), sizes=sizes, characters=alphabet
    )


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
