"""Initial values from files and known networks: what loads, what errors say, and that methods start from them."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from tests.trainers.networks import normed
from tests.trainers.state_files import message_of, saved
from tests.trainers.trials import VARIANTS, attach, configuration, run
from trainers import pretrained
from trainers.config import TrialConfig
from trainers.downloads import DataFile, DataUnavailableError
from trainers.pretrained import PRETRAINED, initial_values, pin


def network() -> nn.Module:
    """The network that ``configuration(..., "normed")`` trains."""
    torch.manual_seed(7)
    return normed(input_shape=(1, 4, 4), num_outputs=3)


def assert_same(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    assert list(found) == list(wanted)
    assert all(torch.equal(found[name], tensor) for name, tensor in wanted.items())


def prefixed(prefix: str, values: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in values.items()}


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".th"])
@pytest.mark.parametrize(
    "wrapped",
    [
        lambda values: values,
        lambda values: {"state_dict": values, "best_prec1": 91.7, "epoch": 3},
        lambda values: {"model": values, "args": {"lr": 0.1}},
        lambda values: {"model": {"state_dict": values}},
        lambda values: prefixed("module.", values),
        lambda values: {"state_dict": prefixed("model.", values)},
        lambda values: prefixed("_orig_mod.module.", values),
        lambda values: {"net": values, "acc": 91.7},
        lambda values: {"n_averaged": torch.tensor(3), **prefixed("module.", values)},
        lambda values: {"state_dict": {"criterion.weight": torch.ones(3), **prefixed("model.", values)}},
    ],
    ids=["plain", "state_dict", "model", "both", "module.", "model.", "two prefixes", "net", "averaged", "criterion"],
)
def test_a_state_dict_loads_however_it_was_saved(suffix: str, wrapped: Callable[..., Any], tmp_path: Path) -> None:
    wanted = network().state_dict()
    path = saved(wrapped(wanted), tmp_path / f"net{suffix}")
    assert_same(initial_values(str(path), network()), wanted)


def test_safetensors_load(tmp_path: Path) -> None:
    wanted = network().state_dict()
    safetensors.torch.save_file(prefixed("module.", wanted), tmp_path / "net.safetensors")
    found = initial_values(str(tmp_path / "net.safetensors"), network())
    assert all(torch.equal(found[name], tensor) for name, tensor in wanted.items())


def test_a_network_whose_own_names_begin_like_a_prefix_loads(tmp_path: Path) -> None:
    own = nn.ModuleDict({"model": network()})
    assert all(name.startswith("model.") for name in own.state_dict())
    path = saved(prefixed("module.", own.state_dict()), tmp_path / "net.pt")
    assert_same(initial_values(str(path), own), own.state_dict())


def test_counters_of_batches_may_be_missing(tmp_path: Path) -> None:
    wanted = network().state_dict()
    older = {name: tensor for name, tensor in wanted.items() if not name.endswith("num_batches_tracked")}
    path = saved(older, tmp_path / "net.pt")
    assert_same(initial_values(str(path), network()), older)
    prepared = attach(configuration("uncompressed", "normed", init_from=str(path)))
    assert prepared.given["1.num_batches_tracked"] == 0
    assert all(torch.equal(prepared.given[name], tensor) for name, tensor in older.items())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda values: values.pop("0.weight"), "it lacks 0.weight; wanted the 8 tensors"),
        (lambda values: values.update({"head.bias": torch.zeros(1)}), "it has unknown head.bias; wanted"),
        (
            lambda values: values.update({"4.bias": torch.zeros(5)}),
            "it has of another shape 4.bias (5,) for (3,); wanted",
        ),
        (
            lambda values: [values.update({f"x.{name}": values.pop(name)}) for name in list(values)],
            "it lacks 0.weight, 1.weight, 1.bias and 4 more, "
            "has unknown x.0.weight, x.1.weight, x.1.bias and 5 more; wanted",
        ),
    ],
    ids=["missing", "unexpected", "shape", "many"],
)
def test_values_of_another_network_are_refused_in_one_line(
    change: Callable[[dict[str, Tensor]], Any], said: str, tmp_path: Path
) -> None:
    values = dict(network().state_dict())
    change(values)
    path = saved(values, tmp_path / "net.pt")
    message = message_of(lambda: initial_values(str(path), network()))
    assert message.startswith(f"init_from: {path} is of another network: it ")
    assert said in message
    assert "change its name or arguments to those of the file, or give another file" in message
    beside = {*values} > {*network().state_dict()}
    assert message.endswith(", or leave out what it has beside the network (ignore)") == beside


class Hostile:
    """An object whose pickle would create a file when it is loaded."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return Path.touch, (self.target,)


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": Hostile(tmp_path / "ran")}, tmp_path / "net.pth")
    (tmp_path / "raw.pth").write_bytes(pickle.dumps(Hostile(tmp_path / "ran")))
    for name in ("net.pth", "raw.pth"):
        assert "cannot be loaded (UnpicklingError" in message_of(
            lambda name=name: initial_values(str(tmp_path / name), network())
        )
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"epoch": 3, "lr": 0.1}, "holds entries epoch, lr: wanted a state_dict, alone or under "),
        ({}, "holds entries none: wanted a state_dict"),
        ([torch.zeros(2)], "holds list: wanted a state_dict"),
        (torch.zeros(2), "holds Tensor: wanted a state_dict"),
        ({"state_dict": {}}, "holds entries none: wanted a state_dict"),
    ],
    ids=["no tensors", "empty", "list", "tensor", "empty state_dict"],
)
def test_a_file_without_a_state_dict_is_refused_in_one_line(values: Any, said: str, tmp_path: Path) -> None:
    path = saved(values, tmp_path / "net.pt")
    assert said in message_of(lambda: initial_values(str(path), network()))


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_damaged_file_is_refused_in_one_line(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"net{suffix}"
    for content in (b"", b"no tensors", bytes(1000)):
        path.write_bytes(content)
        assert f"{path} cannot be loaded" in message_of(lambda: initial_values(str(path), network()))


def test_pinning_makes_a_path_absolute_with_its_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    path = saved(network().state_dict(), tmp_path / "net.pt")
    wanted = f"{path}#sha256={hashlib.sha256(path.read_bytes()).hexdigest()}"
    assert pin("net.pt") == pin("~/net.pt") == pin(str(path)) == pin(wanted) == wanted
    assert_same(initial_values(wanted, network()), network().state_dict())
    assert pin("") == ""
    assert all(pin(name) == name for name in PRETRAINED), "without reading it"


def test_another_content_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    path = saved(network().state_dict(), tmp_path / "net.pt")
    pinned = pin(str(path))
    path.write_bytes(path.read_bytes() + b" ")
    for call in (lambda: pin(pinned), lambda: initial_values(pinned, network())):
        assert f"{path} has changed: its content is sha256=" in message_of(call)
    assert pin(str(path)) != pinned


def test_what_is_neither_a_name_nor_a_file_is_refused_in_one_line(tmp_path: Path) -> None:
    assert message_of(lambda: pin("resnet20_cifar")) == (
        "init_from is 'resnet20_cifar': wanted a file that ends in .pth, .pt, .th, .safetensors, .rfz, a folder "
        "of safetensors, or a trained network's name: resnet20_cifar10, resnet32_cifar10; or fusion(A, B) of several"
    )
    assert message_of(lambda: pin(f"{tmp_path}/none.pt")).startswith(
        f"init_from: cannot read {tmp_path}/none.pt (No such file or directory): wanted a file of trained values"
    )
    (tmp_path / "folder.pt").mkdir()
    assert "folder.pt has none in safetensors" in message_of(lambda: pin(f"{tmp_path}/folder.pt"))


def test_a_known_network_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").mkdir()
    path = saved({"state_dict": prefixed("module.", network().state_dict())}, tmp_path / "models" / "net.th")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setenv("RATEFRONT_DATA", str(tmp_path))
    monkeypatch.setitem(PRETRAINED, "known", DataFile(path="models/net.th", sha256=digest, urls=()))
    assert_same(initial_values("known", network()), network().state_dict())
    monkeypatch.setitem(PRETRAINED, "known", DataFile(path="models/net.th", sha256="0" * 64, urls=()))
    with pytest.raises(DataUnavailableError, match="is not the expected file"):
        initial_values("known", network())


def test_known_networks_are_files_with_a_digest_from_their_authors() -> None:
    for file in PRETRAINED.values():
        assert len(file.sha256) == 64
        assert Path(file.path).suffix in pretrained._SUFFIXES
        assert file.urls[0].startswith("https://github.com/")
        assert len(file.urls) >= 2, "a mirror"
        assert all(url.startswith("https://") and url.endswith(Path(file.path).name) for url in file.urls)


@pytest.mark.parametrize("method", VARIANTS)
def test_every_method_starts_from_the_given_values(method: str, tmp_path: Path) -> None:
    wanted = network().state_dict()
    path = saved(wanted, tmp_path / "net.pt")
    assert_same(attach(configuration(method, "normed", init_from=str(path))).given, wanted)
    files, _ = run(configuration(method, "normed", init_from=pin(str(path))), tmp_path)
    assert files != run(configuration(method, "normed"), tmp_path / "fresh")[0]


def test_the_values_are_part_of_a_trials_identity_and_their_folder_is_not(tmp_path: Path) -> None:
    def hash_of(init_from: str) -> str:
        return configuration("ptq", init_from=init_from).config_hash

    paths = [saved(network().state_dict(), tmp_path / name) for name in ("one.pt", "other.pt")]
    paths[1].write_bytes(paths[0].read_bytes())
    assert hash_of(pin(str(paths[0]))) == hash_of(pin(str(paths[1])))
    before = hash_of(pin(str(paths[0])))
    paths[0].write_bytes(paths[0].read_bytes() + b" ")
    assert len({hash_of(""), before, hash_of(pin(str(paths[0]))), hash_of("resnet20_cifar10")}) == 4


def test_a_trial_from_scratch_says_nothing_of_initial_values() -> None:
    config = configuration("ptq")
    assert "init_from" not in config.to_dict()
    given = configuration("ptq", init_from="resnet20_cifar10")
    assert TrialConfig.from_dict(given.to_dict()) == given
    assert message_of(lambda: configuration("ptq", init_from=None)) == (
        "init_from is None: wanted the path of a state_dict, or a trained network's name, "
        "or a mapping such as {path: net.pt, key: ema, strict: false}"
    )


def one_changed(change: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    values = network().state_dict()
    return {**values, "0.weight": change(values["0.weight"])}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensor: tensor * torch.nan, "0.weight holds NaN or infinity: wanted finite values"),
        (lambda tensor: tensor.to(torch.complex64), "0.weight is torch.complex64"),
        (lambda tensor: tensor.to(torch.int8), "0.weight is torch.int8"),
        (lambda tensor: tensor.to_sparse(), "torch.sparse_coo: wanted dense values that fit torch.float32"),
    ],
    ids=["nan", "complex", "int8", "sparse"],
)
def test_values_that_are_no_finite_numbers_are_refused(change: Any, message: str, tmp_path: Path) -> None:
    path = saved(one_changed(change), tmp_path / "net.pth")
    assert message in message_of(lambda: initial_values(str(path), network()))


def test_variances_below_zero_are_refused(tmp_path: Path) -> None:
    normed = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    path = saved({**normed.state_dict(), "1.running_var": torch.tensor([1.0, -0.5])}, tmp_path / "net.pth")
    assert message_of(lambda: initial_values(str(path), normed)) == (
        f"init_from: {path}: tensor 1.running_var holds -0.5: wanted variances, which are at least 0"
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_values_of_other_dtypes_load_in_those_of_the_network(dtype: torch.dtype, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"net{suffix}"
    values = one_changed(lambda tensor: tensor.to(dtype))
    safetensors.torch.save_file(values, path) if suffix == ".safetensors" else torch.save(values, path)
    found = initial_values(str(path), network())
    assert found["0.weight"].dtype == torch.float32
    assert torch.equal(found["0.weight"], values["0.weight"].float())


def test_single_precision_values_load_into_a_network_of_half_precision(tmp_path: Path) -> None:
    path = saved(network().state_dict(), tmp_path / "net.pth")
    found = initial_values(str(path), network().to(torch.bfloat16))
    assert torch.equal(found["0.weight"], network().state_dict()["0.weight"].to(torch.bfloat16))


def test_values_beyond_the_networks_dtype_are_refused_with_the_file_and_the_tensor(tmp_path: Path) -> None:
    path = saved(one_changed(lambda tensor: torch.full_like(tensor, 1e300, dtype=torch.float64)), tmp_path / "net.pth")
    assert message_of(lambda: initial_values(str(path), network())) == (
        f"init_from: {path}: 0.weight holds 1e+300 as torch.float64, and the network's torch.float32 holds "
        "-3.40282e+38 to 3.40282e+38: wanted values in between, or a network with a wider type"
    )
    half = saved(one_changed(lambda tensor: torch.full_like(tensor, 1e6)), tmp_path / "half.pth")
    assert "0.weight holds 1e+06 as torch.float32, and the network's torch.float16 holds -65504 to 65504" in message_of(
        lambda: initial_values(str(half), network().half())
    )


def part_of(values: dict[str, Tensor]) -> dict[str, Any]:
    """A file of another head, with things beside the tensors."""
    kept = {name: tensor for name, tensor in values.items() if not name.startswith("4.")}
    return {**kept, "fc.weight": torch.zeros(7, 4), "epoch": 3, "lr": 0.1}


def test_a_part_of_a_network_is_enough_where_a_source_says_so_and_a_line_tells(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = network().state_dict()
    path = saved(part_of(wanted), tmp_path / "net.pt")
    source = {"path": str(path), "strict": False}
    found = initial_values(source, network())
    assert_same(found, {name: tensor for name, tensor in wanted.items() if not name.startswith("4.")})
    initial_values(source, network())
    assert [record.message for record in caplog.records] == [
        f"init_from: {path} has 6 of the network's 8 tensors; 2 keep their initial values, and 3 entries of the file "
        "are left out"
    ], "once in a process"
    given = attach(configuration("uncompressed", "normed", init_from=source)).given
    fresh = attach(configuration("uncompressed", "normed")).given
    assert all(torch.equal(given[name], tensor) for name, tensor in found.items())
    assert all(torch.equal(given[name], fresh[name]) for name in ("4.weight", "4.bias")), "as they are drawn"
    assert not torch.equal(fresh["0.weight"], found["0.weight"])


def test_without_such_a_word_a_part_is_refused_and_the_word_is_named(tmp_path: Path) -> None:
    path = saved(part_of(network().state_dict()), tmp_path / "net.pt")
    assert message_of(lambda: initial_values(str(path), network())) == (
        f"init_from: {path} holds epoch, lr beside tensors: wanted a state_dict; ignore leaves out what it names, and "
        "strict: false all other entries"
    )


def test_names_that_fit_a_pattern_are_left_out(tmp_path: Path) -> None:
    wanted = network().state_dict()
    path = saved({**wanted, "loss.weight": torch.ones(2), "epoch": 3}, tmp_path / "net.pt")
    assert_same(initial_values({"path": str(path), "ignore": ["loss.*", "epoch"]}, network()), wanted)
    said = message_of(lambda: initial_values({"path": str(path), "ignore": ["epochs"]}, network()))
    assert said == (
        f"init_from.ignore: no name in {path} fits 'epochs': it holds {', '.join([*wanted][:3])} and "
        f"{len(wanted) + 2 - 3} more"
    )


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"a": torch.zeros(2)}, "is of another network: it lacks 0.weight, 1.weight, 1.bias and 4 more, has unknown a"),
        (
            {"0.weight": torch.zeros(2), "4.bias": torch.zeros(3)},
            "it lacks 1.weight, 1.bias, 1.running_mean and 2 more, ",
        ),
    ],
    ids=["nothing fits", "another shape"],
)
def test_a_part_must_fit(values: dict[str, Tensor], said: str, tmp_path: Path) -> None:
    path = saved(values, tmp_path / "net.pt")
    assert said in message_of(lambda: initial_values({"path": str(path), "strict": False}, network()))


def test_float8_values_whose_scales_would_be_left_out_are_refused(tmp_path: Path) -> None:
    values = one_changed(lambda tensor: tensor.to(torch.float8_e4m3fn))
    path = saved({**values, "0.weight_scale_inv": torch.ones(1)}, tmp_path / "net.pt")
    assert (
        "has float8 values with scales beside them, such as 0.weight_scale_inv: wanted them multiplied"
        in message_of(lambda: initial_values({"path": str(path), "strict": False}, network()))
    )
    assert "it has unknown 0.weight_scale_inv" in message_of(lambda: initial_values(str(path), network()))


def test_a_key_chooses_one_network_of_a_file(tmp_path: Path) -> None:
    wanted = network().state_dict()
    other = {name: torch.zeros_like(tensor) for name, tensor in wanted.items()}
    path = saved({"model": other, "ema": prefixed("module.", wanted)}, tmp_path / "net.pt")
    source = pin({"path": str(path), "key": "ema"})
    assert source == {"path": pin(str(path)), "key": "ema"}
    assert_same(initial_values(source, network()), wanted)
    assert_same(initial_values(str(path), network()), other)


def test_a_compressed_file_has_no_entries_to_choose_from(tmp_path: Path) -> None:
    run(configuration("ptq", "normed"), tmp_path)
    assert message_of(lambda: initial_values({"path": f"{tmp_path}/point.rfz", "key": "ema"}, network())) == (
        "init_from.key is 'ema': wanted none, since a .rfz file holds one network"
    )


def test_a_pickle_that_holds_itself_is_refused(tmp_path: Path) -> None:
    endless: dict[str, Any] = {}
    endless["model"] = endless
    path = saved(endless, tmp_path / "net.pth")
    assert "wanted a state_dict" in message_of(lambda: initial_values(str(path), network()))
