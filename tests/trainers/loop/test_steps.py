"""Optimiser steps: which examples and which moment each of them gets."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.trainers import networks
from tests.trainers.methods.two_phases import TwoPhases, two_phases
from tests.trainers.trials import configuration, run
from trainers.methods.base import Context, Moment, Phase
from trainers.networks.calling import Network
from trainers.tasks.base import Batch, Split, Task

pytestmark = pytest.mark.usefixtures("two_phases_is_registered")


def test_moments_count_over_the_phase_and_over_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Moment] = []
    phases = TwoPhases.phases

    def spied(self: TwoPhases, context: Context) -> tuple[Phase, ...]:
        return tuple(
            dataclasses.replace(phase, after_step=lambda model, context, moment: seen.append(moment))
            for phase in phases(self, context)
        )

    monkeypatch.setattr(TwoPhases, "phases", spied)
    run(two_phases(first_share=0.25, patience=1), tmp_path)
    assert [moment.step for moment in seen] == [*range(9), *range(10, 40)], "a phase that stops early leaves a gap"
    assert [moment.phase_step for moment in seen] == [*range(9), *range(30)]
    assert [moment.progress for moment in seen] == [*(n / 10 for n in range(9)), *(n / 30 for n in range(30))]


def test_every_example_is_seen_once_an_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last, partial batch is left out; the order changes from epoch to epoch and with the seed."""
    seen: list[Tensor] = []

    def loss(network: Network, batch: Batch) -> Tensor:
        seen.append(batch.targets)
        return nn.functional.cross_entropy(network(batch.inputs), batch.targets % 3)

    task = networks.clusters()
    split = Split(inputs=task.train.inputs, targets=torch.arange(96))
    monkeypatch.setattr(networks, "clusters", lambda: Task(**{**vars(task), "train": split, "loss": loss}))
    run(configuration("uncompressed", steps=18, batch_size=10), tmp_path)
    assert [len(batch) for batch in seen] == [10] * 18
    epochs = [torch.cat(seen[:9]).tolist(), torch.cat(seen[9:]).tolist()]
    assert all(len(set(epoch)) == 90 for epoch in epochs)
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (None, r"^augment of the task returned NoneType: wanted a Batch\(inputs, targets\)$"),
        (Batch(None, torch.zeros(2)), "^augment of the task made NoneType of inputs: wanted tensors$"),
    ],
)
def test_changes_that_make_no_batch_are_refused(
    made: Batch | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = networks.clusters()
    monkeypatch.setattr(networks, "clusters", lambda: dataclasses.replace(task, augment=lambda batch, generator: made))
    with pytest.raises(ValueError, match=said):
        run(configuration("uncompressed", steps=2), tmp_path)
