"""Trainings that reach NaN or infinity end with a line that says where, before they report anything of it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.trainers.methods.two_phases import TwoPhases, two_phases
from tests.trainers.trials import configuration, run
from trainers.divergence import DivergedError
from trainers.loop.progress import Progress
from trainers.methods.base import Batch, Context, Moment, Optimiser, Phase
from trainers.methods.multi_hashing import MultiHashing
from trainers.train import train

pytestmark = pytest.mark.usefixtures("two_phases_is_registered")


def sgd_at(rate: float) -> Callable[[nn.Module, int], tuple[Optimiser, ...]]:
    """Optimisers for any phase: plain gradient descent."""

    def optimisers(model: nn.Module, num_steps: int) -> tuple[Optimiser, ...]:
        sgd = torch.optim.SGD(model.parameters(), lr=rate)
        return (Optimiser(optimiser=sgd, schedule=torch.optim.lr_scheduler.ConstantLR(sgd, 1.0, 0)),)

    return optimisers


@pytest.mark.parametrize("diverging", [0, 1])
def test_a_divergence_in_any_phase_is_said_with_its_step_its_phase_and_a_remedy(
    diverging: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phases = TwoPhases.phases

    def unstable(self: TwoPhases, context: Context) -> tuple[Phase, ...]:
        found = list(phases(self, context))
        found[diverging] = dataclasses.replace(found[diverging], optimisers=sgd_at(1e36))
        return tuple(found)

    monkeypatch.setattr(TwoPhases, "phases", unstable)
    reports: list[Progress] = []
    with pytest.raises(
        DivergedError,
        match=r"^(the training loss|parameter '\S+') became (nan|inf|NaN or infinite) .*"
        r"of 40, in phase '(dense|sparse)': a lower learning rate may mend it$",
    ) as caught:
        train(two_phases(), reports.append, tmp_path)
    assert ["dense", "sparse"][diverging] in str(caught.value)
    assert all(report.phase == "dense" for report in reports), "nothing is reported of a network that diverged"
    assert len([report for report in reports if report.is_judged]) == 3 * diverging
    assert not list(tmp_path.glob("*.rfz"))


def test_products_of_factors_diverge_under_gradient_descent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This is why multi-hashing uses Adam. Its loss becomes infinite long before its product does."""
    monkeypatch.setattr(MultiHashing, "_optimisers", lambda self, model, num_steps: sgd_at(3.0)(model, num_steps))
    with pytest.raises(DivergedError, match="the training loss became nan between steps"):
        run(configuration("multi_hashing", steps=60), tmp_path)


def test_a_parameter_that_a_report_would_hide_is_found_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the parameters show it: the losses until the report are finite, and the accuracy is a number."""
    phases = TwoPhases.phases

    def spoiled(self: TwoPhases, context: Context) -> tuple[Phase, ...]:
        def after_step(model: nn.Module, context: Context, moment: Moment) -> None:
            if moment.step == 3:
                model.get_parameter("3.bias")[0] = math.nan

        return tuple(dataclasses.replace(phase, after_step=after_step) for phase in phases(self, context))

    monkeypatch.setattr(TwoPhases, "phases", spoiled)
    with pytest.raises(DivergedError, match=r"^parameter '3\.bias' became NaN or infinite by step 4 of 40"):
        train(two_phases(), lambda progress: pytest.fail("reported"), tmp_path)


@pytest.mark.parametrize("is_finite", [True, False])
def test_what_a_step_raises_is_a_divergence_where_the_network_is_not_finite(
    is_finite: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phases = TwoPhases.phases

    def raising(self: TwoPhases, context: Context) -> tuple[Phase, ...]:
        def loss(model: nn.Module, batch: Batch, context: Context, moment: Moment) -> Tensor:
            if moment.step == 2:
                with torch.no_grad():
                    model.get_parameter("3.bias")[0] = 0.0 if is_finite else math.inf
                raise RuntimeError("the decomposition did not converge")
            return context.loss(model, batch)

        return tuple(dataclasses.replace(phase, loss=loss) for phase in phases(self, context))

    monkeypatch.setattr(TwoPhases, "phases", raising)
    wanted = RuntimeError if is_finite else DivergedError
    message = "^the decomposition did not converge$" if is_finite else r"^parameter '3\.bias' became .* by step 2 of 40"
    with pytest.raises(wanted, match=message):
        train(two_phases(), lambda progress: pytest.fail("reported"), tmp_path)
