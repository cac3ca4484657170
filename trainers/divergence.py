"""The error of a training that reached NaN or infinity; such values are refused with it when a file is written, too."""

from __future__ import annotations

REMEDY = "a lower learning rate may mend it"
REMEDY_OF_FLOAT16 = "float16 ends at 65504: precision bfloat16, or a lower learning rate, may mend it"


class DivergedError(ValueError):
    """A loss, a parameter, a quality or what a file would hold became NaN or infinite; one line says what and when."""
