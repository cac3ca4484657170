"""Loading a file as its user does."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from tests.trainers.networks import NORMED, normed
from tests.trainers.trials import attach, configuration, run
from trainers.architectures import ARCHITECTURES
from trainers.coding import container
from trainers.compressed import RfzError, load_compressed, open_compressed


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("registered")
    run(configuration("epr"), folder)
    return folder / "point.rfz"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    run(configuration("epr", "normed"), folder)
    return folder / "point.rfz"


def test_a_file_of_a_registered_architecture_needs_nothing_else(registered: Path) -> None:
    network = load_compressed(registered)
    assert network(torch.zeros(2, 1, 4, 4)).shape == (2, 3)
    assert not network.training
    assert all(p.device.type == "cpu" and p.requires_grad for p in network.parameters()), "ready to run and to tune"
    assert torch.equal(network(torch.ones(1, 1, 4, 4)), load_compressed(str(registered))(torch.ones(1, 1, 4, 4)))


def test_a_device_can_be_asked_for(registered: Path) -> None:
    assert all(p.is_meta for p in load_compressed(registered, device="meta").parameters())


def test_a_users_architecture_is_passed_in(own: Path) -> None:
    network = load_compressed(own, architecture=normed)
    assert network(torch.zeros(2, 1, 4, 4)).shape == (2, 3)


def test_a_users_architecture_is_imported_only_where_allowed(own: Path) -> None:
    with pytest.raises(RfzError) as caught:
        load_compressed(own)
    assert str(caught.value) == (
        f"{own}: architecture {NORMED!r} is somebody's own code, which is not imported because a file names it: "
        "pass the callable itself, or allow the import explicitly if you trust it"
    )
    assert load_compressed(own, allow_import=True)(torch.zeros(2, 1, 4, 4)).shape == (2, 3)


def test_another_architecture_is_refused(registered: Path, own: Path) -> None:
    with pytest.raises(RfzError, match="has no argument 'hidden'"):
        load_compressed(registered, architecture=normed)
    with pytest.raises(RfzError, match="was written for another version of architecture"):
        load_compressed(own, architecture=ARCHITECTURES["mlp"])


@pytest.mark.parametrize("path", ["registered", "own"])
def test_larger_networks_than_allowed_are_refused(path: str, request: pytest.FixtureRequest) -> None:
    file = request.getfixturevalue(path)
    with pytest.raises(RfzError, match=r"values: wanted at most 10$"):
        load_compressed(file, architecture=None if path == "registered" else normed, max_parameters=10)


def test_opening_tells_what_the_file_holds_without_decoding(registered: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "read", lambda *args: pytest.fail("decoded"))
    opened = open_compressed(registered)
    assert opened.header == container.Header(
        method="epr",
        method_version=1,
        architecture="mlp",
        arguments={"hidden": [8], "input_shape": [1, 4, 4], "num_outputs": 3},
    )
    assert all(p.is_meta for p in opened.plain.parameters())
    assert opened.data == registered.read_bytes()


def test_the_account_names_every_tensor_once_and_sums_to_the_file(registered: Path) -> None:
    shares = open_compressed(registered).account()
    assert math.isclose(sum(share.size_bytes for share in shares), registered.stat().st_size, abs_tol=1e-6)
    assert [share.part for share in shares] == [
        "header", "vectors", "tensor", "tensor", "tensor", "tensor", "rounding", "checksum",
    ]  # fmt: skip
    assert [share.name for share in shares if share.part == "tensor"] == ["1.weight", "1.bias", "3.weight", "3.bias"]


def test_a_small_network_makes_a_small_file(registered: Path) -> None:
    """The network has 163 parameters."""
    header = next(share for share in open_compressed(registered).account() if share.part == "header")
    assert header.size_bytes < 42
    assert registered.stat().st_size < 200


def test_every_bit_of_odd_tensors_comes_back(tmp_path: Path) -> None:
    config = configuration("uncompressed", "odd")
    run(config, tmp_path)
    network = load_compressed(tmp_path / "point.rfz", allow_import=True)
    given = attach(config).given
    state = network.state_dict()
    for name in ("mask", "order", "nothing", "offset"):
        assert state[name].dtype == given[name].dtype
        assert torch.equal(state[name], given[name])
    assert state["temperature"].shape == ()
