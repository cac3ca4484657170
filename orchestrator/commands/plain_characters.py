"""Output for terminals and files that are not UTF-8: a plain character in place of one that they do not have."""

from __future__ import annotations

import codecs
import io
import sys
import unicodedata

_NAME = "ratefront-plain"
_PLAIN = {
    "●": "*",
    "·": ".",
    "│": "|",
    "└": "+",
    "─": "-",
    "±": "+-",
    "\N{MULTIPLICATION SIGN}": "x",
    "…": "...",
    "▼": "v",
    "▲": "^",
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "→": "->",
    "ø": "o",
}


def plain(text: str) -> str:
    """``text`` in ASCII: letters without their accents, and a question mark for what has no likeness."""
    return "".join(_PLAIN.get(one) or _without_accents(one) for one in text)


def use_plain_characters() -> None:
    """From now on, what stdout and stderr cannot encode is written plainly, instead of raising an error."""

    def replace(error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeEncodeError)
        return plain(error.object[error.start : error.end]), error.end

    codecs.register_error(_NAME, replace)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_NAME)


def _without_accents(character: str) -> str:
    return unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode() or "?"
