"""tinyshakespeare: 1,115,394 characters of Shakespeare's plays, 65 of them distinct, in ASCII."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from trainers.downloads import DataFile, locate

_FILE = DataFile(
    path="text/tinyshakespeare.txt",
    sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    urls=("https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",),
)
_SPEECH = re.compile(r"(?:\A|\n\n)(?P<speaker>[^\n:]+):\n(?P<text>[^\n]+(?:\n[^\n]+)*)")
_NUM_SPEAKERS = 10


def path() -> Path:
    """Return the path of the verified text (Karpathy 2015, "The Unreasonable Effectiveness of RNNs")."""
    return locate(_FILE)


def speeches() -> list[tuple[str, str]]:
    """What the ten speakers say who have most speeches, and who says it, in the order of the text.

    Of speakers with equally many the first by name count. A speech is the lines below a speaker's name and a colon, up
    to an empty line.
    """
    found = [(said["text"], said["speaker"]) for said in _SPEECH.finditer(path().read_text(encoding="ascii"))]
    counts = Counter(speaker for _, speaker in found)
    chosen = sorted(counts, key=lambda speaker: (-counts[speaker], speaker))[:_NUM_SPEAKERS]
    return [(text, speaker) for text, speaker in found if speaker in chosen]
