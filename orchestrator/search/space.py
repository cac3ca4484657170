"""The search space of a sweep as plain data, and the configurations that lie in it."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from orchestrator.search.domains import DOMAINS, AbstractDomain, Choice, IntegerRange, parse_setting
from trainers import checks, paths, training_settings
from trainers.config import Spec, in_order, is_in_turn, modifiers_from_dict
from trainers.echo import echo
from trainers.path_label import is_aim

Configuration = dict[str, Any]
"""A trial without its seed: ``task``, ``architecture`` and ``method`` with arguments, ``steps``, ``batch_size``; and
``init_from``, ``modifiers`` and training settings where they are set."""
LISTS_ARE_CHOICES = ("method", "modifier")
"""Kinds whose arguments may be lists of choices; for a task or an architecture a list is one value."""


@dataclass(frozen=True, kw_only=True)
class SpecSpace:
    """A name and its arguments, each a value or a domain, sorted, since their order in a file means nothing."""

    name: str
    arguments: dict[str, Any]

    @staticmethod
    def from_dict(kind: str, value: Any) -> SpecSpace:
        """Read ``"name"`` or ``{"name": ..., argument: value or domain, ...}``.

        A list is a choice for the kinds in ``LISTS_ARE_CHOICES``, and a value for the others.
        """
        spec = Spec.from_dict(kind, value)
        for key in spec.arguments:
            if not isinstance(key, str):
                raise ValueError(f"{kind} {spec.name!r} has an argument {key!r}: wanted a name")
        arguments = {
            key: _parse_argument(f"{kind} {spec.name!r}: {key}", item, lists_are_choices=kind in LISTS_ARE_CHOICES)
            for key, item in sorted(spec.arguments.items())
        }
        return SpecSpace(name=spec.name, arguments=arguments)

    def may_be(self, pattern: Mapping[str, Any]) -> bool:
        """Whether one of its values has the name and the arguments in ``pattern``, whatever its other arguments."""
        own = {"name": self.name, **self.arguments}
        return all(
            key in own and (own[key].contains(item) if isinstance(own[key], AbstractDomain) else own[key] == item)
            for key, item in pattern.items()
        )

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, **{key: setting_to_dict(item) for key, item in self.arguments.items()}}


@dataclass(frozen=True, kw_only=True)
class Space:
    """The product of architectures, methods, sets of modifiers and settings for one task, and of the domains of each.

    A branch has one of each; a configuration fills a branch's domains.
    """

    task: SpecSpace
    architectures: tuple[SpecSpace, ...]
    methods: tuple[SpecSpace, ...]
    steps: int | AbstractDomain
    batch_size: int | AbstractDomain
    init_from: Any = ""
    modifiers: tuple[tuple[SpecSpace, ...], ...] = ((),)
    """Alternative sets; the modifiers of one set act together."""
    settings: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """The alternatives of each training setting that is not at its default, by its name: for optimisers and schedules
    one or more specs, for others a value or a domain."""

    def grid(self, num_values: int) -> Iterator[Configuration]:
        """All configurations, branch by branch, with ``num_values`` of each range; the last domain varies fastest."""
        for numbers in self._numbers():
            branch = self._branch(numbers)
            domains = [domain for _, domain in _domains(branch)]
            for values in itertools.product(*(domain.grid(num_values) for domain in domains)):
                yield _filled(branch, values)

    def at(self, fractions: Iterable[float]) -> Configuration:
        """The configuration at ``fractions``: of the parts of its branch as ``choose`` has them, then of each domain.

        Args:
            fractions: ``num_fractions`` of them, from 0 to below 1; a branch with fewer domains leaves some unused.
        """
        following = iter(fractions)
        return self.choose(lambda name, domain: domain.at(next(following)))

    def choose(self, choose: Callable[[str, AbstractDomain], Any]) -> Configuration:
        """The configuration of the values that ``choose(name, domain)`` returns.

        It is asked first for the numbers of the architecture, the method and, where there are several, the set of
        modifiers, the optimiser and the schedule, then for a value of each domain of that branch. A name always has the
        same domain.
        """
        asked = self._asked
        numbers = {
            kind: choose(kind, Choice(range(len(parts)))) if kind in asked else 0
            for kind, parts in self._alternatives.items()
        }
        branch = self._branch(numbers)
        names = self._names(numbers)
        values = [choose(_renamed(path, names), domain) for path, domain in _domains(branch)]
        return _filled(branch, values)

    def locate(self, configuration: Configuration) -> dict[str, Any] | None:
        """What ``choose`` has to return to get ``configuration``, by name; None where the space has no such one."""
        complete = {**training_settings.DEFAULTS, **configuration}
        for numbers in self._numbers():
            branch = self._branch(numbers)
            domains = dict(_domains(branch))
            given = {path: _chosen(domains[path], item) for path, item in _leaves(complete, domains)}
            if all(path in given and domain.contains(given[path]) for path, domain in domains.items()) and (
                _filled(branch, [given[path] for path in domains]) == configuration
            ):
                names = self._names(numbers)
                located = {_renamed(path, names): given[path] for path in domains}
                return {**{kind: numbers[kind] for kind in self._asked}, **located}
        return None

    def branches(self) -> Iterator[Space]:
        """The space in parts of one branch each."""
        for numbers in self._numbers():
            yield replace(
                self,
                architectures=(self.architectures[numbers["architecture"]],),
                methods=(self.methods[numbers["method"]],),
                modifiers=(self.modifiers[numbers["modifiers"]],),
                settings={name: (parts[numbers[name]],) for name, parts in self.settings.items()},
            )

    @property
    def num_fractions(self) -> int:
        """The most fractions that ``at`` takes."""
        num_domains = max(len(list(_domains(self._branch(numbers)))) for numbers in self._numbers())
        return len(self._asked) + num_domains

    @property
    def ranges(self) -> list[set[str]]:
        """The names of each branch's domains that are ranges, not choices."""
        return [
            {
                _renamed(path, self._names(numbers))
                for path, domain in _domains(self._branch(numbers))
                if not isinstance(domain, Choice)
            }
            for numbers in self._numbers()
        ]

    @property
    def _alternatives(self) -> dict[str, Sequence[Any]]:
        """What a branch has one of, by kind."""
        parts = {"architecture": self.architectures, "method": self.methods, "modifiers": self.modifiers}
        return {**parts, **self.settings}

    @property
    def _asked(self) -> list[str]:
        """The kinds of which there is something to choose; architecture and method are always asked for."""
        return [kind for kind, parts in self._alternatives.items() if kind in _ALWAYS_ASKED or len(parts) > 1]

    def _numbers(self) -> Iterator[dict[str, int]]:
        """The branches, each as the number of its alternative of each kind."""
        alternatives = self._alternatives
        for numbers in itertools.product(*(range(len(parts)) for parts in alternatives.values())):
            yield dict(zip(alternatives, numbers, strict=True))

    def _names(self, numbers: Mapping[str, int]) -> dict[str, str]:
        """How the names of a branch's domains begin, keyed by how their paths begin."""
        return {kind: f"{kind} {numbers[kind]}" for kind in self._asked}

    def _branch(self, numbers: Mapping[str, int]) -> dict[str, Any]:
        chosen = {kind: parts[numbers[kind]] for kind, parts in self._alternatives.items()}
        specs = {"task": self.task, "architecture": chosen["architecture"], "method": chosen["method"]}
        settings = {name: chosen[name] for name in self.settings}
        return {
            **{kind: _tree(spec) for kind, spec in specs.items()},
            "steps": self.steps,
            "batch_size": self.batch_size,
            **{name: _tree(item) if isinstance(item, SpecSpace) else item for name, item in settings.items()},
            **({"init_from": self.init_from} if self.init_from else {}),
            **(
                {"modifiers": {spec.name: spec.arguments for spec in chosen["modifiers"]}}
                if chosen["modifiers"]
                else {}
            ),
        }


_ALWAYS_ASKED = ("architecture", "method")


def _tree(spec: SpecSpace) -> dict[str, Any]:
    return {"name": spec.name, **spec.arguments}


def parse_specs(kind: str, value: Any) -> tuple[SpecSpace, ...]:
    """Read one spec or a list of specs."""
    if value == []:
        raise ValueError(f"{kind} is []: wanted at least one")
    return tuple(SpecSpace.from_dict(kind, item) for item in (value if isinstance(value, list) else [value]))


def parse_modifiers(value: Any) -> tuple[tuple[SpecSpace, ...], ...]:
    """Read one set of modifiers, ``{disout: {alpha: [1, 5]}, unit_sphere: true}``, or a list of alternative sets."""
    if value == []:
        raise ValueError("modifiers is []: wanted a mapping from names to settings, or a list of at least one")
    return tuple(
        tuple(
            SpecSpace.from_dict("modifier", {**settings, "name": name})
            for name, settings in sorted(modifiers_from_dict(one).items())
        )
        for one in (value if isinstance(value, list | tuple) else [value])
    )


def parse_count(name: str, value: Any, *, low: int = 1) -> int | AbstractDomain:
    """Read a whole number of at least ``low``, or a domain of such numbers."""
    return parse_checked(name, value, lambda item: checks.integer(name, item, low=low))  # type: ignore[no-any-return]


def parse_checked(name: str, value: Any, check: Callable[[Any], None]) -> Any:
    """Read a value that passes ``check``, or a domain of such values; a list is a choice."""
    setting = parse_setting(name, value, lists_are_choices=True)
    for item in setting.grid(2) if isinstance(setting, AbstractDomain) else [setting]:
        check(item)
    return setting


def _parse_argument(where: str, value: Any, *, lists_are_choices: bool) -> Any:
    """Read a setting; a mapping with a name, such as a teacher's architecture, is a value and no domain.

    So is a mapping of mappings, such as settings by patterns of tensor names; there each setting may be a domain.
    """
    _refuse_infinite(where, value)
    if (isinstance(value, Mapping) and "name" in value) or is_in_turn(value):  # whose files are no choices, but repeats
        return dict(value)
    if is_aim(value):  # of a rate knob: one size, or several to be aimed at
        return {key: parse_setting(f"{where}: {key}", item, lists_are_choices=True) for key, item in value.items()}
    if isinstance(value, Mapping) and "path" in value:  # of a rate knob: what it passes in turn is one value
        return {key: _parse_in_path(f"{where}: {key}", item) for key, item in value.items()}
    if isinstance(value, Mapping) and all(_are_settings(key, item) for key, item in value.items()):
        return {
            key: {
                name: parse_setting(f"{where}: {key!r}: {name}", setting, lists_are_choices=lists_are_choices)
                for name, setting in sorted(item.items(), key=lambda pair: str(pair[0]))
            }
            for key, item in value.items()
        }
    if isinstance(value, Mapping) and lists_are_choices and any(key in paths.PARTS for key in value):
        raise ValueError(f"{where} is {echo(value)}: 'path' is missing: wanted a value, or {paths.WANTED}")
    return parse_setting(where, value, lists_are_choices=lists_are_choices)


def _refuse_infinite(where: str, value: Any) -> None:
    """Refuse NaN, infinity and what no float can hold anywhere in a setting.

    Raises:
        ValueError: one is there; the line begins with ``where``.
    """
    found = [value]
    for item in found:  # which grows by what is in it
        if isinstance(item, int | float) and not -sys.float_info.max <= item <= sys.float_info.max:
            raise ValueError(f"{where} is {echo(value)}: wanted finite numbers, and {echo(item)} is none")
        found += item.values() if isinstance(item, Mapping) else item if isinstance(item, list) else []


def _parse_in_path(where: str, value: Any) -> Any:
    """Read what stands in a path: a list of the knob's values, a row of them, or one of its settings."""
    if isinstance(value, list):
        return value
    if isinstance(value, Mapping) and "from" in value:
        return {key: parse_setting(f"{where}: {key}", item, lists_are_choices=True) for key, item in value.items()}
    return parse_setting(where, value, lists_are_choices=True)


def _are_settings(key: Any, value: Any) -> bool:
    return isinstance(key, str) and key not in DOMAINS and isinstance(value, Mapping)


def setting_to_dict(setting: Any) -> Any:
    """A setting as a sweep file writes it, with all domains in it."""
    if isinstance(setting, Mapping):
        return {key: setting_to_dict(item) for key, item in setting.items()}
    return setting.to_dict() if isinstance(setting, AbstractDomain) else setting


def identity(configuration: Configuration) -> str:
    """Text that is equal for equal configurations."""
    return json.dumps(in_order(configuration), sort_keys=True)


def without_numbers(modifiers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Modifiers and their settings, without the settings that are numbers."""
    return {
        name: {
            key: item for key, item in settings.items() if isinstance(item, bool) or not isinstance(item, int | float)
        }
        for name, settings in modifiers.items()
    }


def settings_without_numbers(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Training settings without what does not decide how long a step takes, nor whether it can be taken."""
    return {
        name: item if name in ("precision", "accumulate") else item["name"] if isinstance(item, Mapping) else True
        for name, item in settings.items()
    }


Path = tuple[str, ...]


def _domains(tree: Mapping[str, Any], path: Path = ()) -> Iterator[tuple[Path, AbstractDomain]]:
    """Each domain in ``tree`` and its path."""
    for key, item in tree.items():
        if isinstance(item, AbstractDomain):
            yield (*path, key), item
        elif isinstance(item, Mapping):
            yield from _domains(item, (*path, key))


def _filled(tree: Mapping[str, Any], values: Iterable[Any]) -> Configuration:
    """``tree`` with the next of ``values`` in place of each domain, without training settings at their defaults."""
    following = iter(values)

    def fill(item: Any) -> Any:
        if isinstance(item, AbstractDomain):
            return next(following)
        return {key: fill(part) for key, part in item.items()} if isinstance(item, Mapping) else item

    filled = {key: fill(item) for key, item in tree.items()}
    defaults = training_settings.DEFAULTS
    return {key: item for key, item in filled.items() if key not in defaults or item != defaults[key]}


def _chosen(domain: AbstractDomain, value: Any) -> Any:
    """What was chosen where a trial has ``value``: whole numbers of epochs, say, are recorded as floats."""
    return int(value) if isinstance(domain, IntegerRange) and isinstance(value, float) and value.is_integer() else value


def _leaves(tree: Any, paths: Iterable[Path]) -> Iterator[tuple[Path, Any]]:
    """The item of ``tree`` at each of ``paths`` that it has."""
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
