"""A learned non-parametric density over the reals, for the rate of latents while training."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_FILTERS = (1, 3, 3, 1)
_LEAST_PROBABILITY = 2.0**-40


class DeepFactorized(nn.Module):
    """A monotone network whose value is the logit of the cumulative distribution function.

    Each layer is x <- softplus(H) x + b, and between layers x <- x + tanh(a) * tanh(x). All derivatives in x are
    positive, so the sigmoid of the last value is a cumulative distribution.

    References:
        Balle, Minnen, Singh, Hwang, Johnston 2018, "Variational image compression with a scale hyperprior",
        arXiv 1802.01436, appendix 6.1, equations 23 to 30.
    """

    def __init__(self, *, init_scale: float = 10.0) -> None:
        """``init_scale``: width of the density at the start, in quantisation steps."""
        super().__init__()
        scale = init_scale ** (1 / (len(_FILTERS) - 1))
        self.matrices = nn.ParameterList()
        self.biases = nn.ParameterList()
        self.factors = nn.ParameterList()
        for num_in, num_out in itertools.pairwise(_FILTERS):
            start = math.log(math.expm1(1 / scale / num_out))
            self.matrices.append(nn.Parameter(torch.full((num_out, num_in), start)))
            self.biases.append(nn.Parameter(torch.empty(num_out, 1).uniform_(-0.5, 0.5)))
        for num_out in _FILTERS[1:-1]:
            self.factors.append(nn.Parameter(torch.zeros(num_out, 1)))

    def logits(self, x_N: Tensor) -> Tensor:
        """Logit of the cumulative distribution at each of ``x_N`` (n,)."""
        x = x_N.reshape(1, -1)
        for layer, (matrix, bias) in enumerate(zip(self.matrices, self.biases, strict=True)):
            x = torch.addmm(bias, F.softplus(matrix), x)  # (filters out, n)
            if layer < len(self.factors):
                x = x + torch.tanh(self.factors[layer]) * torch.tanh(x)
        return x.reshape(-1)

    def bits(self, x_N: Tensor) -> Tensor:
        """-log2 of the probability of the unit interval around each of ``x_N`` (n,), at most 40 bits."""
        upper, lower = self.logits(torch.cat([x_N + 0.5, x_N - 0.5])).chunk(2)
        # In the right tail both sigmoids are near one; mirrored to the left, their difference keeps its precision.
        # (where, not sign: exactly between the tails sign is zero, and the likeliest value would cost the most.)
        sign = torch.where(upper + lower > 0, -1.0, 1.0)
        probability = (torch.sigmoid(sign * upper) - torch.sigmoid(sign * lower)).abs()
        return -torch.log2(probability + _LEAST_PROBABILITY)
