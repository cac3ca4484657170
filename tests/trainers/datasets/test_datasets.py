"""Data files are found, verified, downloaded and read. Everything stays on the loopback interface."""

from __future__ import annotations

import functools
import gzip
import hashlib
import http.server
import io
import logging
import lzma
import socket
import struct
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from trainers.datasets import cifar10, idx
from trainers.downloads import DataFile, DataUnavailableError, locate

CONTENT = b"some data"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def closed_url() -> str:
    """The address of a port on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{sock.getsockname()[1]}/x.bin"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Serve a folder; yields the server's address and the folder."""
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
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "cache" / name)
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


NUM_MADE = 3


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Six small batches in place of CIFAR-10's, which the reader takes for them."""
    generator = np.random.default_rng(0)
    batches = {}
    for name in list(cifar10._SHA1):
        records = generator.integers(256, size=(NUM_MADE, cifar10._RECORD_BYTES), dtype=np.uint8)
        records[:, 0] %= 10
        batches[name] = records.tobytes()
        monkeypatch.setitem(cifar10._SHA1, name, hashlib.sha1(batches[name]).hexdigest())
    monkeypatch.setattr(cifar10, "_RECORDS", NUM_MADE)
    return batches


def packed(batches: dict[str, bytes], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ``folder`` the data folder, with ``batches`` in it."""
    (folder / "cifar10").mkdir()
    for name, content in batches.items():
        data = lzma.compress(content)
        (folder / "cifar10" / f"{name}.xz").write_bytes(data)
        monkeypatch.setitem(cifar10._XZ_SHA256, name, hashlib.sha256(data).hexdigest())
    monkeypatch.setenv("RATEFRONT_DATA", str(folder))


def archive_of(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        folder = tarfile.TarInfo("cifar-10-batches-bin")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def as_members(batches: dict[str, bytes]) -> dict[str, bytes]:
    return {f"cifar-10-batches-bin/{name}": content for name, content in batches.items()}


def publish(data: bytes, served: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve ``data`` as the official archive."""
    url, folder = served
    (folder / "a.tar.gz").write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    made = DataFile(path=cifar10._ARCHIVE.path, sha256=sha256, urls=(f"{url}/a.tar.gz",))
    monkeypatch.setattr(cifar10, "_ARCHIVE", made)


def assert_loaded(batches: dict[str, bytes]) -> None:
    """Check that ``load`` gives the records of ``batches``, byte by byte."""
    train, test = cifar10.load()
    contents = [batches[f"data_batch_{number}.bin"] for number in range(1, 6)]
    for (images, labels), content in ((train, b"".join(contents)), (test, batches["test_batch.bin"])):
        assert images.shape == (len(content) // 3073, 3, 32, 32)
        assert labels.shape == images.shape[:1]
        for index, (image, label) in enumerate(zip(images, labels, strict=True)):
            assert bytes([label]) + image.tobytes() == content[3073 * index : 3073 * (index + 1)]


def test_cifar10_is_read_from_the_data_folder(
    made: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed(made, tmp_path, monkeypatch)
    assert_loaded(made)


def test_some_of_cifar10_is_the_beginning_of_two_of_its_files(
    made: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed(made, tmp_path, monkeypatch)
    found = cifar10.load_some(2, 1)
    for (images, labels), (whole, all_labels), wanted in zip(found, cifar10.load(), (2, 1), strict=True):
        np.testing.assert_array_equal(images, whole[:wanted])
        np.testing.assert_array_equal(labels, all_labels[:wanted])


def test_the_end_of_cifar10_is_its_last_files(
    made: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed(made, tmp_path, monkeypatch)
    (images, labels), (test_images, _) = cifar10.load_last()
    (whole, all_labels), (all_tests, _) = cifar10.load()
    np.testing.assert_array_equal(images, whole[-len(images) :])
    np.testing.assert_array_equal(labels, all_labels[-len(images) :])
    np.testing.assert_array_equal(test_images, all_tests)


def test_some_of_cifar10_comes_from_the_archive_as_well(
    made: dict[str, bytes], served: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(archive_of(as_members(made)), served, monkeypatch)
    (images, labels), (test_images, _) = cifar10.load_some(2, 1)
    assert (len(images), len(labels), len(test_images)) == (2, 2, 1)
    assert images.tobytes() == b"".join(made["data_batch_1.bin"][3073 * index :][1:3073] for index in range(2))


def test_some_of_cifar10_wants_all_files(
    made: dict[str, bytes], tmp_path: Path, closed_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed({name: made[name] for name in ("data_batch_1.bin", "test_batch.bin")}, tmp_path, monkeypatch)
    monkeypatch.setattr(cifar10, "_ARCHIVE", DataFile(path=cifar10._ARCHIVE.path, sha256=SHA256, urls=(closed_url,)))
    with pytest.raises(DataUnavailableError):
        cifar10.load_some(2, 1)


def test_cifar10_is_read_from_the_official_archive_in_whatever_order(
    made: dict[str, bytes], served: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = {"cifar-10-batches-bin/readme.html": b"read me", "../data_batch_1.bin": b"no member of ours"}
    publish(archive_of(others | as_members(dict(reversed(made.items())))), served, monkeypatch)
    assert_loaded(made)
    cached = [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert cached == ["cifar-10-binary.tar.gz"], "nothing is unpacked to disk"


def test_the_archive_gives_what_the_data_folder_lacks(
    made: dict[str, bytes], served: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed({"data_batch_2.bin": made["data_batch_2.bin"]}, tmp_path, monkeypatch)
    publish(archive_of(as_members(made)), served, monkeypatch)
    assert_loaded(made)


def test_cifar10_offline_is_one_clear_line(closed_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar10, "_ARCHIVE", DataFile(path=cifar10._ARCHIVE.path, sha256=SHA256, urls=(closed_url,)))
    with pytest.raises(
        DataUnavailableError, match=r"^data file 'cifar10/cifar-10-binary\.tar\.gz' is unavailable \(.*$"
    ):
        cifar10.load()


def test_another_file_in_place_of_a_batch_is_refused(
    made: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed(made, tmp_path, monkeypatch)
    path = tmp_path / "cifar10" / "test_batch.bin.xz"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataUnavailableError, match=r"test_batch\.bin\.xz is not the expected file: its SHA-256 is .*$"):
        cifar10.load()


def wrong(content: bytes) -> dict[str, tuple[bytes, str]]:
    """Wrong contents in place of a batch, each with the error that it gives."""
    return {
        "short": (content[:-1], f": {len(content) - 1} bytes unpacked, wanted {len(content)} bytes"),
        "long": (content + b"\0", f": more unpacked, wanted {len(content)} bytes"),
        "empty": (b"", f": 0 bytes unpacked, wanted {len(content)} bytes"),
        "other": (b"\xff" + content[1:], ": its SHA-1 is "),
    }


@pytest.mark.parametrize("kind", ["short", "long", "empty", "other"])
def test_wrong_content_of_a_batch_is_one_line(kind: str, made: dict[str, bytes], tmp_path: Path) -> None:
    name = "data_batch_3.bin"
    content, said = wrong(made[name])[kind]
    xz, archive = tmp_path / "x.xz", tmp_path / "x.tar.gz"
    xz.write_bytes(lzma.compress(content))
    archive.write_bytes(archive_of(as_members({**made, name: content})))
    for path in (xz, archive):
        with pytest.raises(ValueError) as caught:
            cifar10.read_xz(path, name) if path is xz else cifar10.read_archive(path, made)
        assert str(caught.value).startswith(f"{path} does not hold CIFAR-10's {name}{said}")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0, 0.0001, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_one_line(share: float, made: dict[str, bytes], tmp_path: Path) -> None:
    xz, archive = tmp_path / "x.xz", tmp_path / "x.tar.gz"
    for path, data in ((xz, lzma.compress(made["test_batch.bin"])), (archive, archive_of(as_members(made)))):
        path.write_bytes(data[: int(share * len(data))])
        with pytest.raises(ValueError) as caught:
            cifar10.read_xz(path, "test_batch.bin") if path is xz else cifar10.read_archive(path, made)
        assert str(caught.value).startswith(f"{path} ")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"neither", b"\xfd7zXZ\0" + b"?" * 99, gzip.compress(b"no archive" * 99)], ids=["text", "xz", "gzip"]
)
def test_what_is_not_packed_is_one_line(content: bytes, made: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    for read in (lambda: cifar10.read_xz(path, "test_batch.bin"), lambda: cifar10.read_archive(path, made)):
        with pytest.raises(ValueError, match=rf"^{path} cannot be unpacked: \w+Error: .*$"):
            read()


def test_an_archive_without_a_batch_or_with_a_link_in_its_place_is_refused(
    made: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "x.tar.gz"
    path.write_bytes(archive_of(as_members({name: made[name] for name in made if name != "test_batch.bin"})))
    with pytest.raises(ValueError, match=r"x\.tar\.gz has no file 'cifar-10-batches-bin/test_batch\.bin'$"):
        cifar10.read_archive(path, made)
    with tarfile.open(path, "w:gz") as archive:
        link = tarfile.TarInfo("cifar-10-batches-bin/test_batch.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(ValueError, match="has no file"):
        cifar10.read_archive(path, ["test_batch.bin"])


def test_cifar10_has_its_checksums() -> None:
    assert list(cifar10._SHA1) == list(cifar10._XZ_SHA256), "the order of the training files is that of the examples"
    assert all(len(checksum) == 40 for checksum in cifar10._SHA1.values())
    assert all(len(checksum) == 64 for checksum in cifar10._XZ_SHA256.values())
    assert len(cifar10._ARCHIVE.sha256) == 64
