"""Fronts for tests, and what tests count by hand on them."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from analysis.fronts.pareto import Front


def front(*points: tuple[float, float], maximise: bool = True) -> Front:
    """The front of points of size and quality."""
    sizes, qualities = zip(*points, strict=True) if points else ((), ())
    return Front.of(sizes, qualities, maximise=maximise)


def minimised(given: Front) -> Front:
    """The same front with errors, 1 - quality, in place of qualities."""
    return Front.of(given.size_bytes, 1 - given.quality, maximise=not given.maximise)


def scaled(given: Front, factor: float) -> Front:
    """The same front at ``factor`` times the bytes."""
    return Front(given.size_bytes * factor, given.quality, given.maximise)


def attains(given: Front, size_bytes: float, quality: float) -> bool:
    """Whether one of the front's points is as small and as good: the definition of attaining."""
    gain = quality if given.maximise else -quality
    return any(size <= size_bytes and other >= gain for size, other in zip(given.size_bytes, given.gain, strict=True))


def random_fronts(seed: int, num_fronts: int, num_points: int = 12, *, maximise: bool = True) -> list[Front]:
    """Fronts of points between 10 B and 10 kB whose quality grows with size, with noise."""
    generator = np.random.default_rng(seed)
    made = []
    for _ in range(num_fronts):
        decades = generator.uniform(1, 4, num_points)
        quality = 1 - 0.5 / decades + generator.normal(0, 0.02, num_points)
        made.append(Front.of(10**decades, quality if maximise else 1 - quality, maximise=maximise))
    return made


@st.composite
def fronts(draw: st.DrawFn, min_points: int = 1) -> Front:
    """Fronts to be maximised, with steps of different height and width, between 0.1 and 0.9."""
    num_points = draw(st.integers(min_points, 9))
    widths = draw(st.lists(st.floats(0.02, 0.5), min_size=num_points, max_size=num_points))
    heights = draw(st.lists(st.floats(0.02, 1.0), min_size=num_points, max_size=num_points))
    decades, rises = 2 + np.cumsum(widths), np.cumsum(heights)
    return Front(10**decades, 0.1 + 0.8 * rises / rises[-1], True)
