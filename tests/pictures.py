"""Small pictures for tests, each another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def write_picture(path: Path, number: int = 0, *, height: int = 32, width: int = 48) -> Path:
    """Write waves of colour as a PNG; each ``number`` has waves of its own."""
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [np.sin(rows / (5 + number)) + np.cos(columns / 7), np.sin(rows * columns / 300 + number), np.cos(rows / 3)]
    Image.fromarray((np.stack(waves, axis=-1) * 60 + 128).clip(0, 255).astype(np.uint8)).save(path)
    return path
