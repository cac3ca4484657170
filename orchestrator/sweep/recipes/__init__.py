"""The recipes: sweeps that ship with ratefront, one YAML file each, named for what it runs."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from orchestrator.errors import SweepError
from trainers.nearest import nearest


def recipe_paths() -> dict[str, Path]:
    """The file of every shipped recipe by its name, sorted."""
    found = (Path(str(entry)) for entry in files(__name__).iterdir() if entry.name.endswith(".yaml"))
    return {path.stem: path for path in sorted(found)}


def find_recipe(name_or_path: str) -> Path:
    """The shipped recipe of that name, or else the file at that path.

    Raises:
        SweepError: there is neither.
    """
    recipes = recipe_paths()
    if name_or_path in recipes:
        return recipes[name_or_path]
    path = Path(name_or_path)
    if path.is_file():
        return path
    if path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        raise SweepError(f"no sweep file {name_or_path!r}: wanted a file, or a recipe{nearest(path.stem, recipes)}")
    raise SweepError(f"unknown recipe {name_or_path!r}{nearest(name_or_path, recipes)}")
