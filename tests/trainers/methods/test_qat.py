"""What quantisation-aware training promises beyond the contract of all methods."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.trainers.tracing import unit_groups
from tests.trainers.trials import FIRST, Attached, attach, configuration, run
from trainers.arrange import arrange
from trainers.coding import container
from trainers.coding.sections import Integers, Sections
from trainers.methods.parts.pruning import BIAS_BITS
from trainers.methods.parts.quantisers import QUANTISERS
from trainers.methods.qat import Quantised, _Round

SETTINGS: list[dict[str, Any]] = [
    {"bits": 1},
    {"bits": 1, "scale": "spread", "granularity": "channel"},
    {"bits": "ternary", "scale": "spread"},
    {"bits": 2, "scale": "spread", "granularity": "channel"},
    {"bits": 3},
    {"bits": 4, "granularity": "channel"},
    {"bits": 8, "scale": "spread"},
    {"bits": "ternary", "scale": 1.5},
]


def begun(architecture: str = "cnn", **settings: Any) -> Attached:
    """A network after one step of training, so that nothing is as it was initialised."""
    method = {"name": "qat", **settings}
    trial = attach(configuration("qat", architecture, method=method), noise=0.3)
    (phase,) = trial.method.phases(trial.context)
    phase.apply(trial.model, None)
    (optimiser,) = phase.optimisers(trial.model, 10)
    phase.loss(trial.model, trial.batch, trial.context, FIRST).backward()  # type: ignore[no-untyped-call]
    optimiser.optimiser.step()
    return trial


def network_of(trial: Attached) -> nn.Module:
    return cast(Quantised, trial.model).network


def stored(trial: Attached) -> Sections:
    ((name, sections),) = trial.method.points(trial.model, trial.context)
    assert name == "point"
    return sections


def seen_by_forward(trial: Attached, monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """The weights that a forward pass computes with."""
    seen: list[Tensor] = []
    for layer in (nn.Conv2d, nn.Linear):
        forward = layer.forward

        def spy(self: Any, x: Tensor, forward: Any = forward) -> Tensor:
            seen.append(self.weight.detach().clone())
            return cast(Tensor, forward(self, x))

        monkeypatch.setattr(layer, "forward", spy)
    trial.model(trial.task.test.inputs)
    return seen


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_file_holds_bit_by_bit_the_weights_of_the_forward_pass(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = begun(**settings)
    decoded = trial.method.decode(stored(trial), trial.context.plain)
    seen = seen_by_forward(trial, monkeypatch)
    names = [name for name, parameter in trial.context.plain.named_parameters() if parameter.ndim > 1]
    assert len(seen) == len(names) == 2
    for name, weight in zip(names, seen, strict=True):
        assert torch.equal(decoded[name], weight)
        assert not torch.equal(decoded[name], network_of(trial).get_parameter(name))


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("architecture", ["mlp", "normed"])
def test_the_decoded_network_computes_what_the_trained_one_does(settings: dict[str, Any], architecture: str) -> None:
    """Units are sorted, and biases and norms are rounded to finer steps than weights."""
    trial = begun(architecture, **settings)
    groups = unit_groups(trial.context.plain, trial.task.input_shape)
    arranged = arrange(stored(trial), groups)
    network, inputs = network_of(trial), trial.task.test.inputs
    with torch.no_grad():
        wanted = trial.model.eval()(inputs)
        network.load_state_dict(trial.method.decode(arranged, trial.context.plain))
        found = network(inputs)
    assert (found - wanted).abs().max() < 0.06 * wanted.abs().max()


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_integers_are_those_that_the_bits_allow(settings: dict[str, Any]) -> None:
    sections = stored(begun(**settings))
    all_of = {1: {-1, 1}, "ternary": {-1, 0, 1}, 2: {-2, -1, 0, 1}}
    weights = [s.values for name, s in sections.tensors.items() if name.endswith("weight")]
    for values in weights:
        bits = settings["bits"]
        low, high = (-1, 1) if bits in (1, "ternary") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        assert low <= values.min()
        assert values.max() <= high
    if settings["bits"] in all_of:
        assert set(np.unique(weights[-1]).tolist()) == all_of[settings["bits"]]


def test_binary_weights_are_signs_times_the_mean_magnitude_of_each_channel() -> None:
    trial = begun(bits=1, scale="spread", granularity="channel")
    weight = network_of(trial).get_parameter("0.weight").detach()
    decoded = trial.method.decode(stored(trial), trial.context.plain)["0.weight"]
    magnitude = weight.abs().mean(dim=(1, 2, 3), keepdim=True)
    torch.testing.assert_close(decoded, weight.sign() * magnitude, rtol=1e-3, atol=0)


def test_gradients_are_straight_through_where_the_step_follows_the_spread() -> None:
    v = torch.tensor([[-9.0, -0.2, 0.3, 9.0]], requires_grad=True)
    w = _Round.apply(v, torch.tensor([[1.0]]), QUANTISERS[2])  # type: ignore[no-untyped-call]
    assert w.tolist() == [[-2, 0, 0, 1]]
    (gradient,) = torch.autograd.grad((w * torch.tensor([[1.0, 2, 3, 4]])).sum(), [v])
    assert gradient.tolist() == [[1, 2, 3, 4]]


def test_learned_steps_have_the_gradients_of_the_paper() -> None:
    """Equations 3 and 5 are written out, with g = 1 / sqrt(N Q_P) for each row."""
    v = torch.tensor([[-9.0, -0.4, 0.6, 9.0], [0.5, 0.5, 0.5, 0.5]], requires_grad=True)
    s = torch.tensor([[1.0], [0.5]], requires_grad=True)
    upstream = torch.tensor([[1.0, 2, 3, 4], [1, 1, 1, 1]])
    w = _Round.apply(v, s, QUANTISERS[3])  # type: ignore[no-untyped-call]
    of_v, of_s = torch.autograd.grad((w * upstream).sum(), [v, s])
    assert of_v.tolist() == [[0, 2, 3, 0], [1, 1, 1, 1]], "nothing beyond the whole numbers"
    g = 1 / math.sqrt(4 * 3)
    first = 1 * -4 + 2 * (0.4 + 0) + 3 * (1 - 0.6) + 4 * 3
    assert of_s.ravel().tolist() == pytest.approx([g * first, 0.0])


def test_a_learned_step_of_signs_has_its_exact_gradient_and_weights_get_theirs_straight_through() -> None:
    v = torch.tensor([[-9.0, 0.3, 9.0]], requires_grad=True)
    s = torch.tensor([[2.0]], requires_grad=True)
    w = _Round.apply(v, s, QUANTISERS[1])  # type: ignore[no-untyped-call]
    assert w.tolist() == [[-2, 2, 2]]
    of_v, of_s = torch.autograd.grad((w * torch.tensor([[1.0, 2, 5]])).sum(), [v, s])
    assert of_v.tolist() == [[1, 2, 5]]
    assert float(of_s) == pytest.approx((-1 + 2 + 5) / math.sqrt(3))


def test_the_gradient_of_a_step_is_that_of_finite_differences_of_what_is_beyond_the_whole_numbers() -> None:
    """Beyond them the output is a multiple of the step; elsewhere the gradient is straight through."""
    v = torch.tensor([[-9.0, 9.0, 7.0]], dtype=torch.float64)
    s = torch.tensor([[1.0]], dtype=torch.float64, requires_grad=True)

    def output(step: Tensor) -> Tensor:
        return cast(Tensor, _Round.apply(v, step, QUANTISERS[2]).sum())  # type: ignore[no-untyped-call]

    (of_s,) = torch.autograd.grad(output(s), [s])
    slope = (output(s.detach() + 1e-3) - output(s.detach() - 1e-3)) / 2e-3
    assert float(of_s) == pytest.approx(float(slope) / math.sqrt(3 * 1))


def test_learned_steps_begin_as_in_the_paper_when_rounding_begins() -> None:
    method = {"name": "qat", "bits": 4, "granularity": "channel", "float_share": 0.5}
    trial = attach(configuration("qat", "mlp", method=method))
    network = cast(Quantised, trial.model)
    inputs = trial.task.test.inputs
    floats, rounded = trial.method.phases(trial.context)
    assert (floats.share, rounded.share) == (0.5, 0.5)
    floats.apply(network, None)
    assert torch.equal(network(inputs), network.network(inputs)), "floats in the first phase"
    with torch.no_grad():
        for parameter in network.network.parameters():
            parameter.mul_(3)
    rounded.apply(network, None)
    assert not torch.equal(network(inputs), network.network(inputs))
    weight = network.network.get_parameter("1.weight").detach()
    wanted = 2 * weight.abs().mean(1) / math.sqrt(7)
    found = network.log_steps["1/weight"].exp().ravel()
    torch.testing.assert_close(found.detach(), wanted)


@pytest.mark.parametrize("granularity", ["tensor", "channel"])
def test_weights_that_begin_at_zero_can_grow(granularity: str) -> None:
    method = {"name": "qat", "bits": 4, "granularity": granularity}
    trial = attach(configuration("qat", "mlp", method=method), noise=0.3)
    network = cast(Quantised, trial.model)
    last, weight = list(network.network.named_parameters())[-2]
    with torch.no_grad():
        weight.zero_()
    (phase,) = trial.method.phases(trial.context)
    phase.apply(network, None)
    (optimiser,) = phase.optimisers(network, 100)
    for _ in range(100):
        network.zero_grad()
        phase.loss(network, trial.batch, trial.context, FIRST).backward()  # type: ignore[no-untyped-call]
        optimiser.optimiser.step()
    whole, step = network.rounded()[last]
    assert float((whole * step).abs().mean()) > 0.01


def test_learned_steps_of_signs_begin_at_the_mean_magnitude() -> None:
    trial = attach(configuration("qat", "mlp", method={"name": "qat", "bits": 1}))
    (phase,) = trial.method.phases(trial.context)
    phase.apply(trial.model, None)
    network = cast(Quantised, trial.model)
    mean = network.network.get_parameter("1.weight").detach().abs().mean()
    torch.testing.assert_close(network.log_steps["1/weight"].exp().detach().reshape(()), mean)


def test_learned_steps_are_trained_and_steps_that_follow_the_spread_are_no_parameters() -> None:
    for scale, num_steps in (("learned", 2), ("spread", 0), (2.0, 0)):
        method = {"name": "qat", "bits": 3, "scale": scale}
        trial = attach(configuration("qat", "mlp", method=method))
        (phase,) = trial.method.phases(trial.context)
        phase.apply(trial.model, None)
        (optimiser,) = phase.optimisers(trial.model, 10)
        steps = list(cast(Quantised, trial.model).log_steps.values())
        before = [step.clone() for step in steps]
        phase.loss(trial.model, trial.batch, trial.context, FIRST).backward()  # type: ignore[no-untyped-call]
        optimiser.optimiser.step()
        assert len(steps) == num_steps
        assert all(not torch.equal(step, old) for step, old in zip(steps, before, strict=True))


def test_a_step_of_many_spreads_is_that_and_leaves_most_weights_zero() -> None:
    trial = begun("mlp", bits="ternary", scale=2.0)
    weight = network_of(trial).get_parameter("1.weight").detach()
    whole, step = cast(Quantised, trial.model).rounded()["1.weight"]
    assert float(step) == pytest.approx(2 * float(weight.square().mean().sqrt()), rel=1e-3)
    assert torch.equal(whole != 0, weight.abs() > step / 2)
    assert float((whole == 0).float().mean()) > 0.6


def test_a_tied_weight_is_rounded_once() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Linear(3, 3), nn.Linear(3, 3)
            self.two.weight = self.one.weight

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.two(self.one(x))
            return y

    quantisers = {"one.weight": QUANTISERS[2]}
    model = Quantised(Tied(), quantisers, by_row=False)
    model.begin(quantisers, is_learned=True)
    assert list(model.log_steps) == ["one/weight"]
    rounded = model.rounded()
    assert list(rounded) == ["one.weight"]
    found = model(torch.ones(4, 3))
    whole, step = rounded["one.weight"]
    with torch.no_grad():
        cast(Tied, model.network).one.weight.copy_(whole * step)
        torch.testing.assert_close(model.network(torch.ones(4, 3)), found)


def test_a_recurrent_network_computes_with_rounded_weights() -> None:
    torch.manual_seed(0)
    network = nn.GRU(3, 5, batch_first=True)
    quantisers = dict.fromkeys(("weight_ih_l0", "weight_hh_l0"), QUANTISERS["ternary"])
    model = Quantised(network, quantisers, by_row=True)
    model.begin(quantisers, is_learned=False)
    inputs = torch.randn(2, 4, 3)
    found, _ = cast(tuple[Tensor, Tensor], model(inputs))
    rounded = {name: whole * step for name, (whole, step) in model.rounded().items()}
    assert set(rounded) == {"weight_ih_l0", "weight_hh_l0"}
    with torch.no_grad():
        for name, weight in rounded.items():
            network.get_parameter(name).copy_(weight)
        torch.testing.assert_close(network(inputs)[0], found)


def test_weights_of_zero_stay_zero() -> None:
    for bits in (1, "ternary", 8):
        trial = attach(configuration("qat", "mlp", method={"name": "qat", "bits": bits}))
        with torch.no_grad():
            network_of(trial).get_parameter("1.weight").zero_()
        decoded = trial.method.decode(stored(trial), trial.context.plain)
        assert not decoded["1.weight"].any()


@pytest.mark.parametrize("value", [1e30, math.inf])
def test_weights_beyond_float16_are_refused(value: float) -> None:
    trial = attach(configuration("qat", "mlp", method={"name": "qat", "bits": 2}))
    with torch.no_grad():
        network_of(trial).get_parameter("1.weight")[0, 0] = value
    with pytest.raises(ValueError, match=r"finite|NaN"):
        container.write(trial.header, trial.layout, stored(trial))


@pytest.mark.parametrize(("bits", "wanted"), [(4, 4), ("ternary", math.log2(3))])
def test_biases_are_counted_as_finely_as_they_are_stored(bits: int | str, wanted: float) -> None:
    trial = attach(configuration("qat", method={"name": "qat", "bits": bits}))
    rate = trial.method.rate_bits(trial.model, trial.context).item()
    assert rate == pytest.approx(152 * wanted + 11 * BIAS_BITS)


def test_steps_for_channels_are_vectors_that_go_with_their_rows() -> None:
    sections = stored(begun("normed", bits=2, granularity="channel"))
    found = {name: s.row_vector for name, s in sections.tensors.items() if isinstance(s, Integers)}
    assert found == {"0.weight": 1, "1.weight": None, "1.bias": None, "4.weight": 2, "4.bias": None}
    assert [len(vector) for vector in sections.vectors] == [3, 4, 3]


def test_more_bits_take_more_bytes(tmp_path: Path) -> None:
    sizes = []
    for bits in (1, "ternary", 2, 3, 4, 6, 8):
        wide = {"name": "mlp", "hidden": [64]}
        config = configuration("qat", architecture=wide, method={"name": "qat", "bits": bits})
        sizes.append(len(run(config, tmp_path / str(bits))[0]["point"]))
    assert sizes == sorted(sizes)
    assert sizes[0] < 0.3 * sizes[-1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bits": 0}, "bits is 0: wanted a whole number from 1 to 8, or ternary"),
        ({"bits": 9}, "bits is 9: wanted a whole number from 1 to 8, or ternary"),
        ({"bits": 2.0}, r"bits is 2\.0: wanted"),
        ({"bits": "binary"}, "bits is 'binary': wanted"),
        ({"bits": 2, "scale": "max"}, "scale is 'max': wanted spread or learned"),
        ({"bits": 2, "scale": 0}, "scale is 0: wanted a number above 0"),
        ({"bits": 1, "scale": 2.0}, r"scale is 2\.0 and bits 1, which has no zero: wanted ternary, or more bits"),
        ({"bits": 2, "granularity": "row"}, "granularity is 'row': wanted tensor or channel"),
        ({"bits": 2, "float_share": 1.0}, r"float_share is 1\.0: wanted"),
        (
            {"bits": 2, "scale": "spread", "step_learning_rate": 0.1},
            r"step_learning_rate is 0\.1, which has no effect where scale is 'spread': leave it out",
        ),
        (
            {"bits": 2, "scale": 2.0, "step_learning_rate": 0.1},
            r"step_learning_rate is 0\.1, which has no effect where scale is 2\.0: leave it out",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^.*{message}"):
        attach(configuration("qat", method={"name": "qat", **settings}))
