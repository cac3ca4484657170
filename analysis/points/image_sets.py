"""Image sets on which papers print curves, and whether measured points are means over exactly such a set."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class ImageSet:
    """Images that papers share, all of one size."""

    text: str
    stems: frozenset[str]
    """The names of the images' files, without endings."""
    num_pixels: int
    """The pixels that each image has."""

    def is_drawn_by(self, points: pd.DataFrame) -> bool:
        """Whether points are of all images of this set, each once and whole, and of no others.

        Images are known by their files' names, their number of pixels, and by not being shrunk.

        Args:
            points: of one task, as ``load_points`` gives them.
        """
        files = [str(file) for file in points["task_file"].unique()]
        stems = [PurePath(file.partition("#")[0]).stem for file in files]
        is_shrunk = any(re.search(r"\bshrink=(?!1\b)", str(task)) for task in points["task"].unique())
        is_whole = bool((points["signal_count"] == self.num_pixels).all())
        return len(files) == len(self.stems) and set(stems) == self.stems and is_whole and not is_shrunk


IMAGE_SETS = {
    "kodak": ImageSet(
        text="the 24 Kodak images, 768x512",
        stems=frozenset(f"kodim{number:02}" for number in range(1, 25)),
        num_pixels=768 * 512,
    )
}
"""By the name that rows of files give in ``images``."""


def num_pixels_of(points: pd.DataFrame) -> int:
    """The pixels that each image of some points has; 0 where they are of no images, or of images of several sizes."""
    sizes = points[["signal_unit", "signal_count"]].drop_duplicates().to_dict("records")
    return int(sizes[0]["signal_count"]) if len(sizes) == 1 and sizes[0]["signal_unit"] == "pixel" else 0


def other_images(images: str, points: pd.DataFrame) -> str:
    """What a figure says of rows on ``images`` beside ``points``: nothing where the images are the same."""
    known = IMAGE_SETS.get(images)
    if known is not None and known.is_drawn_by(points):
        return ""
    return images if known is None else known.text
