"""CIFAR-10: 60,000 colour images of 32x32 in ten classes, from the six files of the official "binary version"."""

from __future__ import annotations

import hashlib
import lzma
import tarfile
import zlib
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TypeAlias

import numpy as np
import numpy.typing as npt

from trainers.downloads import DataFile, find_local, locate

Examples: TypeAlias = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]
"""Images (n, 3, 32, 32), in red, green and blue, and labels (n,)."""

_TEST = "test_batch.bin"
# digests of the unpacked files, whichever way they came
_SHA1 = {
    "data_batch_1.bin": "aadd24acce27caa71bf4b10992e9e7b2d74c2540",
    "data_batch_2.bin": "c0ba65cce70568cd57b4e03e9ac8d2a5367c1795",
    "data_batch_3.bin": "1dd00a74ab1d17a6e7d73e185b69dbf31242f295",
    "data_batch_4.bin": "aab85764eb3584312d3c7f65fd2fd016e36a258e",
    "data_batch_5.bin": "26e2849e66a845b7f1e4614ae70f4889ae604628",
    _TEST: "67eb016db431130d61cd03c7ad570b013799c88c",
}
_XZ_SHA256 = {
    "data_batch_1.bin": "267fe1438330fd8d8090d701e64ca6ac19d0789a650663cbb346633934af6392",
    "data_batch_2.bin": "9ffa98e777f1b549e99d142cbd2d32d7db62f5f91ab90c3a6d5b7317911763cc",
    "data_batch_3.bin": "cd78832afc84658d31c2f5b92c29e13cb6e201848a5bbfadb77d19711319d8aa",
    "data_batch_4.bin": "ed492f12929c9a476b12e7892705ed3b1a5c729a565f8b807dd86382036eee58",
    "data_batch_5.bin": "54a85c30fcf1d34c07542737830d8fbe832fbc110c33e447ae554969f7227ba8",
    _TEST: "47afd35b180ae1d1534ec8278db54aed9f7ea19a82d1191dfd274ce510d97595",
}
_ARCHIVE = DataFile(
    path="cifar10/cifar-10-binary.tar.gz",
    sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    urls=(
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10/cifar-10-binary.tar.gz",
    ),
)
_ARCHIVE_FOLDER = "cifar-10-batches-bin"
_RECORDS = 10_000
_IMAGE_SHAPE = (3, 32, 32)
_RECORD_BYTES = 1 + 3 * 32 * 32
_PACKED_ERRORS = (lzma.LZMAError, tarfile.TarError, zlib.error, EOFError, OSError)


def load() -> tuple[Examples, Examples]:
    """Load the training examples, in the order of their five files, and the test examples.

    Each file is read from ``cifar10/NAME.xz`` below ``RATEFRONT_DATA`` if that exists, else from the official archive.
    """
    batches = _load(_SHA1)
    train = [batches[name] for name in _SHA1 if name != _TEST]
    images, labels = (np.concatenate([batch[index] for batch in train]) for index in (0, 1))
    return (images, labels), batches[_TEST]


def load_some(num_train: int, num_test: int) -> tuple[Examples, Examples]:
    """Load the first training and test examples, from one file each; only these are unpacked, which takes a second.

    All files must be there, as for ``load``.
    """
    first = next(iter(_SHA1))
    batches = _load((first, _TEST), max(num_train, num_test))
    (images, labels), (test_images, test_labels) = batches[first], batches[_TEST]
    return (images[:num_train], labels[:num_train]), (test_images[:num_test], test_labels[:num_test])


def load_last() -> tuple[Examples, Examples]:
    """Load the examples of the last training file, and the test examples.

    All files must be there, as for ``load``.
    """
    *_, last, _ = _SHA1
    batches = _load((last, _TEST))
    return batches[last], batches[_TEST]


def _load(names: Collection[str], most: int | None = None) -> dict[str, Examples]:
    """Find all files, and read those called ``names``; of ``most`` examples, if given, or more."""
    local = {name: find_local(DataFile(path=f"cifar10/{name}.xz", sha256=_XZ_SHA256[name], urls=())) for name in _SHA1}
    missing = [name for name, path in local.items() if path is None]
    batches = read_archive(locate(_ARCHIVE), [name for name in missing if name in names]) if missing else {}
    packed = {name: path for name in names if (path := local[name]) is not None}
    with ThreadPoolExecutor() as pool:  # unpacking takes seconds, and lets go of the interpreter lock
        read = pool.map(lambda name: read_xz(packed[name], name, most), packed)
        batches |= dict(zip(packed, read, strict=True))
    return batches


def read_xz(path: Path, name: str, most: int | None = None) -> Examples:
    """Read the batch called ``name`` from its ``.xz`` file, or its first ``most`` examples, which are not checked."""
    try:
        with lzma.open(path) as stream:
            return _read(stream, name, path) if most is None else _examples(stream.read(most * _RECORD_BYTES))
    except _PACKED_ERRORS as error:
        raise _damaged(path, error) from error


def read_archive(path: Path, names: Iterable[str]) -> dict[str, Examples]:
    """Read the batches called ``names`` from the official archive; nothing is unpacked to disk."""
    wanted = {f"{_ARCHIVE_FOLDER}/{name}": name for name in names}
    batches = {}
    try:
        with tarfile.open(path, "r|gz") as archive:
            for member in archive:
                name = wanted.get(member.name)
                stream = archive.extractfile(member) if name is not None and member.isfile() else None
                if name is not None and stream is not None:
                    batches[name] = _read(stream, name, path)
    except _PACKED_ERRORS as error:
        raise _damaged(path, error) from error
    if missing := [member for member, name in wanted.items() if name not in batches]:
        raise ValueError(f"{path} has no file {missing[0]!r}")
    return batches


def _read(stream: IO[bytes], name: str, path: Path) -> Examples:
    size = _RECORDS * _RECORD_BYTES
    content = stream.read(size + 1)  # bounded: no more is unpacked than a batch can hold
    if len(content) != size:
        found = f"{len(content)} bytes" if len(content) < size else "more"
        raise ValueError(f"{path} does not hold CIFAR-10's {name}: {found} unpacked, wanted {size} bytes")
    found = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    if found != _SHA1[name]:
        raise ValueError(f"{path} does not hold CIFAR-10's {name}: its SHA-1 is {found}, wanted {_SHA1[name]}")
    return _examples(content)


def _examples(content: bytes) -> Examples:
    records = np.frombuffer(content, np.uint8).reshape(-1, _RECORD_BYTES)
    return records[:, 1:].reshape(-1, *_IMAGE_SHAPE), records[:, 0]


def _damaged(path: Path, error: Exception) -> ValueError:
    return ValueError(f"{path} cannot be unpacked: {type(error).__name__}: {error}")
