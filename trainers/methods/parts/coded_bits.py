"""What the file's coder takes for each weight of a matrix: the bits of every magnitude, by what is around it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from trainers.coding.compiled.learning import NUM_UNARY
from trainers.coding.forms import Form, as_matrix
from trainers.coding.model import Model
from trainers.methods.parts.weight_matrices import matrix_of, weight_of

MOST_MAGNITUDE = NUM_UNARY
"""Greater ones cost as much."""


def layer_bits(layer: nn.Module, whole: Tensor, weight: Tensor) -> Tensor:
    """``coded_bits`` of a layer's weight, (magnitudes, rows, columns).

    Args:
        layer: has the weight.
        whole: its integers, (rows, columns) as ``matrix_of`` has them.
        weight: its parameter.
    """
    return torch.stack([matrix_of(layer, one) for one in coded_bits(weight_of(layer, whole, weight))])


def coded_bits(whole: Tensor) -> Tensor:
    """The bits of each magnitude from 0 on, with its sign, at each place of a tensor: (magnitudes, *shape).

    The coder's model (``trainers/coding/model.py``) learns the tensor once, then codes it again; each bit costs -log2
    of the probability that it had there. So what is around a weight is that of ``whole``. A bit that was not coded at a
    place, since the magnitude there is smaller, costs what its mean probability over all other places says, a sign one.
    """
    model, shape = Model(), Form().shape(whole.shape)
    matrix = as_matrix(whole.cpu().numpy().astype(np.int32))
    model.note(matrix, shape)
    notes = model.note(matrix, shape)
    ones = (2 * notes.ones.astype(np.float64) + 1) / (1 << 17)
    magnitudes = np.abs(matrix.reshape(-1).astype(np.int64))
    begins = _begins(magnitudes)
    flags, is_nonzero = ones[begins], magnitudes > 0
    signs = np.ones(len(magnitudes))
    at_signs = begins[is_nonzero] + 1
    signs[is_nonzero] = -np.log2(np.where(notes.bits[at_signs], ones[at_signs], 1 - ones[at_signs]))
    found = [-np.log2(1 - flags)]
    more, so_far = 0.5, signs - np.log2(flags)  # the mean probability of a greater magnitude; bits up to this one
    for magnitude in range(1, 1 + min(1 + int(magnitudes.max()), MOST_MAGNITUDE)):
        is_coded = magnitudes >= magnitude
        coded = ones[begins[is_coded] + 1 + magnitude]
        more = float(coded.mean()) if len(coded) else more
        greater = np.full(len(magnitudes), more)
        greater[is_coded] = coded
        found.append(so_far - np.log2(1 - greater))
        so_far = so_far - np.log2(greater)
    return torch.from_numpy(np.stack(found).astype(np.float32)).to(whole.device).reshape(-1, *whole.shape)


def _begins(magnitudes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The number of each value's first bit: its flag. Then come its sign, its unary code, and what is beyond."""
    beyond = np.maximum(magnitudes - NUM_UNARY, 0)
    lengths = np.frexp(beyond.astype(np.float64))[1].astype(np.int64)
    sizes = 1 + (magnitudes > 0) + np.minimum(magnitudes, NUM_UNARY) + np.maximum(2 * lengths - 1, 0)
    return np.concatenate(([0], np.cumsum(sizes)[:-1]))
