"""The network that entropy-penalized reparameterization trains: each call decodes its parameters from latents."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from trainers.methods.parts.density import DeepFactorized, Geometric
from trainers.methods.parts.fourier import real_fourier
from trainers.methods.parts.size_aim import SizeAim
from trainers.methods.parts.steps import times_power, wide
from trainers.networks.calling import Network, Remade
from trainers.networks.substitution import Substitution

_SMALLEST_STEP = 2.0**-14  # the smallest normal float16
_ORDINARY_LEAST, _ORDINARY_MOST = 2.0**-12, 2.0**12
"""A first step between these leaves the steps of a group room in float16."""


@dataclass(frozen=True)
class _Place:
    """Where one tensor lies among the elements of its group."""

    shape: torch.Size
    stride: tuple[int, ...]
    offset: int
    network_stride: tuple[int, ...]
    """The stride of the tensor that the network computes with: channels-last kernels are faster."""
    dtype: torch.dtype

    def within(self, flat: Tensor) -> Tensor:
        return flat.as_strided(self.shape, self.stride, self.offset)

    def for_network(self, flat: Tensor) -> Tensor:
        tensor = self.within(flat)
        if self.stride == self.network_stride and self.dtype == flat.dtype:
            return tensor
        made = torch.empty_strided(self.shape, self.network_stride, dtype=self.dtype, device=flat.device)
        return made.copy_(tensor)


class LatentGroup(nn.Module):
    """The tensors that share a decoder f and a density q: theta = (step * round(phi)) B, with learned steps.

    For scalar decoding B = 1 and there is one step. For convolution kernels in the frequency domain B is the real
    Fourier basis of a kernel, and each frequency has a step and a density of its own. Where float16 is too narrow for
    the first step, f multiplies by 2 ** ``exponent`` as well; steps are in units of that.

    The latents of all tensors are one matrix, (n, frequencies), so that a training step is a few passes over it,
    however many tensors there are.
    """

    phi: nn.Parameter
    log_step: nn.Parameter
    basis: Tensor | None

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        step: float,
        density: Geometric | DeepFactorized,
        kernel_shape: tuple[int, ...] = (),
    ) -> None:
        """``tensors`` are the first values; if the first tensor requires gradients all are trained, else none.

        ``kernel_shape``: the spatial shape of kernels, () for scalars.
        """
        super().__init__()
        self.density = density
        self.exponent = 0 if _ORDINARY_LEAST <= step <= _ORDINARY_MOST else math.frexp(step)[1] - 1
        step = math.ldexp(step, -self.exponent)
        num_frequencies = math.prod(kernel_shape)
        self.log_step = nn.Parameter(torch.full((num_frequencies,), math.log(max(step, _SMALLEST_STEP))))
        self.register_buffer("basis", real_fourier(kernel_shape).float() if kernel_shape else None, persistent=False)
        self._places: dict[str, _Place] = {}
        offset = 0
        for name, tensor in tensors.items():
            in_memory = torch.empty_like(tensor, device="meta").stride()
            stride = torch.empty(tensor.shape, device="meta").stride() if kernel_shape else in_memory
            self._places[name] = _Place(tensor.shape, stride, offset, in_memory, wide(tensor).dtype)
            offset += tensor.numel()
        self._dtypes = {name: tensor.dtype for name, tensor in tensors.items()}
        theta = torch.empty(offset // num_frequencies, num_frequencies)
        for place, tensor in zip(self._places.values(), tensors.values(), strict=True):
            place.within(theta).copy_(times_power(wide(tensor.detach()), -self.exponent))
        phi = theta if self.basis is None else theta @ self.basis.T
        self.phi = nn.Parameter(phi / self.step())
        if not next(iter(tensors.values())).requires_grad:
            self.phi.requires_grad_(False)
            self.log_step.requires_grad_(False)

    @torch.no_grad()
    def step(self) -> Tensor:
        """The steps (frequencies,) in units of 2 ** ``exponent``, exact in float16, as the file stores them."""
        return _stored(self.log_step.exp())

    @torch.no_grad()
    def refine(self, factor: float) -> None:
        """Let the same tensors have steps that are ``factor`` times as large, where float16 has such steps."""
        if float(self.log_step.min()) + math.log(factor) >= math.log(_SMALLEST_STEP):
            before = self.step()
            self.log_step.add_(math.log(factor))
            self.phi.mul_(before / self.step())

    @torch.no_grad()
    def rounded(self, least: float = 0.5) -> dict[str, Tensor]:
        """The whole numbers that are stored for each tensor, in its shape.

        ``least``: the least magnitude that is rounded away from zero; those beyond are rounded alike, and never up.
        """
        rounded = self.phi.round()
        if least > 0.5:
            down = (self.phi.abs() + 1 - least).floor_().clamp_(min=0)
            rounded = torch.minimum(rounded.abs(), down).copysign_(self.phi)
        return {name: place.within(rounded) for name, place in self._places.items()}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the tensors."""
        return tuple(self._places)

    @torch.no_grad()
    def kept(self) -> dict[str, float]:
        """The cosine between each tensor's latents and these rounded; 0 where all round to zero, 1 where all are zero.

        With normal latents it is 0.86 at a step of two standard deviations, 0.51 at four.
        """
        rounded = self.phi.round()
        cosines: dict[str, float] = {}
        for name, place in self._places.items():
            given, left = place.within(self.phi).double(), place.within(rounded).double()
            product = float(given.norm() * left.norm())
            cosines[name] = float((given * left).sum()) / product if product else float(not given.any())
        return cosines

    def forward(self, *, noisy: bool = False) -> tuple[dict[str, Tensor], Tensor]:
        """The tensors, and the rate of their latents in bits, scalar.

        Gradients of the tensors pass the rounding straight through (section 3 of the paper).
        """
        geometric = self.density if isinstance(self.density, Geometric) else None
        arguments = self.phi, self.log_step, self.basis, tuple(self._places.values()), geometric, noisy
        bits, *tensors = cast(tuple[Tensor, ...], _Decode.apply(*arguments))  # type: ignore[no-untyped-call]
        if isinstance(self.density, DeepFactorized):
            bits = self.density.rate(self.phi)
        named = zip(self._places, tensors, strict=True)
        return {name: times_power(one, self.exponent).to(self._dtypes[name]) for name, one in named}, bits


class Reparameterized(Remade):
    """A network whose tensors are decoded from latents whenever it is called; it must not write to them."""

    def __init__(self, network: nn.Module, groups: Sequence[LatentGroup]) -> None:
        """``groups`` hold the values of parameters, which ``network`` loses."""
        super().__init__()
        self.network = network
        self.groups = nn.ModuleList(groups)
        self._substitution = Substitution(network)
        self.aim: SizeAim | None = None
        """What steers the rate's weight, where a size is aimed at."""
        self._substitution.remove(network, {name for group in groups for name in group.rounded()})

    def latent_groups(self) -> list[LatentGroup]:
        return cast(list[LatentGroup], list(self.groups))

    def decoded(self, *, noisy: bool = False) -> tuple[dict[str, Tensor], Tensor]:
        """The parameters of the network by their names, and the rate of their latents in bits, scalar."""
        tensors: dict[str, Tensor] = {}
        rates: list[Tensor] = []
        for group in self.groups:
            decoded, bits = group(noisy=noisy)
            tensors |= decoded
            rates.append(bits)
        return tensors, sum(rates, start=torch.zeros(()))

    def network_and_rate(self, *, noisy: bool = False) -> tuple[Network, Tensor]:
        """The network with its latents decoded, to be called, and the rate in bits, scalar."""
        tensors, bits = self.decoded(noisy=noisy)
        return partial(self._substitution.compute, self.network, tensors), bits

    def made(self) -> Network:
        return self.network_and_rate()[0]


def _stored(step: Tensor) -> Tensor:
    return step.clamp(min=_SMALLEST_STEP).half().float()


class _Decode(torch.autograd.Function):
    """The rate in bits under a geometric density, else 0, and the tensors (step * round(phi)) B, in few operations.

    Where it is ``noisy``, phi + u stands for round(phi), u ~ U(-1/2, 1/2).

    Gradients pass straight through the rounding of ``phi``, and through that of steps to float16.
    """

    @staticmethod
    def forward(
        ctx: Any,
        phi: Tensor,
        log_step: Tensor,
        basis: Tensor | None,
        places: tuple[_Place, ...],
        density: Geometric | None,
        noisy: bool,
    ) -> tuple[Tensor, ...]:
        step = _stored(log_step.exp())
        coefficients = (phi + torch.rand_like(phi).sub_(0.5) if noisy else phi.round()).mul_(step)
        ctx.save_for_backward(phi, coefficients, step, basis)
        ctx.places, ctx.density = places, density
        theta = coefficients
        if basis is not None:
            with torch.autocast(phi.device.type, enabled=False):
                theta = coefficients @ basis
        bits = phi.new_zeros(()) if density is None else density.code_bits.clone()
        return (bits, *(place.for_network(theta) for place in places))

    @staticmethod
    def backward(ctx: Any, grad_bits: Tensor, *grad_tensors: Tensor) -> tuple[Tensor | None, ...]:
        phi, coefficients, step, basis = ctx.saved_tensors
        gradient = torch.empty_like(phi)
        factor = step.reshape(()) if basis is None else 1.0
        for place, grad_tensor in zip(ctx.places, grad_tensors, strict=True):
            torch.mul(grad_tensor, factor, out=place.within(gradient))
        if basis is None:
            grad_step = torch.dot(gradient.view(-1), coefficients.view(-1)).reshape(1)
        else:
            gradient = (gradient @ basis.T).mul_(step)
            grad_step = (gradient * coefficients).sum(dim=0)
        if ctx.density is not None:
            ctx.density.add_slope(gradient, phi, grad_bits)
        return (
            gradient,
            grad_step / step,
            None,
            None,
            None,
            None,
        )  # both its factors hold the step; the gradient has it once
