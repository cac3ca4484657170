"""The quantisers of a weight by its number of bits: which whole numbers it is rounded to, and at which step.

Notation of Esser et al. 2020, arXiv 1902.08153: Q_N and Q_P are the largest magnitudes below and above zero, s is the
step.
"""

from __future__ import annotations

from typing import NamedTuple


class Quantiser(NamedTuple):
    """Rounds to the whole numbers from -``q_n`` to ``q_p``; zero is one of them unless ``is_binary``."""

    q_n: int
    q_p: int
    spread_step: float
    """The step s for weights whose root mean square is 1 (whose mean magnitude is 1 where ``is_binary``)."""
    is_binary: bool = False


QUANTISERS: dict[int | str, Quantiser] = {
    1: Quantiser(1, 1, 1.0, is_binary=True),
    "ternary": Quantiser(1, 1, 1.224),
    2: Quantiser(2, 1, 1.048),
    3: Quantiser(4, 3, 0.602),
    4: Quantiser(8, 7, 0.339),
    5: Quantiser(16, 15, 0.189),
    6: Quantiser(32, 31, 0.104),
    7: Quantiser(64, 63, 0.0569),
    8: Quantiser(128, 127, 0.0307),
}
"""By ``bits``. ``spread_step`` has the least squared error for Gaussian weights; a step from the largest weight would
fail at 2 bits."""
