"""Which ranks a network's weight matrices get, so that their factors have a given number of values together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

Shapes = Mapping[str, tuple[int, int]]
"""Each weight's shape as a matrix (m, n): first axis by the product of the rest, so outputs by inputs."""
Ranks = dict[str, int]
"""Each weight's rank r. If r (m + n) < m n the weight becomes two factors, else it stays whole."""

_WIDTH = 3
"""The beam's width."""
_NUM_MOVES = 16
"""About the number of moves from the whole network to the ratio; each move lowers one rank."""


def is_factored(shape: tuple[int, int], rank: int) -> bool:
    return rank * sum(shape) < math.prod(shape)


def num_values(shapes: Shapes, ranks: Ranks) -> int:
    """The number of values of all weights, as factors or whole."""
    return sum(min(ranks[name] * sum(shape), math.prod(shape)) for name, shape in shapes.items())


def full(shapes: Shapes) -> Ranks:
    return {name: min(shape) for name, shape in shapes.items()}


def beam_search(shapes: Shapes, budget: int, quality: Callable[[Ranks], float]) -> Ranks:
    """Ranks at which the weights have at most ``budget`` values, with the largest ``quality`` that a beam search finds.

    A state has a rank for each weight. A move lowers one rank; every move saves about as many values. The best
    ``_WIDTH`` of all successors go on, and states within the budget stay as they are. The lowest rank is one.
    """
    move = max(1, math.ceil((num_values(shapes, full(shapes)) - budget) / _NUM_MOVES))

    def successors(ranks: Ranks) -> Iterator[Ranks]:
        excess = num_values(shapes, ranks) - budget
        for name, shape in shapes.items():
            if excess > 0 and ranks[name] > 1 and is_factored(shape, 1):
                left = min(ranks[name] * sum(shape), math.prod(shape)) - min(move, excess)
                yield {**ranks, name: max(1, left // sum(shape))}

    beam, known = [full(shapes)], dict[tuple[int, ...], float]()
    while any(True for ranks in beam for _ in successors(ranks)):
        found = [lowered for ranks in beam for lowered in (list(successors(ranks)) or [ranks])]
        distinct = {tuple(ranks.values()): ranks for ranks in found}
        known |= {key: quality(ranks) for key, ranks in distinct.items() if key not in known}
        best = sorted(distinct, key=lambda key: (-known[key], num_values(shapes, distinct[key]), key))
        beam = [distinct[key] for key in best[:_WIDTH]]
    return beam[0]


def ranks_at_common_share(shapes: Shapes, budget: int, rank_at: Callable[[str, float], int]) -> Ranks:
    """The ranks at the largest share, common to all weights, at which they have at most ``budget`` values.

    ``rank_at``: (name, share from 0 to 1) -> the rank at which a weight keeps that share.
    """

    def at(share: float) -> Ranks:
        return {name: min(max(1, rank_at(name, share)), min(shape)) for name, shape in shapes.items()}

    if num_values(shapes, at(1.0)) <= budget:
        return at(1.0)
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if num_values(shapes, at(middle)) <= budget else (low, middle)
    return at(low)
