"""Densities over latents, which give the rate while training: one learned with noise, one fitted to counts."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_FILTERS = (1, 3, 3, 1)
_LEAST_PROBABILITY = 2.0**-40
_KEEP = 0.7  # the weight of the old counts at each refit
_ALMOST_ONE = 1 - 2.0**-24  # the largest float32 below one


class DeepFactorized(nn.Module):
    """A monotone network for each latent dimension, whose value is the logit of the cumulative distribution function.

    Each layer is x <- softplus(H) x + b, and between layers x <- x + tanh(a) * tanh(x). All derivatives in x are
    positive, so the sigmoid of the last value is a cumulative distribution.

    References:
        Balle, Minnen, Singh, Hwang, Johnston 2018, "Variational image compression with a scale hyperprior",
        arXiv 1802.01436, appendix 6.1, equations 23 to 30.
    """

    def __init__(self, num_dimensions: int = 1, *, init_scale: float = 10.0) -> None:
        """``init_scale``: width of the density at the start, in quantisation steps."""
        super().__init__()
        self.num_dimensions = num_dimensions
        scale = init_scale ** (1 / (len(_FILTERS) - 1))
        self.matrices = nn.ParameterList()
        self.biases = nn.ParameterList()
        self.factors = nn.ParameterList()
        for num_in, num_out in itertools.pairwise(_FILTERS):
            start = math.log(math.expm1(1 / scale / num_out))
            self.matrices.append(nn.Parameter(torch.full((num_dimensions, num_out, num_in), start)))
            self.biases.append(nn.Parameter(torch.empty(num_dimensions, num_out, 1).uniform_(-0.5, 0.5)))
        for num_out in _FILTERS[1:-1]:
            self.factors.append(nn.Parameter(torch.zeros(num_dimensions, num_out, 1)))

    def logits(self, x_LN: Tensor) -> Tensor:
        """Logit of the cumulative distribution at each of ``x_LN`` (dimensions, n), or (n,) where there is one."""
        x = x_LN.reshape(self.num_dimensions, 1, -1)
        for layer, (matrix, bias) in enumerate(zip(self.matrices, self.biases, strict=True)):
            x = torch.baddbmm(bias, F.softplus(matrix), x)  # (dimensions, filters out, n)
            if layer < len(self.factors):
                x = x + torch.tanh(self.factors[layer]) * torch.tanh(x)
        return x.reshape(x_LN.shape)

    def bits(self, x_LN: Tensor) -> Tensor:
        """-log2 of the probability of the unit interval around each of ``x_LN``, at most 40 bits, in the same shape."""
        upper, lower = self.logits(torch.cat([x_LN + 0.5, x_LN - 0.5], dim=-1)).chunk(2, dim=-1)
        # In the right tail both sigmoids are near one; mirrored to the left, their difference keeps its precision.
        # (where, not sign: exactly between the tails sign is zero, and the likeliest value would cost the most.)
        sign = torch.where(upper + lower > 0, -1.0, 1.0)
        probability = (torch.sigmoid(sign * upper) - torch.sigmoid(sign * lower)).abs()
        return -torch.log2(probability + _LEAST_PROBABILITY)

    def rate(self, phi_NL: Tensor) -> Tensor:
        """Bits, scalar, of latents (n, dimensions) under uniform noise U(-1/2, 1/2)."""
        phi_LN = phi_NL.T.contiguous()
        return self.bits(phi_LN + torch.rand_like(phi_LN) - 0.5).sum()


class Geometric(nn.Module):
    """P(0) = p, and geometric magnitudes of either sign beyond: fitted to counts instead of learned, without noise.

    The rate is the code length of the rounded latents. Its gradient is that of the code length L, interpolated linearly
    between the integers and convolved with the unit box: the expectation of the gradient under uniform noise. With the
    slopes S1 = L(1) - L(0) and S2 = L(2) - L(1) that is, in closed form,

        dR/dphi = (3 S1 - S2) clamp(phi, -1/2, 1/2) + (S2 - S1) clamp(phi, -3/2, 3/2).
    """

    inner: Tensor
    outer: Tensor
    counts: Tensor
    code_bits: Tensor

    def __init__(self, num_dimensions: int = 1) -> None:
        super().__init__()
        self.register_buffer("counts", torch.zeros(3, num_dimensions))
        """The number of zeros, of non-zeros, and the sum of magnitudes, averaged over past fits."""
        self.register_buffer("inner", torch.zeros(num_dimensions))
        self.register_buffer("outer", torch.zeros(num_dimensions))
        self.register_buffer("code_bits", torch.zeros(()))
        """The code length of the latents at the last fit."""

    @torch.no_grad()
    def fit(self, phi_NL: Tensor) -> None:
        """Follow the counts of latents (n, dimensions): the first time at once, then as a moving average."""
        magnitudes = phi_NL.round().abs_()
        sums = magnitudes.sum(dim=0)
        num_nonzeros = magnitudes.clamp_(max=1).sum(dim=0)
        found = torch.stack([len(magnitudes) - num_nonzeros, num_nonzeros, sums])
        self.counts.copy_(torch.where(self.counts.any(), _KEEP * self.counts + (1 - _KEEP) * found, found))
        zeros, nonzeros, total = self.counts
        # One pseudo-count for each event, so that the latents of a group of zeros can still leave zero.
        p_nonzero = ((nonzeros + 1) / (zeros + nonzeros + 2)).clamp(max=_ALMOST_ONE)
        p_more = ((total - nonzeros + 1) / (total + 2)).clamp(max=_ALMOST_ONE)
        at_zero = -torch.log2(1 - p_nonzero)
        at_one = 1 - torch.log2(p_nonzero) - torch.log2(1 - p_more)
        first, further = at_one - at_zero, -torch.log2(p_more)
        self.inner.copy_(3 * first - further)
        self.outer.copy_(further - first)
        self.code_bits.copy_((found[0] * at_zero + found[1] * at_one + (found[2] - found[1]) * further).sum())

    def add_slope(self, gradient_NL: Tensor, phi_NL: Tensor, weight: Tensor) -> None:
        """Add ``weight``, scalar, times the gradient of the rate at latents (n, dimensions) to ``gradient_NL``."""
        clamped = phi_NL.clamp(-0.5, 0.5)
        gradient_NL.addcmul_(clamped, self.inner * weight)
        gradient_NL.addcmul_(torch.clamp(phi_NL, -1.5, 1.5, out=clamped), self.outer * weight)
