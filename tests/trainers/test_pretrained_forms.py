"""Initial values of networks with tied weights and with parametrizations."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from orchestrator.commands.files import decode
from tests.trainers.state_files import message_of, saved
from tests.trainers.trials import attach, configuration, run
from tests.zoo import computed, loading
from trainers.compressed import open_compressed
from trainers.networks.parametrizations import without_parametrizations
from trainers.preparation import prepare
from trainers.pretrained import initial_values

TIED = "tests.zoo.loading:tied_language_model"


def test_a_file_of_save_model_starts_a_network_with_tied_weights(tmp_path: Path) -> None:
    tied = loading.tied_language_model(input_shape=[1, 4, 4], num_outputs=3)
    safetensors.torch.save_model(tied, str(tmp_path / "net.safetensors"))
    config = configuration("uncompressed", init_from=str(tmp_path / "net.safetensors"), architecture=TIED)
    given = attach(config).given
    assert all(torch.equal(given[name], tied.state_dict()[name]) for name in given)
    assert "embed.weight" in given


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_what_decode_writes_of_tied_weights_loads_again(suffix: str, tmp_path: Path) -> None:
    config = configuration("ptq", architecture=TIED)
    run(config, tmp_path)
    opened = open_compressed(tmp_path / "point.rfz", architecture=loading.tied_language_model)
    path = tmp_path / f"net{suffix}"
    decode(tmp_path / "point.rfz", out=path, architecture=TIED)
    given = attach(configuration("uncompressed", architecture=TIED, init_from=str(path))).given
    assert all(
        torch.equal(given[name], tensor) for name, tensor in opened.network().state_dict().items() if name in given
    )
    network = loading.tied_language_model(input_shape=[1, 4, 4], num_outputs=3)
    if suffix == ".safetensors":
        assert safetensors.torch.load_model(network, path) == (set(), [])
    else:
        network.load_state_dict(torch.load(path, weights_only=True))
    inputs = torch.randn(5, 1, 4, 4)
    assert torch.equal(network(inputs), opened.network()(inputs))


PARAMETRIZED = ("weight_normed", "weight_normed_of_old", "spectral_normed", "spectral_normed_of_old")


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning", "ignore:.*spectral_norm:FutureWarning")
@pytest.mark.parametrize("name", PARAMETRIZED)
def test_a_network_with_parametrizations_starts_from_what_it_was(name: str, tmp_path: Path) -> None:
    """From the ``state_dict`` that its training wrote, and from the weights that a decoded file has."""
    architecture = f"tests.zoo.computed:{name}"
    torch.manual_seed(5)
    trained = getattr(computed, name)(input_shape=[1, 4, 4], num_outputs=3)
    for _ in range(100):  # spectral norms iterate
        trained(torch.randn(1, 1, 4, 4))
    path, weights = tmp_path / "net.pt", tmp_path / "weights.pt"
    torch.save(trained.state_dict(), path)
    plain = without_parametrizations(trained.eval())
    torch.save(plain.state_dict(), weights)
    inputs = torch.randn(5, 1, 4, 4)
    for source in (path, weights):
        for method in ("ptq", "epr"):  # one keeps parametrizations while it trains
            model = prepare(
                configuration(method, architecture=architecture, init_from=str(source)), torch.device("cpu")
            ).model
            torch.testing.assert_close(model.eval()(inputs), plain(inputs), rtol=1e-3, atol=1e-4)


def test_a_parametrization_without_an_inverse_starts_from_what_it_computes_with(tmp_path: Path) -> None:
    trained = computed.symmetric(input_shape=[1, 4, 4], num_outputs=3)
    plain = without_parametrizations(trained)
    path, weights = (
        saved(one.state_dict(), tmp_path / f"{name}.pt") for one, name in ((trained, "net"), (plain, "weights"))
    )
    inputs = torch.randn(5, 1, 4, 4)

    def model(method: str, source: Path) -> nn.Module:
        config = configuration(method, architecture="tests.zoo.computed:symmetric", init_from=str(source))
        return prepare(config, torch.device("cpu")).model.eval()

    for method, source in (("ptq", path), ("epr", path), ("epr", weights)):
        torch.testing.assert_close(model(method, source)(inputs), plain(inputs))
    assert (
        "3.weight cannot be set through its parametrization: parametrization Symmetric does not implement"
        in message_of(lambda: model("ptq", weights))
    )


def test_weights_that_a_parametrization_does_not_compute_are_refused_in_one_line(tmp_path: Path) -> None:
    plain = without_parametrizations(computed.spectral_normed(input_shape=[1, 4, 4], num_outputs=3))
    path = saved({name: 3 * tensor for name, tensor in plain.state_dict().items()}, tmp_path / "net.pt")
    config = configuration("ptq", architecture="tests.zoo.computed:spectral_normed", init_from=str(path))
    assert (
        "is no weight that its parametrization computes: wanted values of a network with the same param"
        in message_of(lambda: prepare(config, torch.device("cpu")))
    )


def test_a_tied_tensor_counts_once_in_the_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tied = loading.tied_language_model(input_shape=[1, 4, 4], num_outputs=3)
    path = saved({"embed.weight": tied.state_dict()["embed.weight"]}, tmp_path / "net.pt")
    initial_values({"path": str(path), "strict": False}, tied)
    assert "has 1 of the network's 3 tensors; 2 keep their initial values, and 0 entries" in caplog.text
