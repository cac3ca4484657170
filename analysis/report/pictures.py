"""Images beside what files decode to, for sweeps whose task is an image."""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.report.markup import Html, element, note, section
from analysis.report.material import Material, Pictured
from analysis.units import format_quality

MOST_BYTES = 8_000_000
"""The most bytes of pictures on a page, which holds them in four thirds as many characters."""
_FEWEST = 2
"""The fewest decoded pictures of an image that are worth showing."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What of the pictures is on the page."""

    images: Sequence[Pictured]
    num_left_out: int
    """How many of the decoded pictures that were at hand are not."""


def pictures(material: Material) -> Html:
    """Each image with its decoded pictures along the frontier; nothing where the task is no image."""
    chosen = fitting(material.pictures)
    if not chosen.images:
        return Html()
    left_out = f" {chosen.num_left_out} more are left out, so that the page stays small." if chosen.num_left_out else ""
    some = (
        f" These are {len(chosen.images)} of {material.num_images} images."
        if len(chosen.images) < material.num_images
        else ""
    )
    return section(
        "pictures",
        "Pictures",
        *(_image(image, material.quality_name) for image in chosen.images),
        note(
            "Each picture is what a file of the frontier decodes to, pixel by pixel, in the order of the frontier, "
            f"beside the image itself. Bytes are those of this image's file, and so is the quality.{some}{left_out}"
        ),
    )


def fitting(images: Sequence[Pictured], most_bytes: int = MOST_BYTES) -> Chosen:
    """Those that fit on the page: of too many the first images, then decoded pictures evenly from end to end."""
    num_all = sum(len(image.decoded) for image in images)
    for num_images in range(len(images), 0, -1):
        some = images[:num_images]
        if sum(map(_num_bytes, some)) <= most_bytes:
            break
    else:
        some = [_thinned(image, most_bytes) for image in images[:1]]
    return Chosen(images=some, num_left_out=num_all - sum(len(image.decoded) for image in some))


def _num_bytes(image: Pictured) -> int:
    return len(image.original) + sum(len(one.png) for one in image.decoded)


def _thinned(image: Pictured, most_bytes: int) -> Pictured:
    """The image with as many of its decoded pictures as fit, evenly spaced; the ends always stay."""
    for num in range(len(image.decoded) - 1, _FEWEST - 1, -1):
        places = np.unique(np.linspace(0, len(image.decoded) - 1, num).round().astype(int))
        some = image.with_decoded([image.decoded[place] for place in places])
        if _num_bytes(some) <= most_bytes:
            return some
    return image.with_decoded([image.decoded[0], image.decoded[-1]][: len(image.decoded)])


def _image(image: Pictured, quality_name: str) -> Html:
    width, height = _size(image.original)
    first = _figure(image.original, "The image itself", element("b", "original"), f", {width} x {height} pixels")
    others = [
        _figure(
            one.png,
            f"Decoded from {one.size_bytes:,} bytes",
            element("b", f"{one.size_bytes:,} B, {format_quality(one.quality, quality_name)}"),
            f", {one.label}",
        )
        for one in image.decoded
    ]
    return element("div", *([element("h3", image.name)] if image.name else []), first, *others, class_="pictures")


def _figure(png: bytes, alt: str, *caption: str) -> Html:
    width, height = _size(png)
    source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    attributes = f'src="{source}" alt="{alt}" width="{width}" height="{height}"'
    return element("figure", Html(f"<img {attributes}>"), element("figcaption", *caption))


def _size(png: bytes) -> tuple[int, int]:
    """The width and the height of a PNG, from its header."""
    width, height = struct.unpack(">II", png[16:24])
    return width, height
