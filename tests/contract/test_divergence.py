"""What every registered compression method promises about NaN and infinity: no file holds them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainers.trials import ARCHITECTURES, EARLY_POINTS, VARIANTS, attach, built_by, configuration, run
from trainers.coding import container
from trainers.divergence import DivergedError
from trainers.loop.phases import Trained, run_phases
from trainers.train import train

pytestmark = pytest.mark.parametrize("name", VARIANTS)


@pytest.mark.parametrize("architecture", ["mlp", "normed"])
def test_nan_is_refused_and_nothing_is_written(
    name: str, architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ends_in_nan(*given: Any) -> Trained:
        trained = run_phases(*given)
        with torch.no_grad():
            for parameter in trained.model.parameters():
                parameter.fill_(math.nan)
        return trained

    monkeypatch.setattr("trainers.train.run_phases", ends_in_nan)
    with pytest.raises(ValueError, match="NaN"):
        run(configuration(name, architecture), tmp_path)
    assert {path.stem for path in tmp_path.glob("*.rfz")} == set(EARLY_POINTS.get(name, []))


def test_a_last_update_to_nan_is_a_divergence(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No loss shows it."""
    step = torch.optim.Adam.step
    updates = []

    def explodes_at_last(self: Any, *args: Any) -> Any:
        result = step(self, *args)
        updates.append(self)
        if len(updates) == 6:
            self.param_groups[0]["params"][0].data.view(-1)[0] = math.nan
        return result

    monkeypatch.setattr(torch.optim.Adam, "step", explodes_at_last)
    with pytest.raises(DivergedError, match=r"^parameter '.*' became NaN or infinite by step 6 of 6, in phase"):
        run(configuration(name), tmp_path)
    assert {path.stem for path in tmp_path.glob("*.rfz")} == set(EARLY_POINTS.get(name, []))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_one_bad_value_is_refused_or_is_none_of_what_is_stored(name: str, architecture: str, value: float) -> None:
    config = configuration(name, architecture)
    refused = 0
    for index, _ in enumerate(attach(config).model.state_dict()):
        trial = attach(config)
        tensor = list(trial.model.state_dict().values())[index]
        if not tensor.is_floating_point() or tensor.numel() == 0:
            continue
        with torch.no_grad():
            tensor.view(-1)[-1] = value
        try:
            points = trial.method.points(trial.model, trial.context)
            files = [container.write(trial.header, trial.layout, sections) for _, sections in points]
        except ValueError:
            refused += 1
            continue
        for data in files:
            decoded = trial.method.decode(container.read(data, trial.layout, built_by(config)), trial.context.plain)
            assert all(t.isfinite().all() for t in decoded.values())
    assert refused


def test_a_diverged_training_says_so_and_writes_nothing(name: str, tmp_path: Path) -> None:
    config = configuration(name, task="tests.trainers.networks:exploding")
    with pytest.raises(DivergedError, match="the training loss became nan between steps 0 and 1 of 6, in phase"):
        train(config, lambda progress: pytest.fail("nothing is reported"), tmp_path)
    assert not list(tmp_path.iterdir())
