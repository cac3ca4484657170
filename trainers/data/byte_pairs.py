"""Pieces of words, learned from a text by byte-pair encoding; and what a word is."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterator
from typing import Any

from trainers.lookup import one_line
from trainers.pieces import MOST_PIECE_BYTES, NUM_BYTES

_SPACE, _NO_SPACE = rb"[ \t-\r]", rb"[^ \t-\r]"
_WORD = re.compile(
    rb"'(?:[sdmt]|ll|ve|re)| ?[A-Za-z\x80-\xff]+| ?[0-9]+| ?[^ \t-\rA-Za-z0-9\x80-\xff]+"
    + b"|%b+(?!%b)|%b+" % (_SPACE, _NO_SPACE, _SPACE)
)
_BORDER = re.compile(b"(?<=%b)(?=%b)" % (_NO_SPACE, _SPACE))
_AT_ONCE = 1 << 20
"""The bytes that are cut into words at once, and those up to the next border."""
_LEARNED_FROM = 1 << 24
"""The bytes that pieces are learned from: the first ones."""
_LEARNED_AT_ONCE = 1 << 10
_THREADS = "TOKENIZERS_PARALLELISM"


def words(content: bytes) -> Iterator[bytes]:
    """A text as words, which together are all of its bytes; no token is of two words.

    Words are letters, digits or other signs, each with the space before them; the short ends of English words, such as
    ``'ll``; and blanks. This is GPT-2's rule for bytes: those from 128 on are letters, so no character is in two words.

    References:
        Radford, Wu, Child, Luan, Amodei, Sutskever 2019, "Language Models are Unsupervised Multitask Learners",
        section 2.2, and the pattern in its code.
    """
    start = 0
    while start < len(content):
        border = _BORDER.search(content, start + _AT_ONCE)  # a word begins there, whatever is around
        stop = border.start() if border else len(content)
        yield from _WORD.findall(content, start, stop)
        start = stop


def learned(content: bytes, num: int) -> list[bytes]:
    """At most ``num`` pieces of the words of the first 16 MiB, each joined of two parts that are often neighbours.

    A piece has 2 to 32 bytes, and occurs twice at least. The same text and number give the same pieces.

    References:
        Sennrich, Haddow, Birch 2016, "Neural Machine Translation of Rare Words with Subword Units", arXiv 1508.07909.

    Raises:
        ValueError: the package that learns them is not installed.
    """
    tokenizers = _tokenizers()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=NUM_BYTES + num,
        min_frequency=2,
        max_token_length=MOST_PIECE_BYTES,
        initial_alphabet=[chr(byte) for byte in range(NUM_BYTES)],
        show_progress=False,
    )
    model = tokenizers.Tokenizer(tokenizers.models.BPE())
    before = os.environ.get(_THREADS)
    os.environ[_THREADS] = "false"  # a trial has the threads that it was given, and may fork
    try:
        model.train_from_iterator(_samples(content[:_LEARNED_FROM]), trainer)
    finally:
        if before is None:
            del os.environ[_THREADS]
        else:
            os.environ[_THREADS] = before
    return [token.encode("latin-1") for token in model.get_vocab() if len(token) > 1]


def _samples(content: bytes) -> Iterator[str]:
    """The words, in parts of a length that is learned from in little time; a byte is the character of its number."""
    for word in words(content):
        for start in range(0, len(word), _LEARNED_AT_ONCE):
            yield word[start : start + _LEARNED_AT_ONCE].decode("latin-1")


def _tokenizers() -> Any:
    try:
        return importlib.import_module("tokenizers")
    except Exception as error:  # it may be installed and not fit
        raise ValueError(
            f"vocabulary: bpe(...) needs tokenizers, which cannot be imported ({one_line(error)}): "
            "pip install 'ratefront[text]'"
        ) from error
