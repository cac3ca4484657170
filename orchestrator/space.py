"""The search space of a sweep as plain data, and the configurations in it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.domains import AbstractDomain, Choice, parse_setting
from trainers import checks
from trainers.config import Spec

Configuration = dict[str, Any]
"""A trial without its seed: ``task``, ``architecture`` and ``method`` with arguments, ``steps``, ``batch_size``; and
``precision`` and ``init_from`` where they are set."""


@dataclass(frozen=True, kw_only=True)
class SpecSpace:
    """A name and its arguments, each a value or a domain, sorted: the order in a file means nothing."""

    name: str
    arguments: dict[str, Any]

    @staticmethod
    def from_dict(kind: str, value: Any) -> SpecSpace:
        """From ``"name"`` or ``{"name": ..., argument: value or domain, ...}``; a method's lists are choices."""
        spec = Spec.from_dict(kind, value)
        for key in spec.arguments:
            if not isinstance(key, str):
                raise ValueError(f"{kind} {spec.name!r} has an argument {key!r}: wanted a name")
        arguments = {
            key: parse_setting(f"{kind} {spec.name!r}: {key}", item, lists_are_choices=kind == "method")
            for key, item in sorted(spec.arguments.items())
        }
        return SpecSpace(name=spec.name, arguments=arguments)

    def may_be(self, pattern: Mapping[str, Any]) -> bool:
        """Whether some value of it has the name and the arguments of ``pattern``, and any others."""
        own = {"name": self.name, **self.arguments}
        return all(
            key in own and (own[key].contains(item) if isinstance(own[key], AbstractDomain) else own[key] == item)
            for key, item in pattern.items()
        )

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, **{key: setting_to_dict(item) for key, item in self.arguments.items()}}


@dataclass(frozen=True, kw_only=True)
class Space:
    """The product of a task, the architectures, the methods, and each one's own domains."""

    task: SpecSpace
    architectures: tuple[SpecSpace, ...]
    methods: tuple[SpecSpace, ...]
    steps: int | AbstractDomain
    batch_size: int | AbstractDomain
    precision: str = "float32"
    init_from: str = ""

    def grid(self, num_values: int) -> Iterator[Configuration]:
        """Architecture by architecture, method by method; the last domain varies fastest."""
        for architecture, method in itertools.product(self.architectures, self.methods):
            branch = self._branch(architecture, method)
            domains = [domain for _, domain in _domains(branch)]
            for values in itertools.product(*(domain.grid(num_values) for domain in domains)):
                yield _filled(branch, values)

    def at(self, fractions: Iterable[float]) -> Configuration:
        """One architecture, one method, then a value of each of their domains, by ``num_fractions`` or fewer."""
        following = iter(fractions)
        return self.choose(lambda name, domain: domain.at(next(following)))

    def choose(self, choose: Callable[[str, AbstractDomain], Any]) -> Configuration:
        """The configuration of what ``choose(name, domain)`` returns: first for ``architecture`` and ``method``, by
        their numbers, then for each domain that these two leave open. A name always has the same domain."""
        architecture = choose("architecture", Choice(range(len(self.architectures))))
        method = choose("method", Choice(range(len(self.methods))))
        branch = self._branch(self.architectures[architecture], self.methods[method])
        names = {"architecture": f"architecture {architecture}", "method": f"method {method}"}
        values = [choose(_renamed(path, names), domain) for path, domain in _domains(branch)]
        return _filled(branch, values)

    def locate(self, configuration: Configuration) -> dict[str, Any] | None:
        """What ``choose`` would have to return for ``configuration``, by name; None where it is not in the space."""
        for numbers in itertools.product(range(len(self.architectures)), range(len(self.methods))):
            branch = self._branch(self.architectures[numbers[0]], self.methods[numbers[1]])
            domains = dict(_domains(branch))
            given = dict(_leaves(configuration, domains))
            if all(path in given and domain.contains(given[path]) for path, domain in domains.items()) and (
                _filled(branch, [given[path] for path in domains]) == configuration
            ):
                names = {"architecture": f"architecture {numbers[0]}", "method": f"method {numbers[1]}"}
                located = {_renamed(path, names): given[path] for path in domains}
                return {"architecture": numbers[0], "method": numbers[1], **located}
        return None

    @property
    def num_fractions(self) -> int:
        """The most that ``at`` needs."""
        pairs = itertools.product(self.architectures, self.methods)
        return 2 + max(len(list(_domains(self._branch(*pair)))) for pair in pairs)

    @property
    def ranges(self) -> list[set[str]]:
        """Of each pair of an architecture and a method, where it has domains that are no choices."""
        return [
            {
                _renamed(path, {"architecture": f"architecture {one}", "method": f"method {other}"})
                for path, domain in _domains(self._branch(self.architectures[one], self.methods[other]))
                if not isinstance(domain, Choice)
            }
            for one, other in itertools.product(range(len(self.architectures)), range(len(self.methods)))
        ]

    def _branch(self, architecture: SpecSpace, method: SpecSpace) -> dict[str, Any]:
        specs = {"task": self.task, "architecture": architecture, "method": method}
        return {
            **{kind: {"name": spec.name, **spec.arguments} for kind, spec in specs.items()},
            "steps": self.steps,
            "batch_size": self.batch_size,
            **({"precision": self.precision} if self.precision != "float32" else {}),
            **({"init_from": self.init_from} if self.init_from else {}),
        }


def parse_specs(kind: str, value: Any) -> tuple[SpecSpace, ...]:
    """From one spec or a list of specs."""
    if value == []:
        raise ValueError(f"{kind} is []: wanted at least one")
    return tuple(SpecSpace.from_dict(kind, item) for item in (value if isinstance(value, list) else [value]))


def parse_count(name: str, value: Any) -> int | AbstractDomain:
    """A whole number of at least one, or a domain of such numbers."""
    setting = parse_setting(name, value, lists_are_choices=True)
    for item in setting.grid(2) if isinstance(setting, AbstractDomain) else [setting]:
        checks.integer(name, item, low=1)
    return setting  # type: ignore[no-any-return]


def setting_to_dict(setting: Any) -> Any:
    """The inverse of ``parse_setting``."""
    return setting.to_dict() if isinstance(setting, AbstractDomain) else setting


def identity(configuration: Configuration) -> str:
    """Text that is equal for equal configurations."""
    return json.dumps(configuration, sort_keys=True)


Path = tuple[str, ...]


def _domains(tree: Mapping[str, Any], path: Path = ()) -> Iterator[tuple[Path, AbstractDomain]]:
    """Where ``tree`` has domains, and which."""
    for key, item in tree.items():
        if isinstance(item, AbstractDomain):
            yield (*path, key), item
        elif isinstance(item, Mapping):
            yield from _domains(item, (*path, key))


def _filled(tree: Mapping[str, Any], values: Iterable[Any]) -> Configuration:
    """``tree`` with the next of ``values`` in place of each domain."""
    following = iter(values)

    def fill(item: Any) -> Any:
        if isinstance(item, AbstractDomain):
            return next(following)
        return {key: fill(part) for key, part in item.items()} if isinstance(item, Mapping) else item

    return {key: fill(item) for key, item in tree.items()}


def _leaves(tree: Any, paths: Iterable[Path]) -> Iterator[tuple[Path, Any]]:
    """What ``tree`` has at each of ``paths``, where it has something."""
    for path in paths:
        item = tree
        for key in path:
            if not isinstance(item, Mapping) or key not in item:
                break
            item = item[key]
        else:
            yield path, item


def _renamed(path: Path, names: Mapping[str, str]) -> str:
    return ".".join((names.get(path[0], path[0]), *path[1:]))
