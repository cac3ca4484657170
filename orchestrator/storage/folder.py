"""A sweep's folder as its journal sees it: files by name, on a disk or in memory; ``mirror`` has the one in a bucket.

A name is relative to the folder and has '/' between its parts. Several processes use one folder at once: each sees what
it wrote itself, and ``refresh`` says when it has to see what others wrote.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shutil
import tempfile
import weakref
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from orchestrator.storage.lease import Lease
from orchestrator.storage.locks import only_one
from trainers.record import write_atomically


class NotSharedError(OSError):
    """What was appended is here, but others cannot see it yet; the next append to the same file brings it as well."""


class AbstractFolder(ABC):
    """Reads, writes, appends, deletes, lists and holds; and has a working copy for those who use files themselves.

    Every verb raises ``OSError`` where the disk or the store does not do as it should.
    """

    @property
    @abstractmethod
    def location(self) -> str:
        """The folder's path or address, the same for every process that uses it."""

    @abstractmethod
    def read(self, name: str) -> bytes | None:
        """The file's content; None where this process knows of no such file."""

    @abstractmethod
    def write(self, name: str, content: bytes) -> None:
        """Replace the whole file: every reader sees the old content or the new one."""

    @abstractmethod
    def append(self, name: str, content: bytes, *, durable: bool = False) -> None:
        """Add to the end of the file, or begin it. A kill may leave a part of ``content``.

        Args:
            name: the file.
            content: what is added.
            durable: whether it must outlast a power failure, which takes time.

        Raises:
            NotSharedError: others cannot see it yet.
        """

    @abstractmethod
    def delete(self, name: str) -> None:
        """Remove the file, where there is one."""

    @abstractmethod
    def names(self, pattern: str) -> list[str]:
        """The names, sorted, of files that this process knows of and ``pattern`` fits: '*' stands for any one part."""

    @abstractmethod
    def hold(self) -> AbstractContextManager[Lease]:
        """Keep every other process from holding the folder until the end.

        Raises:
            SweepError: another process holds it, or it cannot be held at all.
        """

    @abstractmethod
    def path(self, name: str = "") -> Path:
        """Where a file is on this machine; it is brought there if it is missing. Without a name: the working copy.

        There may be no such file: then there is none at the path.
        """

    @abstractmethod
    def share(self, under: str, *, without: Collection[str] = ()) -> None:
        """Let others see the files directly below ``path() / under``, which somebody else may have written.

        Args:
            under: name of a folder in this one.
            without: last parts of names that are left out, as are those that begin with '.'.
        """

    @abstractmethod
    def refresh(self, under: str, *patterns: str) -> None:
        """Learn what others wrote to, or deleted of, the files below ``under`` that a pattern fits, as in ``names``."""

    @abstractmethod
    def close(self) -> None:
        """Remove what only this process needed: its working copy, where that is not the folder itself."""


class LocalFolder(AbstractFolder):
    """A folder on a disk that every process sees: it is its own working copy, and there is nothing to share."""

    def __init__(self, directory: Path) -> None:
        """A folder, which need not exist."""
        self._directory = directory

    @property
    def location(self) -> str:
        return str(self._directory)

    def read(self, name: str) -> bytes | None:
        try:
            return (self._directory / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, name: str, content: bytes) -> None:
        write_atomically(self._directory / name, content)

    def append(self, name: str, content: bytes, *, durable: bool = False) -> None:
        path = self._directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as stream:
            stream.write(content)
            if durable:
                stream.flush()
                os.fsync(stream.fileno())

    def delete(self, name: str) -> None:
        (self._directory / name).unlink(missing_ok=True)

    def names(self, pattern: str) -> list[str]:
        return sorted(glob.glob(pattern, root_dir=self._directory, include_hidden=True))

    @contextlib.contextmanager
    def hold(self) -> Iterator[Lease]:
        with only_one(self._directory):
            yield Lease()  # a lock is not lost

    def path(self, name: str = "") -> Path:
        return self._directory / name

    def share(self, under: str, *, without: Collection[str] = ()) -> None:
        """Everybody sees it."""

    def refresh(self, under: str, *patterns: str) -> None:
        """Everything is seen."""

    def close(self) -> None:
        """The working copy is the folder itself."""


class MemoryFolder(AbstractFolder):
    """A folder that only this process has, and loses at its end. It has a working copy once a path was asked for."""

    def __init__(self) -> None:
        self._files: dict[str, bytearray] = {}
        self._working_copy: Path | None = None

    @property
    def location(self) -> str:
        return "memory"

    def read(self, name: str) -> bytes | None:
        content = self._files.get(name)
        return None if content is None else bytes(content)

    def write(self, name: str, content: bytes) -> None:
        self._files[name] = bytearray(content)

    def append(self, name: str, content: bytes, *, durable: bool = False) -> None:
        self._files.setdefault(name, bytearray()).extend(content)

    def delete(self, name: str) -> None:
        self._files.pop(name, None)
        if self._working_copy is not None:
            (self._working_copy / name).unlink(missing_ok=True)

    def names(self, pattern: str) -> list[str]:
        return matching(self._files, pattern)

    @contextlib.contextmanager
    def hold(self) -> Iterator[Lease]:
        yield Lease()  # no other process has it

    def path(self, name: str = "") -> Path:
        if self._working_copy is None:
            self._working_copy = temporary_directory(self)
        path = self._working_copy / name
        if name in self._files:
            write_atomically(path, bytes(self._files[name]))
        return path

    def share(self, under: str, *, without: Collection[str] = ()) -> None:
        if self._working_copy is None:
            return
        for path in written(self._working_copy / under, without):
            self.write(f"{under}/{path.name}", path.read_bytes())

    def refresh(self, under: str, *patterns: str) -> None:
        """There are no others."""

    def close(self) -> None:
        if self._working_copy is not None:
            shutil.rmtree(self._working_copy, ignore_errors=True)


def temporary_directory(owner: object) -> Path:
    """An empty directory that goes with ``owner``: keep the owner as long as a path in it is used."""
    directory = Path(tempfile.mkdtemp(prefix="ratefront-"))
    weakref.finalize(owner, shutil.rmtree, directory, ignore_errors=True)
    return directory


def written(directory: Path, without: Collection[str]) -> list[Path]:
    """The files directly in ``directory``, in order; those that begin with '.' are not complete yet."""
    paths = directory.iterdir() if directory.is_dir() else ()
    return sorted(path for path in paths if not path.name.startswith(".") and path.name not in without)


def matching(names: Iterable[str], *patterns: str) -> list[str]:
    """Those of ``names``, sorted, that one of the patterns fits: '*' stands for any one part of a name."""
    wanted = re.compile("|".join(re.escape(pattern).replace(r"\*", "[^/]*") for pattern in patterns))
    return sorted(filter(wanted.fullmatch, names))
