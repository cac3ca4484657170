"""How a network is built without its memory, and what no file could hold."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from tests.trainers.networks import CLUSTERS
from tests.zoo import loading
from trainers.architectures.base import build_on_meta, layout_of
from trainers.config import Spec, TrialConfig
from trainers.lookup import import_callable
from trainers.train import prepare

SIZES = {"input_shape": [1, 4, 4], "num_outputs": 3}


class Stateful(nn.Linear):
    """A layer that saves more than tensors."""

    def get_extra_state(self) -> Any:
        return {"calls": 3}

    def set_extra_state(self, state: Any) -> None:
        pass


def held(tensor: torch.Tensor, *, is_parameter: bool = False) -> nn.Module:
    """A network with a tensor of its own beside a layer."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    if is_parameter:
        network[1].register_parameter("odd", nn.Parameter(tensor, requires_grad=False))
    else:
        network[1].register_buffer("odd", tensor)
    return network


def lazy() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 4), nn.LazyLinear(3))


def lazy_norm() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 3), nn.LazyBatchNorm1d())


def own_lazy() -> nn.Module:
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    network[1].register_parameter("scale", nn.UninitializedParameter())
    return network


def stateful() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Sequential(Stateful(16, 3)))


def float8() -> nn.Module:
    return held(torch.ones(3).to(torch.float8_e4m3fn), is_parameter=True)


def float4() -> nn.Module:
    return held(torch.zeros(3, dtype=torch.uint8).view(torch.float4_e2m1fn_x2))


def complex_buffer() -> nn.Module:
    return held(torch.ones(3, dtype=torch.complex64))


def complex_parameter() -> nn.Module:
    return held(torch.ones(3, dtype=torch.complex128), is_parameter=True)


def sparse() -> nn.Module:
    return held(torch.eye(3).to_sparse())


def sparse_rows() -> nn.Module:
    return held(torch.eye(3).to_sparse_csr(), is_parameter=True)


def quantised() -> nn.Module:
    return held(torch.quantize_per_tensor(torch.ones(3, device="cpu"), 0.1, 0, torch.qint8))


def quantised_layer() -> nn.Module:
    return nn.Sequential(nn.Flatten(), torch.ao.nn.quantized.Linear(16, 3))


def unsigned() -> nn.Module:
    return held(torch.zeros(3, dtype=torch.uint32))


REFUSED: dict[str, str] = {
    "lazy": r"architecture '{name}': module '2' \(LazyLinear\) takes its shapes from its first input, and a file "
    r"needs them before: use Linear, with in_features",
    "lazy_norm": r"architecture '{name}': module '2' \(LazyBatchNorm1d\) takes its shapes .*: use BatchNorm1d, with "
    "num_features",
    "own_lazy": r"architecture '{name}': module '1' \(Linear\) takes its shapes from its first input, .*: make its "
    "tensors when it is built",
    "stateful": r"architecture '{name}': module '1.0' \(Stateful\) keeps state beside its tensors \(get_extra_state\), "
    r"which a file does not hold: keep it in buffers \(register_buffer\), or make it from the architecture's arguments",
    "float8": "tensor '1.odd' of the architecture is torch.float8_e4m3fn, which a file does not hold: use torch.bfloat",
    "float4": "tensor '1.odd' of the architecture is torch.float4_e2m1fn_x2, which a file does not hold: use torch.bf",
    "complex_buffer": "tensor '1.odd' of the architecture is torch.complex64, .*: keep the real and the imaginary part",
    "complex_parameter": "tensor '1.odd' of the architecture is torch.complex128, .*: keep the real and the imaginary",
    "sparse": r"tensor '1.odd' of the architecture is not dense \(torch.sparse_coo\), .*: make it with to_dense\(\)",
    "sparse_rows": r"tensor '1.odd' of the architecture is not dense \(torch.sparse_csr\), .*: make it with to_dense",
    "quantised": r"tensor '1.odd' of the architecture is quantised \(torch.qint8\), .*: give the network before it",
    "quantised_layer": "tensor '1._packed_params.dtype' of the architecture is a dtype, .*: wanted tensors alone",
    "unsigned": "tensor '1.odd' of the architecture is torch.uint32, .*: wanted one of bool, uint8, ",
}


def name_of(function: Callable[..., Any]) -> str:
    return f"{__name__}:{function.__name__}"


@pytest.mark.filterwarnings("ignore:Lazy modules:UserWarning", "ignore:.*[Ss]parse:UserWarning")
@pytest.mark.filterwarnings("ignore:torch.ao:DeprecationWarning", "ignore:.*quantiz:UserWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_a_network_that_no_file_could_hold_is_refused_before_it_trains(name: str) -> None:
    path = f"{__name__}:{name}"
    config = TrialConfig(
        task=Spec(name=CLUSTERS), architecture=Spec(name=path), method=Spec(name="uncompressed"), steps=1
    )
    with pytest.raises(ValueError, match=REFUSED[name].format(name=path)) as caught:
        prepare(config, torch.device("cpu"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["drop_path", "orthogonal"])
def test_an_architecture_that_reads_values_is_built_with_its_memory_first(name: str) -> None:
    architecture = getattr(loading, name)
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"), torch.device("meta"):
        architecture(**SIZES)
    before = torch.get_rng_state()
    found = build_on_meta(name, architecture, SIZES)
    assert torch.equal(torch.get_rng_state(), before), "nothing was drawn"
    assert layout_of(found) == layout_of(architecture(**SIZES))
    assert all(tensor.is_meta for tensor in (*found.state_dict().values(), *found.parameters()))


def test_tied_tensors_stay_one_where_a_network_was_built_with_its_memory() -> None:
    found = build_on_meta("drop_path", loading.drop_path, SIZES)
    assert found[4].weight is found[7].weight  # type: ignore[index]
    assert len(list(found.parameters())) == len(list(loading.drop_path(**SIZES).parameters()))


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
def test_a_network_that_keeps_what_it_computed_is_built_with_its_memory_too() -> None:
    def normed(width: int) -> nn.Module:
        return nn.Sequential(nn.utils.weight_norm(nn.Linear(width, int(torch.tensor(width).item()))))

    found = build_on_meta("normed", normed, {"width": 5})
    assert {name: tuple(tensor.shape) for name, tensor in found.state_dict().items()} == {
        "0.bias": (5,),
        "0.weight_g": (5, 1),
        "0.weight_v": (5, 5),
    }


def test_a_network_that_is_too_large_is_refused_before_its_memory_is_taken() -> None:
    made: list[int] = []

    def large(num_layers: int) -> nn.Module:
        layers = []
        for _ in range(num_layers):
            layers.append(nn.Linear(10, 10))
            made.append(1)
            layers[-1].weight.sum().item()
        return nn.Sequential(*layers)

    with pytest.raises(ValueError, match=r"cannot be built with .*: it has 1090 values or more: wanted at most 1000"):
        build_on_meta("large", large, {"num_layers": 10**6}, max_parameters=1000)
    assert len(made) <= 11


def test_a_mistake_in_arguments_is_not_tried_twice() -> None:
    built: list[int] = []

    def refusing(width: int) -> nn.Module:
        built.append(width)
        raise ValueError(f"width is {width}: wanted at least 1")

    with pytest.raises(ValueError, match=r"cannot be built with .*: width is 0: wanted at least 1"):
        build_on_meta("refusing", refusing, {"width": 0})
    assert built == [0]


def test_dense_tensors_of_every_kind_have_a_layout() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layout = layout_of(import_callable("architecture", "tests.trainers.networks:odd")(**SIZES))
    assert {entry.dtype for entry in layout} == {"bool", "int64", "float32", "float64"}
