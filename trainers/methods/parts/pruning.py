"""What pruning methods share: which weights may go, which are the largest, networks with masks, and a size estimate."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from trainers.methods.base import Context, Moment, Optimiser
from trainers.methods.parts import backend
from trainers.methods.parts.plain import adam_cosine

VALUE_BITS = 4
"""The bits of a normal value at a step of a quarter of its standard deviation: log2(4 sqrt(2 pi e)) = 4.05."""
BIAS_BITS = 6
"""The bits at a step of a sixteenth, as biases have it."""


def prunable(model: nn.Module, skipped: Collection[str] = ()) -> dict[str, nn.Parameter]:
    """The weights by their names, each parameter once; biases and norms, few and sensitive, are not among them.

    Nor are frozen weights: who freezes them wants them kept; nor those that are ``skipped``.

    Raises:
        ValueError: there are none.
    """
    names = backend.weight_names(model)
    names -= set(skipped)
    found = {name: weight for name, weight in model.named_parameters() if name in names and weight.requires_grad}
    if not any(weight.numel() for weight in found.values()):
        raise ValueError(
            "the network has no weights to prune: wanted a parameter of two or more dimensions that is neither frozen "
            "nor skipped"
        )
    return found


def num_kept(keep_ratio: float, weights: Iterable[Tensor]) -> int:
    """The number of weights that a ratio keeps: rounded, and one for each tensor at least."""
    sizes = [weight.numel() for weight in weights]
    return max(sum(size > 0 for size in sizes), round(keep_ratio * sum(sizes)))


@torch.no_grad()
def keep_largest(scores: Sequence[Tensor], count: int) -> list[Tensor]:
    """A mask for each tensor; together they keep the ``count`` values of the largest magnitude over all tensors.

    The largest of each tensor comes before everything else, since a layer without weights would cut the network in
    two. Of equal magnitudes the first is kept.

    Args:
        scores: tensors of any shapes.
        count: at most the number of values in all of them.
    """
    ranked: list[Tensor] = []
    for tensor in scores:
        magnitudes = tensor.abs().flatten()
        if len(magnitudes):
            magnitudes[magnitudes.argmax()] = math.inf
        ranked.append(magnitudes)
    flat = torch.cat(ranked)
    kept = torch.zeros_like(flat, dtype=torch.bool)
    kept[flat.argsort(descending=True, stable=True)[:count]] = True
    parts = torch.split(kept, [tensor.numel() for tensor in scores])
    return [part.view(tensor.shape) for part, tensor in zip(parts, scores, strict=True)]


class Masked(nn.Module):
    """A network with a mask for each weight tensor: false where the weight is zero and stays so.

    The network computes with its own parameters. ``project`` undoes what an optimiser does to pruned ones; for Adam,
    which treats each value on its own, this is the same as training the product with the mask.
    """

    def __init__(self, network: nn.Module, skipped: Collection[str] = ()) -> None:
        """Nothing is pruned yet; what is ``skipped`` never is."""
        super().__init__()
        self.network, self._skipped = network, set(skipped)
        for index, weight in enumerate(self.prunable().values()):
            self.register_buffer(f"mask{index}", torch.ones_like(weight, dtype=torch.bool))

    def prunable(self) -> dict[str, nn.Parameter]:
        """The weights that may be pruned, by their names."""
        return prunable(self.network, self._skipped)

    def masks(self) -> dict[str, Tensor]:
        """The masks, by the names of the network's weights."""
        return {name: self.get_buffer(f"mask{index}") for index, name in enumerate(self.prunable())}

    @torch.no_grad()
    def prune(self, masks: Iterable[Tensor]) -> None:
        """Set the masks, which come in the order of the network's weights, and zero what they prune."""
        for mask, new in zip(self.masks().values(), masks, strict=True):
            mask.copy_(new)
        self.project()

    @torch.no_grad()
    def project(self) -> None:
        """Set pruned weights back to zero; NaN stays, for the training loop to find."""
        for weight, mask in zip(self.prunable().values(), self.masks().values(), strict=True):
            weight.mul_(mask)

    def forward(self, *inputs: Any, **named: Any) -> Any:
        return self.network(*inputs, **named)


def project_masked(model: nn.Module, context: Context, moment: Moment) -> None:
    """The ``after_step`` of phases that train a ``Masked``."""
    cast(Masked, model).project()


def decayed_adam(network: nn.Module, learning_rate: float, weight_decay: float, num_steps: int) -> Optimiser:
    """Adam with a cosine schedule to zero; before each step the weights that may be pruned decay.

    The decay, w <- (1 - learning rate * weight_decay) w, is decoupled from Adam's normalised gradient, in which an L2
    penalty would move weights equally fast whatever its strength (Loshchilov and Hutter 2019, arXiv 1711.05101).
    """
    weights = list(prunable(network).values())
    floats = [one for one in network.parameters() if one.is_floating_point()]

    def connect(optimiser: torch.optim.Optimizer) -> None:
        updated = dict(zip(floats, optimiser.param_groups[0]["params"], strict=True))

        @torch.no_grad()
        def decay(optimiser: torch.optim.Optimizer, *arguments: object) -> None:
            for weight in weights:
                if weight.grad is None:
                    continue  # frozen
                updated[weight].mul_(1 - optimiser.param_groups[0]["lr"] * weight_decay)

        optimiser.register_step_pre_hook(decay)

    groups = [{"params": list(network.parameters()), "lr": learning_rate}]
    return adam_cosine(groups, num_steps, connect=connect if weight_decay else None)


def replaced(network: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The ``state_dict`` of ``network`` with other weights."""
    return {name: weights.get(name, tensor).detach() for name, tensor in network.state_dict().items()}


@torch.no_grad()
def stored_bits(network: nn.Module, weights: Mapping[str, Tensor]) -> Tensor:
    """An estimate of the size of ``network`` with pruned ``weights``, scalar: counted, so without a gradient.

    N H(n / N) bits say which n of a tensor's N weights are not zero, and each of these costs ``VALUE_BITS``.
    """
    bits = float(BIAS_BITS * sum(p.numel() for name, p in network.named_parameters() if name not in weights))
    for tensor in weights.values():
        left, size = int(tensor.count_nonzero()), tensor.numel()
        share = left / size if size else 0.0
        entropy = -sum(p * math.log2(p) for p in (share, 1 - share) if p > 0)
        bits += size * entropy + left * VALUE_BITS
    return torch.tensor(bits)
