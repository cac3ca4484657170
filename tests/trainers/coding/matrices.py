"""A matrix such as a sparse network has, and the bits that it takes without any structure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]


def network_like(seed: int = 0) -> Ints:
    """The first layer of a sparse network on 20x20 images: units differ in density, non-zeros are blobs."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:20, :20]
    density = np.geomspace(0.5, 0.01, 60)[:, None, None] * np.exp(-((y - 10) ** 2 + (x - 10) ** 2) / 40)
    flags = generator.random((60, 20, 20)) < density
    flags[:, 1:] |= flags[:, :-1] & (generator.random((60, 19, 20)) < 0.6)
    magnitudes = flags * generator.geometric(0.6, flags.shape)
    return (magnitudes * np.sign(generator.normal(size=(60, 1, 20)))).astype(np.int32).reshape(60, 400)


def order_0_bits(values: Ints) -> float:
    counts = np.unique(values, return_counts=True)[1]
    return float(-(counts * np.log2(counts / counts.sum())).sum())
