"""A folder in an object store: its files by name, each written and read as a whole."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from trainers.record import write_atomically

SCHEMES = ("s3", "gs", "abfs")


def is_remote(location: str) -> bool:
    """Whether a location is one in an object store, and no path."""
    return "://" in location


def join(uri: str, name: str) -> str:
    """The address of ``name`` below ``uri``, whose query, such as ``?region=eu-west-1``, stays at the end.

    Raises:
        ValueError: see ``RemoteFolder``.
    """
    parts = _parse(uri)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{name}"))


@dataclass(frozen=True)
class Stamp:
    """Differs between two contents of one file."""

    size_bytes: int
    mtime_ns: int


class RemoteFolder:
    """Names are relative to the folder, with '/' between their parts."""

    def __init__(self, uri: str) -> None:
        """A folder, which need not exist.

        Args:
            uri: such as ``s3://bucket/sweeps``; who may, and where the store is if it is not Amazon's, is said by the
                environment (``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT_URL``, ...).

        Raises:
            ValueError: it is no such address, or holds a password.
        """
        from pyarrow.fs import FileSystem

        _parse(uri)
        self.uri = uri
        self._files, self._path = FileSystem.from_uri(uri)

    def list(self, under: str = "", *, recursive: bool = True) -> dict[str, Stamp | None]:
        """Files below ``under``, by name, and without ``recursive`` folders too, which have no stamp."""
        from pyarrow.fs import FileSelector, FileType

        base = f"{self._path}/{under}".rstrip("/")
        selector = FileSelector(base, recursive=recursive, allow_not_found=True)
        found: dict[str, Stamp | None] = {}
        for info in self._files.get_file_info(selector):
            name = info.path.removeprefix(self._path).lstrip("/")
            if info.type == FileType.File:
                found[name] = Stamp(info.size, info.mtime_ns)
            elif not recursive:
                found[name] = None
        return found

    def stamp(self, name: str) -> Stamp | None:
        """None where there is no such file."""
        from pyarrow.fs import FileType

        info: Any = self._files.get_file_info(f"{self._path}/{name}")
        return Stamp(info.size, info.mtime_ns) if info.type == FileType.File else None

    def read(self, name: str) -> bytes | None:
        """None where there is no such file."""
        try:
            with self._files.open_input_file(f"{self._path}/{name}") as stream:
                return bytes(stream.read())
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """A reader sees the old content or the new one."""
        with self._files.open_output_stream(f"{self._path}/{name}") as stream:
            stream.write(content)

    def delete(self, name: str) -> None:
        """Also where there is none."""
        with contextlib.suppress(FileNotFoundError):
            self._files.delete_file(f"{self._path}/{name}")

    def download(self, name: str, path: Path) -> bool:
        """Whether there was one."""
        content = self.read(name)
        if content is not None:
            write_atomically(path, content)
        return content is not None


def _parse(uri: str) -> SplitResult:
    parts = urlsplit(uri)
    if parts.scheme not in SCHEMES or not parts.netloc:
        wanted = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise ValueError(f"storage is {uri!r}: wanted a folder, or a bucket such as s3://bucket/sweeps ({wanted})")
    if parts.username or parts.password:
        raise ValueError(
            f"storage {parts.scheme}://{parts.hostname}{parts.path} came with a key, which everybody would see: "
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY instead"
        )
    return parts
