"""What an error repeats of something that it was given: little of it, and no control character."""

from __future__ import annotations

MOST_CHARACTERS = 200
"""The most characters that a message repeats of one value."""


def echo(value: object) -> str:
    """``repr`` of ``value``, cut to ``MOST_CHARACTERS``; escapes of terminals are shown, not sent."""
    return shortened(repr(value))


def shortened(text: str, most: int = MOST_CHARACTERS) -> str:
    """``text`` on one line, ``most`` characters at most; what cannot be printed is written as Python escapes it."""
    return printable(text if len(text) <= most else f"{text[: most - 1]}…")


def printable(text: str) -> str:
    """``text`` with what cannot be printed written as Python escapes it, such as ``\\x1b``."""
    return text if text.isprintable() else "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
