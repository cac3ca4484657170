"""A stand-in method that uses all that a phase can have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from tests.trainers.trials import configuration
from trainers.coding.sections import Sections
from trainers.config import TrialConfig
from trainers.data.examples import few
from trainers.methods.base import AbstractMethod, Batch, Context, Moment, Optimiser, Phase, RateKnob
from trainers.methods.parts import backend
from trainers.methods.parts.plain import adam_cosine


class Mask(nn.Module):
    def __init__(self, kept: Tensor) -> None:
        super().__init__()
        self.register_buffer("kept", kept)

    def forward(self, weight: Tensor) -> Tensor:
        return weight * self.kept


@dataclass(frozen=True, kw_only=True)
class TwoPhases(AbstractMethod):
    """Trains until ``patience`` reports have passed, then prunes at random and trains what is left.

    Dropout grows over a phase; a running average of a bias is kept; weights and biases have an optimiser each.
    """

    patience: int = 100
    first_share: float = 0.5

    version: ClassVar[int] = 1
    rate_knob: ClassVar[RateKnob | None] = None

    def attach(self, model: nn.Module, context: Context) -> nn.Module:
        model.register_buffer("num_reports", torch.tensor(0))
        model.register_buffer("average", torch.zeros(8))
        return model

    def phases(self, context: Context) -> tuple[Phase, ...]:
        def loss(model: nn.Module, batch: Batch, context: Context, moment: Moment) -> Tensor:
            assert model.training
            outputs = nn.functional.dropout(model(batch[0]), 0.2 * moment.progress)
            return context.loss(lambda inputs: outputs, batch)

        def optimisers(model: nn.Module, num_steps: int) -> tuple[Optimiser, ...]:
            named = dict(model.named_parameters())
            weights = [parameter for name, parameter in named.items() if "bias" not in name]
            biases = [parameter for name, parameter in named.items() if "bias" in name]
            sgd = torch.optim.SGD(weights, lr=0.1 / (1 + float(weights[0].detach().norm())), momentum=0.9)
            schedule = torch.optim.lr_scheduler.SequentialLR(
                sgd,
                [torch.optim.lr_scheduler.LinearLR(sgd, total_iters=2),
                 torch.optim.lr_scheduler.CosineAnnealingLR(sgd, max(num_steps - 2, 1))],
                [2],
            )  # fmt: skip
            return Optimiser(optimiser=sgd, schedule=schedule), adam_cosine([{"params": biases, "lr": 0.01}], num_steps)

        def after_step(model: nn.Module, context: Context, moment: Moment) -> None:
            assert not torch.is_grad_enabled()
            bias = model.get_parameter("1.bias")
            bias.add_(1e-3 * torch.rand_like(bias))
            model.get_buffer("average").lerp_(bias, 1 / (1 + moment.phase_step))

        def stop(model: nn.Module, context: Context) -> bool:
            model.get_buffer("num_reports").add_(1)
            return int(model.get_buffer("num_reports")) >= self.patience

        def decide(model: nn.Module, context: Context) -> Any:
            inputs, _ = few(context.validation, 48)
            with torch.no_grad():
                salt = float(model(inputs).sum())
            weight = model.get_parameter("1.weight")
            return {"kept": (torch.rand(weight.shape) < 0.5).tolist(), "salt": salt, "one": [1, None, "x"]}

        def apply(model: nn.Module, decision: Any) -> nn.Module:
            parametrize.register_parametrization(model[1], "weight", Mask(torch.tensor(decision["kept"])))  # type: ignore[index]
            return model

        first = Phase(
            name="dense", share=self.first_share, loss=loss, optimisers=optimisers, after_step=after_step, stop=stop
        )
        second = Phase(
            name="sparse",
            share=1 - self.first_share,
            loss=loss,
            optimisers=optimisers,
            after_step=after_step,
            decide=decide,
            apply=apply,
            rate_comparable=False,
        )
        return first, second

    def rate_bits(self, model: nn.Module, context: Context) -> Tensor:
        return torch.rand(()) + 1

    def points(self, model: nn.Module, context: Context) -> Iterator[tuple[str, Sections]]:
        for index in range(2):
            tensors = {
                name: backend.raw(getattr(model.get_submodule(name.split(".")[0]), name.split(".")[1]))
                for name in context.plain.state_dict()
            }
            average = model.get_buffer("average").half().numpy()
            yield f"point-{index}", Sections(tensors=tensors, vectors=(torch.rand(2).half().numpy(), average))

    @staticmethod
    def decode(sections: Sections, plain: nn.Module) -> dict[str, Tensor]:
        return backend.dequantise(sections, plain)


def two_phases(**method: Any) -> TrialConfig:
    """Epochs of nine steps; the phases change at step 20, in the middle of the third."""
    return configuration(
        "uncompressed", method={"name": "two_phases", **method}, steps=40, batch_size=10,
        task="tests.trainers.networks:jittered",
    )  # fmt: skip
