"""How large and how deep a YAML text may be: checked on its events, before any value is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import yaml

MOST_CHARACTERS = 1 << 20
MOST_NESTING = 32
MOST_VALUES = 20_000
"""Keys and values together, those of an alias counted wherever it stands."""
MOST_DIGITS = 400


@dataclass(kw_only=True)
class _Open:
    """A list or mapping that has not ended."""

    anchor: str | None
    num_values: int = 1


def check_size(text: str) -> None:
    """Refuse a text that would take much time or memory to read.

    Raises:
        yaml.YAMLError: it is too long, too deep, or has too many values; or it is no YAML.
    """
    if len(text) > MOST_CHARACTERS:
        raise yaml.YAMLError(f"{len(text)} characters: wanted {MOST_CHARACTERS} at most")
    open_: list[_Open] = [_Open(anchor=None)]
    sizes: dict[str, int] = {}  # of what each anchor names
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            open_.append(_Open(anchor=event.anchor))
            if len(open_) - 1 > MOST_NESTING:
                raise _refusal(event, f"lists and mappings nest deeper than {MOST_NESTING}")
        elif isinstance(event, yaml.CollectionEndEvent):
            ended = open_.pop()
            if ended.anchor is not None:
                sizes[ended.anchor] = ended.num_values
            open_[-1].num_values += ended.num_values
        elif isinstance(event, yaml.ScalarEvent):
            if event.anchor is not None:
                sizes[event.anchor] = 1
            open_[-1].num_values += 1
        elif isinstance(event, yaml.AliasEvent):
            if any(one.anchor == event.anchor for one in open_):
                raise _refusal(event, f"alias *{event.anchor} stands inside what it names")
            open_[-1].num_values += sizes.get(str(event.anchor), 1)
        if sum(one.num_values for one in open_) > MOST_VALUES:
            raise _refusal(event, f"more than {MOST_VALUES} keys and values: wanted fewer, such as a range")


def _refusal(event: yaml.Event, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=cast(yaml.Mark, event.start_mark))
