"""Image files to tensors: decoding, crops, flips, normalisation."""

from __future__ import annotations

import contextlib
import io
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from trainers import checks
from trainers.data.sharing import empty
from trainers.lookup import one_line

_EIGHT_BITS = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")
_ATTEMPTS = 10
Box = tuple[float, float, float, float]
"""Left, top, right and bottom of a part of an image, in pixels."""


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """How an image becomes a tensor (channels, height, width).

    With ``size`` the image's largest centred part of that shape is scaled to it, or with ``resize`` a smaller one, as
    if the shorter side were ``resize`` pixels first. Without ``size`` images stay as they are. Scaling averages over
    the area where it makes smaller (Pillow's bilinear filter); a JPEG is decoded at 1/2, 1/4 or 1/8 where that is
    still larger than what is wanted. An orientation in EXIF data is not applied.
    """

    size: int | tuple[int, int] | None = None
    """Pixels of both sides, or (height, width)."""
    resize: int | None = None
    random_crop: bool = False
    """For training: take a random part instead of the centred one.

    Its area is uniform between 8 and 100 % of the image's, the logarithm of its aspect ratio between those of 3/4 and
    4/3 (Szegedy et al. 2015, "Going Deeper with Convolutions", section 6).
    """
    flip: bool = False
    """For training: mirror half of the images, left to right."""
    grey: bool = False
    """One channel instead of red, green and blue."""
    mean: float | tuple[float, ...] = 0.0
    """What is subtracted from values in 0..1; one for all or for each channel."""
    deviation: float | tuple[float, ...] = 1.0
    """What they are divided by then."""
    as_bytes: bool = False
    """Give uint8, 0 to 255, a quarter of the memory: the network or ``augment`` makes floats of them."""

    def __post_init__(self) -> None:
        for name in ("size", "mean", "deviation"):
            if isinstance(value := getattr(self, name), list):
                object.__setattr__(self, name, tuple(value))
        if self.size is not None:
            if isinstance(self.size, tuple) and len(self.size) != 2:
                raise ValueError(f"size is {self.size!r}: wanted a whole number or two, height and width")
            for side in self.size if isinstance(self.size, tuple) else (self.size,):
                checks.integer("size", side, low=1)
        if self.resize is not None:
            if self.size is None or self.random_crop:
                raise ValueError(f"resize is {self.resize!r}: it goes with size, and without random_crop")
            checks.integer("resize", self.resize, low=max(self._sides))
        if self.random_crop and self.size is None:
            raise ValueError("random_crop has no size: wanted the pixels of the sides")
        for name in ("random_crop", "flip", "grey", "as_bytes"):
            checks.boolean(name, getattr(self, name))
        for name in ("mean", "deviation"):
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) != self.num_channels:
                raise ValueError(
                    f"{name} has {len(value)} values: wanted one, or {self.num_channels}, for the channels"
                )
            for one in value if isinstance(value, tuple) else (value,):
                checks.number(name, one, low=-math.inf if name == "mean" else 0.0, above=name == "deviation")
        if self.as_bytes and (self.mean, self.deviation) != (0.0, 1.0):
            raise ValueError("as_bytes gives values as they are stored: leave mean and deviation out")

    @property
    def num_channels(self) -> int:
        return 1 if self.grey else 3

    @property
    def _mode(self) -> str:
        return "L" if self.grey else "RGB"

    @property
    def _sides(self) -> tuple[int, int]:
        """Height and width of what is given."""
        assert self.size is not None
        return self.size if isinstance(self.size, tuple) else (self.size, self.size)

    def shape_of(self, file: Path | bytes, name: str) -> tuple[int, int]:
        """The height and width that an image will have."""
        if self.size is not None:
            return self._sides
        with _opened(file, name) as image:
            return image.height, image.width

    def batch(self, files: Sequence[Path | bytes], names: Sequence[str], shape: tuple[int, int]) -> Tensor:
        """Decode images of one shape.

        Args:
            files: paths, or the contents of files.
            names: what messages call them.
            shape: height and width that they shall have.

        Returns:
            (batch, channels, height, width), float32 or uint8.

        Raises:
            ValueError: one cannot be read or has another shape; one line names it.
        """
        height, width = shape
        batch = empty((len(files), height, width * self.num_channels), torch.uint8 if self.as_bytes else torch.float32)
        pixels = np.empty((height, width, self.num_channels), np.uint8)
        mean, deviation = self._row_of(self.mean, width), self._row_of(self.deviation, width)
        for row, file, name in zip(batch, files, names, strict=True):
            decoded = self._decoded(file, name)
            if decoded.shape[:2] != shape:
                raise ValueError(
                    f"{name} has {decoded.shape[1]}x{decoded.shape[0]} pixels where others have {width}x{height}: "
                    "give a size, to which images are scaled and cropped"
                )
            pixels[:] = decoded.reshape(pixels.shape)
            row.copy_(torch.from_numpy(pixels).flatten(1))
            if not self.as_bytes:
                row.div_(255).sub_(mean).div_(deviation)
        # in memory channels stay last, as convolutions like it
        return batch.view(len(files), *pixels.shape).permute(0, 3, 1, 2)

    def _row_of(self, numbers: float | tuple[float, ...], width: int) -> Tensor:
        """A number for each value in a row of pixels."""
        each = numbers if isinstance(numbers, tuple) else (numbers,) * self.num_channels
        return torch.tensor(each).repeat(width)

    def _decoded(self, file: Path | bytes, name: str) -> NDArray[np.uint8]:
        """Height, width and, but for grey images, channels."""
        with _opened(file, name) as image:
            if image.mode not in _EIGHT_BITS:
                raise ValueError(f"pixels are {image.mode} in Pillow's terms: wanted 8 bits for each channel")
            found = image.convert(self._mode) if self.size is None else self._scaled(image)
            if self.flip and random.random() < 0.5:
                found = found.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            return np.asarray(found)

    def _scaled(self, image: Image.Image) -> Image.Image:
        height, width = self._sides
        whole = image.size
        box = random_box(whole) if self.random_crop else self._centred_box(whole)
        scale = max(width / (box[2] - box[0]), height / (box[3] - box[1]))
        if scale < 1:
            image.draft(self._mode, (math.ceil(whole[0] * scale), math.ceil(whole[1] * scale)))  # of a JPEG alone
        drafted = (image.width / whole[0], image.height / whole[1])
        if drafted != (1, 1):
            left, top, right, bottom = (value * drafted[index % 2] for index, value in enumerate(box))
            box = (left, top, min(right, image.width), min(bottom, image.height))
        return image.convert(self._mode).resize((width, height), Image.Resampling.BILINEAR, box, reducing_gap=2.0)

    def _centred_box(self, whole: tuple[int, int]) -> Box:
        height, width = self._sides
        shrunk = min(whole[0] / width, whole[1] / height) if self.resize is None else min(whole) / self.resize
        left, top = (whole[0] - width * shrunk) / 2, (whole[1] - height * shrunk) / 2
        return max(0.0, left), max(0.0, top), min(whole[0], whole[0] - left), min(whole[1], whole[1] - top)


def random_box(whole: tuple[int, int]) -> Box:
    width, height = whole
    for _ in range(_ATTEMPTS):
        area = width * height * random.uniform(0.08, 1.0)
        ratio = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
        wide, high = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < wide <= width and 0 < high <= height:
            left, top = random.randint(0, width - wide), random.randint(0, height - high)
            return left, top, left + wide, top + high
    wide, high = min(width, round(height * 4 / 3)), min(height, round(width * 4 / 3))  # a long image: its middle
    wide, high = max(1, wide), max(1, high)
    left, top = (width - wide) // 2, (height - high) // 2
    return left, top, left + wide, top + high


@contextlib.contextmanager
def _opened(file: Path | bytes, name: str) -> Iterator[Image.Image]:
    """An image whose errors, of opening and of decoding, are one line that names it."""
    try:
        with Image.open(io.BytesIO(file) if isinstance(file, bytes) else file) as image:
            yield image
    except FileNotFoundError as error:
        raise ValueError(f"{name} is not there any more") from error
    except MemoryError:
        raise
    except Exception as error:  # whatever a decoder raises for what it was not made for
        why = "no image that Pillow knows" if isinstance(error, UnidentifiedImageError) else one_line(error)
        raise ValueError(f"{name} cannot be decoded: {why}") from error
