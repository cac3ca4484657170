"""Rounding whose errors later weights make up for: its optimality, what it watches, and what it measures anew."""

from __future__ import annotations

import copy
import threading

import pytest
import torch
from torch import Tensor, nn

from tests.trainers.methods.contexts import context_of
from tests.trainers.methods.parts.test_layer_inputs import Conv1D
from trainers.methods.obs import OptimalBrainSurgeon
from trainers.methods.parts.alongside import alongside
from trainers.methods.parts.compensation import compensated, inverse_factor
from trainers.methods.parts.matching import match, statistics
from trainers.methods.parts.propagation import called_once, propagating
from trainers.methods.parts.second_moments import second_moments


def inputs_with_correlation(num: int, columns: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(columns, columns, generator=generator)
    return torch.randn(num, columns, generator=generator) @ mixing


def error(weight: Tensor, rounded: Tensor, inputs: Tensor) -> float:
    return float(((weight - rounded) @ inputs.T).square().sum())


def test_compensation_follows_the_update_of_optimal_brain_surgeon() -> None:
    """By the formula: quantise w_q, then delta = -(w_q - s q) / [H^-1]_qq H^-1_:q, with H of the columns left."""
    inputs = inputs_with_correlation(64, 6)
    weight = torch.randn(3, 6, generator=torch.Generator().manual_seed(1))
    moments = inputs.T @ inputs
    hessian = moments.double() + 0.01 * moments.double().diagonal().mean() * torch.eye(6)
    left, wanted = weight.double().clone(), torch.zeros(3, 6).double()
    for column in range(6):
        inverse = torch.linalg.inv(hessian[column:, column:])
        wanted[:, column] = (left[:, column] / 0.3).round()
        off = left[:, column] - 0.3 * wanted[:, column]
        left[:, column:] -= off[:, None] / inverse[0, 0] * inverse[0]
    found = compensated(weight, inverse_factor(moments[None]), torch.tensor([0.3]).double())
    assert torch.equal(found[0].double(), wanted)


@pytest.mark.parametrize("columns", [0, 1, 300])
def test_the_factor_is_that_of_the_inverse(columns: int) -> None:
    inputs = torch.stack([inputs_with_correlation(2 * columns, columns) for _ in range(2)])
    moments = inputs.transpose(1, 2) @ inputs
    found = inverse_factor(moments)
    unit = torch.eye(columns).double()
    damping = 0.01 * moments.double().diagonal(dim1=1, dim2=2).mean(dim=1).reshape(-1, 1, 1) if columns else 0.0
    assert torch.equal(found, found.triu())
    inverse = found.transpose(1, 2) @ found
    torch.testing.assert_close((moments.double() + damping * unit) @ inverse, unit.expand(2, -1, -1))


@pytest.mark.parametrize("columns", [7, 300])
def test_compensation_has_less_output_error_than_the_nearest_integers_at_every_step(columns: int) -> None:
    inputs = inputs_with_correlation(4 * columns, columns)
    weight = torch.randn(5, columns, generator=torch.Generator().manual_seed(1))
    steps = torch.tensor([0.5, 1.0]).double()
    found = compensated(weight, inverse_factor((inputs.T @ inputs)[None]), steps)
    for step, whole in zip(steps.tolist(), found, strict=True):
        assert torch.equal(whole, whole.round())
        nearest = (weight / step).round()
        assert error(weight, whole * step, inputs) < 0.7 * error(weight, nearest * step, inputs)


def test_groups_of_rows_have_moments_of_their_own() -> None:
    weight = torch.randn(4, 5, generator=torch.Generator().manual_seed(1))
    steps = torch.tensor([0.4, 0.9]).double()
    moments = torch.stack([inputs.T @ inputs for inputs in (inputs_with_correlation(50, 5), torch.eye(5))])
    together = compensated(weight, inverse_factor(moments), steps, rate=0.1)
    apart = [
        compensated(part, inverse_factor(one[None]), steps, rate=0.1)
        for part, one in zip(weight.split(2), moments, strict=True)
    ]
    plain = torch.cat(
        [
            compensated(part, inverse_factor(one[None]), steps)
            for part, one in zip(weight.split(2), moments, strict=True)
        ],
        1,
    )
    assert torch.equal(compensated(weight, inverse_factor(moments), steps), plain)
    assert together.shape == torch.cat(apart, 1).shape
    assert float(together.abs().sum()) < float(plain.abs().sum()), "a rate prefers smaller integers"


def test_inputs_that_are_all_zero_leave_the_nearest_integers() -> None:
    weight = torch.randn(4, 5)
    assert torch.equal(
        compensated(weight, inverse_factor(torch.zeros(1, 5, 5)), torch.tensor([0.5]).double())[0],
        (weight / 0.5).round(),
    )


def test_norms_and_biases_get_back_the_statistics_that_they_had() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(36, 3)).eval()
    norm = network[1]
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean += torch.randn(4)
    norm.running_var *= 2
    inputs = torch.randn(50, 2, 5, 5)
    wanted, seen = statistics(network, inputs)
    moved = copy.deepcopy(network)
    for layer in (moved[0], moved[4]):
        layer.weight.data += 0.1 * torch.randn(layer.weight.shape)  # type: ignore[operator, union-attr]
    match(moved, wanted, seen)
    outputs = [net[:2](inputs) for net in (network, moved)]
    torch.testing.assert_close(outputs[0].mean((0, 2, 3)), outputs[1].mean((0, 2, 3)), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(outputs[0].var((0, 2, 3)), outputs[1].var((0, 2, 3)), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(network(inputs).mean(0), moved(inputs).mean(0), atol=1e-4, rtol=1e-4)


def deep() -> nn.Sequential:
    torch.manual_seed(0)
    layers = [layer for _ in range(4) for layer in (nn.Linear(12, 12), nn.ReLU())]
    return nn.Sequential(*layers, nn.Linear(12, 3)).eval()


def test_a_network_alongside_gives_what_its_layers_are_given_and_ends_when_nobody_asks() -> None:
    network, inputs = deep(), torch.randn(5, 12)
    num_threads = threading.active_count()
    with alongside(network, inputs, {"0": network[0], "2": network[2], "4": network[4]}) as take:
        first, second = take("0"), take("2")
    assert first is not None
    assert second is not None
    torch.testing.assert_close(first, inputs)
    torch.testing.assert_close(second, network[:2](inputs).detach())
    with alongside(network, inputs, {"0": network[0], "2": network[2]}) as take:
        assert take("2") is None, "the network alongside takes another way"
        assert take("2") is None
    assert threading.active_count() == num_threads
    assert not network[0]._forward_pre_hooks


def test_what_a_network_alongside_raises_is_raised_where_it_is_waited_for_and_it_computes_only_then() -> None:
    class Drawing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if threading.current_thread() is not threading.main_thread():
                raise RuntimeError("on another thread")
            return x + torch.rand(())

    inputs = torch.randn(5, 12)
    num_threads = threading.active_count()
    network = nn.Sequential(nn.Linear(12, 12), Drawing(), nn.Linear(12, 3))
    with alongside(network, inputs, {"0": network[0], "2": network[2]}) as take:
        assert take("0") is not None
        with pytest.raises(RuntimeError, match="on another thread"):
            take("2")
    assert threading.active_count() == num_threads
    dropping = nn.Sequential(nn.Linear(12, 12), nn.Linear(12, 3))
    dropping[0].register_forward_hook(lambda module, args, outputs: outputs + torch.rand_like(outputs))
    drawn = set()
    for _ in range(5):
        torch.manual_seed(0)
        with alongside(dropping, inputs, {"0": dropping[0], "1": dropping[1]}) as take:
            take("0")
            torch.rand(1000, 1000)
            before = float(torch.rand(()))
            second = take("1")
            assert second is not None
            drawn.add((before, float(second.sum())))
    assert len(drawn) == 1


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_layers_make_up_for_the_errors_of_those_before_them(share: float) -> None:
    given = deep()
    mixing = torch.randn(12, 12)
    inputs, others = torch.randn(400, 12) @ mixing, torch.randn(400, 12) @ mixing
    layers = called_once(given, inputs[:2])
    assert list(layers) == ["0.weight", "2.weight", "4.weight", "6.weight", "8.weight"]
    step = torch.tensor([0.2]).double()
    wanted = given(others).detach()
    errors = {}
    for name, shares in {"apart": None, "propagated": share}.items():
        made = copy.deepcopy(given)

        def set_rounded(name: str, weight: Tensor, factor: Tensor, made: nn.Module = made) -> None:
            parameter = made.get_parameter(name)
            parameter.data = (compensated(weight, factor, step)[0] * 0.2).reshape(parameter.shape)

        with torch.no_grad():
            if shares is None:
                for weight_name, moments in second_moments(given, [inputs], list(layers)):
                    set_rounded(weight_name, given.get_parameter(weight_name), inverse_factor(moments))
            else:
                with propagating(given, made, inputs, layers, shares, set_rounded):
                    made(inputs)
            errors[name] = float((made(others) - wanted).square().sum())
    assert errors["propagated"] < 0.9 * errors["apart"]


def test_a_layer_that_a_pass_calls_twice_or_whose_weight_is_shared_is_not_rounded_on_the_way() -> None:
    class Reused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.once, self.twice, self.tied = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)
            self.other = nn.Linear(4, 4)
            self.other.weight = self.tied.weight

        def forward(self, x: Tensor) -> Tensor:
            made: Tensor = self.other(self.tied(self.twice(self.twice(self.once(x)))))
            return made

    assert called_once(Reused(), torch.randn(2, 4)) == {"once.weight": "once"}


def test_a_layer_that_only_a_few_examples_take_is_stored_as_well() -> None:
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.few, self.many = nn.Linear(6, 3), nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            made: Tensor = (self.few if len(x) <= 4 else self.many)(x)
            return made

    network, inputs = Branching().eval(), torch.randn(64, 6)
    ((point_id, sections),) = OptimalBrainSurgeon(steps=[0.05]).points(network, context_of(network, inputs))
    assert point_id == "step0.05"
    for name, tensor in OptimalBrainSurgeon.decode(sections, network).items():
        assert float((tensor - network.get_parameter(name).detach()).abs().max()) < 0.05


class Experts(nn.Module):
    """Has a linear and a convolutional layer that no example takes, and one without outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.taken, self.linear, self.conv = nn.Linear(6, 3), nn.Linear(6, 3), nn.Conv1d(2, 2, 3, groups=2)
        self.cell, self.attention = nn.GRUCell(6, 6), nn.MultiheadAttention(6, 2, batch_first=True)
        self.empty, self.after = nn.Linear(6, 0), nn.Linear(0, 3)

    def forward(self, x: Tensor) -> Tensor:
        none = x[:0]
        apart = self.cell(none, none), self.conv(none.reshape(0, 2, 3)), self.linear(none)
        assert not any(one.numel() for one in apart)
        made: Tensor = self.taken(x) + self.after(self.empty(x))
        return made


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize("settings", [{}, {"propagation": 0.0, "rate": 0.1}])
def test_layers_that_no_example_takes_and_those_without_weights_are_stored_as_well(settings: dict[str, float]) -> None:
    torch.manual_seed(0)
    network, inputs = Experts().eval(), torch.randn(64, 6)
    ((_, sections),) = OptimalBrainSurgeon(steps=[0.05], **settings).points(network, context_of(network, inputs))
    found = OptimalBrainSurgeon.decode(sections, network)
    for name, tensor in network.named_parameters():
        assert found[name].shape == tensor.shape
        assert torch.allclose(found[name], tensor, atol=0.05), name


def test_a_recurrent_layer_whose_arguments_are_named_in_another_order_is_watched() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.recurrent = nn.GRU(4, 3, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            outputs: Tensor = self.recurrent(hx=torch.ones(1, len(x), 3), input=x)[0]
            return outputs

    names = ["recurrent.weight_ih_l0", "recurrent.weight_hh_l0"]
    assert [name for name, _ in second_moments(Named(), [torch.randn(2, 5, 4)], names)] == names


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_scripted_modules_are_stored_as_well() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(torch.jit.script(nn.Linear(6, 4)), nn.Linear(4, 3)).eval()
    ((_, sections),) = OptimalBrainSurgeon(steps=[0.05]).points(network, context_of(network, torch.randn(16, 6)))
    found = OptimalBrainSurgeon.decode(sections, network)
    for name, tensor in network.named_parameters():
        assert torch.allclose(found[name], tensor, atol=0.05), name


class Decoder(nn.Module):
    """Reads tokens, and makes images of what ``Conv1D`` makes of them."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.mix = nn.Embedding(9, 8), Conv1D(32, 8)
        self.grow = nn.ConvTranspose2d(32, 6, 3, stride=2, groups=2)
        nn.init.normal_(self.grow.weight)
        self.shared = nn.Linear(8, 8, bias=False)
        self.tied = Conv1D(8, 8)
        self.tied.weight = self.shared.weight

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed(x)
        mixed = self.mix(tokens + self.tied(self.shared(tokens)))
        made: Tensor = self.grow(mixed.flatten(0, 1)[:, :, None, None]).flatten(1)
        return made


@pytest.mark.parametrize("propagation", [0.0, 0.5])
def test_layers_whose_weights_begin_with_inputs_have_less_output_error_than_the_nearest_integers(
    propagation: float, caplog: pytest.LogCaptureFixture
) -> None:
    """Embeddings, of which the nearest integers are the best, are not named; a weight of two layouts is."""
    torch.manual_seed(0)
    network, inputs = Decoder().eval().requires_grad_(requires_grad=False), torch.randint(9, (256, 3))
    finer = {name: {"step": 0.01} for name in ("embed.weight", "shared.weight")}
    wanted, errors = network(inputs), {}
    for calibration in ("none", "real"):
        method = OptimalBrainSurgeon(steps=[0.5], calibration=calibration, propagation=propagation, tensors=finer)
        ((_, sections),) = method.points(copy.deepcopy(network), context_of(network, inputs))
        made = copy.deepcopy(network)
        values = OptimalBrainSurgeon.decode(sections, network)
        made.load_state_dict({**values, "tied.weight": values["shared.weight"]})
        errors[calibration] = float((made(inputs) - wanted).square().sum())
    assert errors["real"] < 0.7 * errors["none"]
    assert caplog.messages == [
        "obs: rounded to the nearest, since the inputs of their layers are not known: shared.weight"
    ]
