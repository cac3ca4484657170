"""tinyshakespeare: 1,115,394 characters of Shakespeare's plays, 65 of them distinct, in ASCII."""

from __future__ import annotations

from pathlib import Path

from trainers.downloads import DataFile, locate

_FILE = DataFile(
    path="text/tinyshakespeare.txt",
    sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    urls=("https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",),
)


def path() -> Path:
    """Return the path of the verified text (Karpathy 2015, "The Unreasonable Effectiveness of RNNs")."""
    return locate(_FILE)
