"""Numbers as people read and write them."""

from __future__ import annotations

import math

import pytest

from analysis.units import (
    better_words,
    format_duration,
    format_quality,
    format_ratio,
    format_size,
    quality_scale,
    quality_words,
)


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
    assert format_quality(2.4, "perplexity", spread=math.nan) == "2.40"
    assert format_quality(math.nan, "accuracy") == "-"


@pytest.mark.parametrize(
    ("quality", "said"),
    [(0.00031, "0.000310"), (0.0865, "0.0865"), (0.9512, "0.951"), (1.4, "1.40"), (0.0, "0.00"), (-0.02, "-0.0200")],
)
def test_small_errors_are_told_apart(quality: float, said: str) -> None:
    assert format_quality(quality, "mse") == said
    assert format_quality(0.00031, "mse", spread=0.00002) == "0.000310 ± 0.000020"


@pytest.mark.parametrize("name", ["psnr_db", "PSNR (dB)", "si_sdr dB", "psnr", "SNR", "val_snr", "dB"])
def test_a_quality_in_decibels_is_shown_in_db(name: str) -> None:
    assert quality_scale(name) == (1.0, " dB")
    assert format_quality(31.4, name, spread=0.5) == "31.40 ± 0.50 dB"


@pytest.mark.parametrize("name", ["bits_per_character", "feedback", "mAP@0.5", "db_size"])
def test_other_qualities_have_no_unit(name: str) -> None:
    assert quality_scale(name) == (1.0, "")


def test_names_are_words_and_say_their_unit_once() -> None:
    assert quality_words("bits_per_character") == quality_words("bits_per_character", with_unit=True)
    assert quality_words("PSNR (dB)") == "PSNR"
    assert [quality_words(name, with_unit=True) for name in ("psnr_db", "PSNR (dB)", "val_accuracy", "dB")] == [
        *("PSNR (dB)", "PSNR (dB)", "val accuracy (%)", "dB (dB)"),
    ]
    assert better_words(maximise=True) == ""
    assert better_words(maximise=False) == ", lower is better"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0.0 s"), (0.04, "0.04 s"), (9.94, "9.9 s"), (99, "99 s"), (150, "2.5 min"), (7200, "2.0 h")],
)
def test_durations_read_well_and_are_never_rounded_to_nothing(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
