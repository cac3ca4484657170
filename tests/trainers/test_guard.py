"""A file that does not hold the network that was trained fails the trial."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.trainers.networks import CLUSTERS
from tests.zoo import NETWORKS
from trainers import examination
from trainers.coding import container
from trainers.config import TrialConfig
from trainers.guard import StoredWronglyError
from trainers.networks.norms import batch_norms
from trainers.train import train


def config(architecture: str, method: dict[str, Any]) -> TrialConfig:
    return TrialConfig.from_dict(
        {"task": CLUSTERS, "architecture": {"name": architecture}, "method": method, "steps": 6, "batch_size": 32}
    )


def run(architecture: str, tmp_path: Path, **method: Any) -> None:
    train(config(architecture, method or {"name": "ptq", "bits": 16}), lambda progress: None, tmp_path)


@pytest.mark.parametrize("network", ["offset_norm", "reads_statistics", "functional_norm"])
def test_a_norm_that_was_folded_though_it_may_not_be_is_noticed(
    network: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examination, "foldable", lambda model, inputs: frozenset(batch_norms(model)))
    monkeypatch.setattr(examination, "_known", {})
    said = (
        "^point: the network decoded from the file does not compute what the trained one does: outputs differ by .*, "
    )
    with pytest.raises(StoredWronglyError, match=f"{said}first in module '"):
        run(NETWORKS[network], tmp_path)
    assert not list(tmp_path.glob("point*"))


def test_a_tensor_that_the_coder_got_wrong_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take_apart = container.take_apart

    def wrong(data: bytes, layout: container.Layout, **shown: Any) -> container.Contents:
        contents = take_apart(data, layout, **shown)
        contents.sections.tensors["1.weight"].values.flat[0] += 30000
        return contents

    monkeypatch.setattr(container, "take_apart", wrong)
    with pytest.raises(StoredWronglyError, match="outputs differ"):
        run("mlp", tmp_path)


class Remembering(nn.Module):
    """Its outputs hang on how often it was trained, which no buffer tells."""

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(num_inputs, num_outputs)
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += self.training
        y: Tensor = self.linear(x.flatten(1))
        return y * (1 + 0.1 * self.calls)


def remembering(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return Remembering(torch.Size(input_shape).numel(), num_outputs)


def test_what_a_network_remembers_outside_of_its_buffers_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(StoredWronglyError, match="outputs differ"):
        run(f"{__name__}:remembering", tmp_path, name="uncompressed")


def test_the_decoded_network_is_built_under_other_random_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were the examination to miss what is drawn when a network is built, the guard would not."""
    monkeypatch.setattr("trainers.preparation.examine", lambda *given: examination.Examined(
        macs=1, fewest=1, groups=(), kept_norms=frozenset(), written=frozenset()))  # fmt: skip
    with pytest.raises(StoredWronglyError, match="outputs differ"):
        run(f"{__name__}:shuffling", tmp_path, name="uncompressed")


class Shuffling(nn.Module):
    """Shuffles its inputs, in an order that is drawn when it is built."""

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__()
        self.order = torch.randperm(num_inputs, device="cpu").tolist()
        self.linear = nn.Linear(num_inputs, num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear(x.flatten(1)[:, self.order])
        return y


def shuffling(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return Shuffling(torch.Size(input_shape).numel(), num_outputs)
