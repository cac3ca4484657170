"""Rows printed in papers, each with its source: drawn beside measured points, never part of a frontier."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.points.image_sets import num_pixels_of, other_images
from analysis.units import quality_scale
from trainers.nearest import nearest

if TYPE_CHECKING:
    import pandas as pd

SHIPPED = Path(__file__).with_name("published.csv")
"""Rows that papers print about the networks of our recipes. No paper defines its KB; here 1 KB is 1000 bytes."""

SHIPPED_IMAGES = Path(__file__).with_name("published_images.csv")
"""Curves that papers and codecs have on sets of images: means over the images, of bits per pixel and of PSNR."""
SHIPPED_FILES = (SHIPPED, SHIPPED_IMAGES)

COLUMNS: tuple[str, ...] = ("task", "architecture", "method", "size_bytes", "quality_name", "quality")
COLUMNS += ("counted", "source", "where", "reference")
"""The heading of a file whose rows are of networks."""
IMAGE_COLUMNS = ("images", "method", "bits_per_pixel", *COLUMNS[4:])
"""The heading of a file whose rows are of images."""
TABLE_COLUMNS = ("task", "architecture", "images", "bits_per_pixel", *COLUMNS[2:], "is_asked")
"""What ``read_published`` returns of either."""
COUNTED = {
    "payload": "entropy-coded payload only, without what its decoder needs beside it",
    "file": "all that the decoder needs",
    "computed": "computed, as from a number of bits for each weight: no file was written",
    "unstated": "not known whether tables and headers are counted",
}
"""What the bytes of a row count."""

_EMPTY: dict[str, str | int | float] = {"task": "", "architecture": "", "images": "", "bits_per_pixel": 0.0}
_MOST_BYTES = 1 << 53
_MOST_BITS_PER_PIXEL = 96.0
"""Three channels of 32 bits."""


def read_published(file: Path, *, is_asked: bool = False) -> pd.DataFrame:
    """The rows of a CSV file, in its order.

    Args:
        file: its first line is ``COLUMNS`` or ``IMAGE_COLUMNS``, in any order.
        is_asked: whether the user asks for these rows, so that curves on other images are drawn too.

    Returns:
        ``TABLE_COLUMNS``: ``task`` and ``architecture`` by the names that sweeps write, ``size_bytes``,
        test ``quality`` as in ``points.csv`` (accuracy is a fraction), ``counted``, the legend's ``source`` (authors
        and year), ``where`` the row stands in the source (table, page), and the whole ``reference``. A row of images
        has ``images``, such as a name of ``IMAGE_SETS``, and ``bits_per_pixel`` in place of the first two and the
        size. What a row does not have is empty or 0.

    Raises:
        ValueError: the file has no such rows; the message names the line.
        OSError: it cannot be read.
    """
    import pandas as pd

    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text, strict=True)
            columns = [name.strip() for name in next(reader, [])]
            _check_columns(file, columns)
            rows = [
                _row(f"{file}, line {reader.line_num}", columns, cells)
                for cells in reader
                if any(cell.strip() for cell in cells)
            ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{file} is no CSV file in UTF-8: {error}") from None
    return pd.DataFrame(rows, columns=list(TABLE_COLUMNS)).assign(is_asked=is_asked)


def belonging(published: pd.DataFrame, drawn: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``published`` that belong beside ``drawn``, in their order and without repeats.

    A row of a network belongs where three things agree. The task has the same name: whatever the split and the
    augmentation, it is the same data set. The architecture is drawn: it has the same name and all arguments that the
    row names. The quality has the same name.

    A row of images belongs where the quality has the same name and the points are means over the same images, whole
    (``ImageSet.is_drawn_by``). One that the user asks for belongs beside any images of one size, and ``apart`` says
    what it is of.

    Args:
        published: from ``read_published``.
        drawn: the points that are drawn.

    Returns:
        The columns of ``published``, those of images with ``size_bytes`` of an image of that many pixels; ``beside``,
        the architecture, as ``drawn`` writes it, that a row belongs to, or the images; and ``apart``, which
        images a row is of where these are others.
    """
    tasks = {_parts(task)[0] for task in drawn["task"].unique()}
    names, architectures = set(drawn["quality_name"].unique()), list(drawn["architecture"].unique())
    num_pixels = num_pixels_of(drawn)
    apart = {images: other_images(images, drawn) for images in published["images"].unique() if images}

    def beside(row: dict[Any, Any]) -> str:
        if row["quality_name"] not in names:
            return ""
        if row["images"]:
            return str(row["images"]) if num_pixels and (row["is_asked"] or not apart[row["images"]]) else ""
        of_task = _parts(row["task"])[0] in tasks
        return next((one for one in architectures if of_task and _is_named(row["architecture"], one)), "")

    table = published.assign(
        beside=[beside(row) for row in published.to_dict("records")],
        apart=[apart.get(images, "") for images in published["images"]],
        size_bytes=published["size_bytes"].where(
            published["images"] == "", published["bits_per_pixel"] * num_pixels / 8
        ),
    )
    kept = table[table["beside"] != ""].drop(columns="is_asked")
    return kept.drop_duplicates(ignore_index=True)


def _is_named(row: str, drawn: str) -> bool:
    (name, arguments), (drawn_name, drawn_arguments) = _parts(row), _parts(drawn)
    return name == drawn_name and arguments <= drawn_arguments


def _parts(text: str) -> tuple[str, set[str]]:
    """The name and the arguments of such as ``resnet_cifar(depth=20, width=4)``."""
    name, _, inside = re.sub(r"\s", "", text).partition("(")
    return name, set(re.split(r",(?=[A-Za-z_]\w*=)", inside.removesuffix(")"))) - {""}


def _heading(columns: list[str]) -> tuple[str, ...]:
    """The heading that a file is meant to have."""
    return IMAGE_COLUMNS if {"images", "bits_per_pixel"} & {*columns} else COLUMNS


def _check_columns(file: Path, columns: list[str]) -> None:
    wanted = _heading(columns)
    missing = [name for name in wanted if name not in columns]
    unknown = [name for name in columns if name not in wanted]
    if missing:
        raise ValueError(f"{file} has no column {missing[0]!r}: its first line has to be {','.join(wanted)}")
    if unknown or len(columns) > len(wanted):
        name = (unknown or [name for name in columns if columns.count(name) > 1])[0]
        raise ValueError(f"{file} has a column {name!r} too many{nearest(name, wanted, in_order=True)}")


def _row(line: str, columns: list[str], cells: list[str]) -> dict[str, str | int | float]:
    if len(cells) != len(columns):
        raise ValueError(
            f"{line}: got {len(cells)} values for {len(columns)} columns: a text with a comma needs quotes"
        )
    row = {name: " ".join(cell.split()) for name, cell in zip(columns, cells, strict=True)}
    for name, text in row.items():
        if not text:
            raise ValueError(f"{line}: {name} is empty: every row needs all of {', '.join(_heading(columns))}")
    if row["counted"] not in COUNTED:
        raise ValueError(f"{line}: counted is {row['counted']!r}: wanted {', '.join(COUNTED)}")
    quality = _number(row["quality"])
    if not math.isfinite(quality):
        raise ValueError(f"{line}: quality is {row['quality']!r}: wanted a number")
    if quality_scale(row["quality_name"])[0] == 100 and not 0 <= quality <= 1:
        name = row["quality_name"]
        raise ValueError(f"{line}: quality is {row['quality']!r}: {name} is a fraction in 0..1, such as 0.981")
    return {**_EMPTY, **row, **_size(line, row), "quality": quality}


def _size(line: str, row: Mapping[str, str]) -> dict[str, int | float]:
    """The size of a row, in bytes or bits per pixel."""
    if "images" in row:
        rate = _number(row["bits_per_pixel"])
        if not 0 < rate <= _MOST_BITS_PER_PIXEL:
            raise ValueError(f"{line}: bits_per_pixel is {row['bits_per_pixel']!r}: wanted bits, such as 0.25")
        return {"bits_per_pixel": rate, "size_bytes": 0}
    size = _number(row["size_bytes"])
    if not (1 <= size <= _MOST_BYTES and size.is_integer()):
        raise ValueError(f"{line}: size_bytes is {row['size_bytes']!r}: wanted a whole number of bytes, such as 8560")
    return {"size_bytes": int(size)}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
