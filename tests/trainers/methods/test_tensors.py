"""Settings of single weights of the methods that round a trained network: a step or bits of their own, or none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.trainers.trials import configuration
from trainers.config import Spec, TrialConfig
from trainers.methods.parts import tensor_settings
from trainers.points import rebuilt
from trainers.preparation import Prepared, prepare
from trainers.train import train

COARSE: dict[str, dict[str, Any]] = {
    "obs": {"steps": [1.0]},
    "obs-one-pass": {"steps": [1.0], "propagation": 0.0},
    "ecq": {"steps": [1.0]},
    "ecq-network": {"steps": [1.0], "unit": "network", "recalibrate": True},
    "ptq": {"bits": 2},
}
FINE = {"obs": {"step": 0.01}, "ecq": {"step": 0.01}, "ptq": {"bits": 12}}


def trial_of(method: str, tensors: dict[str, dict[str, Any]]) -> tuple[TrialConfig, Prepared]:
    arguments = {**COARSE[method], "tensors": tensors}
    config = configuration("uncompressed", "normed", method={"name": method.partition("-")[0], **arguments}, steps=0)
    return config, prepare(config, torch.device("cpu"))


def stored(trial: Prepared) -> dict[str, Tensor]:
    model = trial.method.attach(trial.model, trial.context)
    ((_, sections),) = trial.method.points(model, trial.context)
    return trial.method.decode(sections, trial.context.plain)


@pytest.mark.parametrize("method", COARSE)
def test_a_weight_has_its_own_precision_or_is_kept_as_float16(method: str, tmp_path: Path) -> None:
    _, trial = trial_of(method, {})
    weights = [name for name, parameter in trial.context.plain.named_parameters() if parameter.ndim > 1]
    first, last = weights[0], weights[-1]
    given = {name: tensor.clone() for name, tensor in trial.model.state_dict().items()}
    coarse = stored(trial)
    config, trial = trial_of(method, {first: {"skip": True}, last: FINE[method.partition("-")[0]]})
    found = stored(trial)
    assert torch.equal(found[first], given[first].half().float())
    assert not torch.equal(coarse[first], found[first])
    assert (found[last] - given[last]).norm() < 0.1 * (coarse[last] - given[last]).norm()
    (point,) = train(config, lambda progress: None, tmp_path)  # the guard compares what is stored
    assert point.size_bytes == (tmp_path / f"{point.point_id}.rfz").stat().st_size
    rebuilt(trial, found, seed=0)


@pytest.mark.parametrize("method", ["obs", "ecq", "ptq"])
def test_a_wrong_setting_or_pattern_is_refused_in_one_line(method: str) -> None:
    for tensors, said in (
        ({"none.*": {"skip": True}}, "fits none of the network's tensors"),
        ({"*": {"skip": True}, "*.weight": {"skip": True}}, "never counts"),
    ):
        _, trial = trial_of(method, tensors)
        with pytest.raises(ValueError, match=said):
            trial.method.attach(trial.model, trial.context)
    for wrong in ({"*": {"skip": False}}, {"*": {"stap": 1}}, {"*": {next(iter(FINE[method])): 0}}):
        with pytest.raises(ValueError, match="tensors"):
            trial_of(method, wrong)
    assert tensor_settings.is_skipped({"a.*": {"skip": True}}, "a.b")
    assert Spec.from_dict("method", {"name": method, "tensors": {}}).arguments == {"tensors": {}}
