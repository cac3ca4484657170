"""Sizes and qualities as people read them. kB = 1000 bytes; ``trainers/sizes.py`` reads sizes."""

from __future__ import annotations

import math
import re

from analysis.fidelity import BY_QUALITY_NAME

_DECIBELS = re.compile(r"(^|[^a-z])(p?snr$|db\)?$)", re.IGNORECASE)
_TRAILING_DECIBELS = re.compile(r"[\s_(\[]+db[)\]]?$", re.IGNORECASE)
_SIMILARITY = re.compile(r"(ms[-_ ])?ssim", re.IGNORECASE)
_ACRONYMS = {"psnr": "PSNR", "snr": "SNR", "ssim": "SSIM", "ms ssim": "MS-SSIM"}


def format_size(size_bytes: float, *, trim: bool = False) -> str:
    """A size in three digits: ``812 B``, ``1.50 kB``; with ``trim`` no trailing zeros, ``1.5 kB``; ``-`` for NaN."""
    if not math.isfinite(size_bytes):
        return "-"
    rounded = float(f"{size_bytes:.3g}")  # first, so that 999.6 B becomes 1 kB and not 1000 B
    for factor, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if rounded >= factor:
            return f"{rounded / factor:g} {unit}" if trim else f"{rounded / factor:#.3g}".rstrip(".") + f" {unit}"
    return f"{rounded:g} B"


def format_ratio(ratio: float) -> str:
    """A ratio as ``9.5x`` or ``123x``."""
    return f"{ratio:.0f}x" if ratio >= 99.95 else f"{ratio:.1f}x"


def format_duration(seconds: float) -> str:
    """A duration as ``0.04 s``, ``3.2 s``, ``12 s``, ``3.5 min`` or ``2.1 h``: never rounded to nothing."""
    if 0 < seconds < 0.095:
        return f"{seconds:.1g} s"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"


def quality_scale(quality_name: str) -> tuple[float, str]:
    """The factor from a quality to what is shown, and the unit of that.

    Accuracies are fractions, shown in percent. A name that ends in dB, such as ``psnr_db`` or ``PSNR (dB)``, and PSNR
    and SNR by themselves, are in dB. Distances from a given network have their own. Other qualities have no unit.
    """
    if distance := BY_QUALITY_NAME.get(quality_name):
        return distance.factor, distance.unit
    if quality_name.endswith("accuracy"):
        return 100.0, " %"
    return (1.0, " dB") if _DECIBELS.search(quality_name) else (1.0, "")


def quality_words(quality_name: str, *, with_unit: bool = False) -> str:
    """The name of a quality as people write it: ``psnr_db`` as ``PSNR``, or ``PSNR (dB)`` with its unit."""
    unit = quality_scale(quality_name)[1].strip()
    distance = BY_QUALITY_NAME.get(quality_name)
    words = (
        distance.words
        if distance
        else " ".join(_TRAILING_DECIBELS.sub("", quality_name).replace("_", " ").split()) or quality_name
    )
    words = _ACRONYMS.get(words.lower(), words)
    return f"{words} ({unit})" if with_unit and unit else words


def quality_bounds(quality_name: str) -> tuple[float, float]:
    """The least and the greatest value of a quality as it is shown: 0 and 100 for accuracies, 0 for distances."""
    if quality_name in BY_QUALITY_NAME:
        return 0.0, math.inf
    return (0.0, 100.0) if quality_scale(quality_name)[0] == 100 else (-math.inf, math.inf)


def quality_label(quality_name: str, *, maximise: bool, split: str) -> str:
    """The label of an axis: the split unless it is ``fitted``, the quality with its unit, and which way is better."""
    words = quality_words(quality_name, with_unit=True)
    label = words[0].upper() + words[1:] if split == "fitted" else f"{split.capitalize()} {words}"
    return f"{label}{better_words(maximise=maximise)}"


def better_words(*, maximise: bool) -> str:
    """Which way a quality is better: nothing where more is, as readers take it, else ``, lower is better``."""
    return "" if maximise else ", lower is better"


def format_quality(quality: float, quality_name: str, *, spread: float = math.nan, with_unit: bool = True) -> str:
    """A quality as ``97.23 %``, with a spread over seeds as ``97.23 ± 0.41 %``; ``-`` for NaN.

    A quality below one, but for those in percent and in dB, has three digits, such as ``0.000310``: errors may be small
    throughout. Structural similarities have four, since good ones are near one.
    """
    factor, unit = quality_scale(quality_name)
    if not math.isfinite(quality):
        return "-"
    num_digits = 2 if unit in (" %", " dB") or not 0 < abs(quality) < 1 else 2 - math.floor(math.log10(abs(quality)))
    num_digits = 4 if _SIMILARITY.fullmatch(quality_name) else num_digits
    deviation = f" ± {spread * factor:.{num_digits}f}" if math.isfinite(spread) else ""
    return f"{quality * factor:.{num_digits}f}{deviation}{unit if with_unit else ''}"
