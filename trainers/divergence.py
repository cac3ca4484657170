"""The error of a training that left the finite numbers; what a file would hold of such a network is refused with it."""

from __future__ import annotations

REMEDY = "a lower learning rate may mend it"


class DivergedError(ValueError):
    """A loss, a parameter, a quality or what a file would hold became NaN or infinite; one line says what and when."""
