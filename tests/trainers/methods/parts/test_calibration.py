"""Calibration examples, and the output errors that errors in weights cause on them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from tests.trainers.methods import contexts
from tests.trainers.trials import attach, configuration
from trainers.methods.base import Context
from trainers.methods.parts import calibration
from trainers.methods.parts.calibration import NUM_EXAMPLES, examples, output_errors, synthesised


def context_of(inputs: Tensor) -> Context:
    return contexts.context_of(nn.Identity(), inputs)


@pytest.mark.parametrize(("num_train", "stride"), [(50, 1), (128, 1), (129, 2), (1000, 8)])
def test_real_examples_are_evenly_spaced_over_the_training_data(num_train: int, stride: int) -> None:
    inputs = torch.arange(num_train).reshape(-1, 1).float()
    found = examples("real", nn.Identity(), context_of(inputs))
    assert found.ravel().tolist() == list(range(0, num_train, stride))
    assert len(found) <= NUM_EXAMPLES


@pytest.mark.parametrize("shape", [(2, 16, 16), (2,)])
def test_gaussian_examples_have_the_mean_and_spread_of_each_channel(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    channels = (1, 2) + (1,) * (len(shape) - 1)
    inputs = torch.tensor([3.0, -1.0]).reshape(channels) + torch.tensor([0.1, 5.0]).reshape(channels) * (
        torch.rand(500, *shape) - 0.5
    ) * math.sqrt(12)
    found = examples("gaussian", nn.Identity(), context_of(inputs))
    assert found.shape == (NUM_EXAMPLES, *shape)
    by_channel = found.transpose(0, 1).flatten(1)
    assert ((by_channel.mean(1) - torch.tensor([3.0, -1.0])).abs() < 0.3 * torch.tensor([0.1, 5.0])).all()
    assert torch.allclose(by_channel.std(1), torch.tensor([0.1, 5.0]), rtol=0.2)
    assert (by_channel[0] > 3.15).any(), "normal, not uniform"


def trained_statistics() -> nn.Sequential:
    """A network whose batch norms remember statistics of inputs that are far from noise."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Conv2d(4, 3, 3), nn.BatchNorm2d(3)
    )
    for _ in range(100):
        model(2 + 3 * torch.rand(32, 2, 8, 8))
    return model.eval()


def divergence(model: nn.Sequential, inputs: Tensor) -> float:
    """The divergence of the batch's statistics from the running ones, summed over both norms."""
    total = 0.0
    for index in (1, 4):
        norm = model[index]
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        seen = model[:index](inputs.clone())
        mean, variance = seen.mean((0, 2, 3)), seen.var((0, 2, 3), correction=0)
        remembered = torch.distributions.Normal(norm.running_mean, (norm.running_var + norm.eps).sqrt())
        of_batch = torch.distributions.Normal(mean, (variance + norm.eps).sqrt())
        total += float(torch.distributions.kl_divergence(remembered, of_batch).sum())
    return total


@torch.no_grad()
def test_synthesised_inputs_have_the_statistics_that_the_batch_norms_remember() -> None:
    model = trained_statistics()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    noise = torch.randn(NUM_EXAMPLES, 2, 8, 8)
    found = synthesised(model, noise)
    assert divergence(model, noise) > 1
    assert divergence(model, found) < 0.02
    assert not found.requires_grad
    assert not model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(not module._forward_pre_hooks for module in model.modules())


@torch.no_grad()
def test_the_divergence_is_that_of_two_normal_distributions() -> None:
    model = trained_statistics()
    inputs = torch.randn(16, 2, 8, 8)
    seen = model[:1](inputs), model[:4](inputs)
    norms = model[1], model[4]
    found = 0.0
    for norm, x in zip(norms, seen, strict=True):
        assert isinstance(norm, nn.BatchNorm2d)
        found += float(calibration._divergence(norm, x))
    assert math.isclose(found, divergence(model, inputs), rel_tol=1e-4)


def test_synthesised_examples_use_no_data() -> None:
    model = trained_statistics()
    found = []
    for data in (torch.zeros(200, 2, 8, 8), torch.rand(300, 2, 8, 8)):
        torch.manual_seed(1)
        found.append(examples("batch_norm", model, context_of(data)))
    assert torch.equal(found[0], found[1])


def test_noise_is_not_made_where_inputs_are_no_real_numbers() -> None:
    tokens = context_of(torch.zeros(5, 3, dtype=torch.int64))
    calibration.check("real", nn.Identity(), tokens)
    with pytest.raises(ValueError, match=r"calibration is 'gaussian', but inputs are int64, not real numbers"):
        calibration.check("gaussian", nn.Identity(), tokens)


def test_a_norm_that_remembers_nothing_does_not_do() -> None:
    model = nn.Sequential(nn.BatchNorm1d(3, track_running_stats=False), nn.LayerNorm(3))
    with pytest.raises(ValueError, match="no batch norm"):
        calibration.check("batch_norm", model, context_of(torch.zeros(5, 3)))


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Linear(4, 6), (5, 4)),
        (nn.Linear(4, 6), (5, 7, 4)),
        (nn.Conv1d(4, 6, 3, padding="same", padding_mode="circular"), (5, 4, 9)),
        (nn.Conv2d(4, 6, 3, stride=2, groups=2), (5, 4, 9, 9)),
        (nn.Conv3d(4, 6, 2, bias=False), (5, 4, 3, 3, 3)),
    ],
)
def test_the_error_is_what_the_outputs_differ_by(layer: nn.Module, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(layer)
    inputs = torch.randn(shape)
    with torch.no_grad():
        ((name, error),) = output_errors(model, inputs)
        assert name == "0.weight"
        difference = 0.1 * torch.randn_like(model.get_parameter(name))
        before = model(inputs)
        found = error(difference)
        model.get_parameter(name).add_(difference)
        wanted = (model(inputs) - before).square()
    wanted = wanted.movedim(-1 if isinstance(layer, nn.Linear) else 1, 0).flatten(1).sum(1, keepdim=True)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_a_layer_that_is_called_twice_counts_twice_and_one_that_is_not_is_left_out() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.Linear(3, 3, bias=False), nn.Linear(3, 3)
            self.transposed = nn.ConvTranspose1d(3, 3, 1)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.used(10 * self.used(x))
            return y.add_(0 * self.transposed(y.unsqueeze(2)).squeeze(2))

    model = Twice().train()
    torch.nn.init.eye_(model.used.weight)
    inputs = torch.ones(2, 3)
    ((name, error),) = output_errors(model, inputs)
    assert name == "used.weight"
    assert error(torch.eye(3)).ravel().tolist() == [2 * (1 + 100)] * 3
    assert model.training
    assert not model.used._forward_pre_hooks


def test_calibration_draws_the_same_each_time_that_a_trial_is_repeated() -> None:
    method = {"name": "ptq", "bits": 3, "calibration": "batch_norm"}
    trial = attach(configuration("ptq", "normed", method=method))
    found = []
    for _ in range(2):
        torch.manual_seed(3)
        ((_, sections),) = trial.method.points(trial.model, trial.context)
        found.append(sections.vectors[0].tolist())
    assert found[0] == found[1]


def test_layers_that_share_a_weight_are_left_out_and_named_arguments_are_seen() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.middle, self.read = nn.Embedding(9, 4), nn.Linear(4, 4), nn.Linear(4, 9, bias=False)
            self.read.weight = self.embedding.weight

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            read: torch.Tensor = self.read(self.middle(input=self.embedding(x)))
            return read

    network, inputs = Tied(), torch.arange(9).reshape(3, 3)
    ((name, error),) = output_errors(network, inputs)
    assert name == "middle.weight"
    difference = torch.randn(4, 4)
    wanted = (network.embedding(inputs).detach() @ difference.T).square().sum((0, 1))
    torch.testing.assert_close(error(difference)[:, 0], wanted)
