"""Still images as arrays of bytes."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from trainers.lookup import one_line

_MODES = {"L": "L", "RGB": "RGB", "1": "L", "P": "RGB"}
"""What an image of a mode of Pillow's is taken as."""


def pixels_of(content: bytes, called: str) -> npt.NDArray[np.uint8]:
    """The pixels (height, width, channels) of an image file, one channel where it is grey.

    The orientation that a camera notes (EXIF) is applied. Palettes become colours.

    Args:
        content: of a PNG, JPEG, WebP or whatever Pillow reads.
        called: what errors call it.

    Raises:
        ValueError: it is no whole image of 8 bits for each of one or three channels; one line says how.
    """
    try:
        with Image.open(io.BytesIO(content)) as opened:
            num_frames = getattr(opened, "n_frames", 1)
            if num_frames > 1:
                raise ValueError(f"{called} has {num_frames} frames: wanted a still image")
            opened.load()
            image = ImageOps.exif_transpose(opened)
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{called} cannot be decoded: {one_line(error)}") from error
    if image.has_transparency_data:
        if np.asarray(image.convert("RGBA"))[:, :, 3].min() < 255:
            raise ValueError(f"{called} has transparent pixels: wanted an opaque image")
        image = image.convert("RGB")
    if image.mode not in _MODES:
        raise ValueError(f"{called} has pixels of mode {image.mode!r}: wanted 8 bits for grey, or red, green and blue")
    found = np.asarray(image.convert(_MODES[image.mode]))
    return found if found.ndim == 3 else found[:, :, None]


def shrunk(pixels: npt.NDArray[np.uint8], factor: int) -> npt.NDArray[np.uint8]:
    """The means of ``factor`` x ``factor`` boxes, rounded; rows and columns that fill none are left out.

    Raises:
        ValueError: no box is left.
    """
    height, width = (side // factor for side in pixels.shape[:2])
    if not height or not width:
        raise ValueError(f"shrink is {factor}: wanted at most {min(pixels.shape[:2])} for {pixels.shape[:2]} pixels")
    boxes = pixels[: height * factor, : width * factor].reshape(height, factor, width, factor, -1)
    means: npt.NDArray[np.uint8] = np.rint(boxes.mean(axis=(1, 3))).astype(np.uint8)
    return means
