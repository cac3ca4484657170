"""A network that represents an image, drawn."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import nn

from trainers.networks.coordinates import grid
from trainers.networks.modes import evaluating

DRAWN = ("siren",)
"""The architectures whose networks map places (n, 2) to colours (n, channels), and whose ``size`` is the image's."""
SUFFIXES = (".png",)
MAX_PIXELS = 1 << 26
_AT_ONCE = 1 << 16


def picture_of(
    network: nn.Module, architecture: str, arguments: Mapping[str, Any], *, max_pixels: int = MAX_PIXELS
) -> npt.NDArray[np.uint8]:
    """Draw the image (height, width, channels) that a network represents, some pixels at a time.

    Args:
        network: as a file decodes to.
        architecture: its name.
        arguments: of the architecture, from the file.
        max_pixels: what is larger is refused: a file of a few bytes may claim any size.

    Raises:
        ValueError: the architecture represents no image, or the image is too large.
    """
    if architecture not in DRAWN:
        raise ValueError(f"architecture {architecture!r} represents no image: wanted {' or '.join(DRAWN)}")
    height, width = arguments["size"]
    if height * width > max_pixels:
        raise ValueError(
            f"the file says that its image has {height} x {width} pixels: wanted {max_pixels:,} at most; "
            "--max-pixels allows more"
        )
    places = grid(height, width).reshape(-1, 2)
    with evaluating(network), torch.inference_mode():
        parts = [network(part).clamp(0, 1).mul(255).round().to(torch.uint8) for part in torch.split(places, _AT_ONCE)]
    drawn: npt.NDArray[np.uint8] = torch.cat(parts).reshape(height, width, -1).numpy()
    return drawn


def png_bytes(picture: npt.NDArray[np.uint8]) -> bytes:
    """The content of a PNG file of an image (height, width, 1 or 3)."""
    buffer = io.BytesIO()
    Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
