"""What spike-and-slab minimises, draws, keeps and stores."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Normal, kl_divergence

from tests.trainers.networks import ODD
from tests.trainers.trials import FIRST, Attached, attach, configuration
from trainers.hidden_units import Role
from trainers.methods.spike_slab import Posterior, SpikeSlab
from trainers.seeding import seed_everything
from trainers.train import train


def trial_of(architecture: str = "mlp", noise: float = 0.3, **fields: Any) -> tuple[Attached, Posterior]:
    trial = attach(configuration("spike_slab", architecture, method=method(**fields)), noise=noise)
    return trial, cast(Posterior, trial.model)


def method(**fields: Any) -> dict[str, Any]:
    return {"name": "spike_slab", "kl_weight": 1.0, **fields}


def set_gammas(posterior: Posterior, *gammas: list[float]) -> None:
    with torch.no_grad():
        for theta, gamma in zip(posterior.thetas, gammas, strict=True):
            theta.copy_(torch.tensor(gamma).logit())


@pytest.mark.parametrize("prior_scale", [1.0, 0.3])
def test_the_divergence_is_that_of_bernoullis_and_of_normals_where_units_are(prior_scale: float) -> None:
    """A posterior of 16 inputs, 8 hidden units with a spike, and 3 outputs without."""
    _, posterior = trial_of()
    gammas = torch.tensor([0.99, 0.9, 0.7, 0.5, 0.3, 0.1, 0.02, 0.6])
    set_gammas(posterior, gammas.tolist())
    with torch.no_grad():
        for rho in posterior.rhos:
            rho.add_(3 * torch.rand_like(rho))
    mu, prior = dict(posterior.network.named_parameters()), Normal(0.0, prior_scale)
    slab = {name: kl_divergence(Normal(mu[name], sigma), prior) for name, sigma in posterior.sigmas().items()}
    wanted = kl_divergence(Bernoulli(gammas), Bernoulli(torch.tensor(1 / 9))).sum()
    wanted = wanted + (gammas * (slab["1.weight"].sum(1) + slab["1.bias"])).sum()
    wanted = wanted + slab["3.weight"].sum() + slab["3.bias"].sum()
    torch.testing.assert_close(posterior.divergence(prior_scale), wanted)


def test_the_loss_is_the_tasks_and_the_weighted_divergence_for_each_parameter() -> None:
    losses = []
    for kl_weight in (0.0, 2.0):
        trial, posterior = trial_of(kl_weight=kl_weight)
        (phase,) = trial.method.phases(trial.context)
        seed_everything(0, "step")
        losses.append(phase.loss(posterior.train(), trial.batch, trial.context, FIRST).item())
    divergence = posterior.divergence(1.0).item()
    assert losses[1] - losses[0] == pytest.approx(2 * divergence / (16 * 8 + 8 + 8 * 3 + 3), rel=1e-5)


def test_draws_have_the_posteriors_moments_and_removed_units_are_not_read() -> None:
    _, posterior = trial_of()
    gammas = [0.999999, 0.75, 0.5, 0.25, 0.000001, 0.9, 0.1, 0.5]
    set_gammas(posterior, gammas)
    with torch.no_grad():
        posterior.rhos[0].fill_(1.0)
    torch.manual_seed(0)
    draws = [posterior._drawn() for _ in range(2000)]
    rows = torch.stack([drawn["1.weight"] for drawn in draws])
    torch.testing.assert_close(rows.mean(0), posterior.network.get_parameter("1.weight"), atol=0.15, rtol=0)
    assert rows.std().item() == pytest.approx(math.log1p(math.e), abs=0.15)
    is_read = torch.stack([(drawn["3.weight"] != 0).float() for drawn in draws])
    assert torch.equal(is_read.amin(1), is_read.amax(1)), "a unit is there for all that read it, or for none"
    torch.testing.assert_close(is_read.mean(0)[0], torch.tensor(gammas), atol=0.04, rtol=0)


def test_training_draws_anew_and_evaluation_is_the_mean_of_the_likelier_units() -> None:
    trial, posterior = trial_of()
    set_gammas(posterior, [0.9, 0.6, 0.4, 0.1, 0.9, 0.6, 0.4, 0.1])
    inputs = trial.batch[0]
    posterior.train()
    assert not torch.equal(posterior(inputs), posterior(inputs))
    seed_everything(0, "step", 7)
    first = posterior(inputs)
    seed_everything(0, "step", 7)
    assert torch.equal(posterior(inputs), first)
    posterior.eval()
    network = cast(nn.Sequential, posterior.network)
    hidden = network[2](network[1](inputs.flatten(1)))
    kept = torch.tensor([1.0, 1, 0, 0, 1, 1, 0, 0])
    torch.testing.assert_close(posterior(inputs), network[3](hidden * kept))


@pytest.mark.parametrize("architecture", ["mlp", "cnn", "normed"])
def test_cuts_keep_the_units_above_them_in_the_decoded_network(architecture: str) -> None:
    trial, posterior = trial_of(architecture, cuts=[0.2, 0.5, 0.8], steps=[0.5])
    gammas = [torch.linspace(0.05, 0.95, group.num_units) for group in trial.context.groups]
    set_gammas(posterior, *(gamma.tolist() for gamma in gammas))
    points = dict(trial.method.points(posterior, trial.context))
    assert list(points) == ["pip0.2-step0.5", "pip0.5-step0.5", "pip0.8-step0.5"]
    for cut, sections in zip((0.2, 0.5, 0.8), points.values(), strict=True):
        decoded = trial.method.decode(sections, trial.context.plain)
        for group, gamma in zip(trial.context.groups, gammas, strict=True):
            for axis in group.axes:
                if axis.role in (Role.WEIGHT, Role.READER):
                    by_unit = decoded[axis.tensor].movedim(axis.dim, 0).reshape(group.num_units, -1)
                    assert torch.equal(by_unit.any(1), gamma > cut)


def test_statistics_of_norms_are_those_of_the_stored_network() -> None:
    trial, posterior = trial_of("normed")
    drawn, measured = posterior.mean(0.5), posterior.measured(0.5, trial.context)
    changed = {name for name in drawn if not torch.equal(drawn[name], measured[name])}
    assert changed
    assert all("running" in name or "num_batches" in name for name in changed)
    posterior.network.load_state_dict(measured)
    again = posterior.measured(0.5, trial.context)
    assert all(torch.equal(again[name], measured[name]) for name in measured if "num_batches" not in name)


def test_steps_are_in_units_of_the_geometric_mean_of_what_is_kept() -> None:
    trial, posterior = trial_of(cuts=[0.5], steps=[2.0])
    set_gammas(posterior, [0.9] * 4 + [0.1] * 4)
    with torch.no_grad():
        for rho in posterior.rhos:
            rho.fill_(-4.0)
        posterior.rhos[0][1] = -2.0
        posterior.rhos[0][4:] = 3.0  # the rhos of removed units, which do not count
    ((_, sections),) = trial.method.points(posterior, trial.context)
    sigmas = [math.log1p(math.exp(rho)) for rho in (-4.0, -2.0)]
    wanted = [2 * sigmas[0] ** 0.75 * sigmas[1] ** 0.25, *[2 * sigmas[0]] * 3]
    assert sections.vectors[0].tolist() == pytest.approx(wanted, rel=1e-3)
    decoded = trial.method.decode(sections, trial.context.plain)
    for name, step in zip(decoded, wanted, strict=True):
        assert (decoded[name] - posterior.mean(0.5)[name]).abs().max() <= step * 0.501


def test_the_expected_size_falls_with_the_probabilities() -> None:
    trial, posterior = trial_of()
    set_gammas(posterior, [0.5] * 8)
    bits = trial.method.rate_bits(posterior, trial.context)
    assert bits.item() == pytest.approx(4 * (8 * (16 + 1 + 3) / 2 + 3))
    bits.backward()  # type: ignore[no-untyped-call]
    assert (cast(Tensor, posterior.thetas[0].grad) > 0).all()


def sizes(directory: Path, **fields: Any) -> dict[str, tuple[int, float]]:
    changes = {"architecture": {"name": "mlp", "hidden": [30]}, "steps": 60}
    config = configuration("spike_slab", method=method(**fields), **changes)
    points = train(config, lambda progress: None, directory)
    return {point.point_id: (point.size_bytes, point.quality) for point in points}


def test_a_greater_weight_and_a_higher_cut_give_smaller_files(tmp_path: Path) -> None:
    found = [list(sizes(tmp_path / str(kl), kl_weight=kl, cuts=[0.3, 0.9], steps=[3.0]).values()) for kl in (0.1, 0.4)]
    (light, _), (heavy, heavy_cut) = found
    assert heavy_cut[0] < heavy[0] < light[0]
    assert light[1] > 0.95


def test_a_posterior_without_units_is_stored_as_a_network_of_chance_accuracy(tmp_path: Path) -> None:
    ((size_bytes, quality),) = sizes(tmp_path, kl_weight=1000.0, cuts=[0.5], steps=[3.0]).values()
    assert size_bytes < 90
    assert quality == pytest.approx(1 / 3)


def test_a_network_without_hidden_units_is_refused_in_one_line(tmp_path: Path) -> None:
    config = configuration("spike_slab", architecture={"name": ODD})
    with pytest.raises(ValueError, match=r"^the network has no hidden units to remove: ") as caught:
        train(config, lambda progress: None, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [("kl_weight", -1), ("prior_scale", 0), ("cuts", []), ("cuts", "0.5"), ("cuts", [1.0]), ("cuts", [0.0]),
     ("cuts", [0.5, 0.5]), ("steps", []), ("learning_rate", 0), ("pace", 0)],
)  # fmt: skip
def test_fields_are_checked(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{field}(\[0\])? is "):
        SpikeSlab(**{"kl_weight": 0.1, field: value})
