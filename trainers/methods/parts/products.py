"""A limit of what the products of a file's factors may take: a few bytes can name factors of any size."""

from __future__ import annotations

from trainers.coding.bytestream import RfzError

MOST_MULTIPLICATIONS = 1 << 39
"""They take some twenty seconds on one core. Only matrices of more than 107 million values can need more."""


def check_products(num_multiplications: int) -> None:
    """Refuse, with an ``RfzError``, products that would take too long."""
    if num_multiplications > MOST_MULTIPLICATIONS:
        raise RfzError(
            f"the products of its factors take {num_multiplications:.1e} multiplications: wanted "
            f"{MOST_MULTIPLICATIONS:.1e} at most"
        )
