"""Numbers as people read and write them."""

from __future__ import annotations

import math

import pytest

from analysis.units import format_quality, format_ratio, format_size, parse_size


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (812, "812 B"),
        (999.4, "999 B"),
        (999.6, "1.00 kB"),
        (1234, "1.23 kB"),
        (20_000, "20.0 kB"),
        (203_000, "203 kB"),
        (999_900, "1.00 MB"),
        (2.5e9, "2.50 GB"),
        (math.nan, "-"),
    ],
)
def test_sizes_have_three_significant_digits(size: float, text: str) -> None:
    assert format_size(size) == text


def test_round_sizes_can_be_trimmed() -> None:
    assert [format_size(size, trim=True) for size in (500, 1000, 1500, 2e6)] == ["500 B", "1 kB", "1.5 kB", "2 MB"]


@pytest.mark.parametrize(
    ("text", "size"),
    [("812", 812), ("812B", 812), ("10kB", 10_000), ("1.001 KB", 1001), (".5mb", 500_000), ("2GB", 2 * 10**9)],
)
def test_sizes_are_read_in_multiples_of_1000(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "kB", "10 KiB", "-3", "0", "1e3", "ten", "nan"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="wanted bytes such as"):
        parse_size(text)


def test_ratios_have_a_decimal_where_it_matters() -> None:
    assert [format_ratio(ratio) for ratio in (0.999, 9.47, 99.94, 99.96, 123.4)] == [
        "1.0x",
        "9.5x",
        "99.9x",
        "100x",
        "123x",
    ]


def test_accuracies_are_percent_and_other_qualities_plain() -> None:
    assert format_quality(0.9723, "accuracy") == "97.23 %"
    assert format_quality(0.9723, "accuracy", spread=0.004) == "97.23 ± 0.40 %"
    assert format_quality(31.4, "psnr_db", spread=math.nan) == "31.40"
    assert format_quality(math.nan, "accuracy") == "-"
