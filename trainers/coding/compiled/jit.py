"""The decorator of all compiled functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numba

if TYPE_CHECKING:

    def int64(value: Any) -> int:
        """A whole number, of which numba knows the width."""

    def uint64(value: Any) -> Any:
        """A whole number that is not negative; it mixes with its like alone."""

else:
    from numpy import int64, uint64

__all__ = ["IS_CACHED", "compiled", "int64", "uint64"]

F = TypeVar("F", bound=Callable[..., object])

IS_CACHED = not __name__.startswith("trainers.")
"""Whether this is a copy in a cache folder, beside which numba may write what it compiled."""


def compiled(function: F) -> F:
    """Compile ``function`` when it is first called. It may call compiled functions only, and make no array.

    Without numba's runtime there is no counting of references, which took half of the time.
    """
    options: dict[str, Any] = {"cache": IS_CACHED, "forceinline": True, "_nrt": False}
    return cast(F, numba.njit(function, **options))
