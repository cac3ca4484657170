"""The soft threshold, and how its decay prunes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import nn

from tests.trainers.trials import attach, configuration
from trainers.methods.parts.pruning import prunable
from trainers.methods.soft_threshold import SoftThreshold, Thresholded, s_where_it_prunes, soft_threshold
from trainers.train import train


def logit(threshold: float) -> torch.Tensor:
    return torch.tensor(math.log(threshold / (1 - threshold)))


def test_weights_shrink_by_the_threshold_and_smaller_ones_are_zero() -> None:
    w = torch.tensor([-1.0, -0.3, -0.25, 0.0, 0.2, 0.26, 2.0])
    found = soft_threshold(w, logit(0.25))
    assert torch.allclose(found, torch.tensor([-0.75, -0.05, 0, 0, 0, 0.01, 1.75]), atol=1e-6)
    assert found[3:5].eq(0).all()


def test_the_gradient_is_one_for_what_is_left_and_the_slope_of_the_sigmoid_for_the_threshold() -> None:
    w, s = torch.tensor([-1.0, 0.1, 0.5, 0.9], requires_grad=True), logit(0.2).requires_grad_()
    upstream = torch.tensor([1.0, 10.0, 2.0, 4.0])
    (soft_threshold(w, s) * upstream).sum().backward()
    assert w.grad is not None
    assert s.grad is not None
    assert w.grad.tolist() == [1, 0, 2, 4]
    slope = 0.2 * 0.8
    assert float(s.grad) == pytest.approx(-slope * (-1 + 2 + 4), rel=1e-5)
    double = (w.detach().double().requires_grad_(), s.detach().double().requires_grad_())
    assert torch.autograd.gradcheck(soft_threshold, double)


@pytest.mark.parametrize("decay", [0.5, 2.0, 6.0])
@pytest.mark.parametrize("begin", [0.1, 0.25])
def test_decay_alone_reaches_a_hundredth_of_the_weights_at_the_stated_share(decay: float, begin: float) -> None:
    """The optimiser itself runs, with a gradient of zero."""
    num_steps = 2000
    trial = attach(
        configuration("str", method={"name": "str", "threshold_decay": decay, "begin": begin}, steps=num_steps)
    )
    model = cast(Thresholded, trial.model)
    (phase,) = trial.method.phases(trial.context)
    _, sgd = phase.optimisers(model, num_steps)
    start = [s.item() for s in model.s]
    sizes = [weight.square().mean().sqrt().item() for weight in prunable(model.network).values()]
    for step in range(num_steps):
        if step == round(begin * num_steps):
            for s, size in zip(model.s, sizes, strict=True):
                assert s.sigmoid().item() == pytest.approx(0.01 * size, rel=0.05)
        for s in model.s:
            s.grad = torch.zeros_like(s)
        sgd.optimiser.step()
        sgd.schedule.step()
    for s, first in zip(model.s, start, strict=True):
        assert math.log(first / s.item()) == pytest.approx(decay, rel=0.02)


def test_a_start_is_found_for_tensors_of_any_size() -> None:
    for value in (1e-3, 0.3, 40.0):
        assert torch.tensor(s_where_it_prunes(torch.full((3, 3), value))).sigmoid() == pytest.approx(0.01 * value)
    for weight in (torch.zeros(2, 2), torch.zeros(0, 3), torch.full((2, 2), 1e6)):
        assert math.isfinite(s_where_it_prunes(weight))


def test_what_is_stored_is_what_the_network_computes_with() -> None:
    trial = attach(configuration("str", method={"name": "str", "threshold_decay": 1.0, "steps": [0.001]}), noise=0.3)
    model = cast(Thresholded, trial.model)
    with torch.no_grad():
        for s in model.s:
            s.copy_(logit(0.3))
    ((_, sections),) = trial.method.points(model, trial.context)
    decoded = trial.method.decode(sections, trial.context.plain)
    for name, weight in prunable(model.network).items():
        assert (decoded[name] == 0).eq(weight.abs() <= 0.3).all()
        assert 0 < decoded[name].count_nonzero() < weight.numel()
        shrunk = weight.abs() > 0.3
        assert torch.allclose(decoded[name][shrunk], (weight - 0.3 * weight.sign())[shrunk], atol=2e-3)
    inputs = trial.batch[0]
    with torch.no_grad():
        by_hand = torch.func.functional_call(model.network, model.weights(), (inputs,))
        assert torch.equal(model(inputs), by_hand)
        assert not torch.allclose(model(inputs), model.network(inputs))


def test_each_layer_learns_a_threshold_of_its_own() -> None:
    trial = attach(configuration("str", "cnn"), noise=0.3)
    model = cast(Thresholded, trial.model)
    assert len(model.s) == len(prunable(model.network)) == 2
    (phase,) = trial.method.phases(trial.context)
    adam, sgd = phase.optimisers(model, 10)
    trained = [{id(p) for group in o.optimiser.param_groups for p in group["params"]} for o in (adam, sgd)]
    assert trained[1] == {id(s) for s in model.s}
    assert trained[0] == {id(p) for p in model.network.parameters()}


def test_a_tied_weight_has_one_threshold_under_both_names() -> None:
    network = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    network[1].weight = network[0].weight
    model = Thresholded(network, [logit(0.1).item()])
    w = soft_threshold(network[0].weight, model.s[0])
    x = torch.randn(5, 4)
    assert torch.allclose(model(x), x @ w.T @ w.T, atol=1e-6)


def test_more_decay_leaves_fewer_weights_and_smaller_files(tmp_path: Path) -> None:
    sizes, left = [], []
    for decay in (0.5, 2.0, 5.0):
        method = {"name": "str", "threshold_decay": decay, "steps": [0.5]}
        architecture = {"name": "mlp", "hidden": [30]}
        config = configuration("str", method=method, architecture=architecture, steps=100)
        reports: list[float] = []
        points = train(config, lambda progress, into=reports: into.append(progress.rate_bits), tmp_path / str(decay))  # type: ignore[misc]
        sizes.append(points[0].size_bytes)
        left.append(reports[-1])
    assert sizes == sorted(set(sizes), reverse=True)
    assert left == sorted(set(left), reverse=True)


@pytest.mark.parametrize(
    ("field", "value"),
    [("threshold_decay", -1), ("begin", 2), ("threshold_learning_rate", 0), ("weight_decay", -1),
     ("learning_rate", 0), ("steps", [0])],
)  # fmt: skip
def test_fields_are_checked(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{field}(\[0\])? is "):
        SoftThreshold(**{"threshold_decay": 1.0, field: value})
