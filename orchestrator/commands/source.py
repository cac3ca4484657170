"""Which sweep a command runs: a recipe, a sweep file, or flags alone; flags and --set change what a file says."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

if TYPE_CHECKING:
    from orchestrator.sweep.definition import Sweep


@dataclass(frozen=True, kw_only=True)
class SweepSource:
    """What the command line says of the sweep to run; each field is an argument or option of the command."""

    recipe_or_file: Annotated[
        str | None,
        typer.Argument(metavar="RECIPE|FILE.yaml", help="A shipped recipe, or a sweep file.", show_default=False),
    ] = None
    task: Annotated[
        str | None, typer.Option("--task", help="Task, or module:callable, or {name: ..., ...}.", show_default=False)
    ] = None
    architecture: Annotated[
        str | None,
        typer.Option(
            "--architecture", help="Architecture, or module:callable, or {name: ..., ...}.", show_default=False
        ),
    ] = None
    method: Annotated[str | None, typer.Option("--method", help="Compression method.", show_default=False)] = None
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change one field, such as method.lam=0.1.", show_default=False
        ),
    ] = None
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            min=0,
            help="Optimiser steps of each training; 0 stores what init_from gives.",
            show_default=False,
        ),
    ] = None
    epochs: Annotated[
        float | None,
        typer.Option("--epochs", min=0, help="Passes over the training data, in place of steps.", show_default=False),
    ] = None
    name: Annotated[str | None, typer.Option(help="Name of the sweep and its experiment.", show_default=False)] = None
    no_baselines: Annotated[
        bool, typer.Option("--no-baselines", help="With --method and no file: without ptq and uncompressed beside it.")
    ] = False
    max_size: Annotated[
        list[str] | None,
        typer.Option(
            "--max-size",
            help="The most bytes of the file, such as 2kB: one training aims at it. May be repeated. Method epr, where "
            "none is named.",
            show_default=False,
        ),
    ] = None

    def read(self) -> Sweep:
        """The sweep of the recipe or file, or of the flags alone; flags and ``--set`` change what a file says.

        Raises:
            SweepError: the flags describe no sweep, or something in it is wrong.
        """
        from orchestrator.errors import SweepError
        from orchestrator.sweep.definition import Sweep
        from orchestrator.sweep.file import load_document
        from orchestrator.sweep.overrides import (
            aimed,
            apply_overrides,
            document_from_flags,
            spec_from_flag,
            with_paths,
        )
        from orchestrator.sweep.recipes import find_recipe

        source, name = self.recipe_or_file, self.name
        task, architecture = (
            None if text is None else spec_from_flag(kind, text)
            for kind, text in (("task", self.task), ("architecture", self.architecture))
        )
        method = self.method or ("epr" if self.max_size and source is None else None)
        flags = {"task": task, "architecture": architecture, "method": method, "name": name}
        given = {key: value for key, value in flags.items() if value is not None}
        lengths = [
            f"{key}={value}" for key, value in (("steps", self.steps), ("epochs", self.epochs)) if value is not None
        ]
        if len(lengths) > 1:
            raise SweepError("--steps and --epochs say how long a training is: wanted one of them")
        if self.epochs == 0:  # in a file it leaves the length to steps, and these have a default
            raise SweepError("--epochs is 0: wanted a number above 0; --steps 0 stores what init_from gives")
        if source is not None and self.no_baselines:
            raise SweepError(f"{source} says itself which methods run: --no-baselines is for flags alone")
        if source is not None:
            document = {**load_document(find_recipe(source)), **given}
        elif task is None or architecture is None or method is None:
            missing = ", ".join(f"--{key}" for key in ("task", "architecture", "method") if key not in given)
            raise SweepError(f"nothing to run: give a recipe or a sweep file, or {missing} as well")
        else:
            parts = document_from_flags(
                task=task, architecture=architecture, method=method, baselines=not self.no_baselines
            )
            document = {**given, **parts, **({"name": name} if name is not None else {})}
        if self.max_size:
            document = aimed(document, self.max_size)
        document = apply_overrides(document, [*lengths, *(self.overrides or [])])
        return Sweep.from_dict(document if source is not None else with_paths(document), source=source or "")


def with_sweep_source(command: Callable[..., None]) -> Callable[..., None]:
    """Replace a command's parameter ``source`` by the fields of ``SweepSource``, as typer reads a signature.

    The command itself is handed a ``SweepSource``, which it reads when it has checked its other options.
    """
    signature = inspect.signature(command, eval_str=True)
    hints = get_type_hints(SweepSource, include_extras=True)
    ours = [
        inspect.Parameter(
            field.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=field.default, annotation=hints[field.name]
        )
        for field in fields(SweepSource)
    ]
    parameters = [
        one
        for parameter in signature.parameters.values()
        for one in (ours if parameter.name == "source" else [parameter])
    ]

    @functools.wraps(command)
    def run(**options: Any) -> None:
        source = SweepSource(**{field.name: options.pop(field.name) for field in fields(SweepSource)})
        command(source=source, **options)

    vars(run)["__signature__"] = signature.replace(parameters=parameters)
    return run
