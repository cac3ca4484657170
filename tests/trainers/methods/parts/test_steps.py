"""Steps as files hold them: as near as float16 allows, whatever the scale of what is rounded."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.trainers.methods.contexts import context_of
from trainers.divergence import DivergedError
from trainers.methods.parts.backend import dequantise
from trainers.methods.parts.grid import Rounded, grid_points, in_steps, rounded_at, store
from trainers.methods.parts.steps import NORMAL, exact, in_float16_bits, level, steps_of, times_power
from trainers.methods.ptq import best_steps

some = settings(max_examples=60, deadline=None)
scales = st.floats(-30, 30).map(lambda power: 10.0**power)


def noise(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def decoded(rounded: Rounded, like: Tensor) -> Tensor:
    """What a file decodes to that holds a weight in this form."""
    model = nn.Module()
    model.weight = nn.Parameter(like.clone())
    sections = store(context_of(model), {"weight": like}, {"weight": rounded})
    return dequantise(sections, model, by_row=True)["weight"]


def relative_error(rounded: Rounded, given: Tensor) -> float:
    """The root mean square error over that of the values; it is computed in float64, near one."""
    exponent = math.frexp(float(given.abs().max()))[1]
    found, wanted = (times_power(one.double(), -exponent) for one in (decoded(rounded, given), given))
    return float(((found - wanted).square().mean() / wanted.square().mean()).sqrt())


def at_best_steps(tensor: Tensor, bits: int, *, by_row: bool = False) -> Rounded:
    steps = best_steps(tensor, bits, by_row=by_row)
    sizes = torch.from_numpy(steps.sizes).reshape(-1, 1)
    most = 2 ** (bits - 1) - 1
    return (tensor.double() / sizes).round().clamp(-most, most), steps


# what is stored


@pytest.mark.parametrize("size", [2.0**-22, 1e-5, 0.3, 65504.0])
def test_a_step_that_float16_holds_is_stored_as_before(size: float) -> None:
    steps = steps_of(size)
    assert (steps.numbers.tolist(), steps.exponent) == ([np.float16(size)], 0)


@given(st.lists(scales, min_size=1, max_size=5))
@example([1e-07, 0.9999998627552429])
@some
def test_a_step_is_near_and_stays_as_it_is_when_it_is_stored_again(sizes: list[float]) -> None:
    steps = steps_of(sizes)
    assert (steps.numbers > 0).all()
    for found, size in zip(steps.sizes, sizes, strict=True):
        assert size < 2.0 ** (steps.exponent - 14) or math.isclose(found, size, rel_tol=2.0**-11)
    assert steps.exponent == 0 or max(steps.numbers) >= 2**14
    again = steps_of(steps.sizes)
    assert (again.numbers.tolist(), again.exponent) == (steps.numbers.tolist(), steps.exponent)


@given(scales)
@some
def test_a_size_in_as_many_bits_as_a_float16_is_stored_exactly(size: float) -> None:
    rounded = float(in_float16_bits(np.array([size]))[0])
    assert math.isclose(rounded, size, rel_tol=2.0**-11)
    assert steps_of(rounded, least=NORMAL).sizes.tolist() == [rounded]


@given(st.lists(st.lists(st.one_of(st.just(0.0), scales), min_size=1, max_size=4), max_size=4))
@some
def test_a_network_computes_with_the_steps_that_are_stored(sizes: list[list[float]]) -> None:
    tensors = [torch.tensor(row, dtype=torch.float64).unsqueeze(1) for row in sizes]
    for found, given_sizes in zip(exact(tensors), tensors, strict=True):
        assert found.shape == given_sizes.shape
        assert found.reshape(-1).tolist() == steps_of(given_sizes.reshape(-1).numpy()).sizes.tolist()


def test_the_step_of_nothing_is_the_smallest_float16() -> None:
    assert steps_of([0.0, 0.5]).numbers.tolist() == [2.0**-24, 0.5]
    assert steps_of([0.0, 0.5]).exponent == 0


@pytest.mark.parametrize("size", [math.nan, math.inf])
def test_a_step_that_is_no_number_is_refused(size: float) -> None:
    with pytest.raises(DivergedError, match="a quantisation step became NaN or infinite"):
        steps_of([1.0, size])
    with pytest.raises(DivergedError, match="cannot quantise 'w': its step is"):
        rounded_at("w", torch.ones(2), size)


@given(scales)
@some
def test_squares_of_what_is_divided_by_its_level_are_floats(scale: float) -> None:
    tensor = torch.tensor([scale, -scale / 3, 0.0])
    near_one = times_power(tensor, -level(tensor))
    assert 0 < float(near_one.square().sum()) < math.inf
    torch.testing.assert_close(times_power(near_one, level(tensor)), tensor)
    assert level(torch.tensor([0.0, 1e-3, -20.0])) == level(torch.zeros(0)) == 0


@pytest.mark.parametrize("exponent", [-2500, -300, -1, 0, 7, 250, 1500])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_any_power_multiplies(exponent: int, dtype: torch.dtype) -> None:
    tensor = torch.tensor([0.0, 1.5, -3.0], dtype=dtype)
    with np.errstate(over="ignore"):
        wanted = torch.from_numpy(np.ldexp(tensor.double().numpy(), exponent)).to(dtype)
    assert torch.equal(times_power(tensor, exponent), wanted)


# more bits are never worse than fewer


@given(scales, st.sampled_from([(1, 300), (7, 40)]))
@settings(max_examples=25, deadline=None)
def test_the_error_falls_with_the_bits_at_every_scale(scale: float, shape: tuple[int, int]) -> None:
    tensor = scale * noise(shape)
    for by_row in (False, True):
        errors = [relative_error(at_best_steps(tensor, bits, by_row=by_row), tensor) for bits in (2, 4, 8, 12, 16)]
        assert all(later < 0.5 * earlier for earlier, later in itertools.pairwise(errors))


@pytest.mark.parametrize(("scale", "bits"), [(2e-4, 12), (2e-4, 16), (1e-7, 8), (1e-7, 16), (1e-30, 16), (1e30, 2)])
def test_the_error_at_a_scale_is_no_larger_than_at_scale_one(scale: float, bits: int) -> None:
    errors = [relative_error(at_best_steps(one, bits), one) for one in (noise((3, 100)), scale * noise((3, 100)))]
    assert errors[1] < 1.05 * errors[0]


def test_rows_of_any_scale_are_rounded_alike() -> None:
    tensor = noise((4, 200)) * torch.tensor([[1e-9], [1e-7], [1e-4], [1e-1]])
    found = decoded(at_best_steps(tensor, 8, by_row=True), tensor)
    errors = (found - tensor).norm(dim=1) / tensor.norm(dim=1)
    assert (errors < 0.02).all()


@given(scales, st.sampled_from([torch.float32, torch.float64]))
@some
def test_a_grid_has_the_error_of_its_step_at_every_scale(scale: float, dtype: torch.dtype) -> None:
    tensor = scale * noise((20, 50)).to(dtype)
    errors = {step: relative_error(in_steps("w", tensor, step), tensor) for step in (1.0, 0.1, 0.01)}
    assert all(math.isclose(error, step / math.sqrt(12), rel_tol=0.2) for step, error in errors.items())


@pytest.mark.parametrize("value", [1e300, 1e-300, 3e7, -1e60])
def test_one_value_of_any_size_is_kept_in_float64(value: float) -> None:
    model = nn.Module()
    model.weight = nn.Parameter(torch.tensor([[value, 2 * value], [0, -value]], dtype=torch.float64))
    model.constant = nn.Parameter(torch.tensor(value, dtype=torch.float64), requires_grad=False)
    ((_, sections),) = grid_points(context_of(model), model.state_dict(), (0.01,))
    for name, tensor in dequantise(sections, model).items():
        wanted = model.get_parameter(name).detach()
        assert ((tensor - wanted).abs() <= 0.01 * abs(value)).all()


def test_values_too_far_from_their_step_are_rounded_to_what_int32_holds() -> None:
    tensor = torch.tensor([1e12, 1.0])
    whole, steps = rounded_at("w", tensor, 1.0)
    assert whole.abs().max() < 2**31
    torch.testing.assert_close(whole * steps.sizes[0], tensor.double(), rtol=1e-3, atol=1e3)


def test_the_largest_float16_does_not_round_to_infinity() -> None:
    tensor = torch.tensor([[65504.0, -65504.0, 30.0, 7000.0]], dtype=torch.float16)
    for step in (3000.0, 5000.0, 20000.0):
        found = decoded(rounded_at("w", tensor, step), tensor)
        assert found.dtype == torch.float16
        assert ((found.float() - tensor.float()).abs() <= step).all()
