"""Texts of users in Markdown: names, reasons and settings make no markup."""

from __future__ import annotations

import re
from typing import Any

from trainers.echo import shortened

_MARKUP = re.compile(r"[<>&`|\\*]|\]\s*[(\[:]|://|\bwww\.")
"""What could begin a tag, an entity, code, a cell, emphasis or a link."""
_MOST_CHARACTERS = 160


def code(text: Any) -> str:
    """Text as code, in one line of at most 160 characters; empty where it is blank."""
    plain = " ".join(str(text).replace("`", "'").replace("|", "/").split())
    return f"`{shortened(plain, _MOST_CHARACTERS)}`" if plain else ""


def words(text: Any) -> str:
    """Text as it is where nothing in it could be markup or move a cursor, else as ``code``."""
    plain = str(text)
    return code(plain) if _MARKUP.search(plain) or not plain.isprintable() else plain
