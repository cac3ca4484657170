"""Where initial values come from, as plain data: a file or a known network, and what of it to take."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainers.nearest import nearest

_FIELDS = ("path", "key", "strict", "ignore")


@dataclass(frozen=True, kw_only=True)
class Source:
    """What ``init_from`` says: a text alone is its path."""

    path: str = ""
    """The path of a ``state_dict`` or a ``.rfz``, the name of a trained network, or ``fusion(A, B, ...)`` of several;
    empty: values are drawn at random."""
    key: str = ""
    """The entry of the file that holds the network, or what the names of its tensors begin with; empty: found by name.

    A dot leads from one entry into the next.
    """
    strict: bool = True
    """Whether the file holds exactly the network's tensors; else those it lacks keep their initial values, and others
    are left out."""
    ignore: tuple[str, ...] = ()
    """Patterns such as ``similarity_*`` of names in the file that are left out."""

    @staticmethod
    def from_dict(value: Any, *, field: str = "init_from") -> Source:
        """Read a text, or a mapping such as ``{path: net.pt, key: ema, strict: false}``.

        Args:
            value: the setting.
            field: its name in errors.

        Raises:
            ValueError: it is anything else.
        """
        if isinstance(value, str):
            source = Source(path=value)
        elif not isinstance(value, Mapping):
            raise ValueError(
                f"{field} is {value!r}: wanted the path of a state_dict, or a trained network's name, "
                "or a mapping such as {path: net.pt, key: ema, strict: false}"
            )
        else:
            source = _from_mapping(value, field)
        fused_parts(source.path, field=field)
        return source

    def to_dict(self) -> Any:
        """The shortest form that means the same: a text where the path says all."""
        chosen: dict[str, Any] = {"key": self.key} if self.key else {}
        if not self.strict:
            chosen["strict"] = False
        if self.ignore:
            chosen["ignore"] = list(self.ignore)
        return {"path": self.path, **chosen} if chosen else self.path

    @property
    def is_one_network(self) -> bool:
        """Whether it means one whole network: neither a part of one, nor several fused."""
        return bool(self.path) and self.strict and not fused_parts(self.path)

    def __str__(self) -> str:
        """The text that reports show, such as ``net.pt (key ema, not strict)``."""
        path = re.sub("#sha256=[0-9a-f]*", "", self.path)
        options = [*([f"key {self.key}"] if self.key else []), *([] if self.strict else ["not strict"])]
        options += [f"without {pattern}" for pattern in self.ignore]
        return f"{path} ({', '.join(options)})" if options else path


def _from_mapping(value: Mapping[Any, Any], field: str) -> Source:
    for key in value:
        if key not in _FIELDS:
            raise ValueError(f"{field} has no {key!r}{nearest(str(key), _FIELDS)}")
    path, key, strict = value.get("path", ""), value.get("key", ""), value.get("strict", True)
    if not isinstance(path, str) or not path:
        raise ValueError(f"{field}.path is {path!r}: wanted the path of a state_dict, or a trained network's name")
    if not isinstance(key, str):
        raise ValueError(f"{field}.key is {key!r}: wanted the name of an entry of the file, as text")
    if not isinstance(strict, bool):
        raise ValueError(f"{field}.strict is {strict!r}: wanted true or false")
    ignore = value.get("ignore", [])
    patterns = [ignore] if isinstance(ignore, str) else ignore
    if not isinstance(patterns, list | tuple) or not all(isinstance(one, str) and one for one in patterns):
        raise ValueError(f"{field}.ignore is {ignore!r}: wanted patterns of names in the file, such as [similarity_*]")
    if fused_parts(path, field=field) and (key or not strict or patterns):
        raise ValueError(f"{field}: {path} takes whole networks: wanted no key, nothing to ignore, and strict: true")
    return Source(path=path, key=key, strict=strict, ignore=tuple(patterns))


def fused_parts(path: str, *, field: str = "init_from") -> list[str]:
    """Return the parts of ``fusion(A, B, ...)``; none if the values come from one place.

    Raises:
        ValueError: there are fewer than two.
    """
    if not (path.startswith("fusion(") and path.endswith(")")):
        return []
    parts = [part.strip() for part in path.removeprefix("fusion(").removesuffix(")").split(",")]
    if len(parts) < 2 or not all(parts):
        raise ValueError(
            f"{field} is {path!r}: wanted fusion(A, B), of two or more files or trained networks' names, "
            "none of which has a comma in it"
        )
    return parts


def values_identity(setting: Any) -> Any:
    """Return what identifies a setting: a pinned file's digest, wherever the file lies, else the setting itself."""
    if isinstance(setting, Mapping):
        return {key: values_identity(item) for key, item in setting.items()}
    if isinstance(setting, list):
        return [values_identity(item) for item in setting]
    if not isinstance(setting, str):
        return setting
    if parts := fused_parts(setting):
        return f"fusion({', '.join(map(values_identity, parts))})"
    return setting.rpartition("#sha256=")[2]
