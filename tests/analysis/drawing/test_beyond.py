"""The values of what lies beyond the axis."""

from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from analysis.drawing.beyond import edge_texts

LIMITS = (100.0, 10_000.0)


def test_points_far_from_each_other_have_a_value_each_and_near_ones_their_range() -> None:
    texts = edge_texts([200, 5000], [0.12, 0.635], "accuracy", LIMITS, num_characters=60)
    assert [text for _, text in texts] == ["12.00 %", "63.50 %"]
    assert [round(size) for size, _ in texts] == [200, 5000]
    texts = edge_texts([200, 210, 5000], [0.2, 0.12, 0.635], "accuracy", LIMITS, num_characters=60)
    assert [text for _, text in texts] == ["2 points: 12.00 to 20.00 %", "63.50 %"]
    assert edge_texts([200, 210], [7.9, 7.9], "bits_per_character", LIMITS, num_characters=60)[0][1] == "2 points: 7.90"
    assert edge_texts([], [], "accuracy", LIMITS, num_characters=60) == []


@given(st.lists(st.tuples(st.floats(100, 10_000), st.floats(0, 1)), min_size=1, max_size=20))
def test_texts_do_not_overlap_stay_on_the_axis_and_count_every_point(points: list[tuple[float, float]]) -> None:
    sizes, quality = [size for size, _ in points], [value for _, value in points]
    texts = edge_texts(sizes, quality, "accuracy", LIMITS, num_characters=70)
    places = [70 * math.log10(size / 100) / 2 for size, _ in texts]
    ends = [(place - len(text) / 2, place + len(text) / 2) for place, (_, text) in zip(places, texts, strict=True)]
    assert ends[0][0] >= -1e-6
    assert ends[-1][1] <= 70 + 1e-6
    assert all(first[1] < second[0] for first, second in pairwise(ends))
    assert sum(int(text.split(" points")[0]) if "points" in text else 1 for _, text in texts) == len(points)
