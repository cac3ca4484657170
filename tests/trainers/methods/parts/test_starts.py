"""Latents start coarse, and finer where a network would lose what training does not bring back."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.trainers.methods import contexts
from trainers.data.examples import few
from trainers.methods.base import Context
from trainers.methods.entropy_penalized import EntropyPenalized
from trainers.methods.parts.density import Geometric
from trainers.methods.parts.latents import LatentGroup
from trainers.methods.parts.starts import MULTIPLES, Start, at, coarsest


def context_of(inputs: Tensor, targets: Tensor, loss: Callable[[Tensor, Tensor], Tensor]) -> Context:
    return contexts.context_of(nn.Identity(), inputs, targets, loss)


def classes(num_inputs: int = 6, num_classes: int = 3) -> Context:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(200, num_inputs, generator=generator)
    return context_of(inputs, torch.arange(200) % num_classes, nn.functional.cross_entropy)


def signal(num_outputs: int = 2) -> Context:
    inputs = torch.linspace(-1, 1, 200).reshape(-1, 1).expand(-1, 6).contiguous()
    targets = torch.sin(inputs[:, :1] * torch.arange(1, num_outputs + 1))
    return context_of(inputs, targets, nn.functional.mse_loss)


def network(num_outputs: int = 3) -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, num_outputs))
    for layer in (0, 2, 4):
        nn.init.uniform_(model[layer].bias, -0.1, 0.1)  # type: ignore[arg-type]
    return model


def rounded(starts: list[Start]) -> dict[str, Tensor]:
    return {name: tensor for start in starts for name, tensor in start.group(Geometric())()[0].items()}


def groups_of(model: nn.Module, **fields: Any) -> list[Start]:
    return EntropyPenalized(lam=0.1, **fields)._group_parameters(model)


def multiples(starts: list[Start]) -> list[float]:
    """The step of each start, in root mean squares of its tensors."""
    found = []
    for start in starts:
        values = torch.cat([tensor.detach().ravel() for tensor in start.tensors.values()])
        assert start.step is not None
        found.append(start.step / float(values.square().mean().sqrt()))
    return found


def test_an_untrained_classifier_starts_at_two_root_mean_squares() -> None:
    model = network()
    found = coarsest(groups_of(model), model, classes(), lam=0.1)
    assert found == at(2.0, groups_of(model)), "as ever, with biases among themselves"
    assert multiples(found) == pytest.approx([2.0, 2.0])


def test_tensors_that_a_common_step_would_lose_get_one_of_their_own() -> None:
    """A layer has values of scale 1, the recurrent layer behind it of a tenth: both keep what they are."""
    torch.manual_seed(0)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.rnn, self.head = nn.Linear(65, 32, bias=False), nn.GRU(32, 32), nn.Linear(32, 3)
            nn.init.normal_(self.embed.weight)

        def forward(self, x: Tensor) -> Tensor:
            chosen = nn.functional.one_hot(x.argmax(dim=1, keepdim=True), 65).float()
            y: Tensor = self.head(self.rnn(self.embed(chosen).transpose(0, 1))[0][-1])
            return y

    model = Net()
    lost = at(2.0, groups_of(model))[0].group(Geometric())
    assert not lost.rounded()["rnn.weight_ih_l0"].any(), "at one step for all"
    found = coarsest(groups_of(model), model, classes(), lam=0.1)
    assert [list(start.tensors) for start in found][:2] == [
        ["embed.weight"],
        ["rnn.weight_ih_l0", "rnn.weight_hh_l0", "head.weight"],
    ]
    assert multiples(found) == pytest.approx([2.0, 2.0, 2.0])


@pytest.mark.parametrize("value", [1.0, 0.3, -7.5])
@pytest.mark.parametrize("shape", [(8,), (4, 8), ()])
def test_a_tensor_of_one_value_keeps_it(value: float, shape: tuple[int, ...]) -> None:
    """At two root mean squares it would round to zero."""
    model = network()
    model.register_parameter("gain", nn.Parameter(torch.full(shape, value)))
    found = coarsest(groups_of(model), model, classes(), lam=0.1)
    assert not rounded(at(2.0, [Start(tensors={"gain": model.gain}, kernel_shape=())]))["gain"].any()  # type: ignore[dict-item]
    shares = rounded(found)["gain"] / value
    assert ((shares > 0.5) & (shares < 2)).all()


def test_zeros_share_the_step_of_their_group_or_take_that_of_the_weights() -> None:
    model = network()
    nn.init.zeros_(model[0].bias)  # type: ignore[arg-type]
    assert len(coarsest(groups_of(model), model, classes(), lam=0.1)) == 2
    for layer in (0, 2, 4):
        nn.init.zeros_(model[layer].bias)  # type: ignore[arg-type, index]
    weights, biases = coarsest(groups_of(model), model, classes(), lam=0.1)
    assert biases.step == weights.step


def test_zeros_take_the_scale_of_the_smaller_weights_of_a_group_that_is_divided() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 3))
    for layer, scale in ((0, 1.0), (1, 0.001)):
        nn.init.normal_(model[layer].weight, std=scale)  # type: ignore[arg-type]
        nn.init.zeros_(model[layer].bias)  # type: ignore[arg-type]
    large, small, biases = coarsest(groups_of(model), model, classes(), lam=0.1)
    assert biases.step == small.step
    assert small.step is not None
    assert large.step is not None
    assert small.step < 0.01 * large.step


def test_where_targets_are_real_numbers_outputs_stay_what_they_are() -> None:
    model = network(2)
    found = coarsest(groups_of(model), model, signal(), lam=1e-6)
    assert multiples(found)[0] in [pytest.approx(multiple) for multiple in MULTIPLES[4:]]
    inputs = few(signal().train, 64).inputs
    before, after = model(inputs), torch.func.functional_call(model, rounded(found), (inputs,))
    assert (after - before).square().mean() < 0.002 * before.var()


def test_a_large_rate_allows_a_coarse_start_for_real_targets() -> None:
    model = network(2)
    steps = [coarsest(groups_of(model), model, signal(), lam=lam)[0].step for lam in (1e-6, 0.1, 100.0)]
    assert steps == sorted(steps)
    assert steps[0] < steps[1] < steps[2]


def test_a_trained_classifier_keeps_what_it_knows() -> None:
    """It has learned by heart which class each of 200 random examples is of."""
    context, model = classes(), network()
    inputs, targets = few(context.train, 200)
    assert multiples(coarsest(groups_of(model), model, context, lam=0.1))[0] == pytest.approx(2.0)
    adam = torch.optim.Adam(model.parameters(), lr=2e-2)
    for _ in range(120):
        adam.zero_grad()
        nn.functional.cross_entropy(model(inputs), targets).backward()
        adam.step()
    found = coarsest(groups_of(model), model, context, lam=0.1)
    with torch.no_grad():
        losses = [
            float(nn.functional.cross_entropy(torch.func.functional_call(model, rounded(starts), (inputs,)), targets))
            for starts in (found, at(2.0, groups_of(model)))
        ]
    assert multiples(found)[0] < 1.5
    assert losses[0] < 0.3
    assert losses[1] > 1.0, "at two root mean squares it has forgotten"


def test_looking_changes_neither_the_network_nor_what_is_drawn_next() -> None:
    model = nn.Sequential(network(2), nn.BatchNorm1d(2), nn.Dropout()).train()
    model[0][1].eval()  # type: ignore[index]
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    coarsest(groups_of(model), model, signal(), lam=0.1)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert [module.training for module in model.modules()].count(False) == 1


def test_given_steps_and_frozen_tensors_are_kept() -> None:
    model = network()
    model[2].requires_grad_(False)
    groups = groups_of(model, tensors={"0.weight": {"step": 0.125}})
    found = {name: start for start in coarsest(groups, model, classes(), lam=0.1) for name in start.tensors}
    assert found["0.weight"].step == 0.125
    assert list(found["0.weight"].tensors) == ["0.weight"]
    assert multiples([found["2.weight"]]) == pytest.approx([1 / 16])
    assert multiples([found["4.weight"]]) == pytest.approx([2.0])


def test_kernels_are_looked_at_in_the_frequency_domain() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.Flatten(), nn.Linear(8 * 4, 3))
    for layer in (0, 2, 4):
        nn.init.zeros_(model[layer].bias)  # type: ignore[arg-type]
    context = context_of(torch.randn(80, 1, 6, 6), torch.arange(80) % 3, nn.functional.cross_entropy)
    found = coarsest(groups_of(model, decoder="dft"), model, context, lam=0.1)
    assert found == at(2.0, groups_of(model, decoder="dft"))


def test_what_rounding_leaves_of_normal_values_is_known() -> None:
    torch.manual_seed(0)
    values = {"normal": torch.randn(100_000), "zero": torch.zeros(3)}
    for step, cosine in ((0.01, 1.0), (2.0, 0.859), (4.0, 0.507), (40.0, 0.0)):
        kept = LatentGroup(values, step, Geometric()).kept()
        assert kept == {"normal": pytest.approx(cosine, abs=0.01), "zero": 1.0}
