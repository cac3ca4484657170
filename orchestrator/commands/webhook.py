"""Tells a web service that a sweep has ended."""

from __future__ import annotations

import json
import urllib.request
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

_PATIENCE_S = 10.0


def check_webhook(url: str) -> None:
    """Refuse an address that nothing can be sent to, before hours pass.

    Raises:
        ValueError: ``url`` is no http or https address.
    """
    try:
        parts = urlsplit(url)
        is_right = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_right = False
    if not is_right or any(letter.isspace() for letter in url):
        raise ValueError(f"--webhook is {url!r}: wanted an address such as https://host/path")


def post(url: str, text: str, content: dict[str, Any]) -> str:
    """Send ``content`` and a ``text`` for people, which chat services show, as JSON.

    Returns:
        Why it did not arrive, in one line; empty where it did.
    """
    body = json.dumps({"text": text, **content}).encode()
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE_S):
            return ""
    except (OSError, ValueError, HTTPException) as error:
        return " ".join(str(error).split())
