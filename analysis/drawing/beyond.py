"""What lies beyond the quality axis: arrows in the strip at its end, with the values that they stand for."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.units import format_quality

ARROW = {True: "↓", False: "↑"}
"""The arrow towards the bad end of the axis, by whether more is better."""
ARROW_AT, MARKER_AT, TEXT_AT = 0.8, 0.5, 0.2
"""How deep in the strip the arrow, the method's own marker, and the value are drawn."""


def edge_texts(
    size_bytes: Sequence[float],
    quality: Sequence[float],
    quality_name: str,
    size_limits: tuple[float, float],
    *,
    num_characters: int,
) -> list[tuple[float, str]]:
    """The values of points beyond the axis as texts that do not overlap: of near points one text gives the range.

    Args:
        size_bytes: (num_points,).
        quality: (num_points,), in units of quality.
        quality_name: says how a quality is written.
        size_limits: the ends of the size axis.
        num_characters: how many characters have room beside each other along the axis.

    Returns:
        The place of each text's middle on the size axis, in bytes, and the text.
    """
    left, right = map(math.log10, size_limits)
    points = sorted(zip(size_bytes, quality, strict=True))
    places = [num_characters * (math.log10(size) - left) / (right - left) for size, _ in points]
    groups = [([place], [value]) for place, (_, value) in zip(places, points, strict=True)]
    texts: list[tuple[float, str]] = []
    while True:
        texts = [_placed(*group, quality_name, num_characters) for group in groups]
        near = next((i for i in range(len(groups) - 1) if _overlap(texts[i], texts[i + 1])), None)
        if near is None:
            return [(10 ** (left + (right - left) * middle / num_characters), text) for middle, text in texts]
        first, second = groups[near], groups.pop(near + 1)
        groups[near] = (first[0] + second[0], first[1] + second[1])


def _placed(places: list[float], values: list[float], quality_name: str, num_characters: int) -> tuple[float, str]:
    """The middle of a group's text, moved so that the text stays on the axis, and the text."""
    low, high = format_quality(min(values), quality_name, with_unit=False), format_quality(max(values), quality_name)
    span = high if high.startswith(low) else f"{low} to {high}"
    text = span if len(values) == 1 else f"{len(values)} points: {span}"
    half = len(text) / 2 + 0.5
    return min(max((places[0] + places[-1]) / 2, half), max(num_characters - half, half)), text


def _overlap(first: tuple[float, str], second: tuple[float, str]) -> bool:
    return second[0] - first[0] < (len(first[1]) + len(second[1])) / 2 + 1
