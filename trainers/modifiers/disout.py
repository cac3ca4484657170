"""Disout: while a network is trained, parts of its feature maps are distorted rather than dropped."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainers import checks
from trainers.config import Spec
from trainers.data.examples import few
from trainers.methods.base import Context
from trainers.modifiers.base import AbstractModifier, Modification
from trainers.networks.calling import call
from trainers.networks.modes import evaluating
from trainers.tasks.base import Task
from trainers.trees import zeros

_READERS = (nn.Linear, nn.Conv2d)


@dataclass(frozen=True, kw_only=True)
class Disout(AbstractModifier):
    """While training, each layer but the first reads its feature map f distorted:

        ((1 - m) f + m e) / mean(1 - m),   e = alpha * s * sigma * noise

    m is 1 with ``probability``, else 0 (where it is 1, dropout has e = 0). sigma is the standard deviation of f. s is,
    for each channel, the largest magnitude with which the layer weighs it, averaged over the kernel. noise is standard
    normal. In an image, m is 1 in squares with sides of ``block`` places (DropBlock). Measurements and files are not
    affected.

    The paper derives which distortion lowers a bound on the generalisation gap; its authors train with the random one
    that is used here.

    References:
        Tang, Wang, Xu, Xu, Xu, Xu 2020, "Beyond Dropout: Feature Map Distortion to Regularize Deep Neural Networks",
        AAAI, arXiv 2002.11022.
        Ghiasi, Lin, Le 2018, "DropBlock", arXiv 1810.12890, equation 1.
    """

    probability: float = 0.1
    """The share of a feature map that is distorted."""
    alpha: float = 1.0
    """The strength of the distortion; 0 is dropout."""
    block: int = 6
    """The side of the squares, at most that of the feature map."""

    def __post_init__(self) -> None:
        checks.number("probability", self.probability, low=0, high=0.9)
        checks.number("alpha", self.alpha, low=0)
        checks.integer("block", self.block, low=1)

    def check(self, plain: nn.Module, task: Task, architecture: Spec) -> None:
        self._layers(plain, task)

    def attach(self, model: nn.Module, context: Context, task: Task, architecture: Spec) -> Modification:
        layers = [model.get_submodule(name) for name in self._layers(context.plain, task)]

        @contextlib.contextmanager
        def distorting() -> Iterator[None]:
            handles = [layer.register_forward_pre_hook(self._before) for layer in layers]
            try:
                yield
            finally:
                for handle in handles:
                    handle.remove()

        def check(model: nn.Module) -> None:
            found = set(model.modules())
            if not found.issuperset(layers):
                raise ValueError("disout: the method has replaced layers of the network, so their inputs are unknown")

        return Modification(around_loss=distorting, check=check)

    def distorted(self, features: Tensor, weight: Tensor, groups: int) -> Tensor:
        """Distort ``features``, (batch, channels, height, width) or (..., channels), for a layer with ``weight``."""
        is_image = weight.ndim == 4
        with torch.no_grad():
            spread = self.alpha * features.float().std(correction=0)
            noise = torch.randn_like(features)
            m = self._squares(features) if is_image else (torch.rand_like(features) < self.probability).to(noise.dtype)
            # (groups * channels in a group,): the first axis of a weight holds the outputs, group after group
            weighed = weight.detach().abs().reshape(groups, -1, *weight.shape[1:]).amax(dim=1).flatten(0, 1)
            s = weighed.mean(dim=(1, 2))[:, None, None] if is_image else weighed
            e = s.to(noise.dtype) * spread.to(noise.dtype) * noise
            share_kept = (1 - m).mean().clamp(min=1 / m.numel())
        return ((1 - m) * features + m * e) / share_kept

    def _squares(self, features: Tensor) -> Tensor:
        """Draw a mask (batch, channels, height, width) of ones in squares: draw corners, make each corner a square."""
        height, width = features.shape[2:]
        block = min(self.block, height, width)
        rows, columns = height - block + 1, width - block + 1
        rate = self.probability / block**2 * (height * width) / (rows * columns)
        corners = torch.rand(*features.shape[:2], rows, columns, device=features.device) < rate
        padded = F.pad(corners.to(features.dtype), [block - 1] * 4)
        squares: Tensor = F.max_pool2d(padded, block, stride=1)
        return squares

    def _before(self, layer: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        # the weight of this step: some methods compute another at each step
        return (self.distorted(inputs[0], layer.weight, getattr(layer, "groups", 1)), *inputs[1:])  # type: ignore[arg-type]

    def _layers(self, plain: nn.Module, task: Task) -> list[str]:
        """Names of the layers that read feature maps: all but the first called, which reads the input."""
        called: dict[str, None] = {}
        handles = [
            module.register_forward_pre_hook(lambda module, inputs, name=name: called.setdefault(name))
            for name, module in plain.named_modules()
            if isinstance(module, _READERS)
        ]
        try:
            with evaluating(plain), torch.no_grad():
                call(plain, zeros(few(task.train, 1).inputs, 1, torch.device("meta")))
        finally:
            for handle in handles:
                handle.remove()
        if len(called) < 2:
            raise ValueError(
                "disout distorts what fully connected and convolution layers read of others: "
                f"wanted two of them at least, and this network has {len(called)}"
            )
        return list(called)[1:]
