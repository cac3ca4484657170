"""What a command runs: a recipe, a sweep file, or flags alone; flags and --set change what a file says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from orchestrator.sweep.definition import Sweep

Source = Annotated[
    str | None,
    typer.Argument(metavar="RECIPE|FILE.yaml", help="A shipped recipe, or a sweep file.", show_default=False),
]
TaskName = Annotated[str | None, typer.Option("--task", help="Task, or module:callable.", show_default=False)]
ArchitectureName = Annotated[
    str | None, typer.Option("--architecture", help="Architecture, or module:callable.", show_default=False)
]
MethodName = Annotated[str | None, typer.Option("--method", help="Compression method.", show_default=False)]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one field, such as method.lam=0.1.", show_default=False),
]
NoBaselines = Annotated[
    bool, typer.Option("--no-baselines", help="With --method and no file: without ptq and uncompressed beside it.")
]
Name = Annotated[str | None, typer.Option(help="Name of the sweep and its experiment.", show_default=False)]


def read_sweep(
    source: str | None,
    task: str | None,
    architecture: str | None,
    method: str | None,
    overrides: list[str] | None,
    name: str | None,
    no_baselines: bool = False,
) -> Sweep:
    """The sweep of a recipe or file, or of flags alone; flags and ``--set`` change what a file says."""
    from orchestrator.errors import SweepError
    from orchestrator.sweep.definition import Sweep
    from orchestrator.sweep.file import load_document
    from orchestrator.sweep.overrides import apply_overrides, document_from_flags
    from orchestrator.sweep.recipes import find_recipe

    flags = {"task": task, "architecture": architecture, "method": method, "name": name}
    given = {key: value for key, value in flags.items() if value is not None}
    if source is not None and no_baselines:
        raise SweepError(f"{source} says itself which methods run: --no-baselines is for flags alone")
    if source is not None:
        document = {**load_document(find_recipe(source)), **given}
    elif task is None or architecture is None or method is None:
        missing = ", ".join(f"--{key}" for key in ("task", "architecture", "method") if key not in given)
        raise SweepError(f"nothing to run: give a recipe or a sweep file, or {missing} as well")
    else:
        parts = document_from_flags(task=task, architecture=architecture, method=method, baselines=not no_baselines)
        document = {**given, **parts, **({"name": name} if name is not None else {})}
    return Sweep.from_dict(apply_overrides(document, overrides or []), source=source or "")
