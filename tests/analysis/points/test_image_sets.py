"""Curves on sets of images: what ships, and beside which points they belong."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.points.published import IMAGE_COLUMNS, SHIPPED_IMAGES, belonging, read_published
from tests.analysis.images import PIXELS, images
from tests.analysis.points.rows import frame

ROW = {
    "images": "kodak",
    "method": "Codec",
    "bits_per_pixel": "0.25",
    "quality_name": "psnr_db",
    "quality": "31.5",
    "counted": "file",
    "source": "Somebody 2024",
    "where": "Figure 3",
    "reference": "Somebody, A Paper, 2024",
}


def written(folder: Path, *rows: dict[str, str]) -> Path:
    """A CSV file of rows that differ from ``ROW`` as given."""
    with (folder / "own.csv").open("w", newline="") as text:
        writer = csv.DictWriter(text, IMAGE_COLUMNS)
        writer.writeheader()
        writer.writerows([ROW | row for row in rows])
    return folder / "own.csv"


def test_the_curves_that_ship_rise_and_need_at_30_db_what_their_sources_have() -> None:
    """Between printed points bits per pixel are logarithmic in dB."""
    rows = read_published(SHIPPED_IMAGES)
    assert (rows["images"] == "kodak").all()
    at = {"COIN++": 26.0}
    found = {}
    for method, curve in rows.groupby("method"):
        assert curve["quality"].is_monotonic_increasing
        assert curve["bits_per_pixel"].is_monotonic_increasing
        level = at.get(str(method), 30.0)
        found[method] = float(np.exp(np.interp(level, curve["quality"], np.log(curve["bits_per_pixel"]))))
    wanted = {"COIN": 0.993, "COIN++": 0.245, "COOL-CHIC": 0.300, "COOL-CHIC v2": 0.259, "C3": 0.201}
    wanted |= {"RECOMBINER": 0.276, "VTM": 0.174, "BPG 4:4:4": 0.229}
    assert found == pytest.approx(wanted, abs=0.0011)


def test_curves_belong_beside_means_over_exactly_their_images() -> None:
    rows = belonging(read_published(SHIPPED_IMAGES), images())
    assert len(rows) == len(read_published(SHIPPED_IMAGES))
    assert (rows["apart"] == "").all()
    np.testing.assert_allclose(rows["size_bytes"], rows["bits_per_pixel"] * PIXELS / 8)


OTHERS: dict[str, tuple[int, dict[str, Any]]] = {
    "eight of them": (8, {}),
    "halved": (24, {"signal_count": PIXELS // 4}),
    "larger ones, halved to this size": (24, {"task": "image(file=24 files#ac723f, shrink=2)"}),
    "another quality": (24, {"quality_name": "ms_ssim"}),
    "other signals": (24, {"signal_unit": "ray"}),
    "one image": (24, {"task_file": "kodim01.png#000001"}),
    "no file in turn": (24, {"task_file": ""}),
}


@pytest.mark.parametrize("name", OTHERS)
def test_curves_belong_beside_nothing_else(name: str) -> None:
    num, changes = OTHERS[name]
    assert belonging(read_published(SHIPPED_IMAGES), images(num, **changes)).empty


def test_another_image_in_place_of_one_is_another_set() -> None:
    points = images()
    renamed = points["task_file"].str.replace("kodim24", "photo")
    assert belonging(read_published(SHIPPED_IMAGES), points.assign(task_file=renamed)).empty


def test_no_curve_belongs_beside_networks() -> None:
    assert belonging(read_published(SHIPPED_IMAGES, is_asked=True), frame({})).empty


def test_rows_that_are_asked_for_belong_beside_images_of_one_size_and_say_what_they_are_of(tmp_path: Path) -> None:
    rows = read_published(written(tmp_path, {}, {"images": "41 of CLIC"}), is_asked=True)
    halved = belonging(rows, images(8, signal_count=PIXELS // 4))
    assert list(halved["apart"]) == ["the 24 Kodak images, 768x512", "41 of CLIC"]
    np.testing.assert_allclose(halved["size_bytes"], 0.25 * PIXELS / 4 / 8)
    assert list(belonging(rows, images())["apart"]) == ["", "41 of CLIC"]
    points = images(8)
    points.loc[0, "signal_count"] = 1000
    assert belonging(rows, points).empty, "the axis is in bytes"


@pytest.mark.parametrize("rate", ["0", "nan", "-1", "much", "2000"])
def test_a_rate_that_is_none_is_named(rate: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"line 3: bits_per_pixel is .*: wanted bits, such as 0\.25"):
        read_published(written(tmp_path, {}, {"bits_per_pixel": rate}))
