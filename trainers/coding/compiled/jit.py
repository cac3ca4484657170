"""The decorator of all functions that are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:

    def int64(value: Any) -> int:
        """A whole number, of which numba knows the width."""

    def uint64(value: Any) -> Any:
        """A whole number that is not negative; it mixes with its like alone."""

else:
    from numpy import int64, uint64

__all__ = ["OPTIONS", "compiled", "int64", "uint64"]

F = TypeVar("F", bound=Callable[..., object])

OPTIONS = {
    "forceinline": True,
    "error_model": "numpy",
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
    "_nrt": False,
}
"""What numba is told. Code without its runtime calls nothing in it, and counts no references, which took half of the
time; it may make no array. ``error_model``: a division by zero, which there is none, would be asked about each time."""


def compiled(function: F) -> F:
    """Compile ``function`` where ``compilation.py`` imports its file; elsewhere it is plain Python, as it stands."""
    if __name__.startswith("trainers."):
        return function
    import numba

    return cast(F, numba.njit(function, **OPTIONS))
