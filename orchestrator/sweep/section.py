"""A section of a sweep file, and a validation error in one line."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A section of a sweep file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
