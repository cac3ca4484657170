"""What must hold before a sweep runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from orchestrator.errors import SweepError
from orchestrator.planning.checks import check_here, check_identity, check_quickly
from orchestrator.planning.study import plan
from orchestrator.search.space import identity
from orchestrator.storage.folder import MemoryFolder
from orchestrator.storage.journal import Journal
from orchestrator.sweep.definition import Sweep
from tests.trainers.networks import CLUSTERS, NORMED, ODD

REFUSED = ("lazy", "stateful", "float8", "complex_buffer", "sparse", "quantised")


def sweep(**changes: Any) -> Sweep:
    return Sweep.from_dict(
        {"task": "digits", "architecture": "mlp", "method": {"name": "epr", "lam": [0.1, 1.0]}, "steps": 3, **changes}
    )


def begun(given: Sweep) -> Journal:
    journal = Journal(MemoryFolder())
    journal.begin_sweep(given.to_yaml())
    return journal


def test_a_sweep_that_mlflow_has_from_here_goes_on() -> None:
    given = sweep()
    journal = begun(given)
    assert journal.instance is not None
    check_identity(given.sweep_id, plan(given), journal, {given.sweep_id: journal.instance, "other": "x"})
    check_identity(given.sweep_id, plan(given), journal, {})


def test_a_sweep_that_mlflow_has_from_elsewhere_is_refused() -> None:
    given = sweep()
    for journal in (begun(given), Journal(MemoryFolder())):
        with pytest.raises(SweepError, match=f"MLflow already has a sweep {given.sweep_id} that is not the one in"):
            check_identity(given.sweep_id, plan(given), journal, {given.sweep_id: "another"})


def test_a_trial_on_disk_must_be_the_planned_one() -> None:
    given = sweep()
    trials, journal = plan(given), begun(given)
    config = trials[0].config.to_dict()
    journal.begin(trials[0].trial_id, config, {})
    check_identity(given.sweep_id, trials, journal, {})
    journal.begin(trials[0].trial_id, {**config, "steps": 4}, {})
    with pytest.raises(SweepError, match=r"trial 0000-epr-s0 in .* has another configuration than planned"):
        check_identity(given.sweep_id, trials, journal, {})


def test_what_can_be_built_here_gives_each_task_once() -> None:
    trials = plan(sweep(architecture=["mlp", "cnn"], seeds=2))
    tasks = check_here(trials)
    assert list(tasks) == [identity({"name": "digits"})]
    assert tasks[identity({"name": "digits"})].quality_name == "accuracy"


def test_a_network_that_the_tasks_inputs_do_not_fit_is_found() -> None:
    deep = {"name": "cnn", "channels": [4] * 5}
    with pytest.raises(ValueError, match="images of 8x8 are too small for 5 poolings: give fewer channels"):
        check_here(plan(sweep(architecture=["mlp", deep])))


@pytest.mark.filterwarnings("ignore:Lazy modules:UserWarning", "ignore:.*quantiz:UserWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_a_network_that_cannot_be_stored_is_found_and_named(name: str) -> None:
    path = f"tests.trainers.architectures.test_base:{name}"
    with pytest.raises(ValueError, match=f"^architecture '{path}': ") as caught:
        check_here(plan(sweep(task=CLUSTERS, architecture=["mlp", path])))
    assert "\n" not in str(caught.value)


def test_a_network_that_does_not_run_is_found_and_named() -> None:
    with pytest.raises(
        ValueError, match=r"^architecture 'lenet5': the architecture does not take inputs of shape \(1, 8, 8\): "
    ):
        check_here(plan(sweep(architecture=["mlp", "lenet5"])))


@pytest.mark.parametrize("name", ["causal_decoder", "returned_parameter", "drop_path", "orthogonal", "routed"])
def test_a_network_that_needs_its_memory_to_be_built_or_run_is_taken(name: str) -> None:
    assert check_here(plan(sweep(task=CLUSTERS, architecture=f"tests.zoo.loading:{name}")))


def test_initial_values_that_do_not_fit_are_found_and_a_part_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torch.save({"1.weight": torch.zeros(300, 64), "fc.weight": torch.zeros(3)}, tmp_path / "net.pt")
    with pytest.raises(
        ValueError, match=r"net.pt is of another network: it lacks 1.bias, 3.weight, 3.bias and 2 more, "
    ):
        check_here(plan(sweep(init_from=f"{tmp_path}/net.pt")))
    check_here(plan(sweep(init_from={"path": f"{tmp_path}/net.pt", "strict": False})))
    (line,) = [record.message for record in caplog.records]
    assert line == (
        f"init_from: {tmp_path}/net.pt has 1 of the network's 6 tensors; 5 keep their initial values, and 1 entries of "
        "the file are left out"
    )


def test_data_that_is_missing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(spec: Any) -> None:
        raise ValueError(f"{spec.name} is unavailable")

    monkeypatch.setattr("trainers.instantiate.make_task", refuse)
    with pytest.raises(ValueError, match="digits is unavailable"):
        check_here(plan(sweep()))


def test_a_network_that_a_method_cannot_compress_is_found_and_both_are_named() -> None:
    """``odd`` has no hidden units that could go."""
    given = sweep(
        task=CLUSTERS,
        architecture=[NORMED, ODD],
        method=["uncompressed", {"name": "coreset", "keep_ratio": [0.3, 0.5]}],
    )
    said = rf"^method 'coreset' on architecture '{ODD}': the network has no hidden units to remove: wanted "
    with pytest.raises(ValueError, match=said):
        check_here(plan(given))


def test_a_quick_check_knows_data_and_networks_and_leaves_the_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainers.rehearsal.rehearse", lambda config, task: pytest.fail("nothing is to be rehearsed"))
    known = check_quickly(plan(sweep(architecture=["mlp", "cnn"], seeds=2)))
    (data,) = known.data.values()
    assert (data.num_train, data.num_validation, data.num_test) == (1097, 300, 400)
    assert [json.loads(network)["name"] for _, network in known.networks] == ["mlp", "cnn"]


def test_a_quick_check_refuses_data_and_networks_as_the_whole_one_does(tmp_path: Path) -> None:
    torch.save({"fc.weight": torch.zeros(3)}, tmp_path / "net.pt")
    for changes in (
        {"architecture": ["mlp", "lenet5"]},
        {"architecture": ["mlp", {"name": "cnn", "channels": [4] * 5}]},
        {"init_from": f"{tmp_path}/net.pt"},
        {"task": CLUSTERS, "architecture": f"{__name__}:projecting"},
    ):
        said = []
        for check in (check_here, check_quickly):
            with pytest.raises(ValueError) as caught:
                check(plan(sweep(**changes)))
            said.append(str(caught.value))
        assert said[0] == said[1]


def test_a_network_whose_file_would_lack_a_random_buffer_is_found() -> None:
    with pytest.raises(
        ValueError, match=r"^a file could not hold architecture '.*:projecting': buffer proj, which is not "
    ):
        check_here(plan(sweep(task=CLUSTERS, architecture=f"{__name__}:projecting")))


class Projecting(nn.Module):
    """Projects its inputs, by a matrix that is drawn when it is built and not stored."""

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__()
        self.register_buffer("proj", torch.randn(num_inputs, num_inputs), persistent=False)
        self.linear = nn.Linear(num_inputs, num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear(x.flatten(1) @ self.proj)
        return y


def projecting(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return Projecting(torch.Size(input_shape).numel(), num_outputs)
