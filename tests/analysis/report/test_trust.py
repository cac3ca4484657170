"""What the report says of seeds and of the two splits."""

from __future__ import annotations

from analysis.report.trust import trust
from tests.analysis.points.rows import frame, seeds
from tests.analysis.report.samples import material
from tests.analysis.report.test_markup import read


def test_flattery_is_named_after_the_direction_of_the_quality() -> None:
    worse = {"quality": 0.5, "quality_name": "mse", "maximise": False}
    said = read(trust(material(frame(*seeds("a", [100], [0.3], **worse), *seeds("b", [200], [0.2], **worse))))).text
    assert "Test less validation, where more is flattery: +0.25" in said
    said = read(trust(material(frame(*seeds("a", [100], [0.75], quality=0.5))))).text
    assert "Validation less test, where more is flattery: +25.00 points" in said


def test_differences_in_decibels_say_so() -> None:
    rows = seeds("a", [100, 110], [30.0, 31.0], quality_name="psnr_db")
    rows = [row | {"quality": 29.0 + index} for index, row in enumerate(rows)]
    said = read(trust(material(frame(*rows)))).text
    assert "varies by 0.707 dB" in said
    assert "flattery: +1 dB on the frontier" in said
