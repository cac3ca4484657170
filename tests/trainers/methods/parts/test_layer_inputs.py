"""What the layers of a network are given, as they are watched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from trainers.methods.parts import layer_inputs
from trainers.methods.parts.layer_inputs import inputs_of, watching
from trainers.methods.parts.second_moments import second_moments
from trainers.methods.parts.weight_matrices import matrix_of, weight_of


class Conv1D(nn.Module):
    """As Hugging Face's transformers has it."""

    def __init__(self, nf: int, nx: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(nx, nf)), nn.Parameter(torch.randn(nf))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight + self.bias


Conv1D.__module__ = "transformers.pytorch_utils"

LAYERS: dict[str, tuple[Callable[[], nn.Module], Callable[[], tuple[Any, ...]]]] = {
    "linear": (lambda: nn.Linear(6, 4), lambda: (torch.randn(3, 5, 6),)),
    "conv1d": (lambda: nn.Conv1d(4, 6, 3, stride=2, dilation=2, padding=1), lambda: (torch.randn(3, 4, 11),)),
    "conv2d of groups": (lambda: nn.Conv2d(4, 6, (3, 5), groups=2, padding="same"), lambda: (torch.randn(3, 4, 5, 6),)),
    "circular": (lambda: nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"), lambda: (torch.randn(2, 2, 5, 5),)),
    "one image": (lambda: nn.Conv2d(2, 3, 3), lambda: (torch.randn(2, 5, 5),)),
    "transposed": (
        lambda: nn.ConvTranspose1d(4, 6, 3, stride=3, padding=1, output_padding=2, dilation=2),
        lambda: (torch.randn(3, 4, 7),),
    ),
    "transposed of groups": (
        lambda: nn.ConvTranspose2d(4, 6, (3, 2), stride=(1, 2), padding=(2, 0), groups=2),
        lambda: (torch.randn(3, 4, 5, 6),),
    ),
    "transposed, cropped": (lambda: nn.ConvTranspose2d(2, 3, 1, padding=1), lambda: (torch.randn(2, 2, 5, 5),)),
    "Conv1D of transformers": (lambda: Conv1D(4, 6), lambda: (torch.randn(3, 5, 6),)),
    "conv3d": (lambda: nn.Conv3d(2, 3, 2, stride=(1, 2, 1)), lambda: (torch.randn(2, 2, 4, 5, 4),)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_what_is_noted_is_what_the_weight_is_multiplied_with(name: str) -> None:
    """Weights times the noted inputs are the outputs."""
    torch.manual_seed(0)
    make, arguments = LAYERS[name]
    layer, args = make(), arguments()
    seen: list[Tensor] = []
    with torch.no_grad(), watching(layer, {"weight"}, lambda _, inputs: seen.append(inputs)):
        outputs = layer(*args)
    inputs = torch.cat(seen, dim=1)
    weight = matrix_of(layer, layer.get_parameter("weight").detach())
    assert torch.equal(weight_of(layer, torch.stack([weight, weight]), layer.get_parameter("weight"))[1], layer.weight)
    rows = weight.reshape(len(inputs), -1, weight.shape[1])
    made = (inputs @ rows.transpose(1, 2)).permute(1, 0, 2).flatten(1) + layer.get_parameter("bias").detach()
    channels = (
        outputs
        if name in ("linear", "Conv1D of transformers")
        else outputs.movedim(0 if name == "one image" else 1, -1)
    )
    torch.testing.assert_close(made, channels.reshape(made.shape))


@pytest.mark.parametrize(
    ("layer", "shape"),
    [(nn.Conv2d(2, 3, 3, stride=(1, 2)), (5, 2, 9, 8)), (nn.ConvTranspose1d(2, 3, 3, stride=2), (5, 2, 8))],
)
def test_of_many_positions_some_are_noted_evenly_spaced(
    layer: nn.Module, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = torch.randn(shape)
    (whole,) = inputs_of(layer, inputs)
    monkeypatch.setattr(layer_inputs, "_MOST_POSITIONS", whole.shape[1] // 3 - 1)
    monkeypatch.setattr(layer_inputs, "_POSITIONS_A_COLUMN", 0)
    (some,) = inputs_of(layer, inputs)
    assert torch.equal(some, whole[:, ::4])


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers_are_noted_layer_by_layer(kind: type[nn.RNNBase], batch_first: bool) -> None:
    torch.manual_seed(0)
    layer = kind(5, 4, num_layers=2, bidirectional=True, batch_first=batch_first)  # type: ignore[arg-type]
    sequence = torch.randn(7, 3, 5)
    names = {name for name in layer._parameters if name.startswith("weight")}
    seen: dict[str, Tensor] = {}
    with torch.no_grad(), watching(layer, names, lambda name, inputs: seen.update({name: inputs})):
        outputs, _ = layer(sequence.transpose(0, 1) if batch_first else sequence)
    outputs = outputs.transpose(0, 1) if batch_first else outputs
    assert set(seen) == names
    torch.testing.assert_close(seen["weight_ih_l0"], sequence.reshape(1, -1, 5))
    hidden = outputs[..., :4]  # of the last layer, forwards
    before = torch.cat([torch.zeros(1, 3, 4), hidden[:-1]])
    torch.testing.assert_close(seen["weight_hh_l1"], before.reshape(1, -1, 4))
    backwards = outputs[..., 4:].flip(0)
    before = torch.cat([torch.zeros(1, 3, 4), backwards[:-1]])
    torch.testing.assert_close(seen["weight_hh_l1_reverse"], before.reshape(1, -1, 4))


def test_attention_is_noted_with_its_queries_keys_values_and_what_it_projects_last() -> None:
    torch.manual_seed(0)
    layer = nn.MultiheadAttention(6, 2, batch_first=True).eval()
    query, key = torch.randn(2, 3, 6), torch.randn(2, 5, 6)
    seen: dict[str, Tensor] = {}
    with (
        torch.no_grad(),
        watching(layer, {"in_proj_weight", "out_proj.weight"}, lambda name, x: seen.update({name: x})),
    ):
        outputs, _ = layer(query, key, value=key)
    moments = seen["in_proj_weight"].transpose(1, 2) @ seen["in_proj_weight"]
    flat = [part.reshape(-1, 6) for part in (query, key, key)]
    wanted = torch.stack([part.T @ part / len(part) for part in flat])
    torch.testing.assert_close(moments / 10, wanted)
    made = seen["out_proj.weight"] @ layer.out_proj.weight.T + layer.out_proj.bias
    torch.testing.assert_close(made.detach(), outputs.reshape(1, -1, 6))


def test_a_transformer_is_watched_also_where_torch_would_take_a_shorter_way() -> None:
    network = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2, enable_nested_tensor=False
    )
    names = [name for name, parameter in network.named_parameters() if parameter.ndim == 2]
    assert [name for name, _ in second_moments(network.eval(), [torch.randn(3, 4, 8)], names)] == names


def test_a_layer_that_computes_in_a_way_of_its_own_is_not_watched() -> None:
    class Doubled(nn.Linear):
        def forward(self, input: Tensor) -> Tensor:
            return 2 * super().forward(input)

    network = nn.Sequential(Doubled(3, 3), nn.Linear(3, 3))
    assert [name for name, _ in second_moments(network, [torch.randn(4, 3)], ["0.weight", "1.weight"])] == ["1.weight"]
