"""Imports the compiled inner loops: from a copy of their sources in the user's cache, beside which numba keeps its own.

numba looks at the time of one source file when it decides whether what it compiled is still right, so an edit of
another file would leave wrong bytes. Here the folder's name is a digest of all sources, and of what else decides what
is compiled: an edit is another folder. It is shared by all installations of one version, also those that Ray unpacks
for a job. A damaged folder is made anew. Where none can be written, the sources are compiled where they are, in memory,
once a process.
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
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType

import platformdirs

from trainers.coding import compiled as originals

ENVIRONMENT = "RATEFRONT_CACHE"
"""The variable that says where compiled code is kept, where that is not the user's cache folder."""
_PATIENCE_S = 60.0
_COMPLETE = "complete"
"""A file that says that everything is compiled."""
_SOURCES = Path(originals.__file__).parent
_OPTIONS = ("NUMBA_BOUNDSCHECK", "NUMBA_DISABLE_JIT", "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_OPT")
"""Variables that change what numba makes; it looks at some of them alone when it loads."""


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
    try:
        is_compiled = (_folder(_SOURCES, cache_folder()) / _COMPLETE).exists()
    except (OSError, RuntimeError):
        is_compiled = False
    if not is_compiled:
        compiled_module("beginning")


@contextlib.contextmanager
def _only_blas() -> Iterator[None]:
    """Give numba the one module of scipy that it asks for, without the package around it.

    That takes as long as all the rest that numba loads before the first call. Afterwards scipy is as it was.
    """
    name = "scipy.linalg.cython_blas"
    module = None
    if name not in sys.modules and importlib.util.find_spec("scipy") is not None:
        import scipy

        spec = PathFinder.find_spec(name, [str(Path(scipy.__file__).parent / "linalg")])
        if spec is not None and spec.loader is not None:
            module = importlib.util.module_from_spec(spec)
            with contextlib.suppress(ImportError):  # where it wants the package after all, numba loads that
                spec.loader.exec_module(module)
                sys.modules[name] = module
    try:
        yield
    finally:
        if sys.modules.get(name) is module:
            sys.modules.pop(name, None)


@_only_blas()
def _loaded(package: str) -> str:
    """``package``, once everything in it is loaded, or compiled."""
    beginning = importlib.import_module(f"{package}.beginning")
    folder = Path(str(sys.modules[package].__file__)).parent
    if (folder / _COMPLETE).exists():
        beginning.compile_all()
        return package
    with _alone(folder / "lock"):
        if not (folder / _COMPLETE).exists():
            logging.getLogger(__name__).warning("compiling the coder, once on this machine: some ten seconds")
        beginning.compile_all()
        (folder / _COMPLETE).touch()
    return package


@functools.cache
def _package() -> str:
    try:
        cache = cache_folder()
        try:
            return _loaded(import_copy(_SOURCES, cache))
        except OSError:
            raise
        except Exception:  # what is damaged raises anything
            _forget(_SOURCES, cache)
            return _loaded(import_copy(_SOURCES, cache))
    except (OSError, RuntimeError) as error:  # the second where there is no home directory
        logging.getLogger(__name__).warning(
            "compiled code cannot be kept (%s): the coder is compiled in each process anew; set %s to a folder that "
            "can be written",
            error,
            ENVIRONMENT,
        )
        return originals.__name__


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold a lock, so that the processes of a node do not all compile the same.

    After a minute, and where the file system has no locks, go on without.
    """
    with path.open("a") as file:
        give_up_at_s = time.monotonic() + _PATIENCE_S
        while time.monotonic() < give_up_at_s:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.1)
            except OSError:
                break
        yield


def cache_folder() -> Path:
    """The folder in which compiled code is kept.

    Raises:
        RuntimeError: there is no home directory.
    """
    said = os.environ.get(ENVIRONMENT)
    return Path(said) if said else platformdirs.user_cache_path("ratefront")


def import_copy(sources: Path, cache: Path) -> str:
    """Import a copy of the package in ``sources``, which lies in ``cache``.

    Returns:
        The name under which it is imported, ``ratefront_coder_<digest>``.

    Raises:
        OSError: no copy can be written, or nothing beside it.
    """
    folder = _folder(sources, cache)
    _copy(sources, folder)
    compiled = folder / "__pycache__"
    compiled.mkdir(exist_ok=True)
    with tempfile.TemporaryFile(dir=compiled):  # numba refuses to load where it cannot write
        pass
    package = _name_of(folder)
    if package not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            package, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        assert spec is not None, "a folder of sources is a package"
        assert spec.loader is not None, "and so has a loader"
        sys.modules[package] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[package])
    return package


def _folder(sources: Path, cache: Path) -> Path:
    digest = hashlib.sha256(_content(sources, _names(sources)))
    digest.update(repr((sys.implementation.cache_tag, metadata.version("numba"), _processor())).encode())
    digest.update(repr([os.environ.get(option, "") for option in _OPTIONS]).encode())
    return cache / f"coder-{digest.hexdigest()[:16]}"


def _name_of(folder: Path) -> str:
    return f"ratefront_{folder.name.replace('-', '_')}"


@functools.cache
def _processor() -> str:
    """What compiled code depends on: the machine and its processor's name and abilities."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = [platform.processor()]
    told = {line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))}
    return repr((platform.machine(), sorted(told) or lines[:1]))


def _names(sources: Path) -> list[str]:
    return sorted(path.name for path in sources.glob("*.py"))


def _content(folder: Path, names: list[str]) -> bytes:
    return b"\0".join(name.encode() + b"\0" + (folder / name).read_bytes() for name in names)


def _copy(sources: Path, folder: Path) -> None:
    """Make ``folder`` with a copy of the sources, at once, so that no other process sees a part of it."""
    names = _names(sources)
    with contextlib.suppress(OSError):
        if _content(folder, names) == _content(sources, names):
            return
    shutil.rmtree(folder, ignore_errors=True)  # something took a file away, or cut it
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        for name in names:
            shutil.copyfile(sources / name, made / name)
        made.chmod(0o755)
        made.rename(folder)
    except OSError:
        if not folder.is_dir():  # else another process was first
            raise
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _forget(sources: Path, cache: Path) -> None:
    """Take the copy away, from the disk and from this process."""
    folder = _folder(sources, cache)
    shutil.rmtree(folder, ignore_errors=True)
    package = _name_of(folder)
    for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        del sys.modules[name]
    importlib.invalidate_caches()
