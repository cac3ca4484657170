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

__all__ = ["IS_CACHED", "called", "compiled", "int64", "uint64"]

F = TypeVar("F", bound=Callable[..., object])

IS_CACHED = not __name__.startswith("trainers.")
"""Whether this is a copy in a cache folder, beside which numba may write what it compiled."""


def compiled(function: F) -> F:
    """Compile ``function`` when it is first called, which compiled functions alone may do. It may make no array.

    Without numba's runtime there is no counting of references, which took half of the time. Without wrappers for calls
    from Python the compilation takes a sixth less.
    """
    return _njit(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def called(function: F) -> F:
    """Compile ``function``, which Python calls; else as ``compiled``."""
    return _njit(function)


def _njit(function: F, **options: Any) -> F:
    return cast(F, numba.njit(function, cache=IS_CACHED, forceinline=True, **{"_nrt": False, **options}))
