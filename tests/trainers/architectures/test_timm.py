"""Networks of timm are built by the name ``timm:NAME``.

timm is not installed where these tests run: a stand-in module takes its place, with the three functions that ratefront
calls, as timm 1.0 documents them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from orchestrator.errors import SweepError
from orchestrator.planning.study import plan
from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.overrides import apply_overrides
from orchestrator.sweep.resolve import source_digests
from tests.trainers.networks import CLUSTERS
from tests.trainers.trials import run
from trainers.architectures import lookup_architecture
from trainers.architectures.base import build
from trainers.compressed import RfzError, load_compressed
from trainers.config import TrialConfig
from trainers.lookup import is_import_path

SIZES = {"input_shape": [1, 4, 4], "num_outputs": 3}
CONFIG: dict[str, Any] = {
    "task": CLUSTERS,
    "architecture": {"name": "timm:tiny_net.a1_in1k", "width": 5},
    "method": {"name": "ptq", "bits": 4},
    "steps": 3,
}


def create_model(
    model_name: str,
    pretrained: bool = False,
    checkpoint_path: str | None = None,
    *,
    num_classes: int = 1000,
    in_chans: int = 3,
    width: int = 2,
) -> nn.Module:
    assert model_name.partition(".")[0] == "tiny_net"
    assert not pretrained
    assert checkpoint_path is None
    return nn.Sequential(nn.Conv2d(in_chans, width, 4), nn.Flatten(), nn.Linear(width, num_classes))


@pytest.fixture
def timm(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("timm")
    vars(module).update(
        __version__="1.0.0", create_model=create_model, is_model=lambda name: name.partition(".")[0] == "tiny_net"
    )
    monkeypatch.setitem(sys.modules, "timm", module)
    return module


def message_of(name: str, **arguments: Any) -> str:
    with pytest.raises(ValueError) as caught:
        build(name, lookup_architecture(name, allow_import=True), arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_without_timm_one_line_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    expected = "architecture 'timm:resnet18' needs timm, which cannot be imported"
    assert message_of("timm:resnet18").startswith(expected)
    assert message_of("timm:resnet18").endswith("pip install 'ratefront[timm]'")
    with pytest.raises(SweepError, match=expected):
        Sweep.from_dict({"task": "digits", "architecture": "timm:resnet18", "method": "ptq"})


@pytest.mark.usefixtures("timm")
def test_a_model_takes_its_channels_outputs_and_arguments() -> None:
    model = build("timm:tiny_net", lookup_architecture("timm:tiny_net", allow_import=False), {**SIZES, "width": 7})
    assert model(torch.zeros(2, 1, 4, 4)).shape == (2, 3)
    assert model[0].weight.shape == (7, 1, 4, 4)  # type: ignore[index]


@pytest.mark.usefixtures("timm")
@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("timm:tiny_nte", {}, "architecture 'timm:tiny_nte': timm 1.0.0 has no such model: see timm.list_models()"),
        ("timm:hf-hub:somebody/net", {}, "wanted timm:NAME of letters, digits and '_', such as timm:resnet18"),
        ("timm:", {}, "wanted timm:NAME of letters"),
        ("timm:tiny_net", {"checkpoint_path": "/etc/x.pth"}, "checkpoint_path reads values from elsewhere"),
        ("timm:tiny_net", {"pretrained": True}, "pretrained reads values from elsewhere"),
        ("timm:tiny_net", {"widht": 3}, "got an unexpected keyword argument 'widht'"),
        ("timm:tiny_net", {"num_outputs": 0}, "num_outputs is 0: wanted a whole number"),
        ("timm:tiny_net", {"input_shape": [16]}, "input_shape is [16]: wanted (channels, height, width)"),
    ],
)
def test_a_mistake_is_refused_in_one_line(name: str, arguments: dict[str, Any], said: str) -> None:
    assert said in message_of(name, **{**SIZES, **arguments})


def test_a_name_of_timm_is_not_the_users_own_code() -> None:
    assert not is_import_path("timm:resnet18")
    assert is_import_path("timm.models:resnet18")
    assert source_digests(["timm:resnet18"]) == {}


@pytest.mark.usefixtures("timm")
def test_a_file_decodes_where_timm_is_and_says_what_it_needs_where_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, _ = run(TrialConfig.from_dict(CONFIG), tmp_path)
    assert list(files) == ["point"]
    network = load_compressed(tmp_path / "point.rfz")
    assert network(torch.zeros(2, 1, 4, 4)).shape == (2, 3)
    assert network[0].weight.shape == (5, 1, 4, 4)  # type: ignore[index]
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(RfzError, match=r"point.rfz: architecture 'timm:tiny_net.a1_in1k' needs timm"):
        load_compressed(tmp_path / "point.rfz")


def test_a_file_refuses_a_model_that_timm_has_changed(
    timm: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(TrialConfig.from_dict(CONFIG), tmp_path)
    monkeypatch.setattr(timm, "create_model", lambda name, **arguments: nn.Sequential(create_model(name, **arguments)))
    with pytest.raises(RfzError, match="was written for another version of architecture"):
        load_compressed(tmp_path / "point.rfz")


@pytest.mark.usefixtures("timm")
def test_a_sweep_takes_models_of_timm_and_their_arguments() -> None:
    given = {"task": "digits", "architecture": ["timm:tiny_net", "mlp"], "method": {"name": "ptq", "bits": 4}}
    sweep = Sweep.from_dict(apply_overrides(given, ["architecture.timm:tiny_net.width=9"]))
    assert [str(trial.config.architecture) for trial in plan(sweep)] == [
        "timm:tiny_net(width=9)",
        "mlp(hidden=[300,100])",
    ]
    assert Sweep.from_dict(sweep.to_dict()) == sweep
