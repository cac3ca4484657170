"""Images beside what files decode to, as many as a small page takes."""

from __future__ import annotations

import base64
import struct

import pytest

from analysis.report.material import Decoded, Pictured
from analysis.report.pictures import fitting, pictures
from tests.analysis.report.samples import material


def png(num_bytes: int = 100, *, width: int = 4, height: int = 3) -> bytes:
    """What begins as a PNG does."""
    return (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", width, height)).ljust(num_bytes, b"x")


def pictured(name: str = "", *, num_bytes: int = 100, num: int = 5) -> Pictured:
    decoded = [
        Decoded(size_bytes=1000 * (one + 1), quality=0.5, label=f"epr lam={one}", png=png(num_bytes))
        for one in range(num)
    ]
    return Pictured(name=name, original=png(num_bytes), decoded=decoded)


def test_each_decoded_picture_stands_beside_the_image_with_its_bytes_and_quality() -> None:
    part = pictures(material(pictures=[pictured("a<b.png", num=2)]))
    assert "<h3>a&lt;b.png</h3>" in part
    assert part.count("<figure>") == 3
    assert "<b>original</b>, 4 x 3 pixels" in part
    assert "<b>2,000 B, 50.00 %</b>, epr lam=1" in part
    assert part.count(base64.b64encode(png()).decode()) == 3


def test_a_task_that_is_no_image_has_no_such_part() -> None:
    assert pictures(material()) == ""


@pytest.mark.parametrize(
    ("most", "kept"),
    [(1200, [5, 5]), (1199, [5]), (600, [5]), (500, [4]), (300, [2]), (10, [2])],
)
def test_a_page_stays_small(most: int, kept: list[int]) -> None:
    chosen = fitting([pictured("a"), pictured("b")], most)
    assert [len(image.decoded) for image in chosen.images] == kept
    assert chosen.num_left_out == 10 - sum(kept)
    sizes = [one.size_bytes for one in chosen.images[0].decoded]
    assert (sizes[0], sizes[-1]) == (1000, 5000), "the ends stay"


def test_a_single_picture_that_is_large_stays() -> None:
    chosen = fitting([pictured(num=1)], 10)
    assert [len(image.decoded) for image in chosen.images] == [1]
