"""Files of one picture at several sizes, drawn beside what codecs make of as many bytes.

python -m benchmarks.pictures kodim03.png FILE.rfz ... --shrink 2 --out pictures.webp
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from trainers.codecs import Coded, coded
from trainers.compressed import open_compressed
from trainers.datasets import still
from trainers.rendering import picture_of
from trainers.tasks.image import psnr_db

Pixels = npt.NDArray[np.uint8]

_CODECS = ("jpeg", "webp")
_GAP, _TEXT = 8, 22


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path, metavar="PICTURE")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.rfz")
    parser.add_argument("--shrink", type=int, default=1)
    parser.add_argument("--crop", type=int, nargs=4, help="left, top, right and bottom of what is shown")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    given = still.shrunk(still.pixels_of(arguments.picture.read_bytes(), str(arguments.picture)), arguments.shrink)
    codecs = {codec: list(coded(given, codec)) for codec in _CODECS}
    rows = []
    for path in sorted(arguments.files, key=lambda path: path.stat().st_size):
        opened, size = open_compressed(path), path.stat().st_size
        drawn = picture_of(opened.network(), opened.header.architecture, opened.header.arguments)
        cells = [("ratefront", size, drawn)]
        for codec, files in codecs.items():
            one = nearest(files, size)
            cells.append((codec, len(one.data), one.pixels))
        rows.append(
            [(f"{name}, {size:,} bytes, {quality_of(shown, given):.2f} dB", shown) for name, size, shown in cells]
        )
    box = tuple(arguments.crop or (0, 0, given.shape[1], given.shape[0]))
    sheet(rows, box).save(arguments.out, quality=95)


def nearest(files: list[Coded], size: int) -> Coded:
    """The file whose size is nearest."""
    return min(files, key=lambda one: abs(len(one.data) - size))


def quality_of(shown: Pixels, given: Pixels) -> float:
    return psnr_db(float(np.square(shown.astype(float) - given).mean()))


def sheet(rows: list[list[tuple[str, Pixels]]], box: tuple[int, ...]) -> Image.Image:
    """The pictures in rows, each with its text above."""
    left, top, right, bottom = box
    width, height = right - left + _GAP, bottom - top + _TEXT + _GAP
    found = Image.new("RGB", (width * len(rows[0]) - _GAP, height * len(rows) - _GAP), "white")
    pen, font = ImageDraw.Draw(found), ImageFont.load_default(14)
    for row, cells in enumerate(rows):
        for column, (text, shown) in enumerate(cells):
            pen.text((column * width, row * height + 2), text, fill="black", font=font)
            found.paste(Image.fromarray(shown[top:bottom, left:right]), (column * width, row * height + _TEXT))
    return found


if __name__ == "__main__":
    main()
