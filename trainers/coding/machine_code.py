"""Calls the compiled loops: machine code, which is made once on a machine and kept in the user's cache.

The file's name holds a digest of all that decides what is in it: the sources, the compiler's version and settings, and
the processor. So an edit is another file, and all installations of one version share it, also those that Ray unpacks
for a job. A damaged file is made anew. Where none can be written, each process compiles for itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import functools
import hashlib
import logging
import os
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np

from trainers.coding.compiled.entries import ENTRIES

ENVIRONMENT = "RATEFRONT_CACHE"
"""The variable that says where machine code is kept, where that is not the user's cache folder."""
PREFIX = "ratefront_"
"""What the name of each function in the file begins with."""
_PATIENCE_S = 60.0
_SOURCES = Path(__file__).parent / "compiled"
_OPTIONS = ("NUMBA_BOUNDSCHECK", "NUMBA_OPT")
"""Variables that change what numba makes."""


def call(name: str, /, *arguments: Any) -> int:
    """Call an entry of ``compiled/entries.py``; returns its result, or 0 where it has none.

    Args:
        name: of the entry.
        arguments: of the types of the entry's examples. Arrays are contiguous, and what it fills is writable.

    Raises:
        TypeError: an argument is of another type, of which compiled code would make nonsense.
        IndexError: an index is out of bounds, which is looked at only where ``NUMBA_BOUNDSCHECK`` is set.
    """
    block = array("q", (0, 0))  # where the result goes, and what is wrong
    for argument, example in zip(arguments, ENTRIES[name][1], strict=True):
        _flatten(argument, example, block)
    address = block.buffer_info()[0]
    if _functions()[name](address, address + 8, address + 16):
        raise IndexError(f"{name} left the bounds of an array")
    return block[0]


class Packed:
    """An argument that is checked and laid out already; for a tuple that is passed many times."""

    def __init__(self, value: tuple[Any, ...]) -> None:
        """Lay out ``value``, of one of the types of ``compiled/entries.py``, whose arrays stay where they are."""
        self._value, self.kind, self.block = value, type(value), array("q")
        _flatten(value, _EXAMPLES[self.kind], self.block)


_EXAMPLES = {type(one): one for _, examples in ENTRIES.values() for one in examples if isinstance(one, tuple)}


def compile_once() -> None:
    """Compile now, if nothing is compiled on this machine yet, so that the first to need it need not.

    Nothing is loaded where it is.
    """
    with contextlib.suppress(OSError, RuntimeError):
        if _path().exists():
            return
    _functions()


def cache_folder() -> Path:
    """The folder in which machine code is kept.

    Raises:
        RuntimeError: there is no home directory.
    """
    if said := os.environ.get(ENVIRONMENT):
        return Path(said)
    import platformdirs

    return platformdirs.user_cache_path("ratefront")


def _flatten(value: Any, example: Any, block: array[int]) -> None:
    """Append ``value`` as ``compilation.py`` unpacks it."""
    if isinstance(value, Packed):
        if value.kind is not type(example):
            raise TypeError(f"compiled code takes {type(example).__name__}: got {value.kind.__name__}")
        block.extend(value.block)
    elif isinstance(example, np.ndarray):
        if (
            value.dtype != example.dtype
            or value.ndim != example.ndim
            or not (value.flags.c_contiguous and value.flags.aligned)
        ):
            raise TypeError(f"compiled code takes a contiguous {example.dtype} array of {example.ndim} dimensions")
        block.append(value.ctypes.data)
        block.extend(value.shape)
    elif isinstance(example, tuple):
        for part, like in zip(value, example, strict=True):
            _flatten(part, like, block)
    else:
        block.append(int(value))


@functools.cache
def _functions() -> dict[str, Callable[..., int]]:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    code = _machine_code()
    engine = llvm.create_mcjit_compiler(
        llvm.parse_assembly(""), llvm.Target.from_default_triple().create_target_machine(jit=True)
    )
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _kept.append(engine)
    prototype = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    return {name: prototype(engine.get_function_address(PREFIX + name)) for name in ENTRIES}


_kept: list[Any] = []
"""What owns the machine code, which goes when its owner goes."""


def _machine_code() -> bytes:
    """The object file, from the cache, or made now."""
    try:
        path = _path()
        code = _read(path)
        if code is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            with _alone(path.with_suffix(".lock")):
                code = _read(path)
                if code is None:
                    logging.getLogger(__name__).warning("compiling the coder, once on this machine: some ten seconds")
                    code = _compiled()
                    _write(path, code)
    except (OSError, RuntimeError) as error:  # the second where there is no home directory
        logging.getLogger(__name__).warning(
            "compiled code cannot be kept (%s): the coder is compiled in each process anew; set %s to a folder that "
            "can be written",
            error,
            ENVIRONMENT,
        )
        code = _compiled()
    return code


@functools.cache
def _compiled() -> bytes:
    from trainers.coding.compilation import compile_object  # numba takes longer to load than small files to read

    return compile_object(_SOURCES, PREFIX)


def _path() -> Path:
    digest = hashlib.sha256(repr((metadata.version("numba"), metadata.version("llvmlite"))).encode())
    digest.update(repr((llvm.get_default_triple(), llvm.get_host_cpu_name())).encode())
    digest.update(repr(sorted(llvm.get_host_cpu_features().items())).encode())
    digest.update(repr([os.environ.get(option, "") for option in _OPTIONS]).encode())
    for path in (Path(__file__).with_name("compilation.py"), *sorted(_SOURCES.glob("*.py"))):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return cache_folder() / f"coder-{digest.hexdigest()[:16]}.o"


def _read(path: Path) -> bytes | None:
    """The object file in ``path``, after its checksum; None where there is none, or a damaged one."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    checksum, code = content[:32], content[32:]
    return code if hashlib.sha256(code).digest() == checksum else None


def _write(path: Path, code: bytes) -> None:
    """Write the file at once, so that no other process sees a part of it."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
        try:
            file.write(hashlib.sha256(code).digest() + code)
            file.close()
            os.chmod(file.name, 0o644)  # others may share the folder
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


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
