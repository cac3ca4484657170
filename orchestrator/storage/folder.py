"""A sweep's folder as the journal uses it: files by name, on a disk or in memory (``mirror``: in an object store).

A name is relative to the folder, with '/' between its parts. Several processes use one folder at once. Each sees what
it wrote itself; it sees what others wrote after a ``refresh``, or sooner.
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
from typing import final

from orchestrator.storage.lease import Lease
from orchestrator.storage.locks import only_one
from trainers.full_disk import naming
from trainers.record import write_atomically


class NotSharedError(OSError):
    """What was appended is here, but others cannot see it yet; the next append to that file sends both."""


class AbstractFolder(ABC):
    """Six verbs for files: ``read``, ``write``, ``append``, ``delete``, ``names``, ``hold``.

    Trainings and figures write files themselves, so there is also a working copy on this machine: ``path`` says where,
    ``share`` lets others see it, ``refresh`` brings it up to date, ``close`` removes it.

    Every verb raises ``OSError`` where the disk or the store fails.
    """

    @property
    @abstractmethod
    def location(self) -> str:
        """The folder's path or address, the same for every process that uses it."""

    @abstractmethod
    def read(self, name: str) -> bytes | None:
        """The file's content; None if this process knows of no such file."""

    @abstractmethod
    def write(self, name: str, content: bytes) -> None:
        """Replace the whole file: every reader sees the old content or the new one."""

    @abstractmethod
    def append(self, name: str, content: bytes, *, durable: bool = False) -> None:
        """Add to the end of the file, or begin the file: all of ``content``, or nothing where there is an error.

        A kill may leave a part of it.

        Args:
            name: the file.
            content: what is added.
            durable: whether it must outlast a power failure; that makes the call slower.

        Raises:
            NotSharedError: others cannot see it yet.
        """

    @abstractmethod
    def delete(self, name: str) -> None:
        """Remove the file if there is one."""

    @abstractmethod
    def names(self, pattern: str) -> list[str]:
        """The sorted names that match ``pattern``, of files that this process knows of.

        In a pattern '*' stands for any text without '/'.
        """

    @abstractmethod
    def hold(self) -> AbstractContextManager[Lease]:
        """Hold the folder within a ``with`` block: no other process can hold it meanwhile.

        Raises:
            SweepError: another process holds it, or it cannot be held at all.
        """

    @abstractmethod
    def path(self, name: str = "") -> Path:
        """Where the file is on this machine; without a name, where the working copy is.

        A file that is missing in the working copy is brought there. If the folder has no such file, nothing is there.
        """

    @abstractmethod
    def share(self, under: str, *, without: Collection[str] = ()) -> None:
        """Let others see the files that lie directly in ``path() / under``, whoever wrote them there.

        Args:
            under: the name of a folder in this one.
            without: files to leave out, by the last part of their names. Those that begin with '.' are always left out.
        """

    @abstractmethod
    def refresh(self, under: str, *patterns: str) -> None:
        """Learn what others wrote and deleted of the files below ``under`` that match one of the patterns."""

    @abstractmethod
    def close(self) -> None:
        """Remove the working copy, unless it is the folder itself."""


@final
class LocalFolder(AbstractFolder):
    """A folder on a disk that every process sees. It is its own working copy: there is nothing to share or refresh."""

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
        with naming(path, len(content)):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab", buffering=0) as stream:
                before = stream.tell()
                try:
                    left = memoryview(content)
                    while left:  # a disk that fills up takes a part
                        left = left[stream.write(left) :]
                    if durable:
                        os.fsync(stream.fileno())
                except OSError:
                    os.ftruncate(stream.fileno(), before)
                    raise

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
        """Nothing to do: others see the same disk."""

    def refresh(self, under: str, *patterns: str) -> None:
        """Nothing to do: this process sees what others wrote."""

    def close(self) -> None:
        """Nothing to do: the working copy is the folder itself."""


@final
class MemoryFolder(AbstractFolder):
    """A folder in memory, which only this process sees. It has a working copy once a path was asked for."""

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
        """Nothing to do: no other process writes here."""

    def close(self) -> None:
        if self._working_copy is not None:
            shutil.rmtree(self._working_copy, ignore_errors=True)


def temporary_directory(owner: object) -> Path:
    """An empty directory that is removed together with ``owner``: keep the owner as long as a path in it is used."""
    directory = Path(tempfile.mkdtemp(prefix="ratefront-"))
    weakref.finalize(owner, shutil.rmtree, directory, ignore_errors=True)
    return directory


def written(directory: Path, without: Collection[str]) -> list[Path]:
    """The files directly in ``directory``, sorted, except ``without`` and unfinished ones, which begin with '.'."""
    paths = directory.iterdir() if directory.is_dir() else ()
    return sorted(path for path in paths if not path.name.startswith(".") and path.name not in without)


def matching(names: Iterable[str], *patterns: str) -> list[str]:
    """The sorted ``names`` that match one of the patterns, in which '*' stands for any text without '/'."""
    wanted = re.compile("|".join(re.escape(pattern).replace(r"\*", "[^/]*") for pattern in patterns))
    return sorted(filter(wanted.fullmatch, names))
