"""Truncation, the penalty before it, and files of factors."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.trainers.trials import FIRST, attach, configuration, run
from trainers.architectures.base import build_on_meta
from trainers.coding.bytestream import RfzError
from trainers.coding.sections import Integers, Raw, Sections
from trainers.compressed import open_compressed
from trainers.data.examples import few
from trainers.methods.base import Context
from trainers.methods.low_rank import LowRank, Ranked, matrices, product, tail_over_head
from trainers.methods.parts.ranks import full, num_values


def method(**fields: Any) -> dict[str, Any]:
    return {"name": "low_rank", "ratio": 0.4, **fields}


def with_spectrum(m: int, n: int, sigma: list[float]) -> Tensor:
    """A matrix of given singular values."""
    torch.manual_seed(0)
    u, _ = torch.linalg.qr(torch.randn(m, len(sigma), dtype=torch.float64))
    v, _ = torch.linalg.qr(torch.randn(n, len(sigma), dtype=torch.float64))
    return (u * torch.tensor(sigma, dtype=torch.float64)) @ v.T


def test_the_penalty_is_the_tail_of_the_spectrum_over_its_head() -> None:
    matrix = with_spectrum(6, 5, [4, 3, 2, 1])
    for rank, wanted in ((1, 6 / 4), (2, 3 / 7), (3, 1 / 9), (4, 0)):
        assert float(tail_over_head(matrix, rank)) == pytest.approx(wanted, abs=1e-9)
        assert float(tail_over_head(7 * matrix, rank)) == pytest.approx(wanted, abs=1e-9), "whatever the scale"
    assert float(tail_over_head(torch.zeros(3, 3), 1)) == 0


def test_the_gradient_of_the_penalty_is_that_of_the_singular_values() -> None:
    """d sigma_i / dW is u_i v_i'."""
    matrix = with_spectrum(6, 5, [4, 3, 2, 1, 0.5]).requires_grad_()
    tail_over_head(matrix, 2).backward()
    u, _, vh = torch.linalg.svd(matrix.detach(), full_matrices=False)
    head, tail = u[:, :2] @ vh[:2], u[:, 2:] @ vh[2:]
    assert matrix.grad is not None
    torch.testing.assert_close(matrix.grad, tail / 7 - 3.5 / 49 * head)


def test_a_weight_of_nan_is_left_for_the_loop_to_find() -> None:
    assert math.isnan(float(tail_over_head(torch.full((3, 3), math.nan), 1)))


def truncated(network: nn.Module, **ranks: int) -> Ranked:
    ranked = Ranked(network)
    ranked.ranks = {**full(ranked.shapes), **ranks}
    ranked.truncate()
    return ranked


def test_truncation_is_the_nearest_matrix_of_that_rank_and_its_factors_are_balanced() -> None:
    linear = nn.Linear(9, 12)
    with torch.no_grad():
        linear.weight.copy_(with_spectrum(12, 9, [5, 4, 3, 2, 1]))
    weight = linear.weight.detach().clone()
    ranked = truncated(linear, weight=3)
    (factor,) = ranked.factors
    assert factor.shape == (21, 3)
    error = weight - product(factor, (12, 9))
    assert float(error.detach().square().sum()) == pytest.approx(2**2 + 1**2, rel=1e-4)  # Eckart, Young
    energies = factor.detach().square()
    torch.testing.assert_close(energies[:12].sum(dim=0), torch.tensor([5.0, 4, 3]))
    torch.testing.assert_close(energies[12:].sum(dim=0), torch.tensor([5.0, 4, 3]))


def test_a_convolution_is_a_matrix_of_outputs_by_inputs() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8, 4))
    assert matrices(network) == {"0.weight": (8, 27), "2.weight": (4, 8)}
    inputs = torch.randn(5, 3, 3, 3)
    kernels = network[0].weight.detach().clone()
    u, sigma, vh = torch.linalg.svd(kernels.flatten(1))
    near = ((u[:, :2] * sigma[:2]) @ vh[:2]).view(8, 3, 3, 3)
    wanted = network[2](nn.functional.conv2d(inputs, near, network[0].bias).flatten(1))
    ranked = truncated(network, **{"0.weight": 2})
    torch.testing.assert_close(ranked(inputs), wanted)
    assert [name for name, _ in ranked.named_parameters()] == ["network.0.bias", "network.2.weight", "network.2.bias",
                                                               "factors.0"]  # fmt: skip


def test_a_tied_weight_is_one_product_under_both_names() -> None:
    tied = nn.Sequential(nn.Linear(6, 6, bias=False), nn.Linear(6, 6, bias=False))
    tied[1].weight = tied[0].weight
    ranked = truncated(tied, **{"0.weight": 2})
    assert len(ranked.factors) == 1
    w = product(ranked.factors[0], (6, 6))
    x = torch.randn(5, 6)
    torch.testing.assert_close(ranked(x), x @ w.T @ w.T)


@pytest.mark.parametrize("ranks", ["bsr", "svd", "svd_uniform"])
@pytest.mark.parametrize("ratio", [0.3, 0.6])
def test_the_ratio_is_met_and_the_network_is_as_before_the_choice(ranks: str, ratio: float) -> None:
    changes = {"architecture": {"name": "mlp", "hidden": [20, 12]}, "method": method(ranks=ranks, ratio=ratio)}
    trial = attach(configuration("low_rank", **changes))
    ranked = cast(Ranked, trial.model)
    before = {name: tensor.clone() for name, tensor in ranked.state_dict().items()}
    phase = trial.method.phases(trial.context)[1]
    decision = phase.decide(ranked, trial.context)
    assert all(torch.equal(tensor, before[name]) for name, tensor in ranked.state_dict().items())
    num_weights = sum(map(math.prod, ranked.shapes.values()))
    assert ratio * num_weights - 36 < num_values(ranked.shapes, decision) <= ratio * num_weights
    phase.apply(ranked, decision)
    assert ranked.ranks == decision


def statistics_fit(ranked: Ranked, kernels: Tensor, context: Context) -> bool:
    """Whether the norm of ``normed`` remembers what those kernels compute on the training data."""
    inputs, _ = few(context.train, context.num_train)
    outputs = torch.conv2d(inputs, kernels, padding=1)
    mean, variance = outputs.mean(dim=(0, 2, 3)), outputs.var(dim=(0, 2, 3))
    found = [ranked.network.get_buffer(f"1.running_{kind}") for kind in ("mean", "var")]
    return all(torch.allclose(one, wanted, atol=1e-5) for one, wanted in zip(found, (mean, variance), strict=True))


def test_the_search_judges_networks_by_statistics_of_their_own() -> None:
    trial = attach(configuration("low_rank", "normed", method=method()), noise=0.3)
    ranked = cast(Ranked, trial.model)
    before = {name: tensor.clone() for name, tensor in ranked.state_dict().items()}
    asked: list[Tensor] = []

    def validate(model: nn.Module) -> float:
        kernels = cast(Ranked, model).network.get_parameter("0.weight").detach().clone()
        assert statistics_fit(ranked, kernels, trial.context)
        asked.append(kernels)
        return 0.0

    context = dataclasses.replace(trial.context, validate=validate)
    trial.method.phases(context)[1].decide(ranked, context)
    assert not all(torch.equal(kernels, before["network.0.weight"]) for kernels in asked)
    after = ranked.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


@pytest.mark.parametrize("ranks", ["bsr", "svd"])
def test_a_network_that_is_not_trained_on_has_statistics_of_its_own(ranks: str) -> None:
    trial = attach(configuration("low_rank", "normed", method=method(ranks=ranks, finetune=0.0)), noise=0.3)
    model = trial.model
    for phase in trial.method.phases(trial.context):
        model = phase.apply(model, phase.decide(model, trial.context))
    ranked = cast(Ranked, model)
    assert "0.weight" in ranked.factored()
    assert statistics_fit(ranked, product(ranked.factors[0], (4, 1, 3, 3)), trial.context)


def test_less_quality_is_better_where_the_task_says_so() -> None:
    """If less is better, the search lowers the rank that it would spare otherwise."""
    changes = {"architecture": {"name": "mlp", "hidden": [20, 20]}, "method": method(ratio=0.5)}
    trial = attach(configuration("low_rank", **changes))

    def validate(model: nn.Module) -> float:
        """The numerical rank of the first weight."""
        return float((torch.linalg.svdvals(cast(Ranked, model).matrix("1.weight")) > 1e-3).sum())

    first: list[int] = []
    for maximise in (True, False):
        context = dataclasses.replace(trial.context, validate=validate, maximise=maximise)
        first.append(trial.method.phases(context)[1].decide(trial.model, context)["1.weight"])
    assert first == [16, 1]


@pytest.mark.parametrize(("ratio", "first"), [(0.45, 1), (0.5, 2)])
def test_equal_shares_of_energy_are_kept(ratio: float, first: int) -> None:
    """One, two, ... values hold 0.8, 0.998, ... of the first weight's energy, and 0.4, 0.7, 1 of the second's.

    The budgets are 68 and 76 of 152 values.
    """
    trial = attach(configuration("low_rank", method=method(ranks="svd", ratio=ratio)))
    ranked = cast(Ranked, trial.model)
    with torch.no_grad():
        ranked.network.get_parameter("1.weight").copy_(with_spectrum(8, 16, [4, 2, 0.1, 0.1, 0.1]))
        ranked.network.get_parameter("3.weight").copy_(with_spectrum(3, 8, [1, 0.9, 0.8]))
    decision = trial.method.phases(trial.context)[1].decide(ranked, trial.context)
    assert decision == {"1.weight": first, "3.weight": 3}


def test_only_what_is_to_be_factored_is_penalised() -> None:
    trial = attach(configuration("low_rank", method=method(penalty=0.5)), noise=0.3)
    ranked = cast(Ranked, trial.model)
    train, regularise, _ = trial.method.phases(trial.context)
    regularise.apply(ranked, {"1.weight": 2, "3.weight": 3})
    task = train.loss(ranked, trial.batch, trial.context, FIRST).item()
    found = regularise.loss(ranked, trial.batch, trial.context, FIRST).item()
    assert found == pytest.approx(task + 0.5 * float(tail_over_head(ranked.matrix("1.weight").detach(), 2)), rel=1e-5)


def test_the_penalty_makes_the_truncation_cheaper() -> None:
    trial = attach(configuration("low_rank", method=method(penalty=1.0)))
    ranked = cast(Ranked, trial.model)
    _, regularise, _ = trial.method.phases(trial.context)
    regularise.apply(ranked, {"1.weight": 2, "3.weight": 3})
    before = float(tail_over_head(ranked.matrix("1.weight").detach(), 2))
    (optimiser,) = regularise.optimisers(ranked, 30)
    for _ in range(30):
        optimiser.optimiser.zero_grad()
        regularise.loss(ranked, trial.batch, trial.context, FIRST).backward()
        optimiser.optimiser.step()
    assert float(tail_over_head(ranked.matrix("1.weight").detach(), 2)) < 0.7 * before


def test_the_file_holds_the_product_that_was_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[Ranked] = []
    points = LowRank.points

    def spy(self: LowRank, model: Ranked, context: Any) -> Any:
        trained.append(model)
        return points(self, model, context)

    monkeypatch.setattr(LowRank, "points", spy)
    run(configuration("low_rank", "cnn", method=method(steps=[0.001])), tmp_path)
    (ranked,) = trained
    opened = open_compressed(tmp_path / "step0.001.rfz")
    decoded = opened.state_dict()
    names = ranked.factored()
    assert names
    for name, factor in zip(names, ranked.factors, strict=True):
        torch.testing.assert_close(decoded[name], product(factor, decoded[name].shape).detach(), rtol=0.01, atol=2e-3)
        assert int(torch.linalg.matrix_rank(decoded[name].flatten(1))) <= ranked.ranks[name]
    assert sum(share.part == "factor" for share in opened.account()) == len(names)


PLAIN = build_on_meta("x", lambda: nn.Linear(4, 5), {})  # a rank of two is the most that saves anything
FACTOR = Integers(values=np.arange(18, dtype=np.int32).reshape(9, 2))
BIAS = Raw(values=np.zeros(5, np.float32))
HONEST = Sections(tensors={"bias": BIAS}, vectors=(np.array([0.5], np.float16),), factors=(FACTOR,))


def test_a_product_by_hand_decodes() -> None:
    decoded = LowRank.decode(HONEST, PLAIN)
    wanted = FACTOR.values[:5] @ FACTOR.values[5:].T / 4
    np.testing.assert_array_equal(decoded["weight"].numpy(), wanted.astype(np.float32))
    assert list(decoded) == ["weight", "bias"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"factors": (Integers(values=FACTOR.values[:8]),)},
         r"a factor of 8 rows and 2 columns for 'weight', a matrix of \(5, 4\): wanted 9 rows, and fewer values"),
        ({"factors": (Integers(values=FACTOR.values.T),)}, "a factor of 2 rows and 9 columns"),
        ({"factors": (Integers(values=np.ones((9, 3), np.int32)),)}, "a factor of 9 rows and 3 columns"),
        ({"factors": (FACTOR, FACTOR)}, r"2 factors: wanted one for each of \['weight'\]"),
        ({"factors": ()}, "0 factors"),
        ({"vectors": ()}, "table 0 has no step among 0"),
        ({"tensors": {}}, r"\['weight', 'bias'\] are made of factors: wanted \['weight'\]"),
        ({"tensors": {"bias": BIAS, "weight": Raw(values=np.zeros((5, 4), np.float32))}}, r"1 factors: wanted one for "
         r"each of \[\]"),
    ],
)  # fmt: skip
def test_factors_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RfzError, match=f"^the file is malformed: .*{message}"):
        LowRank.decode(dataclasses.replace(HONEST, **changes), PLAIN)


@pytest.mark.parametrize(
    ("field", "value"),
    [("ratio", 0), ("ratio", 1.5), ("ranks", "all"), ("penalty", -1), ("finetune", 2), ("regularise", 0.9),
     ("learning_rate", 0), ("steps", [])],
)  # fmt: skip
def test_fields_are_checked(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{field} is "):
        LowRank(**{"ratio": 0.1, field: value})


@pytest.mark.parametrize("field", ["penalty", "regularise"])
@pytest.mark.parametrize("ranks", ["svd", "svd_uniform"])
def test_settings_of_the_search_are_refused_without_it(field: str, ranks: str) -> None:
    with pytest.raises(
        ValueError, match=f"^{field} is 0.3, which has no effect where ranks is '{ranks}': leave it out$"
    ):
        LowRank(**{"ratio": 0.1, "ranks": ranks, field: 0.3})
    LowRank(**{"ratio": 0.1, field: 0.3})
