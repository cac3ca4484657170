"""Imports the compiled inner loops: from a copy of their sources in the user's cache, beside which numba keeps its own.

numba looks at the time of one source file when it decides whether what it compiled is still right, so an edit of
another file would leave wrong bytes. Here the folder's name is a digest of all sources: an edit is another folder. It
is shared by all installations of one version, also those that Ray unpacks for a job. Where no copy can be written, the
sources are compiled where they are, in memory, once a process.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import importlib
import importlib.util
import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import platformdirs

from trainers.coding import compiled as originals

ENVIRONMENT = "RATEFRONT_CACHE"
"""The variable that says where compiled code is kept, where that is not the user's cache folder."""
_PATIENCE_S = 60.0
_FOLDER = "coder-"


@functools.cache
def compiled_module(name: str) -> ModuleType:
    """One of the modules of ``trainers.coding.compiled``: its copy in the cache, or itself where there is none.

    The first call of a process loads what was compiled. The first on a machine compiles it, and says so; others wait.
    """
    return importlib.import_module(f"{_package()}.{name}")


def compile_once() -> None:
    """Compile now, if nothing is compiled on this machine yet, so that the first to need it need not.

    Nothing is loaded where it is.
    """
    sources = Path(originals.__file__).parent
    if not _has_compiled(cache_folder() / f"{_FOLDER}{_digest(sources, _names(sources))}"):
        compiled_module("beginning")


@functools.cache
def _package() -> str:
    package = import_copy(Path(originals.__file__).parent, cache_folder())
    if not package:
        return originals.__name__
    folder = Path(str(sys.modules[package].__file__)).parent
    with _alone(folder / "lock"):
        if not _has_compiled(folder):
            logging.getLogger(__name__).warning("compiling the coder, once on this machine: some ten seconds")
        importlib.import_module(f"{package}.beginning").compile_all()
    return package


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold a lock, so that the processes of a node do not all compile the same; after a minute go on without."""
    with path.open("a") as file:
        give_up_at_s = time.monotonic() + _PATIENCE_S
        while time.monotonic() < give_up_at_s:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                time.sleep(0.1)
        yield


def cache_folder() -> Path:
    """The folder in which compiled code is kept."""
    said = os.environ.get(ENVIRONMENT)
    return Path(said) if said else platformdirs.user_cache_path("ratefront")


def import_copy(sources: Path, cache: Path) -> str:
    """Import a copy of the package in ``sources``, which lies in ``cache``.

    Returns:
        The name under which it is imported, ``ratefront_coder_<digest>``; empty where no copy can be written.
    """
    names = _names(sources)
    digest = _digest(sources, names)
    folder = cache / f"{_FOLDER}{digest}"
    try:
        _copy(sources, names, folder)
        with tempfile.TemporaryFile(dir=folder):  # numba refuses to load where it cannot write
            pass
    except OSError as error:
        logging.getLogger(__name__).warning(
            "%s cannot be written (%s): the coder is compiled in each process anew; set %s to a folder that can be",
            folder,
            error.strerror,
            ENVIRONMENT,
        )
        return ""
    package = f"ratefront_coder_{digest}"
    if package not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            package, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        assert spec is not None, "a folder of sources is a package"
        assert spec.loader is not None, "and so has a loader"
        sys.modules[package] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[package])
    return package


def _names(sources: Path) -> list[str]:
    return sorted(path.name for path in sources.glob("*.py"))


def _digest(sources: Path, names: list[str]) -> str:
    return hashlib.sha256(b"\0".join((sources / name).read_bytes() for name in names)).hexdigest()[:16]


def _has_compiled(folder: Path) -> bool:
    return any(folder.glob("__pycache__/*.nbi"))


def _copy(sources: Path, names: list[str], folder: Path) -> None:
    """Make ``folder`` with a copy of the sources, at once, so that no other process sees a part of it."""
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        for name in names:
            shutil.copyfile(sources / name, made / name)
        made.rename(folder)
    except OSError:
        if not folder.is_dir():  # else another process was first
            raise
    finally:
        shutil.rmtree(made, ignore_errors=True)
