"""What EPR promises beyond the contract of all methods."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn

from tests.trainers.methods.contexts import context_of
from tests.trainers.tracing import unit_groups
from tests.trainers.trials import (
    ARCHITECTURES,
    FIRST,
    Attached,
    architecture_of,
    attach,
    configuration,
    run,
)
from trainers.arrange import arrange
from trainers.coding import container
from trainers.coding.bytestream import RfzError
from trainers.coding.sections import Integers, Raw
from trainers.compressed import load_compressed
from trainers.methods.entropy_penalized import EntropyPenalized
from trainers.methods.parts.density import Geometric
from trainers.methods.parts.latents import LatentGroup, Reparameterized
from trainers.networks.storable import storable


def trained(architecture: str, num_steps: int = 8, **method: Any) -> Attached:
    """A network after some optimiser steps, so that latents and quantisation steps are no round numbers."""
    trial = attach(configuration("epr", architecture, method={"name": "epr", "lam": 0.1, **method}))
    (phase,) = trial.method.phases(trial.context)
    (optimiser,) = phase.optimisers(trial.model, num_steps)
    for _ in range(num_steps):
        optimiser.optimiser.zero_grad()
        phase.loss(trial.model.train(), trial.batch, trial.context, FIRST).backward()
        optimiser.optimiser.step()
    return trial


@pytest.mark.parametrize(
    ("architecture", "variant"),
    [
        *((name, variant) for name in ARCHITECTURES if name != "normed" for variant in ({}, {"groups": "layer"})),
        ("cnn", {"decoder": "dft"}),
    ],
    ids=str,
)
def test_the_decoded_network_is_the_trained_network(architecture: str, variant: dict[str, Any], tmp_path: Path) -> None:
    """Training already rounds, so the file and the trained network compute the same."""
    trial = trained(architecture, **variant)
    ((_, sections),) = trial.method.points(trial.model, trial.context)
    path = tmp_path / "x.rfz"
    path.write_bytes(container.write(trial.header, trial.layout, sections))
    decoded = load_compressed(path, architecture=architecture_of(configuration("epr", architecture)))
    inputs = trial.task.test.inputs
    with torch.no_grad():
        torch.testing.assert_close(decoded(inputs), trial.model.eval()(inputs), rtol=1e-5, atol=1e-5)
    as_trained: dict[str, torch.Tensor] = trial.model.decoded()[0]  # type: ignore[operator]
    for name, parameter in decoded.named_parameters():
        if variant.get("decoder") == "dft":
            torch.testing.assert_close(parameter, as_trained[name], rtol=1e-5, atol=1e-6)
        else:
            assert torch.equal(parameter, as_trained[name]), "to the last bit"


def group_at(phi: torch.Tensor, step: float) -> LatentGroup:
    """A scalar group of one tensor, named ``x``, whose latents are exactly ``phi``."""
    group = LatentGroup({"x": nn.Parameter(phi)}, step, Geometric())
    with torch.no_grad():
        group.phi.copy_(phi.reshape(-1, 1))
    return group


def test_gradients_are_straight_through() -> None:
    group = group_at(torch.tensor([-1.4, 0.2, 0.5, 2.6]), 0.25)
    theta = group()[0]["x"]
    assert theta.tolist() == [-0.25, 0, 0, 0.75], "rounded, halves to even"
    slope = torch.tensor([1.0, 2, 3, 4])
    (theta * slope).sum().backward()
    assert group.phi.grad is not None
    torch.testing.assert_close(group.phi.grad, 0.25 * slope.reshape(-1, 1))
    assert group.log_step.grad is not None
    torch.testing.assert_close(group.log_step.grad, (theta.detach() * slope).sum().reshape(1))


def test_gradients_of_kernels_are_those_of_the_transform() -> None:
    """The reference is autograd on plain operations, for tensors of any memory order and a step for each frequency."""
    generator = torch.Generator().manual_seed(0)
    kernels = {
        "first": nn.Parameter(torch.randn(4, 3, 3, 3, generator=generator)),
        "last": nn.Parameter(torch.randn(2, 4, 3, 3, generator=generator).to(memory_format=torch.channels_last)),
    }
    group = LatentGroup(kernels, 0.4, Geometric(9), (3, 3))
    with torch.no_grad():
        group.log_step += torch.linspace(-1, 1, 9)
    tensors = group()[0]
    assert tensors["last"].is_contiguous(memory_format=torch.channels_last)
    weights = {name: torch.randn(kernel.shape, generator=generator) for name, kernel in kernels.items()}
    sum((tensors[name] * weight).sum() for name, weight in weights.items()).backward()  # type: ignore[union-attr]
    phi, log_step = group.phi.detach().clone().requires_grad_(), group.log_step.detach().clone().requires_grad_()
    assert group.basis is not None
    theta = ((phi + (phi.round() - phi).detach()) * log_step.exp()) @ group.basis
    torch.testing.assert_close(theta[:12].reshape(4, 3, 3, 3), tensors["first"], rtol=1e-3, atol=1e-3)
    (theta * torch.cat([weight.reshape(-1, 9) for weight in weights.values()])).sum().backward()
    torch.testing.assert_close(group.phi.grad, phi.grad, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(group.log_step.grad, log_step.grad, rtol=1e-3, atol=1e-3)


def test_rounding_is_exact_at_every_magnitude() -> None:
    phi = torch.cat([torch.linspace(-3, 3, 10001), torch.tensor([0.49999997, 0.5, 1.5, 1e6 + 0.4, -3e7, 1e-30])])
    assert torch.equal(group_at(phi, 1.0)()[0]["x"], phi.round())


@pytest.mark.parametrize("value", [1e-9, 2.0**-14, 1e-3, 0.1, 1 / 3, 1.0, 1000.0])
def test_a_step_is_exact_in_float16_and_positive(value: float) -> None:
    group = group_at(torch.zeros(1), value)
    step = group.step()
    assert float(np.float16(step.item())) == step.item()
    assert step.item() >= 2.0**-14
    assert math.isclose(math.ldexp(step.item(), group.exponent), value, rel_tol=1e-3)
    assert (group.exponent == 0) == (value >= 1e-3)


def test_attaching_inverts_up_to_rounding() -> None:
    theta = torch.linspace(-2, 2, 101)
    group = LatentGroup({"x": theta}, 0.3, Geometric())
    assert (group()[0]["x"] - theta).abs().max() <= 0.5 * group.step().item() + 1e-6


def test_a_recurrent_network_computes_with_its_latents() -> None:
    """Recurrent layers keep lists of their weights, which must follow."""
    network = nn.LSTM(3, 4)
    context = context_of(network)
    given = copy.deepcopy(network)
    model = EntropyPenalized(lam=0.1, initial_step=1e-3).attach(network, context)
    inputs = torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(model(inputs)[0], given(inputs)[0], rtol=1e-2, atol=1e-3)
    model(inputs)[0].sum().backward()
    assert all(group.phi.grad.any() for group in model.latent_groups())


def test_frozen_parameters_are_compressed_and_stay() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    network[0].weight.requires_grad_(False)
    context = context_of(network)
    method = EntropyPenalized(lam=1.0, initial_step=0.1)
    model: Any = method.attach(network, context)
    before = {name: tensor.clone() for name, tensor in model.decoded()[0].items()}
    (optimiser,) = method._optimisers(model, 5)
    for _ in range(5):
        decoded, bits = model.network_and_rate()
        (decoded(torch.ones(2, 3)).square().sum() + bits).backward()
        optimiser.optimiser.step()
    after = model.decoded()[0]
    assert torch.equal(after["0.weight"], before["0.weight"])
    assert not torch.equal(after["1.weight"], before["1.weight"])


def test_a_network_of_doubles_computes_in_doubles() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2)).double()
    context = context_of(network)
    for decoder in ("scalar", "dft"):
        model: Any = EntropyPenalized(lam=1.0, initial_step=2.0, decoder=decoder).attach(
            copy.deepcopy(network), context
        )
        outputs = model(torch.ones(1, 1, 4, 4, dtype=torch.float64))
        outputs.sum().backward()
        assert outputs.dtype == torch.float64
        assert all(group.phi.grad.isfinite().all() for group in model.latent_groups())


def test_convolutions_dense_layers_and_biases_each_share_a_decoder() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv1d(2, 2, 3), nn.Flatten(), nn.Linear(4, 5), nn.Linear(5, 2))
    context = context_of(model)
    attached: Any = EntropyPenalized(lam=0.1, initial_step=2.0).attach(model, context)
    found = [set(group.rounded()) for group in attached.latent_groups()]
    weights, biases = {"0.weight", "1.weight"}, {"0.bias", "1.bias", "3.bias", "4.bias"}
    assert found == [weights, biases, {"3.weight", "4.weight"}]
    names = [name for name, _ in attached.named_parameters()]
    assert len(names) == 6, "of each group the latents and the step, and nothing besides"


def test_a_network_without_kernels_has_nothing_to_transform() -> None:
    with pytest.raises(ValueError, match="has no kernels to transform: use 'scalar'"):
        attach(configuration("epr", "mlp", method={"name": "epr", "lam": 0.1, "decoder": "dft"}))


def test_each_group_has_one_table_and_one_step() -> None:
    trial = attach(configuration("epr", "cnn"))
    ((_, sections),) = trial.method.points(trial.model, trial.context)
    found = {name: s.table for name, s in sections.tensors.items() if isinstance(s, Integers)}
    assert len(found) == len(sections.tensors)
    assert found["0.weight"] != found["4.weight"] != found["4.bias"] == found["0.bias"]
    assert [len(vector) for vector in sections.vectors] == [3]


def test_a_step_starts_at_the_root_mean_square_of_its_group() -> None:
    """Zero biases take the scale of the given weights, not that of the latents which replace these."""
    trial = attach(configuration("epr", "mlp", method={"name": "epr", "lam": 0.1, "initial_step": 0.5}))
    weights = torch.cat([trial.given[name].reshape(-1) for name in ("1.weight", "3.weight")])
    expected = 0.5 * weights.square().mean().sqrt().item()
    ((_, sections),) = trial.method.points(trial.model, trial.context)
    assert sections.vectors[0].tolist() == pytest.approx([expected, expected], rel=1e-3)


def test_batch_norms_are_stored_as_one_scale_and_one_shift() -> None:
    """With fine steps the folded network computes what the trained one does; mean and variance take no bytes."""
    trial = trained("normed", norm_step=1e-3)
    norm = trial.model.network[1]  # type: ignore[index]
    with torch.no_grad():
        norm.running_mean.uniform_(-0.5, 0.5)
        norm.running_var.uniform_(0.5, 2)
        norm.weight.uniform_(-1, 1)
        norm.bias.uniform_(-1, 1)
    ((_, sections),) = trial.method.points(trial.model, trial.context)
    raw = {name: section.values for name, section in sections.tensors.items() if isinstance(section, Raw)}
    assert set(raw) == {"1.running_mean", "1.running_var", "1.num_batches_tracked"}
    assert not raw["1.running_mean"].any()
    assert not raw["1.num_batches_tracked"].any()
    assert (raw["1.running_var"] == 1).all()
    decoded = architecture_of(configuration("epr", "normed"))(**trial.header.arguments)
    decoded.load_state_dict(trial.method.decode(sections, trial.context.plain))
    with torch.no_grad():
        inputs = trial.task.test.inputs
        torch.testing.assert_close(decoded.eval()(inputs), trial.model.eval()(inputs), rtol=0.01, atol=0.01)


@pytest.mark.parametrize("num_dead", [1, 2])
def test_dead_channels_do_not_coarsen_the_norms_of_the_others(num_dead: int) -> None:
    """A channel that is always zero has a running variance of zero, and a folded scale of 1 / sqrt(epsilon)."""
    trial = trained("normed")
    network: Any = trial.model.network
    norm = network[1]
    num_channels = norm.num_features
    assert num_dead < num_channels
    with torch.no_grad():
        norm.running_var.uniform_(0.5, 2)
        norm.weight.uniform_(0.5, 1)
        (group,) = (group for group in trial.model.latent_groups() if "0.weight" in group.rounded())  # type: ignore[operator]
        group.phi[: num_dead * group.rounded()["0.weight"][0].numel()] = 0
        norm.running_mean[:num_dead], norm.running_var[:num_dead] = 0, 0
    ((_, sections),) = trial.method.points(trial.model, trial.context)
    scales = sections.tensors["1.weight"].values
    assert (np.abs(scales[num_dead:]) >= 10).all(), scales
    groups = unit_groups(trial.context.plain, trial.task.input_shape)
    decoded = architecture_of(configuration("epr", "normed"))(**trial.header.arguments)
    decoded.load_state_dict(trial.method.decode(arrange(sections, groups), trial.context.plain))
    with torch.no_grad():
        inputs = trial.task.test.inputs
        wanted = trial.model.eval()(inputs)
        torch.testing.assert_close(decoded.eval()(inputs), wanted, rtol=0.1, atol=0.1 * float(wanted.std()))


def test_norm_layers_have_no_latents_and_fine_steps_but_for_those_of_instances() -> None:
    model = nn.Sequential(
        nn.LayerNorm([2, 3]), nn.GroupNorm(1, 2), nn.RMSNorm([2, 3]), nn.InstanceNorm1d(2, affine=True)
    )
    context = context_of(model)
    method = EntropyPenalized(lam=2, initial_step=2.0)
    ((_, sections),) = method.points(method.attach(model, context), context)
    kinds = {name: type(section) for name, section in sections.tensors.items()}
    assert {name for name, kind in kinds.items() if kind is Raw} == {"3.weight", "3.bias"}
    decoded = method.decode(sections, model)
    assert all(torch.equal(decoded[name], tensor) for name, tensor in model.state_dict().items())


def test_embeddings_are_a_group_with_the_layers_that_are_tied_to_them() -> None:
    model = nn.Sequential(nn.Embedding(7, 3), nn.Linear(3, 3), nn.Linear(3, 7, bias=False), nn.Embedding(2, 3))
    model[2].weight = model[0].weight
    attached = EntropyPenalized(lam=2, initial_step=2.0).attach(model, context_of(model))
    groups = [group.names for group in cast(Reparameterized, attached).latent_groups()]
    assert groups == [("0.weight", "3.weight"), ("1.weight",), ("1.bias",)]


def test_a_tied_weight_has_one_latent_for_each_value() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    attached = EntropyPenalized(lam=0.1, initial_step=2.0).attach(storable(model), context_of(model))
    assert sum(group.phi.numel() for group in cast(Reparameterized, attached).latent_groups()) == 9 + 3 + 3


def test_an_all_zero_network_is_coded() -> None:
    model = nn.Linear(3, 2)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    plain = nn.Linear(3, 2, device="meta")
    context = context_of(plain)
    method = EntropyPenalized(lam=0.1, initial_step=2.0)
    ((_, sections),) = method.points(method.attach(model, context), context)
    assert all(not tensor.any() for tensor in method.decode(sections, plain).values())


def test_more_weight_on_the_rate_makes_smaller_files(tmp_path: Path) -> None:
    sizes = []
    for lam in (0.0, 0.1, 1.0):
        method = {"name": "epr", "lam": lam, "learning_rate": 2e-2, "step_learning_rate": 1e-2}
        files, _ = run(configuration("epr", "mlp", method=method, steps=90), tmp_path / str(lam))
        sizes.append(len(files["point"]))
    assert sizes[0] > sizes[1] > sizes[2]


def test_the_rate_tracks_the_size_of_the_stream() -> None:
    """After training, the estimate is near the information content of what is stored."""
    trial = trained("mlp", 200, density="learned", density_learning_rate=2e-2)
    ((_, sections),) = trial.method.points(trial.model, trial.context)
    shares = container.take_apart(container.write(trial.header, trial.layout, sections), trial.layout).account()
    stored_bits = 8 * sum(share.size_bytes for share in shares if share.part == "tensor")
    with torch.no_grad():
        rates = [trial.method.rate_bits(trial.model, trial.context).item() for _ in range(20)]
    assert sum(rates) / 20 == pytest.approx(stored_bits, rel=0.5, abs=30)


def test_each_frequency_has_a_step_of_its_own() -> None:
    trial = trained("cnn", decoder="dft")
    ((_, sections),) = trial.method.points(trial.model, trial.context)
    assert [len(vector) for vector in sections.vectors] == [2, 9], "dense and biases; 3x3 kernels"
    assert len(set(sections.vectors[1].tolist())) > 1, "they are learned"


def test_a_file_with_too_few_frequencies_is_refused() -> None:
    trial = trained("cnn", decoder="dft")
    ((_, sections),) = trial.method.points(trial.model, trial.context)
    damaged = replace(sections, vectors=(sections.vectors[0], sections.vectors[1][:4]))
    with pytest.raises(RfzError, match=r"4 frequencies for '0\.weight'"):
        trial.method.decode(damaged, trial.context.plain)
    with pytest.raises(RfzError, match="table 2 has no step among 2"):
        trial.method.decode(replace(sections, vectors=sections.vectors[:1]), trial.context.plain)
