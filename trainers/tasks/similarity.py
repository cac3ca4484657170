"""Multi-scale structural similarity of pictures."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

LEAST_SIDE = 161
"""The shorter side of the smallest picture: at the fifth scale the window has to fit in it."""
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""The exponent of each scale, from the finest."""
_WIDTH, _SIGMA = 11, 1.5
_BELL = [math.exp(-((place - _WIDTH // 2) ** 2) / (2 * _SIGMA**2)) for place in range(_WIDTH)]
_WINDOW = [height / sum(_BELL) for height in _BELL]
_PEAK = 255.0
_LUMINANCE, _CONTRAST = (0.01 * _PEAK) ** 2, (0.03 * _PEAK) ** 2


def ms_ssim(drawn: Tensor, given: Tensor) -> float:
    """The MS-SSIM of two pictures (height, width, channels) of colours in 0..255: the mean over channels.

    Windows are Gaussian, of 11 x 11 pixels with a deviation of 1.5, and lie within the picture. Each scale is the last
    with its sides halved, by means of 2 x 2 boxes; an odd side is first lengthened by its last row. A scale whose mean
    of contrasts and structures is negative counts as 0.

    Raises:
        ValueError: a side is shorter than ``LEAST_SIDE``.

    References:
        Wang, Simoncelli, Bovik 2003, "Multiscale structural similarity for image quality assessment", equation 7.
    """
    if min(given.shape[:2]) < LEAST_SIDE:
        raise ValueError(f"a picture has sides {list(given.shape[:2])}: wanted {LEAST_SIDE} at least for MS-SSIM")
    first, second = (picture.double().movedim(-1, 0).unsqueeze(1) for picture in (drawn, given))
    similarity = torch.ones(len(first), dtype=torch.float64, device=first.device)  # (channels,)
    for scale, weight in enumerate(_WEIGHTS):
        luminance, structure = _terms(first, second)
        is_last = scale == len(_WEIGHTS) - 1
        term = (luminance * structure if is_last else structure).mean(dim=(1, 2, 3))
        similarity = similarity * term.clamp_min(0) ** weight
        if not is_last:
            first, second = _halved(first), _halved(second)
    return float(similarity.mean())


def _terms(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """The luminance, and the product of contrast and structure, at each place of the window (channels, 1, h, w)."""
    means = _blurred(first), _blurred(second)
    variances = [
        _blurred(picture.square()) - mean.square() for picture, mean in zip((first, second), means, strict=True)
    ]
    covariance = _blurred(first * second) - means[0] * means[1]
    luminance = (2 * means[0] * means[1] + _LUMINANCE) / (means[0].square() + means[1].square() + _LUMINANCE)
    return luminance, (2 * covariance + _CONTRAST) / (variances[0] + variances[1] + _CONTRAST)


def _blurred(picture: Tensor) -> Tensor:
    """Means by the window, along each axis by shifts: a tenth of the time of a convolution by torch."""
    for axis in (-2, -1):
        length = picture.shape[axis] - _WIDTH + 1
        blurred = picture.narrow(axis, 0, length) * _WINDOW[0]
        for shift, weight in enumerate(_WINDOW[1:], start=1):
            blurred.add_(picture.narrow(axis, shift, length), alpha=weight)
        picture = blurred
    return picture


def _halved(picture: Tensor) -> Tensor:
    height, width = picture.shape[-2:]
    return F.avg_pool2d(F.pad(picture, (0, width % 2, 0, height % 2), mode="replicate"), 2)
