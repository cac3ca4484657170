"""The learned density is a density, and its rate is minus the logarithm of the probability of an interval."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from trainers.methods.parts.density import DeepFactorized, Geometric


@pytest.fixture(params=[0, 1, 2], ids=["fresh", "shaped", "wild"])
def density(request: pytest.FixtureRequest) -> DeepFactorized:
    torch.manual_seed(request.param)
    model = DeepFactorized()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.5 * request.param * torch.randn_like(parameter))
    return model


def exact_probability(model: DeepFactorized, x: torch.Tensor) -> torch.Tensor:
    """The probability of the unit interval around ``x`` (n,), in float64 from the equations of the paper."""

    def cumulative(x_1N: torch.Tensor) -> torch.Tensor:
        for layer, (matrix, bias) in enumerate(zip(model.matrices, model.biases, strict=True)):
            x_1N = F.softplus(matrix.double()) @ x_1N + bias.double()
            if layer < len(model.factors):
                x_1N = x_1N + torch.tanh(model.factors[layer].double()) * torch.tanh(x_1N)
        return torch.sigmoid(x_1N)

    x_1N = x.double().reshape(1, -1)
    return (cumulative(x_1N + 0.5) - cumulative(x_1N - 0.5)).reshape(-1)


def test_the_cumulative_distribution_rises_from_zero_to_one(density: DeepFactorized) -> None:
    logits = density.logits(torch.linspace(-2000, 2000, 4001))
    assert (logits.diff() > 0).all()
    assert torch.sigmoid(logits[0]) < 0.01
    assert torch.sigmoid(logits[-1]) > 0.99


def test_the_probabilities_of_the_integers_sum_to_one(density: DeepFactorized) -> None:
    total = (2.0 ** -density.bits(torch.arange(-3000.0, 3001.0)).double()).sum().item()
    assert math.isclose(total, 1, abs_tol=1e-3)


def test_bits_are_minus_the_logarithm_of_the_probability(density: DeepFactorized) -> None:
    x = torch.linspace(-60, 60, 241)
    probability = exact_probability(density, x)
    torch.testing.assert_close(density.bits(x).double(), -torch.log2(probability + 2.0**-40), rtol=1e-3, atol=2e-3)


def test_both_tails_keep_their_precision(density: DeepFactorized) -> None:
    """Where the cumulative distribution is one to float32, the right tail is as exact as the left."""
    x = torch.linspace(-400, 400, 801)
    probability = exact_probability(density, x)
    told = (probability > 2.0**-30) & (probability < 2.0**-12)
    assert told.sum() > 10
    torch.testing.assert_close(density.bits(x).double()[told], -torch.log2(probability[told]), rtol=0.02, atol=0.05)


def test_bits_are_at_most_forty_and_never_negative(density: DeepFactorized) -> None:
    bits = density.bits(torch.cat([torch.linspace(-50, 50, 101), torch.tensor([-1e30, -1e6, 1e6, 1e30])]))
    assert bits.max() <= 40
    assert bits.min() >= -1e-5
    torch.testing.assert_close(bits[-4:], torch.full((4,), 40.0))


def test_gradients_are_finite_everywhere(density: DeepFactorized) -> None:
    x = torch.tensor([-1e30, -1e6, -300.0, -1.0, 0.0, 0.5, 1.0, 300.0, 1e6, 1e30], requires_grad=True)
    density.bits(x).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    for parameter in density.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()


def test_gradients_are_those_of_finite_differences(density: DeepFactorized) -> None:
    x = torch.tensor([-30.0, -3.0, 0.2, 4.0, 25.0], requires_grad=True)
    density.bits(x).sum().backward()
    step = 1e-3
    with torch.no_grad():
        upper, lower = (-torch.log2(exact_probability(density, x + sign * step)) for sign in (1, -1))
    assert x.grad is not None
    torch.testing.assert_close(x.grad.double(), (upper - lower) / (2 * step), rtol=1e-2, atol=1e-3)


def test_the_middle_of_a_symmetric_density_is_the_cheapest() -> None:
    """Exactly between the tails both logits have the same magnitude."""
    density = DeepFactorized()
    for bias in density.biases:
        nn.init.zeros_(bias)
    bits = density.bits(torch.tensor([0.0, 1.0, -1.0, 5.0]))
    assert bits.argmin() == 0
    torch.testing.assert_close(bits[1], bits[2])
    torch.testing.assert_close(bits.double(), -torch.log2(exact_probability(density, torch.tensor([0.0, 1, -1, 5]))),
                               rtol=1e-4, atol=1e-4)  # fmt: skip


def test_a_density_learns_the_entropy_of_its_samples() -> None:
    torch.manual_seed(0)
    samples = (3 * torch.randn(2000)).round()
    frequencies = samples.unique(return_counts=True)[1] / len(samples)
    entropy = -(frequencies * frequencies.log2()).sum().item()
    density = DeepFactorized()
    optimiser = torch.optim.Adam(density.parameters(), lr=2e-2)
    for _ in range(300):
        optimiser.zero_grad()
        density.bits(samples).mean().backward()
        optimiser.step()
    assert entropy <= density.bits(samples).mean().item() + 0.02
    assert density.bits(samples).mean().item() < entropy + 0.05


@pytest.mark.parametrize("init_scale", [2.0, 10.0, 50.0])
def test_the_initial_width_follows_its_scale(init_scale: float) -> None:
    torch.manual_seed(0)
    density = DeepFactorized(init_scale=init_scale)
    x = torch.arange(-2000.0, 2001.0)
    probability = exact_probability(density, x)
    mean = (probability * x).sum()
    spread = (probability * (x - mean) ** 2).sum().sqrt().item()
    assert 0.5 * init_scale < spread < 4 * init_scale


def code_lengths(density: Geometric, *, furthest: int) -> torch.Tensor:
    """L(0), L(1), ... in bits, up to a constant, from the slopes that the density holds."""
    outer, inner = density.outer.item(), density.inner.item()
    further = (inner + 3 * outer) / 2
    return torch.cat([torch.zeros(1), (further - outer) + further * torch.arange(float(furthest))])


def fitted(*, seed: int = 0) -> tuple[Geometric, torch.Tensor]:
    torch.manual_seed(seed)
    phi = (torch.rand(5000, 1) < 0.2) * 2 * torch.randn(5000, 1)
    density = Geometric()
    density.fit(phi)
    return density, phi


def test_the_geometric_rate_is_the_code_length_of_the_rounded_latents() -> None:
    """The reference is the entropy of zero, sign and magnitude, computed from their counts."""
    density, phi = fitted()
    rounded = phi.round().abs()
    zeros, nonzeros, total = (rounded == 0).sum().item(), (rounded > 0).sum().item(), rounded.sum().item()
    p, more = (nonzeros + 1) / (zeros + nonzeros + 2), (total - nonzeros + 1) / (total + 2)
    wanted = -zeros * math.log2(1 - p) - nonzeros * (math.log2(p) - 1 + math.log2(1 - more))
    wanted -= (total - nonzeros) * math.log2(more)
    assert density.code_bits.item() == pytest.approx(wanted, rel=1e-5)


def test_the_geometric_gradient_is_the_difference_of_code_lengths_half_a_step_away() -> None:
    """The derivative of L convolved with the unit box is L(x + 1/2) - L(x - 1/2)."""
    density, _ = fitted()
    lengths = code_lengths(density, furthest=6)
    x = torch.linspace(-4, 4, 161).reshape(-1, 1)

    def length(position: torch.Tensor) -> torch.Tensor:
        below = position.abs().floor().long()
        share = position.abs() - below
        return (1 - share) * lengths[below] + share * lengths[below + 1]

    found = torch.full_like(x, 7.0)
    density.add_slope(found, x, torch.tensor(3.0))
    wanted = 7 + 3 * (length(x + 0.5) - length(x - 0.5))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_each_dimension_of_a_geometric_density_is_fitted_on_its_own() -> None:
    torch.manual_seed(0)
    phi = torch.stack([torch.zeros(500), 3 * torch.randn(500)], dim=1)
    density, first, second = Geometric(2), Geometric(), Geometric()
    density.fit(phi)
    first.fit(phi[:, :1])
    second.fit(phi[:, 1:])
    torch.testing.assert_close(density.inner, torch.cat([first.inner, second.inner]))
    torch.testing.assert_close(density.code_bits, first.code_bits + second.code_bits)


def test_a_group_that_is_all_zero_can_still_be_left() -> None:
    """Leaving zero costs about the logarithm of the number of latents, not of the smallest float."""
    density = Geometric()
    for _ in range(50):
        density.fit(torch.zeros(1000, 1))
    slope = torch.zeros(1, 1)
    density.add_slope(slope, torch.full((1, 1), 0.5), torch.tensor(1.0))
    assert 9 < slope.item() < 13


@pytest.mark.parametrize("phi", [torch.full((4, 1), 1e9), torch.full((4, 1), -3e12)])
def test_the_rate_of_enormous_latents_is_finite(phi: torch.Tensor) -> None:
    """One is lost beside so many."""
    density = Geometric()
    density.fit(phi)
    assert all(buffer.isfinite().all() for buffer in density.buffers())
    assert density.code_bits > 0


def test_learned_densities_of_several_dimensions_are_independent() -> None:
    torch.manual_seed(0)
    density = DeepFactorized(3)
    x = torch.randn(3, 50)
    separate = []
    for dimension in range(3):
        one = DeepFactorized()
        state = {name: tensor[dimension : dimension + 1] for name, tensor in density.state_dict().items()}
        one.load_state_dict(state)
        separate.append(one.bits(x[dimension]))
    torch.testing.assert_close(density.bits(x), torch.stack(separate))
