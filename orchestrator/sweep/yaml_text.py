"""YAML as people mean it: text to plain data, and back."""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from orchestrator.sweep.yaml_limits import MOST_DIGITS, check_size
from trainers.echo import echo, shortened

_MOST_OF_A_PROBLEM = 400
_INT, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
_REPLACED = (_INT, _FLOAT, "tag:yaml.org,2002:timestamp")
_WHOLE = re.compile(r"[-+]?\d[\d_]*$|0x[\da-fA-F]+$")
_REAL = re.compile(
    r"[-+]?(\d[\d_]*\.[\d_]*|\.\d[\d_]*|\d[\d_]*(?=[eE]))([eE][-+]?\d+)?$|[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$"
)


class _Loader(yaml.SafeLoader):
    """Reads numbers as YAML 1.2 does, dates as text, and refuses a key that is given twice.

    ``1e-3`` is a number, ``0100`` is a hundred (in YAML 1.1: 64), and ``1:30`` is text (there: 90).
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise ConstructorError(problem=f"{echo(key.value)} is given twice", problem_mark=key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)

    def construct_whole(self, node: yaml.ScalarNode) -> int:
        text = str(self.construct_scalar(node)).replace("_", "")
        if len(text) > MOST_DIGITS:
            raise ConstructorError(
                problem=f"a number has {len(text)} digits: wanted {MOST_DIGITS} at most", problem_mark=node.start_mark
            )
        return int(text, 16 if "x" in text else 10)


class _Dumper(yaml.SafeDumper):
    """Quotes the texts that ``_Loader`` would take for numbers."""


for kind in (_Loader, _Dumper):
    kind.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in _REPLACED]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    kind.add_implicit_resolver(_INT, _WHOLE, list("-+0123456789"))
    kind.add_implicit_resolver(_FLOAT, _REAL, list("-+.0123456789"))
_Loader.add_constructor(_INT, _Loader.construct_whole)


def parse_yaml(text: str, *, source: str) -> Any:
    """The plain data of a text: numbers, text, lists, mappings.

    Raises:
        ValueError: the text is no YAML, or larger than a sweep file may be (``yaml_limits.py``); the message is
            ``source:line: what is wrong``.
    """
    try:
        check_size(text)
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ValueError(f"{source}:{line}: {shortened(str(error.problem), _MOST_OF_A_PROBLEM)}") from error
    except yaml.YAMLError as error:
        raise ValueError(f"{source}: {shortened(str(error).splitlines()[0], _MOST_OF_A_PROBLEM)}") from error


def to_yaml(data: Any) -> str:
    """Plain data as a text that ``parse_yaml`` reads back."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False)
