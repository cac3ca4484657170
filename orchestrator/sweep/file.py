"""Where the YAML of a sweep becomes objects: text to plain data, and a file to a ``Sweep``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from orchestrator.errors import SweepError
from orchestrator.sweep.definition import Sweep

_FLOAT, _TIMESTAMP = "tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp"


class _Loader(yaml.SafeLoader):
    """Reads YAML as people mean it: ``1e-3`` is a number, a date is text, and a key given twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise ConstructorError(problem=f"{key.value!r} is given twice", problem_mark=key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_FLOAT, re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789"))


def parse_yaml(text: str, *, source: str) -> Any:
    """The plain data of a text: numbers, text, lists, mappings.

    Raises:
        ValueError: the text is no YAML; the message is ``source:line: what is wrong``.
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ValueError(f"{source}:{line}: {error.problem}") from error
    except yaml.YAMLError as error:
        raise ValueError(f"{source}: {str(error).splitlines()[0]}") from error


def load_sweep(path: str | Path) -> Sweep:
    """The sweep of a YAML file.

    Raises:
        SweepError: it names the file, and the line where the YAML is broken.
    """
    return Sweep.from_dict(load_document(path), source=str(path))


def load_document(path: str | Path) -> dict[str, Any]:
    """A sweep file as plain data, not yet checked; a sweep that gives no name is named by its file's stem."""
    try:
        document = parse_yaml(Path(path).read_text(encoding="utf-8"), source=str(path))
    except UnicodeDecodeError as error:
        raise SweepError(f"cannot read {path}: it is no UTF-8 text") from error
    except OSError as error:
        raise SweepError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise SweepError(str(error)) from error
    if not isinstance(document, Mapping):
        raise SweepError(f"{path}: a sweep is {document!r}: wanted a mapping with task, architecture and method")
    return {"name": Path(path).stem, **document}
