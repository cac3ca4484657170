"""How coresets of hidden units are drawn, and that units once removed stay removed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import nn

from tests.trainers.trials import FIRST, Attached, attach, configuration
from trainers.compressed import load_compressed
from trainers.hidden_units import Role
from trainers.methods.coreset import Coreset, Thinned, largest, sample
from trainers.methods.parts.sensitivities import sensitivities
from trainers.methods.parts.structured import along
from trainers.train import train


def thinned(**method: Any) -> tuple[Attached, nn.Module]:
    """A network right after its units were chosen."""
    trial = attach(configuration("coreset", method={"name": "coreset", "keep_ratio": 0.25, **method}), noise=0.3)
    _, finetune = trial.method.phases(trial.context)
    torch.manual_seed(0)
    return trial, finetune.apply(trial.model, finetune.decide(trial.model, trial.context))


def test_the_largest_are_kept_and_the_first_of_equal_ones() -> None:
    assert largest(torch.tensor([1.0, 5.0, 0.0, 5.0, 1.0]), 3) == {"0": 1.0, "1": 1.0, "3": 1.0}


def test_samples_are_unbiased() -> None:
    """Averaged over many draws, the next layer reads what it read from all units."""
    torch.manual_seed(0)
    scores = torch.rand(20) + 0.1
    draws = [sample(scores, 5) for _ in range(4000)]
    assert all(1 <= len(draw) <= 5 for draw in draws)
    mean = torch.tensor([sum(draw.get(str(unit), 0.0) for draw in draws) / len(draws) for unit in range(20)])
    assert torch.allclose(mean, torch.ones(20), atol=0.25)
    assert abs(float(mean.mean()) - 1) < 0.02


def test_units_without_sensitivity_are_never_drawn_unless_there_are_no_others() -> None:
    torch.manual_seed(0)
    assert all("1" not in sample(torch.tensor([1.0, 0.0, 2.0]), 2) for _ in range(50))
    assert sample(torch.zeros(3), 2)


def test_units_that_stay_are_as_they_were_and_the_others_are_gone_wherever_they_are_used() -> None:
    trial, model = thinned()
    network, (group,) = cast(Thinned, model).network, trial.context.groups
    (kept,) = cast(Thinned, model).kept()
    assert int(kept.sum()) == 2
    scores = sensitivities(trial.given, group)
    assert scores[kept].min() > scores[~kept].max()
    for axis in group.axes:
        before, after = trial.given[axis.tensor], network.state_dict()[axis.tensor]
        mask = along(kept, axis, after.shape).expand_as(after)
        assert torch.equal(after, before * mask)
        assert before[~mask].any()


def test_sampled_units_are_read_with_their_factors() -> None:
    trial, model = thinned(choose="sample", keep_ratio=0.5)
    (group,) = trial.context.groups
    torch.manual_seed(0)
    factors = sample(sensitivities(trial.given, group), 4)
    state = cast(Thinned, model).network.state_dict()
    (reader,) = [axis for axis in group.axes if axis.role is Role.READER]
    for unit in range(group.num_units):
        wanted = trial.given[reader.tensor][:, unit] * factors.get(str(unit), 0.0)
        torch.testing.assert_close(state[reader.tensor][:, unit], wanted)


def test_units_that_are_gone_stay_so_while_the_others_train() -> None:
    trial, model = thinned()
    before = {name: tensor.clone() for name, tensor in cast(Thinned, model).network.state_dict().items()}
    finetune = trial.method.phases(trial.context)[1]
    (optimiser,) = finetune.optimisers(model, 10)
    for _ in range(3):
        finetune.loss(model, trial.batch, trial.context, FIRST).backward()
        optimiser.optimiser.step()
        finetune.after_step(model, trial.context, FIRST)
    state = cast(Thinned, model).network.state_dict()
    for axis in trial.context.groups[0].axes:
        after = state[axis.tensor]
        gone = ~along(cast(Thinned, model).kept()[0], axis, after.shape).expand_as(after)
        assert not after[gone].any()
        assert (after != before[axis.tensor])[~gone].any()


@pytest.mark.parametrize(("keep_ratio", "wanted"), [(0.01, 1), (0.5, 4), (1.0, 8)])
def test_the_decoded_network_has_as_many_units_as_were_asked_for(
    keep_ratio: float, wanted: int, tmp_path: Path
) -> None:
    method = {"name": "coreset", "keep_ratio": keep_ratio, "steps": [0.01]}
    (point,) = train(configuration("coreset", method=method, steps=12), lambda progress: None, tmp_path)
    state = load_compressed(point.path).state_dict()
    assert int(state["1.weight"].any(dim=1).sum()) == wanted
    assert int(state["3.weight"].any(dim=0).sum()) == wanted


def test_a_smaller_ratio_gives_a_smaller_file(tmp_path: Path) -> None:
    sizes = []
    for ratio in (0.1, 0.4, 1.0):
        method = {"name": "coreset", "keep_ratio": ratio, "steps": [0.1]}
        architecture = {"name": "mlp", "hidden": [30]}
        config = configuration("coreset", method=method, architecture=architecture, steps=4)
        sizes.append(train(config, lambda progress: None, tmp_path / str(ratio))[0].size_bytes)
    assert sizes == sorted(set(sizes))


def test_a_network_without_hidden_units_is_refused_in_one_line(tmp_path: Path) -> None:
    config = configuration("coreset", architecture={"name": "mlp", "hidden": []})
    with pytest.raises(ValueError, match=r"^the network has no hidden units to remove: [^\n]*$"):
        train(config, lambda progress: None, tmp_path)


@pytest.mark.parametrize(
    ("field", "value"),
    [("keep_ratio", 0), ("keep_ratio", 1.1), ("choose", "all"), ("finetune", 1.5), ("learning_rate", 0), ("steps", [])],
)
def test_fields_are_checked(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{field} is "):
        Coreset(**{"keep_ratio": 0.1, field: value})
