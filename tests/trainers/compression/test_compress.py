"""A given network to files: with a task, with inputs alone, and with nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.trainers.networks import CLUSTERS, clusters, normed
from tests.trainers.state_files import message_of, saved
from trainers.architectures import ARCHITECTURES
from trainers.compressed import load_compressed
from trainers.compression.compress import compress
from trainers.compression.evidence import Evidence, find_evidence, method_without_data
from trainers.compression.goals import Goal
from trainers.compression.inputs import task_of
from trainers.compression.subject import Subject, find_network, known_shape, open_subject
from trainers.config import Spec
from trainers.guard import StoredWronglyError
from trainers.methods import METHODS
from trainers.sources import Source
from trainers.tasks.base import Split

NORMED = Spec(name="tests.trainers.networks:normed", arguments={"input_shape": [1, 4, 4], "num_outputs": 3})
CPU = torch.device("cpu")


class Recurrent(nn.Module):
    """Returns a row of numbers for each place of a sequence: no classes."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent, self.read = nn.LSTM(5, 6, batch_first=True), nn.Linear(6, 4)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = self.read(self.recurrent(inputs)[0])
        return outputs


def double_net() -> nn.Module:
    return nn.Linear(5, 3, dtype=torch.float64)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A checkpoint of ``normed`` whose norms have statistics."""
    torch.manual_seed(0)
    network = normed(input_shape=[1, 4, 4], num_outputs=3)
    network(clusters().train.inputs)
    return saved(network.state_dict(), tmp_path / "net.pt")


def subject_of(path: Path, evidence: Evidence, method: dict[str, Any], architecture: Spec = NORMED) -> Subject:
    spec = Spec.from_dict("method", method)
    return open_subject(Source(path=str(path)), architecture, spec, evidence, device=CPU)


@pytest.mark.parametrize(
    ("method", "values"), [("obs", [0.2, 1.0]), ("ecq", [0.1, 0.5]), ("ptq", [8, 3])], ids=["obs", "ecq", "ptq"]
)
def test_files_are_the_networks_that_were_measured(
    method: str, values: Sequence[float], path: Path, tmp_path: Path
) -> None:
    evidence = find_evidence(task=Spec(name=CLUSTERS))
    found = compress(subject_of(path, evidence, {"name": method}), Goal(), values=values)
    fine, coarse = found.candidates
    assert fine.size_bytes > coarse.size_bytes
    assert fine.fidelity.kl is not None
    assert coarse.fidelity.kl is not None
    assert fine.fidelity.kl < coarse.fidelity.kl
    given = normed(input_shape=[1, 4, 4], num_outputs=3).eval()
    given.load_state_dict(torch.load(path))
    examples = clusters().validation
    (tmp_path / "fine.rfz").write_bytes(fine.data)
    decoded = load_compressed(tmp_path / "fine.rfz", allow_import=True)
    with torch.no_grad():
        logs, others = (network(examples.inputs).double().log_softmax(1) for network in (given, decoded))
    assert fine.fidelity.kl == pytest.approx(float((logs.exp() * (logs - others)).sum(1).mean()), rel=1e-3)
    right = [float((each.argmax(1) == examples.targets).double().mean()) for each in (logs, others)]
    assert [found.given_quality, fine.quality] == pytest.approx(right)
    assert fine.loss == pytest.approx(right[0] - right[1])


def test_a_size_is_kept_to_after_a_second_look(path: Path) -> None:
    subject = subject_of(path, find_evidence(task=Spec(name=CLUSTERS)), {"name": "obs"})
    grid = compress(subject, Goal(), values=[0.1, 0.4, 1.6])
    limit = (grid.candidates[0].size_bytes + grid.candidates[1].size_bytes) // 2
    found = compress(subject, Goal(max_size_bytes=limit), values=[0.1, 0.4, 1.6])
    assert 4 <= len(found.candidates) <= 6
    assert grid.candidates[1].size_bytes < found.shipped.size_bytes <= limit


def test_inputs_alone_measure_how_near_outputs_are_and_no_quality(path: Path, tmp_path: Path) -> None:
    evidence = Evidence(task=task_of(clusters().train.inputs), has_targets=False, is_real=True, has_inputs=True)
    found = compress(subject_of(path, evidence, {"name": "obs"}), Goal(max_loss=0.1), values=[0.1, 0.5])
    assert found.given_quality is None
    assert found.num_examples == 24
    for one in found.candidates:
        assert one.quality is None
        assert one.fidelity.agreement is not None
        assert one.loss == 1 - one.fidelity.agreement
    recurrent = saved(Recurrent().state_dict(), tmp_path / "recurrent.pt")
    inputs = Evidence(task=task_of(torch.randn(16, 7, 5)), has_targets=False, is_real=True, has_inputs=True)
    architecture = Spec(name=f"{__name__}:Recurrent")
    found = compress(subject_of(recurrent, inputs, {"name": "obs"}, architecture), Goal(), values=[0.1])
    assert found.shipped.fidelity.kl is None
    assert found.shipped.loss == found.shipped.fidelity.output_error
    assert found.shipped.loss is not None
    assert 0 < found.shipped.loss < 0.01
    said = message_of(lambda: compress(subject_of(recurrent, inputs, {"name": "ecq"}, architecture), Goal(max_kl=1)))
    assert said.startswith("KL is between classes")


@pytest.mark.parametrize(("shape", "source"), [(None, "none"), ([1, 4, 4], "none"), ([1, 4, 4], "gaussian")])
def test_without_data_nothing_is_measured_but_sizes(
    shape: list[int] | None, source: str, path: Path, tmp_path: Path
) -> None:
    evidence = find_evidence(input_shape=shape)
    subject = subject_of(path, evidence, {"name": "obs", "calibration": source})
    found = compress(subject, Goal(), values=[1.0, 0.05])
    assert found.num_examples == 0
    assert found.shipped.value == 0.05
    assert all((one.distance, one.quality) == (None, None) for one in found.candidates)
    given = normed(input_shape=[1, 4, 4], num_outputs=3).eval()
    given.load_state_dict(torch.load(path))
    (tmp_path / "fine.rfz").write_bytes(found.shipped.data)
    decoded = load_compressed(tmp_path / "fine.rfz", allow_import=True)
    inputs = clusters().validation.inputs
    with torch.no_grad():
        assert torch.allclose(decoded(inputs), given(inputs), atol=0.1)
    for goal, word in ((Goal(max_kl=1), "KL"), (Goal(max_loss=1), "a loss")):
        assert message_of(lambda goal=goal: compress(subject, goal)).startswith(f"{word} is measured on examples")


def test_without_examples_nothing_is_calibrated_on_them() -> None:
    nothing = find_evidence()
    for method, said in (
        ({"name": "obs", "calibration": "real"}, "calibration is 'real', and there are no examples"),
        ({"name": "obs", "calibration": "gaussian"}, "the network's input shape is not known: wanted it"),
        ({"name": "ecq", "recalibrate": True}, "recalibrate measures norms, and there are no examples"),
    ):
        spec = Spec.from_dict("method", method)
        assert said in message_of(lambda spec=spec: method_without_data(spec, "none", nothing))
    assert method_without_data(Spec(name="obs"), "none", nothing).arguments == {"calibration": "none"}
    assert method_without_data(Spec(name="ecq"), "none", nothing) == Spec(name="ecq")


def test_inputs_have_the_type_of_the_network(tmp_path: Path) -> None:
    path = saved(double_net().state_dict(), tmp_path / "net.pt")
    evidence = Evidence(task=task_of(torch.randn(16, 5)), has_targets=False, is_real=True, has_inputs=True)
    subject = subject_of(path, evidence, {"name": "obs"}, Spec(name=f"{__name__}:double_net"))
    found = compress(subject, Goal(), values=[0.1])
    assert found.shipped.fidelity.kl is not None
    assert found.shipped.fidelity.kl < 0.01


def test_a_loss_says_nothing_where_the_given_network_makes_no_mistake(path: Path) -> None:
    task, values = clusters(), torch.load(path)
    network = normed(input_shape=[1, 4, 4], num_outputs=3).eval()
    network.load_state_dict(values)
    with torch.no_grad():
        right = network(task.validation.inputs).argmax(1)
    perfect = replace(task, validation=Split(inputs=task.validation.inputs, targets=right))
    subject = subject_of(path, Evidence(task=perfect, has_targets=True, is_real=True, has_inputs=True), {"name": "ecq"})
    said = message_of(lambda: compress(subject, Goal(max_loss=0.01)))
    assert said.startswith("the given network is right on all 48 validation examples")
    assert "--max-kl 0.05" in said


@pytest.mark.parametrize("shape", [None, [1, 4, 4]])
def test_a_file_that_is_not_what_was_stored_is_never_shipped(
    shape: list[int] | None, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = subject_of(path, find_evidence(input_shape=shape), {"name": "ecq"})
    decode = METHODS["ecq"].decode
    calls = []

    def drifting(*arguments: Any) -> dict[str, torch.Tensor]:
        calls.append(1)
        return {name: tensor + len(calls) % 2 for name, tensor in decode(*arguments).items()}

    monkeypatch.setattr(METHODS["ecq"], "decode", staticmethod(drifting))
    with pytest.raises(StoredWronglyError, match=r"^step 0\.5"):
        compress(subject, Goal(), values=[0.5])


def test_a_compressed_file_says_its_own_architecture(path: Path, tmp_path: Path) -> None:
    assert find_network(Source(path=str(path)), None) is None
    evidence = find_evidence(task=Spec(name=CLUSTERS))
    plain = Spec(name="mlp", arguments={"hidden": [4]})
    values = ARCHITECTURES["mlp"](hidden=[4], input_shape=[1, 4, 4], num_outputs=3).state_dict()
    made = compress(
        subject_of(saved(values, tmp_path / "mlp.pt"), evidence, {"name": "ecq"}, plain), Goal(), values=[0.5]
    )
    (tmp_path / "mlp.rfz").write_bytes(made.shipped.data)
    spec = find_network(Source(path=str(tmp_path / "mlp.rfz")), None)
    assert spec is not None
    assert (spec.name, known_shape(spec)) == ("mlp", [1, 4, 4])
    own = compress(subject_of(path, evidence, {"name": "ecq"}), Goal(), values=[0.5])
    (tmp_path / "own.rfz").write_bytes(own.shipped.data)
    source = Source(path=str(tmp_path / "own.rfz"))
    assert "somebody's own code" in message_of(lambda: find_network(source, None))
    assert find_network(source, Spec(name=NORMED.name)) == NORMED
