"""What a trial asks of its steps: optimisers, schedules, clipping, float16, averages, batches in parts."""

from __future__ import annotations

import dataclasses
import itertools
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.trainers import networks
from tests.trainers.trials import attach, configuration, run
from trainers.divergence import DivergedError
from trainers.loop.averages import Averages
from trainers.loop.optimisers import optimisers_of
from trainers.loop.training import Training
from trainers.loop.updates import Updates, parts_of
from trainers.methods.base import Moment, Optimiser, Phase
from trainers.networks.calling import Network
from trainers.tasks.base import Batch, Task
from trainers.training_settings import Cosine, Linear, Step


def updates_of(
    method: str = "uncompressed", num_steps: int = 10, dtype: torch.dtype = torch.float32, **settings: Any
) -> tuple[Updates, Phase, nn.Module]:
    """The updates of a method's last phase, that phase, and what it trains."""
    config = configuration(method, **settings)
    trial = attach(config)
    training = Training(
        config=config,
        task=trial.task,
        method=trial.method,
        context=trial.context,
        modifications=(),
        report=lambda progress: None,
    )
    phase, model = trial.method.phases(trial.context)[-1], trial.model.to(dtype)
    return Updates(training, phase, model, num_steps), phase, model


def values_of(model: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def with_gradients(model: nn.Module, value: float) -> None:
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, value)


def test_another_optimiser_keeps_the_learning_rate_and_the_schedule_of_the_method() -> None:
    updates, _, _ = updates_of(optimiser={"name": "sgd", "momentum": 0.5, "nesterov": True, "weight_decay": 0.1})
    (own,), (made,) = updates_of()[0].optimisers, updates.optimisers
    assert isinstance(made.optimiser, torch.optim.SGD)
    (group,) = made.optimiser.param_groups
    assert (group["momentum"], group["nesterov"], group["weight_decay"]) == (0.5, True, 0.1)
    assert group["lr"] == own.optimiser.param_groups[0]["lr"] == 2e-3
    assert type(made.schedule) is type(own.schedule)


def test_sgd_does_what_it_is_called() -> None:
    updates, _, model = updates_of(optimiser={"name": "sgd", "momentum": 0.0}, schedule="constant")
    before = values_of(model)
    with_gradients(model, 3.0)
    updates.step()
    torch.testing.assert_close(before - values_of(model), torch.full_like(before, 2e-3 * 3))


@pytest.mark.parametrize(("method", "beside"), [("qat", 1), ("spike_slab", 1), ("str", 1), ("lcs", 0)])
def test_what_a_method_trains_beside_weights_keeps_its_own(method: str, beside: int) -> None:
    _, phase, model = updates_of(method)
    model = phase.apply(model, None)
    made = optimisers_of(phase, model, 10, configuration(method, optimiser="sgd", schedule="constant"))
    assert isinstance(made[0].optimiser, torch.optim.SGD)
    assert isinstance(made[0].schedule, torch.optim.lr_scheduler.LambdaLR)
    assert len(made) == 1 + beside
    assert all(isinstance(one.schedule, torch.optim.lr_scheduler.CosineAnnealingLR) for one in made[1:])
    own = [group for one in phase.optimisers(model, 10) for group in one.optimiser.param_groups]
    new = [group for one in made for group in one.optimiser.param_groups]
    assert [(len(group["params"]), group["lr"]) for group in new] == [(len(g["params"]), g["lr"]) for g in own]


def test_weights_decay_as_the_method_has_it_whatever_the_optimiser() -> None:
    updates, _, model = updates_of("lcs", optimiser={"name": "sgd", "momentum": 0.0})
    before = {name: one.detach().clone() for name, one in model.named_parameters()}
    with_gradients(model, 0.0)
    updates.step()
    moved = {name for name, one in model.named_parameters() if not torch.equal(one, before[name])}
    assert moved
    assert all(model.get_parameter(name).ndim > 1 for name in moved)


@pytest.mark.parametrize(("setting", "name"), [("optimiser", "sgd"), ("schedule", "linear")])
def test_a_phase_that_makes_its_optimisers_by_itself_refuses_others(setting: str, name: str) -> None:
    _, phase, model = updates_of()

    def by_itself(model: nn.Module, num_steps: int) -> tuple[Optimiser, ...]:
        sgd = torch.optim.SGD(model.parameters(), lr=0.1)
        return (Optimiser(optimiser=sgd, schedule=torch.optim.lr_scheduler.LinearLR(sgd)),)

    phase = dataclasses.replace(phase, optimisers=by_itself)
    assert len(optimisers_of(phase, model, 10, configuration("ptq"))) == 1
    config = configuration("ptq", **{setting: name})
    with pytest.raises(
        ValueError, match=rf"^{setting} is '{name}', and phase 'train' of method 'ptq' makes its optimis"
    ):
        optimisers_of(phase, model, 10, config)


@pytest.mark.parametrize(
    ("schedule", "wanted"),
    [
        (Linear(), [1.0, 0.75, 0.5, 0.25]),
        (Linear(final=0.5, warmup=0.5), [1 / 3, 2 / 3, 1.0, 0.75]),
        (Cosine(final=1.0), [1.0, 1.0, 1.0, 1.0]),
        (Cosine(warmup=0.25), [1 / 2, 1.0, 0.75, 0.25]),
        (Step(milestones=[0.5, 0.75], factor=0.5), [1.0, 1.0, 0.5, 0.25]),
    ],
)
def test_schedules_rise_and_fall_over_the_steps_of_a_phase(schedule: Any, wanted: list[float]) -> None:
    assert [schedule.multiplier(step, 4) for step in range(4)] == pytest.approx(wanted)
    assert schedule.multiplier(0, 0) >= 0, "a phase without a step"


def test_learning_rates_follow_the_schedule() -> None:
    updates, _, model = updates_of(num_steps=4, schedule={"name": "linear", "warmup": 0.5})
    (optimiser,) = updates.optimisers
    rates = []
    for _ in range(4):
        rates.append(optimiser.optimiser.param_groups[0]["lr"] / 2e-3)
        with_gradients(model, 0.0)
        updates.step()
    assert rates == pytest.approx([1 / 3, 2 / 3, 1.0, 0.5])


def test_gradients_are_clipped_by_their_norm_over_all_tensors() -> None:
    updates, _, model = updates_of(optimiser={"name": "sgd", "momentum": 0.0}, schedule="constant", clip=0.5)
    before = values_of(model)
    with_gradients(model, 7.0)
    updates.step()
    assert float((before - values_of(model)).norm()) == pytest.approx(2e-3 * 0.5, rel=1e-3)


def test_a_step_whose_gradients_overflow_is_left_out_and_the_next_one_is_taken() -> None:
    updates, _, model = updates_of(precision="float16", optimiser="sgd")
    before = values_of(model)
    for scale, is_taken in ((math.inf, False), (1.0, True)):
        updates.begin()
        updates.backward(scale * sum_of(model))
        updates.step()
        assert bool((values_of(model) != before).any()) == is_taken
    assert updates.state_dict()["scaler"]["scale"] == 2.0**15


def sum_of(model: nn.Module) -> Tensor:
    return torch.stack([parameter.sum() for parameter in model.parameters()]).sum()


def test_gradients_that_overflow_at_every_scale_are_a_divergence() -> None:
    updates, _, model = updates_of(precision="float16")
    for _ in range(30):
        updates.begin()
        updates.backward(math.inf * sum_of(model))
        updates.step()
    with pytest.raises(
        DivergedError, match=r"^gradients overflowed in float16 at every scale, in phase 'train': float16"
    ):
        updates.check()


def test_a_loss_that_overflows_in_float16_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def loss(network: Network, batch: Batch) -> Tensor:
        outputs = network(batch.inputs)
        return nn.functional.cross_entropy(outputs, batch.targets) + (outputs.half() * 1e6).sum()

    task = networks.clusters()
    monkeypatch.setattr(networks, "clusters", lambda: Task(**{**vars(task), "loss": loss}))
    with pytest.raises(DivergedError, match=r"^the training loss became (inf|-inf|nan) .*: float16 ends at 65504"):
        run(configuration("uncompressed", precision="float16"), tmp_path)


def test_float16_refuses_parameters_of_float16() -> None:
    with pytest.raises(ValueError, match=r"^precision is 'float16', and the network has float16 parameters, whose"):
        updates_of(dtype=torch.float16, precision="float16")


def test_parameters_of_16_bits_have_their_gradients_clipped_and_are_kept_in_32() -> None:
    sgd = {"name": "sgd", "momentum": 0.0}
    updates, _, model = updates_of(dtype=torch.bfloat16, clip=0.5, optimiser=sgd, schedule="constant")
    (optimiser,) = updates.optimisers
    (masters,) = (group["params"] for group in optimiser.optimiser.param_groups)
    before = torch.cat([one.detach().flatten().clone() for one in masters])
    with_gradients(model, 7.0)
    updates.step()
    after = torch.cat([one.detach().flatten() for one in masters])
    assert float((before - after).norm()) == pytest.approx(2e-3 * 0.5, rel=1e-2)
    assert len(optimiser.optimiser.state_dict()["state"]) == len(masters), "they are in checkpoints"


def test_averages_stand_for_values_while_measured_and_at_the_end() -> None:
    layer = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    layer[1].bias.requires_grad_(False)
    averages = Averages(layer, 0.5)
    start = float(layer[0].weight.detach())
    with torch.no_grad():
        layer[0].weight.fill_(1.0)
        layer[1].running_mean.fill_(10.0)
    averages.update(0)  # at a decay of 1/10
    with averages.in_place():
        assert float(layer[0].weight.detach()) == pytest.approx(0.1 * start + 0.9)
        assert float(layer[1].running_mean) == pytest.approx(9.0)
    assert float(layer[0].weight.detach()) == 1.0
    averages.update(1000)  # at its decay
    averages.give()
    assert float(layer[0].weight.detach()) == pytest.approx(0.05 * start + 0.95)
    assert set(averages.state_dict()) == {"0.weight", "1.weight", "1.running_mean", "1.running_var"}


def test_the_average_of_what_was_pruned_is_zero() -> None:
    layer = nn.Linear(2, 1, bias=False)
    averages = Averages(layer, 0.9)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.0, 1.0]]))
    averages.update(100)
    averages.give()
    assert layer.weight[0, 0] == 0
    assert 0 < layer.weight[0, 1] < 1


def test_averages_are_what_is_validated_on_and_stored(tmp_path: Path) -> None:
    config = configuration("uncompressed", steps=60, ema=0.98)
    files, reports = run(config, tmp_path / "averaged")
    plain, others = run(dataclasses.replace(config, ema=0.0), tmp_path / "plain")
    assert files != plain
    assert [one.train_loss for one in reports] == [one.train_loss for one in others], "the training is the same"
    assert [one.quality_val for one in reports] != [one.quality_val for one in others]


@pytest.mark.parametrize(("size", "number"), [(10, 1), (10, 3), (7, 7), (96, 5)])
def test_a_batch_is_split_whatever_it_holds(size: int, number: int) -> None:
    batch = ({"a": torch.arange(size), "b": (torch.arange(2 * size).view(size, 2),)}, torch.arange(size))
    parts = list(parts_of(batch, number))
    assert len(parts) == number
    assert sum(share for _, share in parts) == pytest.approx(1.0)
    sizes = [len(targets) for (_, targets), _ in parts]
    assert max(sizes) - min(sizes) <= 1
    assert torch.equal(torch.cat([targets for (_, targets), _ in parts]), batch[1])
    assert torch.equal(torch.cat([inputs["b"][0] for (inputs, _), _ in parts]), batch[0]["b"][0])  # type: ignore[arg-type]


@pytest.mark.parametrize("accumulate", [2, 5])
def test_parts_of_a_batch_have_the_gradients_of_the_whole(accumulate: int, tmp_path: Path) -> None:
    seen: list[int] = []
    gradients: list[Tensor] = []
    for number in (1, accumulate):
        config = configuration("uncompressed", accumulate=number)
        trial = attach(config)
        (phase,) = trial.method.phases(trial.context)
        moment = Moment(step=0, phase_step=0, num_phase_steps=6)
        batch: Batch = trial.batch
        trial.model.zero_grad()
        for part, share in parts_of(batch, number):
            seen.append(len(part[0]))
            (share * phase.loss(trial.model, part, trial.context, moment)).backward()  # type: ignore[no-untyped-call]
        gradients.append(torch.cat([one.grad.flatten() for one in trial.model.parameters() if one.grad is not None]))
    assert max(seen[1:]) <= math.ceil(seen[0] / accumulate)
    torch.testing.assert_close(*gradients)
    reports = [run(configuration("ptq", accumulate=n), tmp_path / str(n))[1] for n in (1, accumulate)]
    for one, other in itertools.pairwise(reports):
        assert [r.train_loss for r in one] == pytest.approx([r.train_loss for r in other], rel=1e-4)
