"""Disout: its shares and sizes, its limits, and that it affects nothing but the loss of a step."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.trainers.networks import clusters
from tests.trainers.trials import attach, configuration, spec
from trainers.architectures.cnn import cnn
from trainers.modifiers.disout import Disout
from trainers.seeding import seed_everything


def test_without_probability_nothing_changes() -> None:
    x = torch.randn(5, 7)
    assert torch.equal(Disout(probability=0.0).distorted(x, torch.randn(3, 7), 1), x)
    images = torch.randn(2, 3, 8, 8)
    assert torch.equal(Disout(probability=0.0).distorted(images, torch.randn(4, 3, 3, 3), 1), images)


def test_without_strength_it_is_dropout() -> None:
    torch.manual_seed(0)
    x = torch.ones(200, 50)
    found = Disout(probability=0.3, alpha=0.0).distorted(x, torch.randn(3, 50), 1)
    kept = found != 0
    assert abs(float(kept.float().mean()) - 0.7) < 0.02
    assert float(found.mean()) == pytest.approx(1.0, abs=1e-5), "the share that was kept is made up for"


def test_the_distortion_has_the_spread_of_features_times_the_weight_that_reads_them() -> None:
    torch.manual_seed(0)
    x = 3 * torch.randn(4000, 2)
    weight = torch.tensor([[0.1, -2.0], [-0.5, 1.0]])
    modifier = Disout(probability=0.5, alpha=0.7)
    found = modifier.distorted(x, weight, 1)
    share_kept = 0.5
    for channel, largest in enumerate((0.5, 2.0)):
        is_distorted = (found[:, channel] * share_kept - x[:, channel]).abs() > 0.2 * x[:, channel].abs() + 1e-3
        spread = float((found[is_distorted, channel] * share_kept).std())
        assert spread == pytest.approx(0.7 * largest * 3, rel=0.1)


def test_an_image_is_distorted_in_squares_at_the_probability() -> None:
    torch.manual_seed(0)
    m = Disout(probability=0.05, block=3)._squares(torch.zeros(50, 8, 20, 20))
    assert m.shape == (50, 8, 20, 20)
    assert set(m.unique().tolist()) == {0.0, 1.0}
    assert 0.04 < float(m.mean()) < 0.055, "a little less than asked, where squares overlap"
    # every place of a square has a square of ones around it: opening by the square changes nothing
    eroded = -nn.functional.max_pool2d(-m, 3, stride=1)
    opened = nn.functional.max_pool2d(nn.functional.pad(eroded, [2] * 4), 3, stride=1)
    assert torch.equal(opened, m)


def test_a_block_is_no_larger_than_the_image() -> None:
    torch.manual_seed(0)
    m = Disout(probability=0.5, block=9)._squares(torch.zeros(300, 2, 2, 3))
    assert m.shape == (300, 2, 2, 3)
    assert 0.4 < float(m.mean()) < 0.55


def test_groups_of_a_convolution_weigh_their_own_channels() -> None:
    torch.manual_seed(0)
    weight = torch.zeros(4, 1, 1, 1)
    weight[2:] = 5.0  # the second of two groups, which reads the second channel
    found = Disout(probability=0.5, block=1).distorted(torch.randn(64, 2, 4, 4), weight, 2)
    assert float(found[:, 1].std()) > 2 * float(found[:, 0].std())


def test_all_layers_but_the_first_are_distorted_and_only_while_a_loss_is_computed() -> None:
    trial = attach(configuration("ptq", "cnn"))
    network = cnn(input_shape=(1, 4, 4), num_outputs=3, channels=(3, 5))
    modifier = Disout(probability=0.5)
    assert modifier._layers(cnn(input_shape=(1, 4, 4), num_outputs=3, channels=(3, 5)).to("meta"), clusters()) == [
        "3",
        "7",
    ]
    context = trial.context.__class__(**{**vars(trial.context), "plain": network.to("meta")})
    network = cnn(input_shape=(1, 4, 4), num_outputs=3, channels=(3, 5))
    modification = modifier.attach(network, context, clusters(), spec("cnn"))
    inputs = clusters().train.inputs[:8]
    plain = network(inputs)
    with modification.around_loss():
        seed_everything(0, "step", 3)
        first = network(inputs)
        second = network(inputs)
        seed_everything(0, "step", 3)
        again = network(inputs)
    assert not torch.allclose(first, plain)
    assert not torch.allclose(first, second)
    assert torch.equal(first, again), "draws come from seed and step"
    assert torch.equal(network(inputs), plain)


def test_a_method_that_replaces_layers_is_refused() -> None:
    trial = attach(configuration("ptq"))
    modification = Disout().attach(trial.model, trial.context, trial.task, spec("mlp"))
    modification.check(nn.Sequential(trial.model))
    with pytest.raises(ValueError, match=r"^disout: the method has replaced layers of the network"):
        modification.check(nn.Sequential(nn.Linear(3, 3)))


def test_a_network_of_one_layer_has_no_feature_maps() -> None:
    trial = attach(configuration("ptq", architecture={"name": "mlp", "hidden": []}))
    with pytest.raises(ValueError, match=r"wanted two of them at least, and this network has 1$"):
        Disout().check(trial.context.plain, trial.task, spec("mlp"))


def test_gradients_pass_what_is_kept() -> None:
    torch.manual_seed(0)
    x = torch.randn(6, 8, requires_grad=True)
    Disout(probability=0.4).distorted(x, torch.randn(2, 8), 1).sum().backward()
    assert x.grad is not None
    assert {0.0} < {round(value, 4) for value in x.grad.flatten().tolist()}
    assert len(x.grad.unique()) == 2, "none where it is distorted, and the same wherever it is kept"
