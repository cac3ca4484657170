"""The result of a comparison in words: one sentence for each side, which also says what cannot be told."""

from __future__ import annotations

import math

from analysis.comparison.compare import Against, Comparison, Side
from analysis.fronts.bd_rate import Delta, Interval
from analysis.units import format_quality, quality_words

_SHORT_OVERLAP = 0.5
_DISAGREEMENT = 0.05
"""Two interpolations disagree where their bytes differ by more than this share."""


def verdicts(comparison: Comparison) -> list[str]:
    """One sentence for each side but the anchor.

    Such as ``B needs 23 % fewer bytes than A at equal accuracy (95 % interval 18 to 27 % over 3 seeds, overlap 81 %).``
    """
    return [
        _verdict(comparison.anchor, side, against, comparison.quality_name) + _unequal(comparison.anchor, side)
        for side, against in zip(comparison.sides[1:], comparison.against, strict=True)
    ]


def _unequal(anchor: Side, side: Side) -> str:
    if side.num_steps == anchor.num_steps:
        return ""
    first, second = (
        f"{one.name} for {one.num_steps[0]:,}" + f" to {one.num_steps[1]:,}" * (one.num_steps[0] < one.num_steps[1])
        for one in (side, anchor)
    )
    return f" They did not train for the same number of steps: {first}, {second}."


def needs(percent: float) -> str:
    """``needs 23 % fewer bytes than``, ``needs 2.5 times the bytes of``."""
    if percent >= 100:
        return f"needs {1 + percent / 100:.3g} times the bytes of"
    return f"needs {_number(abs(percent))} % {'fewer' if percent < 0 else 'more'} bytes than"


def _verdict(anchor: Side, side: Side, against: Against, quality_name: str) -> str:
    quality = quality_words(quality_name)
    rate, interval = against.rate, against.rate_interval
    if rate is None:
        known = _known(anchor, side, quality_name)
        return f"{side.name} and {anchor.name} cannot be compared by BD-rate: {against.reason}; {known}."
    overlap = f"overlap {'only ' if rate.overlap < _SHORT_OVERLAP else ''}{100 * rate.overlap:.0f} %"
    if interval is None:
        found = f"The BD-rate of {side.name} against {anchor.name} is {rate.pchip:+.1f} %, {overlap}"
        return f"{found}; how sure that is cannot be said: {against.reason}.{_caveat(rate)}"
    seeds = _seeds(anchor, side)
    if interval.low <= 0 <= interval.high or interval.low * rate.pchip < 0:
        return (
            f"No difference between {side.name} and {anchor.name} can be told: BD-rate {rate.pchip:+.1f} %, "
            f"{_level(interval)} {interval.low:+.1f} to {interval.high:+.1f} % over {seeds}, "
            f"{overlap}.{_caveat(rate)}"
        )
    claim = f"{side.name} {needs(rate.pchip)} {anchor.name} at equal {quality}"
    return f"{claim} ({_level(interval)} {_range(interval, rate.pchip)} over {seeds}, {overlap}).{_caveat(rate)}"


def _known(anchor: Side, side: Side, quality_name: str) -> str:
    """What two fronts tell without a curve through their points."""
    for better, worse in ((side, anchor), (anchor, side)):
        sizes = better.front.size_at(worse.front.quality)  # NaN where a quality is not reached, and NaN is no smaller
        if (sizes <= worse.front.size_bytes).all() and not (sizes == worse.front.size_bytes).all():
            return f"for each point of {worse.name} {better.name} has one that is no larger and no worse"
    return f"{_span(side, quality_name)}, {_span(anchor, quality_name)}"


def _span(side: Side, quality_name: str) -> str:
    """``B from 90.00 % to 95.00 %``."""
    first, last = (format_quality(side.front.quality[end], quality_name) for end in (0, -1))
    return f"{side.name} at {first}" if len(side.front) == 1 else f"{side.name} from {first} to {last}"


def _level(interval: Interval) -> str:
    return f"{100 * interval.level:.0f} % interval"


def _range(interval: Interval, percent: float) -> str:
    if percent >= 100:
        return f"{1 + interval.low / 100:.3g} to {1 + interval.high / 100:.3g} times"
    low, high = sorted(map(abs, (interval.low, interval.high)))
    return f"{_number(low)} to {_number(high)} %"


def _seeds(anchor: Side, side: Side) -> str:
    fewest = sorted({anchor.repeats.min_seeds_on_front, side.repeats.min_seeds_on_front})
    return f"{' and '.join(map(str, fewest))} {'files' if anchor.repeats.files else 'seeds'}"


def _caveat(rate: Delta) -> str:
    if math.isclose(100 + rate.pchip, 100 + rate.akima, rel_tol=_DISAGREEMENT):
        return ""
    return f" Akima's interpolation gives {rate.akima:+.1f} %: the fronts have too few points for either."


def _number(value: float) -> str:
    """A percentage in two or three digits: ``0.04``, ``3.1``, ``23``, ``94.2``; never rounded to 0 or 100."""
    if value < 0.01 or value > 99.99:
        return "under 0.01" if value < 0.01 else "over 99.99"
    if value < 0.095 or value >= 99.95:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < 9.95 or value > 90 else f"{value:.0f}"
