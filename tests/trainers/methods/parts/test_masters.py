"""Parameters of 16 bits are trained through float32 copies, which checkpoints hold."""

from __future__ import annotations

import copy
import io
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.trainers.networks import COARSE
from tests.trainers.trials import configuration, run
from trainers.loop.progress import Progress
from trainers.methods.parts.masters import adam
from trainers.methods.parts.pruning import decayed_adam
from trainers.train import train

SIXTEEN = [torch.float16, torch.bfloat16]


def step(parameter: nn.Parameter, optimiser: torch.optim.Optimizer, gradient: float) -> None:
    optimiser.zero_grad()
    (parameter.float() * gradient).sum().backward()
    optimiser.step()


@pytest.mark.parametrize("dtype", SIXTEEN)
def test_many_small_updates_add_up(dtype: torch.dtype) -> None:
    """Each is smaller than half of the last place."""
    parameter = nn.Parameter(torch.ones(3, dtype=dtype))
    optimiser = adam([{"params": [parameter], "lr": 1e-4}])
    for _ in range(1000):
        step(parameter, optimiser, 1.0)
    assert parameter.dtype == dtype
    assert torch.allclose(parameter.float(), torch.tensor(0.9), atol=0.01)


@pytest.mark.parametrize("dtype", SIXTEEN)
def test_squares_of_small_gradients_do_not_vanish(dtype: torch.dtype) -> None:
    parameter = nn.Parameter(torch.ones(3, dtype=dtype))
    step(parameter, adam([{"params": [parameter], "lr": 0.01}]), 1e-5)
    assert torch.allclose(parameter.float(), torch.tensor(0.99), atol=0.005)


@pytest.mark.parametrize("dtype", SIXTEEN)
def test_a_resumed_optimiser_goes_on_as_if_it_had_not_stopped(dtype: torch.dtype) -> None:
    parameter = nn.Parameter(torch.linspace(-1, 1, 7, dtype=dtype))
    optimiser = adam([{"params": [parameter], "lr": 3e-4}])
    for _ in range(5):
        step(parameter, optimiser, 0.3)
    file = io.BytesIO()
    torch.save(optimiser.state_dict(), file)
    file.seek(0)
    resumed = nn.Parameter(parameter.detach().clone())
    other = adam([{"params": [resumed], "lr": 3e-4}])
    other.load_state_dict(torch.load(file, weights_only=True))
    for _ in range(40):
        step(parameter, optimiser, 0.3)
        step(resumed, other, 0.3)
    assert torch.equal(parameter, resumed)


@pytest.mark.parametrize("method", ["magnitude", "epr", "qat", "espn"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_resumed_training_ends_in_the_same_file(method: str, dtype: str, tmp_path: Path) -> None:
    config = configuration(method, architecture={"name": COARSE, "dtype": dtype})
    whole, _ = run(config, tmp_path / "whole")
    pending = [3]

    def interrupt(progress: Progress) -> None:
        if pending and progress.step == pending[0]:
            raise InterruptedError(pending.pop())

    with pytest.raises(InterruptedError):
        train(config, interrupt, tmp_path / "parts", checkpoint_interval_s=0)
    assert run(config, tmp_path / "parts", checkpoint_interval_s=0)[0] == whole


def test_what_is_written_to_a_parameter_between_steps_stays() -> None:
    parameter = nn.Parameter(torch.ones(3, dtype=torch.bfloat16))
    optimiser = adam([{"params": [parameter], "lr": 1e-3}])
    step(parameter, optimiser, 1.0)
    with torch.no_grad():
        parameter[1] = 0
    step(parameter, optimiser, 0.0)
    assert abs(float(parameter.detach()[1])) < 0.01
    assert float(parameter.detach()[0]) > 0.9


def test_frozen_parameters_and_those_that_are_no_floats_stay_as_they_are() -> None:
    frozen = nn.Parameter(torch.ones(2, dtype=torch.bfloat16), requires_grad=False)
    index = nn.Parameter(torch.arange(3), requires_grad=False)
    trained = nn.Parameter(torch.ones(2))
    optimiser = adam([{"params": [index, frozen, trained], "lr": 0.1}])
    given = copy.deepcopy([frozen, index])
    step(trained, optimiser, 1.0)
    assert torch.equal(frozen, given[0])
    assert torch.equal(index, given[1])
    assert torch.allclose(trained, torch.tensor(0.9))


def test_the_decay_of_weights_reaches_the_copies() -> None:
    """Each step takes less away than bfloat16 can tell."""
    layer = nn.Linear(4, 4, bias=False, dtype=torch.bfloat16)
    nn.init.ones_(layer.weight)
    optimiser = decayed_adam(layer, 1e-3, 1.0, 10**9).optimiser
    for _ in range(300):
        step(layer.weight, optimiser, 0.0)
    assert torch.allclose(layer.weight.float(), torch.tensor(0.74), atol=0.01)
