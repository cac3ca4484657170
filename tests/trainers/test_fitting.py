"""Tensors of a file fit a network whatever wrappers did to their names, and whatever dtype it has."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from tests.zoo import loading
from trainers.fitting import Fitted, MisfitError, converted, fitted, named_alike

SIZES: dict[str, Any] = {"input_shape": [1, 4, 4], "num_outputs": 3}


def fit(given: dict[str, Tensor], network: nn.Module, *, is_partial: bool = False) -> Fitted:
    return fitted(named_alike(given, network, is_partial=is_partial), network)


def assert_fits(found: Fitted, wanted: dict[str, Tensor]) -> None:
    assert (found.missing, found.unknown, found.misshapen) == ([], [], [])
    assert set(found.values) == set(wanted)
    assert all(torch.equal(found.values[name], tensor) for name, tensor in wanted.items())


def compiled(name: str, *parts: str) -> str:
    for part in parts:
        name = name.replace(part, f"{part}._orig_mod")
    return name


@pytest.mark.parametrize("parts", [("layers.blocks",), ("layers.in", "layers.blocks.0"), ("layers",)])
def test_modules_that_were_compiled_alone_fit(parts: tuple[str, ...]) -> None:
    network = loading.chosen_by_name(**SIZES)
    wanted = network.state_dict()
    given = {compiled(name, *parts): tensor for name, tensor in wanted.items()}
    assert given.keys() != wanted.keys()
    assert_fits(fit(given, network), wanted)
    assert_fits(fit({f"module.{name}": tensor for name, tensor in given.items()}, network), wanted)


def test_what_compiling_a_part_really_writes_fits() -> None:
    network, other = loading.chosen_by_name(**SIZES), loading.chosen_by_name(**SIZES)
    other.layers["state"] = torch.compile(other.layers["state"], backend="eager")  # type: ignore[index, union-attr]
    assert "layers.state._orig_mod.weight" in other.state_dict()
    found = fit(other.state_dict(), network)
    network.load_state_dict(found.values)
    assert torch.equal(found.values["layers.state.weight"], other.layers["state"].weight)  # type: ignore[index, union-attr]


def test_names_that_are_the_networks_own_come_before_wrapped_copies() -> None:
    """So that the copies are seen, and refused where nothing may be left over."""
    network = nn.Sequential(nn.Linear(2, 2))
    own = network.state_dict()
    found = fit({**own, **{f"model.{name}": tensor + 1 for name, tensor in own.items()}}, network)
    assert found.unknown == ["model.0.weight", "model.0.bias"]
    assert torch.equal(found.values["0.weight"], own["0.weight"])


def test_a_network_with_such_names_of_its_own_keeps_them() -> None:
    network = nn.ModuleDict({"_orig_mod": nn.Linear(2, 2)})
    assert_fits(fit(network.state_dict(), network), network.state_dict())


@pytest.mark.parametrize("left", ["embed.weight", "lm_head.weight"])
def test_a_tied_tensor_needs_one_of_its_names(left: str) -> None:
    network = loading.tied_language_model(**SIZES)
    wanted = network.state_dict()
    assert_fits(fit({name: tensor for name, tensor in wanted.items() if name != left}, network), wanted)
    assert_fits(fit(wanted, network), wanted)


def test_a_tied_tensor_with_two_values_is_refused() -> None:
    network = loading.tied_language_model(**SIZES)
    given = {**network.state_dict(), "lm_head.weight": network.state_dict()["lm_head.weight"] + 1}
    with pytest.raises(MisfitError, match=r"^embed.weight and lm_head.weight differ, and are one tensor in the arch"):
        fit(given, network)


def test_tensors_that_are_not_tied_need_all_names() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    given = network.state_dict()
    del given["1.weight"]
    assert fit(given, network).missing == ["1.weight"]


def old_and_new() -> tuple[nn.Module, nn.Module]:
    layers = [nn.Linear(16, 8), nn.Linear(8, 3)]
    new = nn.Sequential(nn.Flatten(), parametrizations.weight_norm(layers[0]), nn.ReLU(), layers[1])
    with pytest.warns(FutureWarning, match="weight_norm"):
        first = nn.utils.weight_norm(nn.Linear(16, 8))
    return nn.Sequential(nn.Flatten(), first, nn.ReLU(), nn.Linear(8, 3)), new


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_names_of_the_older_weight_norm_fit_the_newer_one(device: str) -> None:
    old, new = old_and_new()
    found = fit(old.state_dict(), new.to(device))
    assert (found.missing, found.unknown, found.misshapen) == ([], [], [])
    assert set(found.values) == set(new.state_dict())
    fresh = old_and_new()[1]
    fresh.load_state_dict(found.values)
    inputs = torch.randn(5, 16)
    torch.testing.assert_close(fresh(inputs), old(inputs))


def test_names_of_the_newer_one_do_not_fit_the_older_one() -> None:
    old, new = old_and_new()
    found = fit(new.state_dict(), old)
    assert found.missing == ["1.weight_g", "1.weight_v"]
    assert found.unknown == ["1.parametrizations.weight.original0", "1.parametrizations.weight.original1"]


def test_older_names_of_another_width_are_refused_in_one_line() -> None:
    old, _ = old_and_new()
    other = nn.Sequential(nn.Flatten(), parametrizations.weight_norm(nn.Linear(16, 9)), nn.ReLU(), nn.Linear(8, 3))
    with pytest.raises(MisfitError, match=r"size mismatch for 1\.parametrizations.weight.original0") as caught:
        fit(old.state_dict(), other)
    assert "\n" not in str(caught.value)


class Renaming(nn.Module):
    """A network that knows the names and the units of its first version."""

    _version = 2

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, metadata: dict[str, Any], *rest: Any) -> None:
        if metadata.get("version", 1) < 2:
            state[f"{prefix}scale"] = state.pop(f"{prefix}log_scale", state.get(f"{prefix}scale", torch.ones(3))).exp()
        super()._load_from_state_dict(state, prefix, metadata, *rest)


def test_hooks_of_a_users_network_change_values_once() -> None:
    network = nn.Sequential(Renaming())
    found = fit({"0.log_scale": torch.zeros(3)}, network)
    network.load_state_dict(found.values)
    assert torch.equal(network.state_dict()["0.scale"], torch.ones(3))


FLOAT8 = (torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz)


@pytest.mark.parametrize("given", [torch.bfloat16, torch.float16, torch.float64, *FLOAT8])
@pytest.mark.parametrize("wanted", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_values_of_one_dtype_fit_a_network_of_another(given: torch.dtype, wanted: torch.dtype) -> None:
    values = torch.tensor([0.5, -1.75, 0.0, 28.0]).to(given)
    found = converted("w", values, wanted)
    assert found.dtype == wanted
    assert torch.equal(found.float(), torch.tensor([0.5, -1.75, 0.0, 28.0]))


def test_a_scale_of_eight_bits_is_its_power_of_two() -> None:
    scales = torch.tensor([0.25, 4.0]).to(torch.float8_e8m0fnu)
    assert torch.equal(converted("w", scales, torch.float32), torch.tensor([0.25, 4.0]))


@pytest.mark.parametrize(
    ("values", "dtype", "said"),
    [
        (
            torch.tensor([1.0, 1e300], dtype=torch.float64),
            torch.float32,
            r"^w holds 1e\+300 as torch.float64, and the network's torch.float32 holds -3.40282e\+38 to 3.40282e\+38: ",
        ),
        (
            torch.tensor([-1e6]),
            torch.float16,
            r"^w holds -1e\+06 as torch.float32, and the network's torch.float16 holds -65504 to 65504: .*, or a netw",
        ),
        (torch.tensor([1e39], dtype=torch.float64), torch.bfloat16, r"^w holds 1e\+39 as torch.float64, and the netw"),
        (
            torch.tensor([300]),
            torch.uint8,
            "^w holds 300 as torch.int64, and the network's torch.uint8 holds 0 to 255: ",
        ),
        (torch.tensor([0, 2]), torch.bool, "^w holds 2 as torch.int64, and the network's torch.bool holds 0 to 1: "),
        (torch.tensor([1.0, math.inf]), torch.float16, "^w holds NaN or infinity: wanted finite values"),
        (torch.tensor([math.nan]).to(torch.float8_e5m2), torch.float32, "^w holds NaN or infinity: wanted finite"),
        (torch.zeros(2, dtype=torch.complex64), torch.float32, "^w is torch.complex64, torch.strided: wanted dense"),
        (torch.zeros(2), torch.int64, "^w is torch.float32, torch.strided: wanted dense values that fit torch.int64"),
        (torch.zeros(2).to_sparse(), torch.float32, "^w is torch.float32, torch.sparse_coo: wanted dense values"),
        (
            torch.zeros(2, dtype=torch.uint8).view(torch.float4_e2m1fn_x2),
            torch.float32,
            "^w is torch.float4_e2m1fn_x2, which torch does not convert: wanted torch.float32, or a type that it conv",
        ),
    ],
)
def test_values_that_a_network_cannot_hold_are_refused_in_one_line(
    values: Tensor, dtype: torch.dtype, said: str
) -> None:
    with pytest.raises(MisfitError, match=said) as caught:
        converted("w", values, dtype)
    assert "\n" not in str(caught.value)


def test_rounding_is_no_loss() -> None:
    tiny = torch.tensor([1e-300, 0.1], dtype=torch.float64)
    assert torch.equal(converted("w", tiny, torch.float32), tiny.float())
    whole = torch.tensor([0, 255])
    assert torch.equal(converted("w", whole, torch.uint8), whole.to(torch.uint8))
    assert torch.equal(converted("w", torch.tensor([0, 1]), torch.bool), torch.tensor([False, True]))


def test_a_part_is_found_below_its_wrapper_and_the_rest_is_named() -> None:
    network = loading.chosen_by_name(**SIZES)
    state = network.state_dict()
    given = {f"model.{name}": tensor for name, tensor in state.items() if not name.startswith("layers.state")}
    given |= {"model.fc.weight": torch.zeros(2), "queue": torch.zeros(2)}
    found = fit(given, network, is_partial=True)
    assert found.missing == ["layers.state.weight", "layers.state.bias"]
    assert sorted(found.unknown) == ["fc.weight", "queue"]
    assert len(found.values) == len(state) - 2
