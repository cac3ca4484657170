"""A training of zero steps stores the network that it is given, or is refused before anything runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.trainers.networks import NORMED, clusters
from tests.trainers.state_files import message_of, saved
from tests.trainers.trials import VARIANTS, architecture_of, configuration, run
from trainers.compressed import load_compressed
from trainers.config import TrialConfig
from trainers.instantiate import check_steps, make_method
from trainers.loop.phases import Trained
from trainers.loop.steps import Steps
from trainers.methods import METHODS
from trainers.points import PointStore
from trainers.preparation import prepare
from trainers.rehearsal import rehearse
from trainers.train import train

PASSING = {
    name
    for name, settings in VARIANTS.items()
    if any("path" in str(one) or "size" in str(one) for one in settings.values())
}


def given() -> dict[str, torch.Tensor]:
    """A network with batch norms that have seen data, and with values that arithmetic would not leave alone."""
    torch.manual_seed(5)
    network = prepare(configuration("uncompressed", "normed"), torch.device("cpu")).model.train()
    for _ in range(3):
        network(1 + 2 * torch.randn(16, 1, 4, 4))
    state = dict(network.state_dict())
    state["0.weight"].view(-1)[:2] = torch.tensor([-0.0, 1e-42])
    state["1.weight"].uniform_(0.5, 2)
    state["1.bias"].normal_()
    return state


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Trained]]:
    """What is stored, of trainings that must not take a step."""
    found: list[Trained] = []
    store = PointStore.store
    monkeypatch.setattr(Steps, "take", lambda *given: pytest.fail("a step was taken"))
    monkeypatch.setattr(PointStore, "store", lambda self, points, one: (found.append(one), store(self, points, one))[1])
    yield found
    for trained in found:
        assert all(parameter.grad is None for parameter in trained.model.parameters())


def config_of(name: str, folder: Path) -> TrialConfig:
    source = saved(given(), folder / "given.pt")
    return configuration(name, "normed", steps=0, init_from=str(source))


@pytest.mark.parametrize("name", VARIANTS)
def test_without_a_step_a_method_stores_what_it_is_given_or_is_refused_as_it_says(
    name: str, tmp_path: Path, untrained: list[Trained]
) -> None:
    config = config_of(name, tmp_path)
    method = config.method.name
    if METHODS[method].learns or name in PASSING:
        said = message_of(lambda: check_steps(config))
        assert said.startswith(f"steps is 0, and method {method!r} ")
        assert message_of(lambda: train(config, print, tmp_path / "trial")) == said
        assert not (tmp_path / "trial").exists()
        return
    rehearse(config, clusters())
    files, reports = run(config, tmp_path / "first")
    resumed, _ = run(config, tmp_path / "first")  # from its checkpoint, where it decided something
    again, _ = run(config, tmp_path / "again")
    assert len(files) == make_method(config.method).num_points
    assert files == resumed == again
    assert not reports
    assert [trained.num_steps for trained in untrained] == [0, 0, 0]


def test_the_file_of_uncompressed_has_every_bit_that_was_given(tmp_path: Path, untrained: list[Trained]) -> None:
    config = config_of("uncompressed", tmp_path)
    assert config.architecture.name == NORMED
    (point,) = train(config, print, tmp_path)
    decoded, wanted = load_compressed(point.path, architecture=architecture_of(config)).state_dict(), given()
    assert list(decoded) == list(wanted)
    assert "1.running_var" in wanted
    assert wanted["1.num_batches_tracked"] == 3
    for name, tensor in wanted.items():
        assert decoded[name].dtype == tensor.dtype
        assert decoded[name].numpy().tobytes() == tensor.numpy().tobytes(), name
    assert (point.num_steps, point.train_s) == (0, 0.0)


def test_modifiers_of_a_training_without_steps_are_refused(tmp_path: Path) -> None:
    config = configuration("uncompressed", steps=0, modifiers={"unit_sphere": {}})
    said = "steps is 0, and modifier 'unit_sphere' changes only how a network is trained: wanted steps, or no modifiers"
    assert message_of(lambda: train(config, print, tmp_path)) == said
