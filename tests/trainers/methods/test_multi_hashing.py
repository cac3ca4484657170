"""One product of two matrices, handed out to all tensors."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.trainers.trials import attach, configuration
from trainers.architectures.base import build_on_meta
from trainers.architectures.lenet import lenet300_100
from trainers.coding.bytestream import RfzError
from trainers.coding.sections import Integers, Raw, Sections
from trainers.methods.multi_hashing import Hashed, MultiHashing, handed_out, side


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 3))


def test_slices_cover_the_product_in_order_and_each_value_once() -> None:
    """A pool whose product counts from 0: i n + j is a product of two matrices of two columns."""
    shapes = [torch.Size(shape) for shape in ((3, 2, 2), (5,), (), (0, 4), (2, 3))]
    n = side(shapes)
    assert n == 5
    ones, counted = torch.ones(n), torch.arange(float(n))
    pool = torch.cat([torch.stack([counted * n, ones], dim=1), torch.stack([ones, counted], dim=1)])
    tensors = handed_out(pool, torch.ones(5), shapes)
    assert [tensor.shape for tensor in tensors] == shapes
    assert torch.equal(torch.cat([tensor.flatten() for tensor in tensors]), torch.arange(24.0))
    doubled = handed_out(pool, torch.tensor([1.0, 2, 3, 4, 5]), shapes)
    assert all(torch.equal(b, a * scale) for scale, (a, b) in enumerate(zip(tensors, doubled, strict=True), start=1))


@pytest.mark.parametrize(("num_values", "n"), [(0, 1), (1, 1), (2, 2), (4, 2), (5, 3), (266_610, 517)])
def test_the_product_is_the_smallest_square_that_is_enough(num_values: int, n: int) -> None:
    assert side([torch.Size((num_values,))]) == n


@pytest.mark.parametrize(("fraction", "num_columns"), [(1e-6, 1), (0.01, 3), (0.1, 26)])
def test_a_fraction_of_the_values_is_trained(fraction: float, num_columns: int) -> None:
    plain = lenet300_100()
    assert Hashed(plain, fraction).pool.shape == (2 * 517, num_columns)


def test_weights_begin_with_the_spread_that_the_network_had() -> None:
    torch.manual_seed(0)
    plain = lenet300_100()
    spreads = {name: float(p.detach().square().mean().sqrt()) for name, p in plain.named_parameters()}
    made = Hashed(plain, 0.1).weights()
    assert list(made) == list(spreads)
    for name, spread in spreads.items():
        assert float(made[name].detach().square().mean().sqrt()) == pytest.approx(spread, rel=0.25)


def test_norms_stay_on_their_own_and_nothing_else_does() -> None:
    trained = Hashed(network(), 0.5)
    assert list(trained.weights()) == ["0.weight", "0.bias", "3.weight", "3.bias"]
    assert [name for name, _ in trained.named_parameters()] == ["pool", "scales", "network.1.weight", "network.1.bias"]


def test_a_tied_weight_has_one_slice() -> None:
    tied = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    tied[1].weight = tied[0].weight
    trained = Hashed(tied, 0.5)
    made = trained.weights()
    assert list(made) == ["0.weight"]
    assert len(trained.scales) == 1
    x = torch.randn(5, 4)
    assert torch.allclose(trained(x), x @ made["0.weight"].T @ made["0.weight"].T, atol=1e-6)


def test_the_file_holds_the_network_that_was_trained() -> None:
    trial = attach(configuration("multi_hashing", "normed", method=method(steps=[0.001])))
    trained = cast(Hashed, trial.model)
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    trained.train()(trial.batch[0])  # running statistics move
    ((_, sections),) = trial.method.points(trained, trial.context)
    decoded = trial.method.decode(sections, trial.context.plain)
    for name, tensor in trained.weights().items():
        torch.testing.assert_close(decoded[name], tensor.detach(), rtol=0.01, atol=0.002)
    assert list(sections.tensors) == [name for name in decoded if name not in trained.weights()]


def method(**fields: Any) -> dict[str, Any]:
    return {"name": "multi_hashing", "fraction": 0.2, **fields}


PLAIN = build_on_meta("x", lambda: nn.Linear(3, 1), {})  # four values: n is 2
POOL = Integers(values=np.array([[1], [2], [3], [4]], np.int32))
STEPS, SCALES = np.array([0.5], np.float16), np.array([1.0, -2.0], np.float16)
HONEST = Sections(tensors={}, vectors=(STEPS, SCALES), factors=(POOL,))


def test_a_product_by_hand_decodes() -> None:
    """The product is (1, 2)' (3, 4) / 4."""
    decoded = MultiHashing.decode(HONEST, PLAIN)
    assert decoded["weight"].tolist() == [[0.75, 1.0, 1.5]]
    assert decoded["bias"].tolist() == [-4.0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"factors": ()}, r"0 pools and vectors of \[1, 2\]: wanted one, steps and 2 scales"),
        ({"factors": (POOL, POOL)}, "2 pools"),
        ({"vectors": ()}, r"vectors of \[\]"),
        ({"vectors": (STEPS,)}, r"vectors of \[1\]"),
        ({"vectors": (STEPS, SCALES[:1])}, r"vectors of \[1, 1\]"),
        ({"vectors": (STEPS, SCALES, SCALES)}, r"vectors of \[1, 2, 2\]"),
        ({"vectors": (STEPS[:0], SCALES)}, "table 0 has no step among 0"),
        ({"factors": (Integers(values=POOL.values[:3]),)}, "a pool of 3 rows: wanted 4"),
        ({"factors": (Integers(values=POOL.values.T),)}, "a pool of 1 rows: wanted 4"),
        ({"tensors": {"bias": Raw(values=np.zeros(1, np.float32))}}, "wanted one, steps and 1 scales"),
    ],
)  # fmt: skip
def test_what_is_no_pool_of_the_network_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RfzError, match=f"^the file is malformed: .*{message}"):
        MultiHashing.decode(dataclasses.replace(HONEST, **changes), PLAIN)


def test_the_largest_numbers_of_a_file_stay_finite() -> None:
    most = np.full((4, 1), np.iinfo(np.int32).max, np.int32)
    vectors = (np.array([65504], np.float16), np.full(2, -65504, np.float16))
    decoded = MultiHashing.decode(Sections(tensors={}, vectors=vectors, factors=(Integers(values=most),)), PLAIN)
    assert all(tensor.isfinite().all() for tensor in decoded.values())


@pytest.mark.parametrize("scale", [1e9, -1e9, 3e5, 1e-9])
def test_scales_of_any_size_are_stored(scale: float) -> None:
    trial = attach(configuration("multi_hashing", method=method(steps=[0.001])))
    trained = cast(Hashed, trial.model)
    with torch.no_grad():
        trained.scales.fill_(scale)
    ((_, sections),) = trial.method.points(trained, trial.context)
    decoded = trial.method.decode(sections, trial.context.plain)
    for name, tensor in trained.weights().items():
        torch.testing.assert_close(decoded[name], tensor.detach(), rtol=0.01, atol=0.01 * abs(scale))


def test_a_scale_that_is_no_number_is_refused() -> None:
    trial = attach(configuration("multi_hashing", method=method()))
    trained = cast(Hashed, trial.model)
    with torch.no_grad():
        trained.scales[0] = float("inf")
    with pytest.raises(ValueError, match="became NaN or infinite"):
        list(trial.method.points(trained, trial.context))


@pytest.mark.parametrize("tensor", [torch.tensor(0.7), torch.zeros(0)])
def test_networks_of_a_value_or_none_are_hashed(tensor: Tensor) -> None:
    model = nn.Module()
    model.weight = nn.Parameter(tensor.clone())
    made = Hashed(model, 0.1).weights()["weight"]
    assert made.shape == tensor.shape
    assert made.isfinite().all()


@pytest.mark.parametrize(
    ("field", "value"), [("fraction", 0), ("fraction", 1.5), ("learning_rate", 0), ("scale_learning_rate", 0),
                         ("steps", [])],
)  # fmt: skip
def test_fields_are_checked(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{field} is "):
        MultiHashing(**{"fraction": 0.1, field: value})
