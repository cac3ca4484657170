"""Every method stores odd networks as they were trained, or refuses them before anything is trained."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.contract.taken import KINDS, REFUSED
from tests.trainers.networks import CLUSTERS
from tests.trainers.trials import architecture_of
from tests.zoo import NETWORKS
from trainers.compressed import load_compressed
from trainers.config import TrialConfig
from trainers.loop.checkpoint import CheckpointFile
from trainers.loop.phases import run_phases
from trainers.loop.training import Training
from trainers.methods import METHODS
from trainers.methods.base import Context
from trainers.methods.parts.recalibration import recalibrate
from trainers.methods.spike_slab import Posterior
from trainers.points import PointStore
from trainers.preparation import prepare
from trainers.train import train

FINE = [0.01]
FINEST: dict[str, dict[str, Any]] = {
    "coreset": {"keep_ratio": 0.5, "steps": FINE},
    "ecq": {"steps": FINE},
    "epr": {"lam": 0.0, "initial_step": 0.01, "norm_step": 0.001},
    "espn": {"keep_ratio": 1.0, "alpha": 0.0, "steps": FINE},
    "lcs": {"levels": [1.0], "steps": FINE},
    "low_rank": {"ratio": 0.5, "steps": FINE},
    "magnitude": {"keep_ratio": 1.0, "steps": FINE},
    "multi_hashing": {"fraction": 0.5, "steps": FINE},
    "obs": {"steps": FINE},
    "ptq": {"bits": 16},
    "qat": {"bits": 8},
    "spike_slab": {"kl_weight": 0.1, "cuts": [0.5], "steps": FINE},
    "str": {"threshold_decay": 0.0, "steps": FINE},
    "uncompressed": {},
}
"""The setting of each method at which its files are nearest to what was trained."""


def configuration_of(network: str, method: str, settings: dict[str, Any]) -> TrialConfig:
    return TrialConfig.from_dict(
        {
            "task": CLUSTERS,
            "architecture": {"name": NETWORKS[network]},
            "method": {"name": method, **settings},
            "steps": 12,
            "batch_size": 32,
        }
    )


def test_there_is_a_finest_setting_for_each_method_and_a_kind_for_each_network() -> None:
    assert set(FINEST) == set(METHODS)
    assert set().union(*KINDS.values()) == set(NETWORKS)


@pytest.mark.parametrize("method", FINEST)
@pytest.mark.parametrize("network", NETWORKS)
def test_what_is_stored_is_what_was_trained(network: str, method: str, tmp_path: Path) -> None:
    config = configuration_of(network, method, FINEST[method])
    trial = prepare(config, torch.device("cpu"))
    if message := REFUSED.get((network, method)):
        with pytest.raises(ValueError, match=message):
            trial.method.attach(trial.model, trial.context)
        return
    model = trial.method.attach(trial.model, trial.context)
    training = Training(
        config=config,
        task=trial.task,
        method=trial.method,
        context=trial.context,
        modifications=[],
        report=lambda progress: None,
    )
    trained = run_phases(training, model, CheckpointFile(tmp_path / "checkpoint.pt", interval_s=1e9))
    inputs = trial.task.test.inputs
    wanted = _outputs(trained.model, trial.context, inputs)
    store = PointStore(trial, config, tmp_path, sweep_id="", trial_id="")
    store.store(trial.method.points, trained)
    for point in store.points:
        found = load_compressed(point.path, architecture=architecture_of(config))(inputs).detach().float()
        assert (found - wanted).abs().max() < 0.1 * wanted.abs().max()


@torch.no_grad()
def _outputs(model: nn.Module, context: Context, inputs: Tensor) -> Tensor:
    """What the trained network computes, with its batch norms measured anew, as some methods do for every file."""
    if isinstance(model, Posterior):
        model.network.load_state_dict(model.measured(0.5, context))
    else:
        recalibrate(model, context)
    outputs: Tensor = model.eval()(inputs).float()
    return outputs


@pytest.mark.parametrize("method", FINEST)
def test_frozen_weights_are_kept_up_to_rounding(method: str, tmp_path: Path) -> None:
    """Also where other weights are pruned, removed or made of factors."""
    settings = {name: value for name, value in FINEST[method].items() if name in ("steps", "bits", "cuts", "alpha")}
    sparse = {"keep_ratio": 0.3, "threshold_decay": 3.0, "levels": [0.3, 1.0], "fraction": 0.1, "lam": 1.0}
    sparse |= {"kl_weight": 5.0, "ratio": 0.3}
    fields = {one.name for one in dataclasses.fields(METHODS[method])}
    settings |= {name: value for name, value in sparse.items() if name in fields}
    config = configuration_of("frozen_backbone", method, settings)
    given = prepare(config, torch.device("cpu")).model.state_dict()["0.1.weight"].clone()
    for point in train(config, lambda progress: None, tmp_path):
        decoded = load_compressed(point.path, architecture=architecture_of(config)).state_dict()["0.1.weight"]
        # hidden units may be in another order
        found, wanted = (values.flatten().sort().values for values in (decoded, given))
        assert (found - wanted).norm() < 0.05 * wanted.norm()
