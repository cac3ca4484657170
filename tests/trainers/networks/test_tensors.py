"""Names and places of a network's tensors."""

from __future__ import annotations

import copy

import torch
from torch import nn

from trainers.networks.tensors import each_once, first_names, frozen, places, with_aliases


class Shared(nn.Module):
    """A norm under two names, a tied weight, a buffer under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(2)
        self.norms = nn.ModuleList([self.norm])
        self.one, self.two = nn.Linear(2, 2), nn.Linear(2, 2, bias=False)
        self.two.weight = self.one.weight
        self.register_buffer("scale", torch.ones(2))
        self.register_buffer("again", self.scale)


def test_every_name_leads_to_the_first() -> None:
    first = first_names(Shared())
    assert list(first) == list(Shared().state_dict())
    aliases = {name: one for name, one in first.items() if name != one}
    keys = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    assert aliases == {
        "again": "scale",
        "two.weight": "one.weight",
        **{f"norms.0.{key}": f"norm.{key}" for key in keys},
    }


def test_on_the_meta_device_names_are_the_same() -> None:
    with torch.device("meta"):
        on_meta = Shared()
    assert first_names(on_meta) == first_names(Shared())


def test_a_module_under_two_names_is_one_place_and_a_tied_weight_has_two() -> None:
    found = places(Shared())
    assert not any(place.startswith("norms") for place in found)
    assert (found["one.weight"], found["two.weight"]) == ("one.weight", "one.weight")


def test_each_tensor_is_saved_once_and_loaded_everywhere() -> None:
    network = each_once(Shared())
    once = network.state_dict()
    assert set(once) == set(first_names(Shared()).values())
    values = {name: torch.rand_like(tensor.float()).to(tensor.dtype) for name, tensor in once.items()}
    network.load_state_dict(values)
    assert torch.equal(network.two.weight, values["one.weight"])  # type: ignore[arg-type]
    assert torch.equal(network.again, values["scale"])  # type: ignore[arg-type]
    network.load_state_dict(with_aliases(values, first_names(Shared())))  # all names are taken as well


def test_within_another_module_and_in_a_copy_each_tensor_is_named_once() -> None:
    outer = nn.Sequential(copy.deepcopy(each_once(Shared())))
    assert "0.two.weight" not in outer.state_dict()
    outer.load_state_dict(outer.state_dict())


def test_a_network_without_aliases_is_left_alone() -> None:
    network = each_once(nn.Sequential(nn.Linear(2, 2)))
    assert not network._state_dict_hooks


def test_frozen_parameters_are_named() -> None:
    network = nn.Sequential(nn.Linear(2, 2).requires_grad_(False), nn.Linear(2, 2))
    assert frozen(network) == {"0.weight", "0.bias"}
