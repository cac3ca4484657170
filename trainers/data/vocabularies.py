"""Vocabularies: what the tokens of a text are, and their numbers; characters, bytes, or bytes and pieces of words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainers.data.byte_pairs import learned, words
from trainers.echo import echo
from trainers.pieces import MOST_TOKENS, NUM_BYTES, packed, unpacked

_MOST_ALPHABET_BYTES = 3000
"""So that an alphabet fits into the header of a file."""
_BPE = re.compile(r"bpe\((\d{1,9})\)")


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """What tokens are: ``characters``; or all bytes, and ``pieces`` where there are some."""

    characters: str = ""
    """In the order of their numbers."""
    pieces: str = ""
    """As ``trainers.pieces`` writes them."""

    @property
    def what(self) -> str:
        """What a number of tokens counts."""
        return "characters" if self.characters else "tokens" if self.pieces else "bytes"

    @property
    def sizes(self) -> Tensor:
        """The bytes that each token stands for, int64 (tokens,)."""
        return torch.tensor([len(token) for token in self.tokens])

    @property
    def tokens(self) -> list[bytes]:
        """What each token stands for."""
        if self.characters:
            return [one.encode() for one in self.characters]
        return [*(bytes([byte]) for byte in range(NUM_BYTES)), *unpacked(self.pieces)]

    def numbers(self, *contents: bytes) -> list[NDArray[Any]]:
        """The tokens of each text (n,), uint8 or uint16, which stand for all of its bytes.

        Of the bytes of each word (``byte_pairs.words``), the longest piece that they begin with is a token, and so on
        with the rest.

        References:
            Uzan, Schmidt, Tanner, Pinter 2024, "Greed is All You Need: An Evaluation of Tokenizer Inference Methods",
            arXiv 2403.01289: the longest piece first makes as few tokens as merging in order, and needs no order.
        """
        if self.characters:
            given = _codes(self.characters)
            order, dtype = np.argsort(given), np.uint8 if len(given) <= NUM_BYTES else np.uint16
            found = (np.searchsorted(given, _codes(content.decode()), sorter=order) for content in contents)
            return [order[places].astype(dtype) for places in found]
        if not self.pieces:
            return [np.frombuffer(content, np.uint8) for content in contents]
        cut = _Cut(unpacked(self.pieces))
        return [np.frombuffer(b"".join(cut[word] for word in words(content)), np.uint16) for content in contents]


class _Cut(dict[bytes, bytes]):
    """The tokens of a word, as the bytes of uint16; those of each word are found once."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._number = {piece: NUM_BYTES + index for index, piece in enumerate(pieces)}
        self._longest = max(map(len, pieces))

    def __missing__(self, word: bytes) -> bytes:
        self[word] = np.fromiter(self._numbers(word), np.uint16).tobytes()
        return self[word]

    def _numbers(self, word: bytes) -> Iterator[int]:
        start = 0
        while start < len(word):
            for stop in range(min(len(word), start + self._longest), start + 1, -1):
                if (number := self._number.get(word[start:stop])) is not None:
                    break
            else:
                stop, number = start + 1, word[start]
            yield number
            start = stop


def vocabulary_of(
    content: bytes, train: bytes, *, called: str, vocabulary: str, characters: str, pieces: str
) -> Vocabulary:
    """The vocabulary that is asked for.

    Args:
        content: all texts.
        train: those to learn pieces from.
        called: what the texts are called in errors.
        vocabulary: ``characters``, those of ``content``; ``bytes``; or ``bpe(N)``, of N tokens: bytes, and pieces that
            are learned.
        characters: those to take, such as a network's; empty: those of ``content``.
        pieces: those to take, such as a network's, whatever ``vocabulary`` is by default; empty: learned ones.

    Raises:
        ValueError: what is asked for contradicts itself, or the texts have none; one line says how.
    """
    bpe = _BPE.fullmatch(vocabulary) if isinstance(vocabulary, str) else None
    if bpe is None and vocabulary not in ("characters", "bytes"):
        raise ValueError(f"vocabulary is {echo(vocabulary)}: wanted characters, bytes, or bpe(N), such as bpe(1024)")
    if bpe is not None and not NUM_BYTES < int(bpe[1]) <= MOST_TOKENS:
        raise ValueError(
            f"vocabulary is {vocabulary}: wanted {NUM_BYTES + 1} to {MOST_TOKENS} tokens, of which {NUM_BYTES} are the "
            "bytes"
        )
    if not isinstance(characters, str) or len({*characters}) < len(characters):
        raise ValueError(f"characters is {echo(characters)}: wanted a text that has each character once")
    if characters and (vocabulary != "characters" or pieces):
        other = "pieces are" if pieces else f"vocabulary is {vocabulary!r}"
        raise ValueError(f"characters are given, and {other}: leave one of them out")
    if pieces:
        num = NUM_BYTES + len(unpacked(pieces))
        if vocabulary not in ("characters", f"bpe({num})"):
            raise ValueError(f"pieces of {num} tokens are given, and vocabulary is {vocabulary!r}: leave it out")
        return Vocabulary(pieces=pieces)
    if bpe is not None:
        return Vocabulary(pieces=_learned(train, int(bpe[1]), called))
    return Vocabulary(characters=_alphabet(content, called, characters) if vocabulary == "characters" else "")


def _learned(train: bytes, num_tokens: int, called: str) -> str:
    pieces = learned(train, num_tokens - NUM_BYTES)
    if (num := NUM_BYTES + len(pieces)) < num_tokens:
        wanted = f"bpe({num}) or less" if pieces else "bytes"
        raise ValueError(
            f"{called} is too short to learn {num_tokens} tokens from what is for training, it has {num} with the "
            f"{NUM_BYTES} bytes: wanted vocabulary: {wanted}"
        )
    return packed(pieces)


def _alphabet(content: bytes, called: str, characters: str) -> str:
    try:
        found = np.unique(_codes(content.decode()))
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{called} is no text in UTF-8 (byte {error.start} is {content[error.start]:#04x}): recode it, or take "
            "vocabulary: bytes"
        ) from error
    given = _codes(characters) if characters else found
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
    return alphabet


def _codes(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)
