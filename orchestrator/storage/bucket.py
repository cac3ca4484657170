"""The client of an object store: files below an address, each written and read as a whole."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import SplitResult, parse_qs, urlsplit, urlunsplit

from trainers.record import write_atomically

SCHEMES = ("s3", "gs", "abfs", "abfss")
_SETTINGS = ("region", "endpoint_override", "scheme")
"""What an address may say after '?'."""
_PAUSES_S = (0.5, 2.0, 8.0, 20.0)
"""Pauses between attempts at a store that has answered before. Each attempt has retries of its own."""
_T = TypeVar("_T")


def is_remote(location: str) -> bool:
    """Whether a location is one in an object store, and no path."""
    return "://" in location


def join(location: str, name: str) -> str:
    """The path or address of ``name`` below ``location``; an address's query, such as ``?region=eu-west-1``, stays at
    the end."""
    if not is_remote(location):
        return f"{location}/{name}"
    parts = urlsplit(location)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{name}"))


def check_address(uri: str) -> SplitResult:
    """Refuse what is no address of a folder in an object store, or holds a key. No request is made.

    Raises:
        ValueError: in one line, which does not repeat a key.
    """
    scheme, _, rest = uri.partition("://")
    if "@" in rest and (scheme not in ("abfs", "abfss", "gs") or ":" in rest.rpartition("@")[0]):
        raise ValueError(
            f"storage {scheme}://...@{rest.rpartition('@')[2]} came with a key, which everybody would see: leave it "
            "out, and say who you are in the environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    parts = urlsplit(uri)
    if scheme not in SCHEMES or not parts.netloc:
        wanted = ", ".join(f"{known}://" for known in SCHEMES)
        raise ValueError(f"storage is {uri!r}: wanted a folder, or a bucket such as s3://bucket/sweeps ({wanted})")
    if parts.fragment or any(character.isspace() or character in "#%" for character in uri):
        raise ValueError(f"storage is {uri!r}: wanted an address without spaces, '#' and '%'")
    unknown = sorted(set(parse_qs(parts.query, keep_blank_values=True)) - set(_SETTINGS))
    if unknown:
        raise ValueError(f"storage has the setting {unknown[0]!r} after '?': wanted {', '.join(_SETTINGS)}")
    return parts


@dataclass(frozen=True)
class Stamp:
    """Tells two contents of one file apart, unless they have the same size and were written in the same second: not
    every store has a finer clock."""

    size_bytes: int
    mtime_ns: int


class Bucket:
    """The files below one address. Names are relative to it, with '/' between their parts.

    Every verb raises ``OSError`` where the store does not answer as it should; a store that has answered before is
    given half a minute.
    """

    def __init__(self, uri: str) -> None:
        """An address, below which there need not be any file.

        Args:
            uri: the address, such as ``s3://bucket/sweeps``. The environment says who is asking, and where the store is
                if it is not Amazon's (``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT_URL``, ...).

        Raises:
            ValueError: see ``check_address``.
        """
        from pyarrow.fs import FileSystem

        parts = check_address(uri)
        self.uri = uri
        if parts.scheme == "s3":  # a file is written in one request instead of three
            uri = urlunsplit(parts._replace(query="&".join([*filter(None, [parts.query]), "allow_delayed_open=true"])))
        self._files, self._path = FileSystem.from_uri(uri)
        self._writing = ThreadPoolExecutor(1)
        self._has_answered = False

    def files(self, under: str = "") -> dict[str, Stamp]:
        """The stamp of each file below ``under``, by the file's name."""
        from pyarrow.fs import FileSelector, FileType

        selector = FileSelector(f"{self._path}/{under}".rstrip("/"), recursive=True, allow_not_found=True)
        infos: list[Any] = self._patiently(lambda: self._files.get_file_info(selector))
        files = (info for info in infos if info.type == FileType.File)
        return {info.path.removeprefix(self._path).lstrip("/"): Stamp(info.size, info.mtime_ns) for info in files}

    def folders(self) -> list[str]:
        """The names of the folders directly below the address."""
        from pyarrow.fs import FileSelector, FileType

        selector = FileSelector(self._path, allow_not_found=True)
        infos: list[Any] = self._patiently(lambda: self._files.get_file_info(selector))
        return sorted(info.base_name for info in infos if info.type == FileType.Directory)

    def stamp(self, name: str) -> Stamp | None:
        """The file's stamp; None where there is no such file."""
        from pyarrow.fs import FileType

        info: Any = self._patiently(lambda: self._files.get_file_info(f"{self._path}/{name}"))
        return Stamp(info.size, info.mtime_ns) if info.type == FileType.File else None

    def read(self, name: str) -> bytes | None:
        """The file's content; None where there is no such file."""

        def attempt() -> bytes | None:
            try:
                with self._files.open_input_file(f"{self._path}/{name}") as stream:
                    return bytes(stream.read())
            except FileNotFoundError:
                return None

        return self._patiently(attempt)

    def write(self, name: str, content: bytes) -> None:
        """Replace the file: a reader sees the old content or the new one, even where a signal interrupts the writer."""

        def attempt() -> None:
            with self._files.open_output_stream(f"{self._path}/{name}") as stream:
                stream.write(content)

        # an exception from a signal handler within the block would close the stream, which stores what there is
        self._writing.submit(self._patiently, attempt).result()

    def delete(self, name: str) -> None:
        """Remove the file, where there is one."""

        def attempt() -> None:
            try:
                self._files.delete_file(f"{self._path}/{name}")
            except FileNotFoundError:
                return

        self._patiently(attempt)

    def download(self, name: str, path: Path) -> bool:
        """Copy the file to ``path``; returns whether there was one."""
        content = self.read(name)
        if content is not None:
            write_atomically(path, content)
        return content is not None

    def _patiently(self, attempt: Callable[[], _T]) -> _T:
        for pause_s in _PAUSES_S if self._has_answered else ():
            try:
                return attempt()
            except OSError:
                time.sleep(pause_s)
        result = attempt()
        self._has_answered = True
        return result
