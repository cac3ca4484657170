"""The decorator of all compiled functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])

IS_CACHED = not __name__.startswith("trainers.")
"""Whether this is a copy in a cache folder, beside which numba may write what it compiled."""


def compiled(function: F) -> F:
    """Compile ``function`` when it is first called. It may call compiled functions only, and make no array.

    Without numba's runtime there is no counting of references, which took half of the time.
    """
    return cast(F, numba.njit(function, cache=IS_CACHED, forceinline=True, _nrt=False))
