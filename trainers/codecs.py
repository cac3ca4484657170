"""Codecs for still images, by Pillow: what they make of an image at each quality."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, features

QUALITIES = (1, 2, 3, 5, 8, 12, 16, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 95)
"""Pillow's setting of quality, of each codec."""
OPTIONS: dict[str, dict[str, Any]] = {
    "jpeg": {"format": "JPEG", "optimize": True, "subsampling": "4:2:0"},
    "webp": {"format": "WEBP", "method": 6},
    "avif": {"format": "AVIF"},
}
"""What Pillow is told of each codec beside the quality: JPEG with tables of its own and colours at half size, WebP at
its slowest."""


@dataclass(frozen=True, kw_only=True)
class Coded:
    """A file, and the picture that it decodes to."""

    quality: int
    data: bytes
    pixels: npt.NDArray[np.uint8]
    """(height, width, channels), as many channels as the image has."""
    is_new: bool
    """Whether the quality before it gave another file."""


def coded(pixels: npt.NDArray[np.uint8], codec: str) -> Iterator[Coded]:
    """Code an image (height, width, 1 or 3) at all of ``QUALITIES``, some of which may give the same file.

    Raises:
        ValueError: this Pillow was built without the codec.
    """
    if codec != "jpeg" and not features.check(codec):
        raise ValueError(f"this Pillow was built without {codec}: wanted {', '.join(OPTIONS)}")
    is_grey = pixels.shape[2] == 1
    image, last = Image.fromarray(pixels[:, :, 0] if is_grey else pixels), b""
    for quality in QUALITIES:
        options = {key: value for key, value in OPTIONS[codec].items() if key != "subsampling" or not is_grey}
        buffer = io.BytesIO()
        image.save(buffer, quality=quality, **options)
        data = buffer.getvalue()
        is_new, last = data != last, data
        with Image.open(io.BytesIO(data)) as opened:
            found = np.asarray(opened.convert("L" if is_grey else "RGB"))
        yield Coded(quality=quality, data=data, pixels=found.reshape(pixels.shape), is_new=is_new)
