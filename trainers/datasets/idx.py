"""MNIST and Fashion-MNIST: the IDX files of LeCun, Cortes and Burges, 28x28 grey images in ten classes."""

from __future__ import annotations

import gzip
import math
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trainers.downloads import DataFile, locate

_MNIST_URLS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/{}",
    "https://storage.googleapis.com/cvdf-datasets/mnist/{}",
    "http://yann.lecun.com/exdb/mnist/{}",  # the official place, which often refuses
)
_FASHION_URLS = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/{}",
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/{}",
)
_SHA256 = {
    "mnist": {
        "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
    "fashion-mnist": {
        "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
}
_URLS = {"mnist": _MNIST_URLS, "fashion-mnist": _FASHION_URLS}
_MAGIC_UBYTE = 0x08


def load(data_set: str, part: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Load images (n, 28, 28) and labels (n,); ``data_set`` is mnist or fashion-mnist, ``part`` is train or t10k."""
    images, labels = (
        read_idx(
            locate(
                DataFile(
                    path=f"{data_set}/{name}",
                    sha256=_SHA256[data_set][name],
                    urls=tuple(url.format(name) for url in _URLS[data_set]),
                )
            )
        )
        for name in (f"{part}-images-idx3-ubyte.gz", f"{part}-labels-idx1-ubyte.gz")
    )
    return images, labels


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes: magic 0 0 8 ndim, the sizes as big-endian int32, the values."""
    with gzip.open(path) as stream:
        content = stream.read()
    if len(content) < 4 or content[:3] != bytes((0, 0, _MAGIC_UBYTE)):
        raise ValueError(f"{path} is no IDX file of unsigned bytes")
    start = 4 + 4 * content[3]
    shape = struct.unpack(f">{content[3]}I", content[4:start]) if len(content) >= start else None
    if shape is None or len(content) - start != math.prod(shape):
        raise ValueError(f"{path} is no whole IDX file: {len(content)} bytes do not fit its shape {shape}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
