"""What stands where in the position of a reader of bits, or of a writer."""

from __future__ import annotations

LOWER, RANGE, POINT, TAKEN, IS_BROKEN = range(5)
"""What stands where in a position: the coder's three numbers, how many words were taken, whether an error was met."""
