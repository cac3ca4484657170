"""The base of every section of a file that a user writes, and what pydantic finds wrong in one, as one line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic_core import ErrorDetails

from trainers.echo import echo


class YamlSection(BaseModel):
    """A section of a sweep file, or the settings of a place that sweeps are submitted to."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def mistake_line(
    mistake: ErrorDetails,
    texts: Mapping[str, Callable[[str, Any], str]],
    *,
    show: Callable[[Any], str] = echo,
) -> str:
    """What was given and what was wanted, in one line.

    Args:
        mistake: one of ``ValidationError.errors()``.
        texts: for some of pydantic's types of errors, such as ``extra_forbidden``, what to say, given the path of the
            field and what stood there. A validator's own ``ValueError`` is a whole line already.
        show: writes what was given.
    """
    field = ".".join(map(str, mistake["loc"]))
    if mistake["type"] in texts:
        return texts[mistake["type"]](field, mistake["input"])
    if mistake["type"] == "value_error":
        return str(mistake["ctx"]["error"])
    return f"{field} is {show(mistake['input'])}: {mistake['msg'].replace('Input should be', 'wanted')}"
