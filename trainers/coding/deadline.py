"""A limit of time, which is looked at between the pieces of a decoding."""

from __future__ import annotations

import time
from dataclasses import dataclass

from trainers.coding.bytestream import RfzError


@dataclass(frozen=True, kw_only=True)
class Deadline:
    """When a decoding has to be over."""

    max_seconds: float
    at_s: float
    """The moment, on the monotonic clock."""

    def check(self) -> None:
        """Raise an ``RfzError`` once it is later."""
        if time.monotonic() > self.at_s:
            raise RfzError(
                f"the file takes more than {self.max_seconds:g} s: give a larger max_seconds if you trust it"
            )


def deadline_in(max_seconds: float) -> Deadline:
    """The deadline ``max_seconds`` from now."""
    return Deadline(max_seconds=max_seconds, at_s=time.monotonic() + max_seconds)


def unlimited() -> None:
    """The check of a decoding that may take as long as it takes."""
