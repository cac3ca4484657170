"""The decoders f of entropy-penalized reparameterization: from latents, in quantisation steps, to parameters."""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from torch import Tensor, nn

from trainers.methods.density import DeepFactorized, Geometric
from trainers.methods.fourier import real_fourier

_SMALLEST_STEP = 2.0**-14  # the smallest normal float16


class Decoder(nn.Module):
    """f of one group: theta = (step * round(phi)) B, with learned steps, and the group's density q.

    For scalar decoding B = 1 and there is one step. For convolution kernels in the frequency domain B is the real
    Fourier basis of a kernel, and each frequency has a step and a density of its own.
    """

    log_step: nn.Parameter
    basis: Tensor | None

    def __init__(self, step: float, density: Geometric | DeepFactorized, kernel_shape: tuple[int, ...] = ()) -> None:
        """``kernel_shape``: the spatial shape of a kernel; () for scalar decoding."""
        super().__init__()
        self.num_dimensions = math.prod(kernel_shape)
        start = math.log(max(step, _SMALLEST_STEP))
        self.log_step = nn.Parameter(torch.full((self.num_dimensions,), start))
        self.density = density
        self.register_buffer("basis", real_fourier(kernel_shape).float() if kernel_shape else None, persistent=False)

    @torch.no_grad()
    def step(self) -> Tensor:
        """(dimensions,), exact in float16, as the file stores it; without a gradient, which is ``Latent``'s."""
        return _stored(self.log_step.exp())

    def dimensions_last(self, phi: Tensor) -> Tensor:
        """``phi`` as (n, dimensions); as it is where there is one dimension, whatever its memory format."""
        return phi if self.num_dimensions == 1 else phi.reshape(-1, self.num_dimensions)


class Latent(nn.Module):
    """The parametrization of one tensor: its latents have its shape."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, phi: Tensor) -> Tensor:
        """Rounds; the gradient with respect to ``phi`` passes straight through (section 3 of the paper)."""
        scaled = _RoundAndScale.apply(self.decoder.dimensions_last(phi), self.decoder.log_step)  # type: ignore[no-untyped-call]
        theta = cast(Tensor, scaled)
        if self.decoder.basis is not None:
            with torch.autocast(phi.device.type, enabled=False):
                theta = theta @ self.decoder.basis
        return theta.reshape(phi.shape)

    def right_inverse(self, theta: Tensor) -> Tensor:
        phi = self.decoder.dimensions_last(theta)
        if self.decoder.basis is not None:
            phi = phi @ self.decoder.basis.T
        return (phi / self.decoder.step()).reshape(theta.shape)


def _stored(step: Tensor) -> Tensor:
    return step.clamp(min=_SMALLEST_STEP).half().float()


class _RoundAndScale(torch.autograd.Function):
    """step * round(phi), ``log_step`` (dimensions,), ``phi`` (n, dimensions) or any for one, in few operations.

    Gradients pass the rounding of ``phi``, and that of the step to float16, straight through.
    """

    @staticmethod
    def forward(ctx: Any, phi: Tensor, log_step: Tensor) -> Tensor:
        rounded, exact = phi.round(), log_step.exp()
        scale = _stored(exact)
        if len(scale) == 1:  # fits any shape, scalars too
            scale = scale.reshape(())
        ctx.save_for_backward(rounded, scale, exact)
        return rounded * scale

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        rounded, scale, exact = ctx.saved_tensors
        if scale.ndim:
            of_step = (gradient * rounded).sum(dim=0)
        elif gradient.is_contiguous() and rounded.is_contiguous():  # half the passes over memory
            of_step = torch.dot(gradient.view(-1), rounded.view(-1)).reshape(1)
        else:
            of_step = (gradient * rounded).sum().reshape(1)
        return gradient * scale, of_step * exact * (exact >= _SMALLEST_STEP)
