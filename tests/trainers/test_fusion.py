"""Trained networks whose units are matched by optimal transport and averaged."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.trainers.networks import NORMED, normed
from tests.trainers.tracing import unit_groups
from tests.trainers.trials import attach, configuration, run
from trainers.architectures import ARCHITECTURES
from trainers.architectures.base import build_on_meta
from trainers.compressed import load_compressed
from trainers.config import Spec, TrialConfig
from trainers.evaluate import evaluate
from trainers.fusion import fuse, shapes_at_widths, transport
from trainers.hidden_units import Role, UnitGroup
from trainers.instantiate import make_task
from trainers.preparation import prepare
from trainers.pretrained import initial_values, pin
from trainers.tasks.base import Task
from trainers.train import train

State = Mapping[str, Tensor]


class Residual(nn.Module):
    """A residual stream and a block: its first layer reads the stream, to which its second layer writes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(1, 5, 3, padding=1, bias=False), nn.BatchNorm2d(5)
        self.first, self.norm1 = nn.Conv2d(5, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6)
        self.second, self.norm2 = nn.Conv2d(6, 5, 3, padding=1, bias=False), nn.BatchNorm2d(5)
        self.head = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        stream = torch.relu(self.norm(self.stem(x)))
        block = self.norm2(self.second(torch.relu(self.norm1(self.first(stream)))))
        y: Tensor = self.head(torch.relu(block + stream).mean((2, 3)))
        return y


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "mlp": (lambda: ARCHITECTURES["mlp"](input_shape=[6], num_outputs=3, hidden=[9, 8, 7]), (6,)),
    "cnn": (lambda: ARCHITECTURES["cnn"](input_shape=[1, 8, 8], num_outputs=10, channels=[4, 6]), (1, 8, 8)),
    "normed": (lambda: normed(input_shape=[1, 4, 4], num_outputs=3), (1, 4, 4)),
    "lenet5": (ARCHITECTURES["lenet5"], (1, 28, 28)),
    "residual": (Residual, (1, 6, 6)),
}


def mlp(*hidden: int) -> tuple[nn.Module, tuple[UnitGroup, ...]]:
    plain = build_on_meta("mlp", ARCHITECTURES["mlp"], {"input_shape": [6], "num_outputs": 3, "hidden": list(hidden)})
    return plain, unit_groups(plain, (6,))


def drawn(plain: nn.Module, seed: int = 0) -> dict[str, Tensor]:
    """Draw random values for ``plain``, for its norms too."""
    torch.manual_seed(seed)
    return {
        name: torch.rand_like(tensor, device="cpu") + 0.5
        if "running_var" in name
        else torch.randn_like(tensor, device="cpu") / 2
        for name, tensor in plain.state_dict().items()
        if tensor.is_floating_point()
    }


def computed(network: nn.Module, state: State, x: Tensor) -> Tensor:
    network.eval()
    found: Tensor = torch.func.functional_call(network, dict(state), (x,))
    return found


def reindexed(state: State, groups: Sequence[UnitGroup], indices: Sequence[Tensor]) -> dict[str, Tensor]:
    """Return ``state`` with unit ``indices[u]`` of each group moved to place ``u``, wherever it is used."""
    changed = dict(state)
    for group, chosen in zip(groups, indices, strict=True):
        for axis in group.axes:
            tensor = changed[axis.tensor]
            places = (chosen[:, None] * axis.block + torch.arange(axis.block)).flatten()
            changed[axis.tensor] = tensor.index_select(axis.dim, places)
    return changed


@pytest.mark.parametrize("size", [1, 3, 5])
def test_between_as_many_units_the_plan_is_the_cheapest_permutation(size: int) -> None:
    cost = np.random.default_rng(size).random((size, size))
    plan = transport(cost)
    cheapest = min(sum(cost[i, p[i]] for i in range(size)) for p in itertools.permutations(range(size)))
    assert (plan * cost).sum() / size == pytest.approx(cheapest)
    assert sorted(plan.sum(0)) == sorted(plan.sum(1)) == [size] * size


@pytest.mark.parametrize(("n", "m"), [(6, 3), (3, 6), (5, 3), (1, 4), (4, 1)])
def test_between_other_numbers_it_is_as_cheap_as_between_equal_numbers_of_copies(n: int, m: int) -> None:
    cost = np.random.default_rng(n).random((n, m))
    plan = transport(cost)
    assert (plan.sum(1) == m).all()
    assert (plan.sum(0) == n).all()
    copies = transport(np.repeat(np.repeat(cost, m, axis=0), n, axis=1))
    wanted = copies.reshape(n, m, m, n).sum((1, 3)) / (n * m)
    assert (plan * cost).sum() == pytest.approx((wanted * cost).sum())


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_and_its_permuted_copy_fuse_to_the_same_function(name: str) -> None:
    function, input_shape = NETWORKS[name]
    network = function()
    plain = copy.deepcopy(network).to("meta")
    groups = unit_groups(plain, input_shape)
    state = drawn(plain)
    permuted = reindexed(state, groups, [torch.randperm(group.num_units) for group in groups])
    x = torch.randn(3, *input_shape)
    wanted = computed(network, state, x)
    torch.testing.assert_close(computed(network, permuted, x), wanted, rtol=1e-3, atol=1e-3)
    fused = fuse([state, permuted], plain, groups=groups)
    for key, tensor in fused.items():
        torch.testing.assert_close(tensor, state[key])
    torch.testing.assert_close(computed(network, fused, x), wanted, rtol=1e-3, atol=1e-3)
    naive = {key: (tensor + permuted[key]) / 2 for key, tensor in state.items()}
    assert not torch.allclose(computed(network, naive, x), wanted, rtol=1e-1, atol=1e-1)


def test_three_networks_are_averaged_unit_by_unit() -> None:
    plain, groups = mlp(9, 8)
    states = [{name: t + 0.01 * torch.randn_like(t) for name, t in drawn(plain).items()} for _ in range(3)]
    shuffled = [
        state if index == 0 else reindexed(state, groups, [torch.randperm(g.num_units) for g in groups])
        for index, state in enumerate(states)
    ]
    fused = fuse(shuffled, plain, groups=groups)
    for name, tensor in fused.items():
        torch.testing.assert_close(tensor, torch.stack([state[name] for state in states]).mean(0))


def test_units_that_are_split_or_merged_again_keep_the_function() -> None:
    """Each unit is there twice and read with half its weights: narrowing and widening lead to the same function."""
    plain, groups = mlp(5, 4)
    wide, wide_groups = mlp(10, 8)
    state = drawn(plain)
    doubled = reindexed(state, groups, [torch.arange(group.num_units).repeat(2) for group in groups])
    for axis in (axis for group in groups for axis in group.axes if axis.role is Role.READER):
        doubled[axis.tensor] = doubled[axis.tensor] / 2
    x = torch.randn(7, 6)
    narrow, network = (ARCHITECTURES["mlp"](input_shape=[6], num_outputs=3, hidden=h) for h in ([5, 4], [10, 8]))
    wanted = computed(narrow, state, x)
    torch.testing.assert_close(computed(network, doubled, x), wanted)
    for fused in (fuse([state, doubled], wide, wide_groups), fuse([state, state], wide, wide_groups)):
        torch.testing.assert_close(computed(network, fused, x), wanted)
    torch.testing.assert_close(computed(narrow, fuse([doubled, state], plain, groups), x), wanted)


def test_of_a_wider_network_the_units_that_others_read_most_stand_for_the_rest() -> None:
    """Two of four units compute something and are the reference; the others are zero and move nothing."""
    plain, groups = mlp(2)
    state = {name: torch.zeros(shape) for name, shape in
             {"1.weight": (4, 6), "1.bias": (4,), "3.weight": (3, 4), "3.bias": (3,)}.items()}  # fmt: skip
    state["1.weight"][1], state["1.weight"][3] = torch.arange(6) + 1.0, 6.0 - torch.arange(6)
    state["3.weight"][:, 1], state["3.weight"][:, 3] = 1.0, 2.0
    fused = fuse([state, state], plain, groups=groups)
    # each is the mean of a unit that matters and one that does not, and is read with the sum of both
    torch.testing.assert_close(fused["1.weight"], state["1.weight"][[1, 3]] / 2)
    torch.testing.assert_close(fused["3.weight"], state["3.weight"][:, [1, 3]])


def test_shapes_follow_the_widths_of_what_is_given() -> None:
    plain, groups = mlp(9, 8)
    narrow, _ = mlp(5, 4)
    wanted = {name: tuple(tensor.shape) for name, tensor in narrow.state_dict().items()}
    assert shapes_at_widths(drawn(narrow), plain, groups) == wanted
    unchanged = {name: tuple(tensor.shape) for name, tensor in plain.state_dict().items()}
    assert shapes_at_widths({}, plain, groups) == unchanged


class HalfTraced(nn.Module):
    """A network whose first layer's units are normed over each example, so they are no group."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.norm, self.b, self.c = nn.Linear(6, 5), nn.LayerNorm(5), nn.Linear(5, 4), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.c(torch.relu(self.b(torch.relu(self.norm(self.a(x))))))
        return y


def test_a_network_with_units_that_cannot_be_matched_is_refused_in_one_line() -> None:
    half = HalfTraced().to("meta")
    groups = unit_groups(half, (6,))
    assert len(groups) == 1
    streams = build_on_meta("resnet_cifar", ARCHITECTURES["resnet_cifar"], {"depth": 8})  # padded, where they widen
    with pytest.raises(ValueError, match=r"only some \(conv1.weight"):
        fuse([], streams, unit_groups(streams, (3, 32, 32)))
    for network, found, said in ((half, groups, r"only some \(a.weight, c.weight"), (mlp(5)[0], (), "it finds none")):
        with pytest.raises(ValueError, match=rf"^init_from: fusion matches hidden units [^\n]*{said}[^\n]*$"):
            fuse([drawn(network), drawn(network, 1)], network, found)


@pytest.fixture(scope="module")
def digits() -> Task:
    return make_task(Spec(name="digits"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The files of two short trainings, which decode to some 95 % accuracy."""
    found = []
    for seed in (0, 1):
        folder = tmp_path_factory.mktemp("run")
        config = on_digits(64, method={"name": "ptq", "bits": 8}, steps=300, seed=seed)
        found.append(train(config, lambda progress: None, folder)[0].path)
    return found


def on_digits(width: int, **changes: Any) -> TrialConfig:
    architecture = {"name": "mlp", "hidden": [width]}
    return TrialConfig.from_dict({"task": "digits", "architecture": architecture, "method": "uncompressed", **changes})


def begun(config: TrialConfig, task: Task) -> float:
    """The validation quality after zero steps."""
    return evaluate(prepare(config, torch.device("cpu"), task).model, task.validation, task)


def test_two_runs_fused_into_narrower_equal_and_wider_networks_begin_better_than_at_random(
    runs: list[str], digits: Task
) -> None:
    for width, wanted in ((32, 0.7), (64, 0.85), (80, 0.85)):
        assert begun(on_digits(width, steps=1), digits) < 0.4
        assert begun(on_digits(width, steps=1, init_from=pin(f"fusion({runs[0]}, {runs[1]})")), digits) > wanted


def test_a_compressed_file_is_where_a_training_starts(runs: list[str], digits: Task) -> None:
    prepared = prepare(on_digits(64, steps=1, init_from=pin(runs[0])), torch.device("cpu"), digits)
    decoded = load_compressed(runs[0]).state_dict()
    assert all(torch.equal(tensor, decoded[name]) for name, tensor in prepared.model.state_dict().items())
    with pytest.raises(ValueError, match=r"^init_from: .*/point.rfz is of another network: it has of another shape "):
        prepare(on_digits(32, steps=1, init_from=pin(runs[0])), torch.device("cpu"), digits)


def test_a_compressed_file_of_an_own_network_is_read_with_the_trials_own_function(tmp_path: Path) -> None:
    run(configuration("ptq", "normed"), tmp_path)
    path = str(tmp_path / "point.rfz")
    decoded = load_compressed(path, architecture=normed).state_dict()
    given = attach(configuration("ptq", "normed", init_from=path)).given
    assert all(torch.equal(tensor, decoded[name]) for name, tensor in given.items())
    with pytest.raises(
        ValueError, match=rf"^init_from: .* cannot be loaded \(architecture '{NORMED}' is somebody's own"
    ):
        initial_values(path, normed(input_shape=(1, 4, 4), num_outputs=3))


@pytest.mark.parametrize("content", [b"", b"no file of ours", bytes(500)])
def test_a_damaged_compressed_file_is_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "net.rfz").write_bytes(content)
    with pytest.raises(ValueError, match=r"^init_from: .*net.rfz cannot be loaded \([^\n]*\): wanted a .rfz file$"):
        initial_values(str(tmp_path / "net.rfz"), mlp(5)[0])


def test_each_part_of_a_fusion_is_pinned_and_its_folder_is_no_part_of_the_identity(
    runs: list[str], tmp_path: Path
) -> None:
    moved = []
    for index, path in enumerate(runs):
        moved.append(tmp_path / f"moved{index}.rfz")
        moved[-1].write_bytes(Path(path).read_bytes())
    one, other = pin(f"fusion({runs[0]},{runs[1]})"), pin(f"fusion({moved[0]}, {moved[1]})")
    assert one == f"fusion({pin(runs[0])}, {pin(runs[1])})" == pin(one)
    assert on_digits(32, steps=1, init_from=one).config_hash == on_digits(32, steps=1, init_from=other).config_hash
    hashes = {on_digits(32, steps=1, init_from=i).config_hash for i in (one, pin(runs[0]), pin(runs[1]))}
    assert len(hashes | {on_digits(32, steps=1, init_from=f"fusion({pin(runs[0])}, {pin(runs[0])})").config_hash}) == 4
    moved[1].write_bytes(b"other")
    with pytest.raises(ValueError, match=r"moved1.rfz has changed"):
        pin(other)


def test_parts_of_another_network_and_calls_without_two_parts_are_refused_in_one_line(
    runs: list[str], tmp_path: Path
) -> None:
    plain, groups = mlp(5)
    torch.save(drawn(mlp(7, 4)[0]), tmp_path / "deeper.pt")
    torch.save(drawn(mlp(7)[0]), tmp_path / "wider.pt")
    found = initial_values(f"fusion({tmp_path}/wider.pt, {tmp_path}/wider.pt)", plain, groups=groups)
    assert found["1.weight"].shape == (5, 6)
    torch.save({**drawn(mlp(7)[0]), "3.weight": torch.zeros(3, 6)}, tmp_path / "torn.pt")
    for name, said in (("deeper", "has unknown 5.weight, 5.bias"), ("torn", r"3.weight \(3, 6\) for \(3, 7\)")):
        with pytest.raises(ValueError, match=rf"^init_from: {tmp_path}/{name}.pt is of another network: [^\n]*{said}"):
            initial_values(f"fusion({tmp_path}/wider.pt, {tmp_path}/{name}.pt)", plain, groups=groups)
    for given in ("fusion()", "fusion(a.pt)", "fusion(a.pt,)"):
        with pytest.raises(
            ValueError, match=r"^init_from is 'fusion\([^\n]*wanted fusion\(A, B\), of two or more files"
        ):
            pin(given)
