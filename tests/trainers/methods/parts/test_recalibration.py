"""Batch-norm statistics that are measured anew, and stored for each level."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from torch import Tensor, nn

from tests.trainers.methods.contexts import context_of
from tests.trainers.methods.subspaces import KINDS, apart
from trainers.data.examples import few
from trainers.methods.parts.recalibration import recalibrate


def test_recalibrated_statistics_are_means_over_whole_training_batches() -> None:
    inputs = torch.randn(10, 3)
    context = context_of(nn.Identity(), inputs, batch_size=4)
    model = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(3, momentum=0.3), nn.Dropout(0.5), nn.BatchNorm1d(3))
    model.train()
    norm = cast(nn.BatchNorm1d, model[1])
    norm.running_mean = torch.full((3,), 7.0)
    for _ in range(2):  # what was there before does not matter
        recalibrate(model, context)
        wanted = torch.stack([inputs[:4].mean(0), inputs[4:8].mean(0)]).mean(0)
        torch.testing.assert_close(norm.running_mean, wanted)
        torch.testing.assert_close(norm.running_var, torch.stack([inputs[:4].var(0), inputs[4:8].var(0)]).mean(0))
    assert norm.momentum == 0.3
    constant = torch.cat([inputs[:, :1], torch.full((10, 1), 0.1), torch.zeros(10, 1)], dim=1)
    recalibrate(model, context_of(model, constant, batch_size=4))
    assert norm.running_var.tolist()[1:] == [1, 1], "of channels that are constant"
    assert all(module.training for module in model.modules())


def test_long_splits_are_sampled_evenly() -> None:
    _, _, context = apart("unstructured", "normed")
    seen: list[int] = []

    class Watching(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            seen.append(int(inputs[0, 0]))
            return inputs

    context = context_of(
        nn.Identity(), torch.arange(9.0).repeat_interleave(1000)[:, None].expand(-1, 2), batch_size=1000
    )
    model = nn.Sequential(Watching(), nn.BatchNorm1d(2))
    recalibrate(model, context)
    assert seen == [0, 3, 6]
    seen.clear()
    recalibrate(Watching(), context)
    assert not seen, "there are no batch norms"


@pytest.mark.parametrize("kind", KINDS)
def test_each_level_is_stored_with_statistics_of_its_own(kind: str) -> None:
    subspace, chosen, context = apart(kind, "normed", **({} if kind == "quantised" else {"steps": [0.01]}))
    inputs, _ = few(context.train, context.num_train)
    scales: list[Tensor] = []
    for point_id, sections in chosen.points(subspace, context):
        if point_id == "subspace":
            continue
        decoded = chosen.decode(sections, context.plain)
        level = chosen.all_levels[len(scales)]
        values = subspace.baked(level, context)
        outputs = torch.conv2d(inputs, values["0.weight"], padding=1)
        variance = outputs.var(dim=(0, 2, 3), correction=1)
        deviation = torch.where(variance > 1e-8, variance, 1).sqrt()  # a constant channel keeps its scale
        torch.testing.assert_close(decoded["1.weight"], values["1.weight"] / deviation, rtol=0.1, atol=0.05)
        scales.append(decoded["1.weight"])
    assert not torch.allclose(scales[0], scales[-1], rtol=0.05)
