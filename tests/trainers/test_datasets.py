"""Data files: found, verified, fetched, read. Everything stays on the loopback interface."""

from __future__ import annotations

import functools
import gzip
import hashlib
import http.server
import logging
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from trainers.datasets import files, idx
from trainers.datasets.files import DataFile, DataUnavailableError, locate

CONTENT = b"some data"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def closed_url() -> str:
    """A port on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{sock.getsockname()[1]}/x.bin"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A server of a folder: its address and the folder."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(files.pooch, "os_cache", lambda name: tmp_path / "cache" / name)
    monkeypatch.delenv("RATEFRONT_DATA", raising=False)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    logging.getLogger("pooch").setLevel(logging.ERROR)


def file_at(*urls: str) -> DataFile:
    return DataFile(path="set/x.bin", sha256=SHA256, urls=urls)


def test_a_file_in_the_data_folder_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "x.bin").write_bytes(CONTENT)
    monkeypatch.setenv("RATEFRONT_DATA", str(tmp_path))
    assert locate(file_at()) == tmp_path / "set" / "x.bin"


def test_wrong_content_in_the_data_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "set").mkdir()
    path = tmp_path / "set" / "x.bin"
    path.write_bytes(b"other")
    monkeypatch.setenv("RATEFRONT_DATA", str(tmp_path))
    with pytest.raises(DataUnavailableError) as caught:
        locate(file_at())
    found = hashlib.sha256(b"other").hexdigest()
    assert str(caught.value) == f"{path} is not the expected file: its SHA-256 is {found}, wanted {SHA256}"


def test_being_offline_is_one_clear_line(closed_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(DataUnavailableError) as caught:
        locate(file_at(closed_url, closed_url))
    assert str(caught.value) == (
        "data file 'set/x.bin' is unavailable (RATEFRONT_DATA is not set; "
        f"{closed_url}: ConnectionError; {closed_url}: ConnectionError): "
        "connect to the network, or set RATEFRONT_DATA to a folder that holds it"
    )
    monkeypatch.setenv("RATEFRONT_DATA", str(tmp_path))
    with pytest.raises(DataUnavailableError, match=f"not in RATEFRONT_DATA={tmp_path}; "):
        locate(file_at(closed_url))


def test_a_download_is_verified_and_cached(served: tuple[str, Path], tmp_path: Path) -> None:
    url, folder = served
    (folder / "x.bin").write_bytes(CONTENT)
    path = locate(file_at(f"{url}/x.bin"))
    assert path == tmp_path / "cache" / "ratefront" / "set" / "x.bin"
    assert path.read_bytes() == CONTENT
    (folder / "x.bin").unlink()
    assert locate(file_at(f"{url}/x.bin")) == path, "fetched once"


def test_the_next_mirror_is_tried(served: tuple[str, Path], closed_url: str) -> None:
    url, folder = served
    (folder / "wrong.bin").write_bytes(b"wrong")
    (folder / "x.bin").write_bytes(CONTENT)
    assert locate(file_at(closed_url, f"{url}/none", f"{url}/wrong.bin", f"{url}/x.bin")).read_bytes() == CONTENT


def test_a_download_of_wrong_content_is_refused(served: tuple[str, Path], tmp_path: Path) -> None:
    url, folder = served
    (folder / "x.bin").write_bytes(b"wrong")
    with pytest.raises(DataUnavailableError, match=r"x\.bin: ValueError"):
        locate(file_at(f"{url}/x.bin"))
    assert not list((tmp_path / "cache").rglob("*.bin"))


def idx_bytes(values: np.ndarray, magic: bytes = b"\0\0\x08") -> bytes:  # type: ignore[type-arg]
    return magic + bytes([values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


@pytest.mark.parametrize("shape", [(5,), (2, 3, 4), (0, 28, 28)])
def test_an_idx_file_is_read(shape: tuple[int, ...], tmp_path: Path) -> None:
    values = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(idx_bytes(values)))
    np.testing.assert_array_equal(idx.read_idx(path), values, strict=True)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0\0\x08", b"\0\0\x08\x02\0\0", idx_bytes(np.zeros(3, np.uint8))[:-1],
     idx_bytes(np.zeros(3, np.uint8)) + b"\0", idx_bytes(np.zeros(3, np.uint8), b"\0\0\x0d"),
     b"\0\0\x08\xff" + b"\xff" * 99],
)  # fmt: skip
def test_what_is_no_idx_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(content))
    with pytest.raises(ValueError, match=r"x\.gz is no (whole )?IDX file"):
        idx.read_idx(path)


def test_images_and_labels_are_loaded_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.arange(2 * 28 * 28, dtype=np.uint32).astype(np.uint8).reshape(2, 28, 28)
    labels = np.array([3, 9], np.uint8)
    (tmp_path / "mnist").mkdir()
    for name, values in (("t10k-images-idx3-ubyte.gz", images), ("t10k-labels-idx1-ubyte.gz", labels)):
        data = gzip.compress(idx_bytes(values))
        (tmp_path / "mnist" / name).write_bytes(data)
        monkeypatch.setitem(idx._SHA256["mnist"], name, hashlib.sha256(data).hexdigest())
    monkeypatch.setenv("RATEFRONT_DATA", str(tmp_path))
    found = idx.load("mnist", "t10k")
    np.testing.assert_array_equal(found[0], images)
    np.testing.assert_array_equal(found[1], labels)


def test_every_file_has_a_checksum_and_two_mirrors() -> None:
    assert idx._URLS.keys() == idx._SHA256.keys()
    for urls in idx._URLS.values():
        assert len(urls) >= 2
        assert all(url.startswith("http") and url.endswith("/{}") for url in urls)
    for checksums in idx._SHA256.values():
        assert len(checksums) == 4
        assert all(len(checksum) == 64 for checksum in checksums.values())
