"""Tokens that stand for several bytes, as one text in the arguments of an architecture.

The tokens of a network with pieces are all 256 bytes, and then its pieces in the order of their bytes: the order needs
no room. The text says of each piece how many bytes it begins as the one before it does, as one character of 0 to 31,
and then its other bytes: 32 to 255 as the characters of these numbers, 0 to 31 as those of 256 more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import takewhile

from trainers.echo import echo

NUM_BYTES = 256
MOST_TOKENS = 1 << 16
MOST_PIECE_BYTES = 32
"""So that a piece begins as another one does in 31 bytes at most."""
_CONTROLS = 32
_PIECE = re.compile("([\0-\x1f])([\x20-\u011f]{1,32})")


def packed(pieces: Iterable[bytes]) -> str:
    """The text that says which pieces there are.

    Args:
        pieces: different ones of 2 to ``MOST_PIECE_BYTES`` bytes, in any order.
    """
    parts, before = [], b""
    for piece in sorted(pieces):
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, piece, strict=False)))
        parts.append(chr(shared))
        parts += [chr(byte if byte >= _CONTROLS else NUM_BYTES + byte) for byte in piece[shared:]]
        before = piece
    return "".join(parts)


def unpacked(text: str) -> list[bytes]:
    """The pieces that ``packed`` was given, in the order of their bytes.

    Raises:
        ValueError: ``packed`` cannot have written this; one line says so.
    """
    if not isinstance(text, str):
        raise ValueError(f"pieces are {echo(text)}: wanted a text, as a file's network has it")
    parts = _PIECE.findall(text)
    pieces, before = [], b""
    for shared, rest in parts[: MOST_TOKENS - NUM_BYTES]:
        before = before[: ord(shared)] + bytes(ord(one) % NUM_BYTES for one in rest)
        pieces.append(before)
    if packed({*pieces}) != text or not all(2 <= len(piece) <= MOST_PIECE_BYTES for piece in pieces):
        raise ValueError(
            f"pieces are {echo(text)}: wanted at most {MOST_TOKENS - NUM_BYTES} different ones of 2 to "
            f"{MOST_PIECE_BYTES} bytes, as a file's network has them"
        )
    return pieces


def check_tokens(num_tokens: int, *, characters: str, pieces: str) -> None:
    """Demand that what an architecture is told of its tokens is said of ``num_tokens``, or of none."""
    if not isinstance(characters, str) or len(characters) not in (0, num_tokens):
        raise ValueError(f"characters are {echo(characters)}: wanted one for each of {num_tokens} tokens, or none")
    if pieces == "":
        return
    if characters:
        raise ValueError(f"characters are {echo(characters)} and pieces {echo(pieces)}: wanted one of them")
    if (num := NUM_BYTES + len(unpacked(pieces))) != num_tokens:
        raise ValueError(f"with its pieces a network has {num} tokens, and was told of {num_tokens}: wanted as many")
