"""Finds objects by name: in registries, by the user's own ``module:callable``; errors name the nearest valid choice."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from trainers.echo import echo, shortened
from trainers.nearest import nearest

R = TypeVar("R")
T = TypeVar("T")

_MOST_OF_A_LINE = 1000
"""The most characters that are repeated of somebody else's error."""

TIMM = "timm:"
"""The prefix of timm's architectures: a family of registered names, never a user's own code."""
TRANSFORMERS = "transformers:"
"""The prefix of those of Hugging Face's transformers, likewise."""


class NotImportedError(ValueError):
    """A name in a file means somebody's own code, which the user did not name."""

    def __init__(self, kind: str, name: str) -> None:
        self.name = name
        self.said = f"{kind} {echo(name)} is somebody's own code, which is not imported because a file names it"
        super().__init__(f"{self.said}: pass the callable itself, or allow the import explicitly if you trust it")


def one_line(error: BaseException) -> str:
    """Return the first line of an error's message; torch adds its whole C++ stack."""
    lines = str(error).strip().splitlines()
    return shortened(lines[0], _MOST_OF_A_LINE) if lines else type(error).__name__


def find(kind: str, name: str, registry: Mapping[str, T]) -> T:
    """Return the registered object, or raise a ``ValueError`` that names the nearest one."""
    if name not in registry:
        raise ValueError(f"unknown {kind} {echo(name)}{nearest(name, registry)}")
    return registry[name]


def is_import_path(name: str) -> bool:
    """Whether ``name`` has the form ``package.module:callable`` of a user's own code."""
    return ":" in name and not is_timm(name) and not is_transformers(name)


def is_timm(name: str) -> bool:
    """Whether ``name`` has the form ``timm:NAME`` of an architecture from timm."""
    return name.startswith(TIMM)


def is_transformers(name: str) -> bool:
    """Whether ``name`` has the form ``transformers:CLASS`` of an architecture from Hugging Face's transformers."""
    return name.startswith(TRANSFORMERS)


def import_callable(kind: str, name: str) -> Callable[..., Any]:
    """Import ``package.module:callable``. Runs the module's code: only for names that the user typed.

    Raises:
        ValueError: the module cannot be imported, or has no such callable.
    """
    module_name, _, attribute = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise ValueError(
            f"{kind} {name!r}: cannot import module {module_name!r} ({type(error).__name__}: {one_line(error)}); "
            "it must be importable from the working directory or be installed"
        ) from error
    found = getattr(module, attribute, None)
    if not callable(found):
        public = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise ValueError(
            f"{kind} {name!r}: module {module_name!r} has no callable {attribute!r}{nearest(attribute, public)}"
        )
    return found  # type: ignore[no-any-return]


def check_arguments(kind: str, name: str, function: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that ``function`` does not take; the error names the nearest one that it takes."""
    parameters = inspect.signature(function).parameters
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    for argument in arguments:
        if argument not in parameters:
            raise ValueError(f"{kind} {name!r} has no argument {echo(argument)}{nearest(argument, parameters)}")


def resolve(kind: str, name: str, registry: Mapping[str, Callable[..., R]], *, allow_import: bool) -> Callable[..., R]:
    """Return the registered object or, with ``allow_import``, the user's own ``module:callable``."""
    if not is_import_path(name):
        return find(kind, name, registry)
    if not allow_import:
        raise NotImportedError(kind, name)
    return import_callable(kind, name)


def check_complete(kind: str, name: str, function: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that ``function`` does not take, and the lack of arguments that it needs."""
    check_arguments(kind, name, function, arguments)
    for parameter in inspect.signature(function).parameters.values():
        named = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        if named and parameter.default is parameter.empty and parameter.name not in arguments:
            raise ValueError(f"{kind} {name!r} needs {parameter.name!r}")
