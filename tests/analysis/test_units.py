"""Numbers as people read and write them."""

from __future__ import annotations

import math

import pytest

from analysis.labels import config_labels
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


def labels(*settings: dict[str, str], method: str = "epr", point_ids: str = "0") -> list[str]:
    rows = [{"method": method, "trial_id": str(i), "point_id": p} for i in range(len(settings)) for p in point_ids]
    return config_labels(rows, [given for given in settings for _ in point_ids])


def test_labels_show_the_settings_that_differ() -> None:
    assert labels({"method.lam": "0.29138", "method.k": "2"}, {"method.lam": "1", "method.k": "2"}) == [
        "lam=0.291",
        "lam=1",
    ]


def test_labels_show_all_settings_where_none_differs() -> None:
    assert labels({"method.bits": "4", "method.grid": "per_row", "steps": "100"}) == ["bits=4 grid=per_row"]


def test_labels_show_the_schedule_only_where_it_differs() -> None:
    assert labels({"method.bits": "4", "steps": "100"}, {"method.bits": "4", "steps": "200"}) == [
        "bits=4 steps=100",
        "bits=4 steps=200",
    ]


def test_labels_tell_the_points_of_one_trial_apart() -> None:
    assert labels({"method.lam": "1"}, point_ids="ab") == ["lam=1 point=a", "lam=1 point=b"]


def test_a_method_without_settings_has_an_empty_label() -> None:
    assert labels({}, method="uncompressed") == [""]
