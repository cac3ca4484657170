"""Checkpoints without an architecture: what comes back, how near it is, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.trainers.state_files import message_of, saved
from trainers.compressed import RfzError, load_compressed, open_bytes, open_compressed
from trainers.guard import StoredWronglyError
from trainers.pretrained import initial_values
from trainers.state_dicts import StateDict, read_state_dict
from trainers.weights_only import LEAST_STEP, WeightsOnly

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
WHOLE = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def state(tensors: dict[str, Tensor], **aliases: str) -> StateDict:
    return StateDict(tensors=tensors, aliases=aliases, left_out=[])


def weights(*shape: int, scale: float = 0.05, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return (torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale).to(dtype)


@st.composite
def checkpoints(draw: st.DrawFn) -> dict[str, Tensor]:
    found = {}
    for index in range(draw(st.integers(1, 5))):
        shape = draw(st.lists(st.integers(0, 12), max_size=4))
        dtype, seed = draw(st.sampled_from((*FLOATS, *WHOLE))), draw(st.integers(0, 9))
        scale = draw(st.sampled_from([1e-30, 1e-6, 0.05, 1.0, 300.0]))
        drawn = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        kind = draw(st.sampled_from(["normal", "zero", "equal", "whole"]))
        values = {"zero": 0 * drawn, "equal": 0 * drawn + scale, "whole": (9 * drawn).round()}.get(kind, drawn * scale)
        found[f"{draw(st.sampled_from('ab'))}.{index}"] = (values if dtype in FLOATS else 50 * drawn).to(dtype)
    return found


@given(checkpoints(), st.sampled_from([LEAST_STEP, 1e-4, 0.03, 0.3, 2.0, 64.0]))
@settings(max_examples=80, deadline=None)
def test_any_checkpoint_comes_back_within_half_a_step(given: dict[str, Tensor], step: float) -> None:
    kept = {name: tensor.clone() for name, tensor in given.items()}
    whole = WeightsOnly(state(given))
    written = whole.written(step)
    found = open_bytes(written.data).state_dict()
    assert set(found) == set(given)
    for name, tensor in kept.items():
        assert torch.equal(given[name], tensor), "what is given is not changed"
        assert (found[name].shape, found[name].dtype) == (tensor.shape, tensor.dtype)
        off = (found[name].double() - tensor.double()).abs()
        if not tensor.is_floating_point():
            assert not off.any()
        elif tensor.ndim < 2:
            assert (off <= 2.0**-11 * tensor.double().abs()).all()
        elif tensor.numel():
            of_all, of_it = whole._rms, tensor.double().square().mean().sqrt()
            size = min(step * of_all, 2 * float(of_it))
            coarse = torch.finfo(tensor.dtype).eps * found[name].double().abs()
            assert (off <= 0.5001 * size + coarse + torch.finfo(tensor.dtype).tiny).all()


def test_one_step_is_of_the_whole_file_and_the_error_is_that_of_uniform_noise() -> None:
    given = {"fine": weights(200, 100, scale=0.01), "coarse": weights(200, 100, scale=0.1, seed=1)}
    written = WeightsOnly(state(given)).written(0.05)
    found = open_bytes(written.data).state_dict()
    rms = math.sqrt((0.01**2 + 0.1**2) / 2)
    for name, tensor in given.items():
        assert float((found[name] - tensor).square().mean()) == pytest.approx((0.05 * rms) ** 2 / 12, rel=0.05)
    assert written.relative_error == pytest.approx(0.05**2 / 12, rel=0.05)
    assert written.num_rounded == 2
    assert written.ratio == 160_000 / len(written.data) > 5


def test_a_tensor_of_tiny_weights_is_not_rounded_to_zero() -> None:
    given = {"large": weights(100, 100, scale=10), "tiny": weights(100, 100, scale=1e-5, seed=1)}
    found = open_bytes(WeightsOnly(state(given)).written(1.0).data).state_dict()
    assert 0.02 < float((found["tiny"] != 0).float().mean()) < 0.6


def test_fine_steps_take_no_more_than_the_values_themselves() -> None:
    given = {f"block.{index}.weight": weights(64, 64, seed=index) for index in range(5)}
    sizes = [len(WeightsOnly(state(given)).written(step).data) for step in (LEAST_STEP, 1e-6, 1e-4, 1e-3)]
    assert max(sizes) < sum(tensor.nbytes for tensor in given.values()) + 100
    assert WeightsOnly(state(given)).written(LEAST_STEP).relative_error == 0


def test_masks_and_indices_are_exact_small_and_do_not_move_the_step() -> None:
    given = {"w": weights(40, 40)}
    more = {
        **given,
        "mask": torch.tril(torch.ones(256, 256)),
        "index": torch.arange(40_000).reshape(200, 200) % 7,
        "flags": weights(100, 100) > 0.05,
        "step": torch.tensor(123456789.0),
        "places": torch.arange(5000.0),
    }
    alone, together = WeightsOnly(state(given)).written(0.1), WeightsOnly(state(more)).written(0.1)
    found = open_bytes(together.data).state_dict()
    assert torch.equal(found["w"], open_bytes(alone.data).state_dict()["w"])
    assert all(torch.equal(found[name], more[name]) for name in more if name != "w")
    assert len(together.data) < len(alone.data) + 4 * 5000 + 6000


def test_a_size_is_reached_from_below_and_the_smallest_is_named() -> None:
    given = {f"{index}.weight": weights(100, 100, seed=index, scale=0.02 * (index + 1)) for index in range(4)}
    whole = WeightsOnly(state(given), what="net.pth")
    for wanted in (15_000, 25_000, 45_000, 10**6):
        size = len(whole.within(wanted).data)
        assert 0.97 * min(wanted, whole.uncompressed_bytes) <= size <= wanted
    said = message_of(lambda: whole.within(50))
    assert said.startswith("net.pth cannot be stored in 50 bytes: the smallest is ")
    assert len(whole.within(int(said.split("smallest is ")[1].replace(",", ""))).data) > 50


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({}, "net.pth has no tensors: wanted a state_dict"),
        (
            {"a.b": torch.tensor([[1.0, math.nan]])},
            "net.pth: tensor 'a.b' holds NaN or infinity: wanted finite numbers",
        ),
        ({"a": torch.tensor(-math.inf)}, "net.pth: tensor 'a' holds NaN or infinity: wanted finite numbers"),
        ({"a": torch.zeros(2, dtype=torch.complex64)}, "net.pth: tensor 'a' is complex64: wanted a dense one of bool"),
        ({"a": torch.zeros(2, 2).to_sparse()}, "net.pth: tensor 'a' is float32, torch.sparse_coo: wanted a dense one"),
        ({"a": torch.zeros(2).to(torch.float8_e4m3fn)}, "net.pth: tensor 'a' is float8_e4m3fn: wanted a dense one"),
        ({"../a": torch.zeros(2)}, "net.pth: a tensor is called '../a': wanted 1 to 512 printable characters"),
        ({f"{index}": torch.zeros(()) for index in range(40_000)}, "net.pth: there are more than 32768 tensors"),
    ],
)
def test_what_cannot_be_stored_is_named(tensors: dict[str, Tensor], message: str) -> None:
    assert message_of(lambda: WeightsOnly(state(tensors), what="net.pth")).startswith(message)


def test_a_step_is_a_number_in_range() -> None:
    assert message_of(lambda: WeightsOnly(state({"a": weights(2, 2)})).written(0)).startswith("step is 0: wanted")


def test_a_file_that_decodes_to_something_else_is_never_given_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(tensor: Tensor, *rest: object) -> Tensor:
        return tensor + 1

    monkeypatch.setattr("trainers.weights_only.meant", wrong)
    with pytest.raises(StoredWronglyError, match="tensor 'a' does not decode to what was stored"):
        WeightsOnly(state({"a": weights(20, 20)})).written(0.1)


def test_tied_tensors_are_stored_once_and_the_file_gives_initial_values(tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Linear(30, 30), torch.nn.Linear(30, 30))
    network[1].weight = network[0].weight
    given = read_state_dict(saved(network.state_dict(), tmp_path / "net.pth"), field="NETWORK")
    assert given.aliases == {"1.weight": "0.weight"}
    written = WeightsOnly(given).written(0.01)
    assert written.uncompressed_bytes == 4 * (900 + 30 + 30)
    path = tmp_path / "net.rfz"
    path.write_bytes(written.data)
    opened = open_compressed(path)
    assert opened.is_weights_only
    found = opened.state_dict()
    assert set(found) == set(network.state_dict())
    assert found["0.weight"] is found["1.weight"]
    assert torch.allclose(initial_values(str(path), network)["1.weight"], network[0].weight, atol=0.01)
    assert open_bytes(opened.recoded()).header == opened.header


def test_a_file_without_a_network_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "net.rfz"
    path.write_bytes(WeightsOnly(state({"a": weights(2, 2)})).written(0.1).data)
    with pytest.raises(RfzError, match=r"net\.rfz: the file holds tensors without a network, which cannot be run"):
        load_compressed(path)
    with pytest.raises(RfzError, match="has tensors of 4 values and 16 bytes: wanted at most 3 values"):
        open_compressed(path, max_parameters=3)


def test_values_of_any_size_are_rounded() -> None:
    given = {"a": weights(50, 50, dtype=torch.float64) * 1e200, "b": weights(50, 50, dtype=torch.float64) * 1e199}
    written = WeightsOnly(state(given)).written(0.1)
    assert written.relative_error == pytest.approx(0.1**2 / 12, rel=0.2)
    found = open_bytes(written.data).state_dict()
    assert np.isfinite(found["a"].numpy()).all()
