"""A sweep's folder in an object store: each process works on a copy of its own, which holds only what it needs.

The store holds the truth. One process at a time writes what belongs to a trial: the worker that runs it, and before and
after that the driver; so copies need no merging. What a worker told Ray is in the store already.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import final

from orchestrator.errors import SweepError
from orchestrator.storage.bucket import Bucket, Stamp
from orchestrator.storage.folder import (
    AbstractFolder,
    LocalFolder,
    NotSharedError,
    matching,
    temporary_directory,
    written,
)
from orchestrator.storage.lease import Lease, leased

_AT_ONCE = 16
"""Downloads at the same time: a sweep has thousands of small files."""


@final
class MirroredFolder(AbstractFolder):
    """The folder at an address. The working copy is removed together with this object: keep the object as long as a
    path in the copy is used.

    ``read`` and ``names`` look at the copy alone, so they cost no request.
    """

    def __init__(self, bucket: Bucket) -> None:
        """Begin with an empty copy."""
        self._bucket = bucket
        self._temporary = temporary_directory(self)
        directory = self._temporary / bucket.uri.partition("?")[0].rstrip("/").rpartition("/")[2]
        directory.mkdir()
        self._copy = LocalFolder(directory)
        self._fetched: dict[str, Stamp] = {}  # by name: the store's stamp of a file that was downloaded
        self._shared: dict[str, tuple[int, int]] = {}  # by name: size and time in the copy, of what the store has too

    @property
    def location(self) -> str:
        return self._bucket.uri

    def read(self, name: str) -> bytes | None:
        return self._copy.read(name)

    def write(self, name: str, content: bytes) -> None:
        self._bucket.write(name, content)  # first: what others cannot find must not be here either
        self._copy.write(name, content)
        self._note_shared(name, self._size_and_time(name))

    def append(self, name: str, content: bytes, *, durable: bool = False) -> None:
        self._copy.append(name, content, durable=durable)
        try:
            self._upload(name)
        except OSError as error:
            raise NotSharedError(str(error)) from error

    def delete(self, name: str) -> None:
        self._bucket.delete(name)
        self._forget(name)

    def names(self, pattern: str) -> list[str]:
        return self._copy.names(pattern)

    @contextlib.contextmanager
    def hold(self) -> Iterator[Lease]:
        with contextlib.ExitStack() as stack:
            try:
                lease = stack.enter_context(leased(self._bucket))
            except OSError as error:
                raise SweepError(f"cannot use {self.location}: {error}") from error
            yield lease

    def path(self, name: str = "") -> Path:
        path = self._copy.path(name)
        if not path.exists():
            self._download(name)
        return path

    def share(self, under: str, *, without: Collection[str] = ()) -> None:
        for path in written(self._copy.path(under), without):
            self._upload(f"{under}/{path.name}")

    def refresh(self, under: str, *patterns: str) -> None:
        """List what the store has, in one request, and download what changed since the last time."""
        listed = self._bucket.files(under)
        wanted = [f"{under}/{pattern}".lstrip("/") for pattern in patterns]
        there = matching(listed, *wanted)
        changed = [name for name in there if listed[name] != self._fetched.get(name)]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for name, is_there in zip(changed, pool.map(self._download, changed), strict=True):
                if is_there:
                    self._fetched[name] = listed[name]
        for name in {name for pattern in wanted for name in self._copy.names(pattern)}.difference(there):
            self._forget(name)

    def close(self) -> None:
        shutil.rmtree(self._temporary, ignore_errors=True)

    def _download(self, name: str) -> bool:
        is_there = self._bucket.download(name, self._copy.path(name))
        if is_there:
            self._shared[name] = self._size_and_time(name)
        return is_there

    def _upload(self, name: str) -> None:
        """Send the file to the store if it has changed since that had it."""
        changed = self._size_and_time(name)
        if self._shared.get(name) != changed:
            self._bucket.write(name, self._copy.path(name).read_bytes())
            self._note_shared(name, changed)

    def _note_shared(self, name: str, size_and_time: tuple[int, int]) -> None:
        self._shared[name] = size_and_time
        self._fetched.pop(name, None)

    def _forget(self, name: str) -> None:
        self._copy.delete(name)
        self._shared.pop(name, None)
        self._fetched.pop(name, None)

    def _size_and_time(self, name: str) -> tuple[int, int]:
        status = self._copy.path(name).stat()
        return status.st_size, status.st_mtime_ns
