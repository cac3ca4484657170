"""Random changes of a training batch of images (batch, channels, height, width), on its device, as exact pixel copies.

They draw from torch's global generator for that device.
"""

from __future__ import annotations

import torch
from torch import Tensor


def random_shift(inputs: Tensor, *, most: int, fill: float = 0.0) -> Tensor:
    """Move each image by -most..most pixels along each axis, uniformly; pixels that come in are ``fill``."""
    batch, _, height, width = inputs.shape
    device = inputs.device
    padded = torch.nn.functional.pad(inputs, (most, most, most, most), value=fill)
    first_row, first_column = torch.randint(2 * most + 1, (2, batch, 1), device=device)
    rows = first_row + torch.arange(height, device=device)
    columns = first_column + torch.arange(width, device=device)
    padded = padded.gather(2, rows[:, None, :, None].expand(-1, padded.shape[1], -1, padded.shape[3]))
    return padded.gather(3, columns[:, None, None, :].expand(-1, padded.shape[1], height, -1))


def random_flip(inputs: Tensor) -> Tensor:
    """Mirror each image, left to right, with probability one half."""
    flipped = torch.randint(2, (len(inputs), 1, 1, 1), device=inputs.device) == 1
    return torch.where(flipped, inputs.flip(3), inputs)
