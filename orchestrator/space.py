"""The search space of a sweep as plain data, and the configurations in it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from orchestrator.domains import AbstractDomain, parse_setting
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
            domains: list[AbstractDomain] = []
            _fill(branch, domains.append)
            for values in itertools.product(*(domain.grid(num_values) for domain in domains)):
                yield _filled(branch, iter(values))

    def draw(self, generator: Random) -> Configuration:
        """One architecture, one method, then a value of each of their domains."""
        architecture = self.architectures[int(generator.random() * len(self.architectures))]
        method = self.methods[int(generator.random() * len(self.methods))]
        return _fill(self._branch(architecture, method), lambda domain: domain.draw(generator))

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


def _filled(tree: Mapping[str, Any], values: Iterator[Any]) -> dict[str, Any]:
    """``tree`` with the next of ``values`` in place of each domain."""
    return _fill(tree, lambda _: next(values))


def _fill(tree: Mapping[str, Any], choose: Callable[[AbstractDomain], Any]) -> dict[str, Any]:
    """``tree`` with ``choose(domain)`` in place of each domain, visited in order."""
    filled: dict[str, Any] = {}
    for key, item in tree.items():
        if isinstance(item, AbstractDomain):
            filled[key] = choose(item)
        else:
            filled[key] = _fill(item, choose) if isinstance(item, Mapping) else item
    return filled
