"""Masks that keep the largest weights, and when magnitude pruning makes them."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import nn

from tests.trainers.trials import Attached, attach, configuration
from trainers.compressed import load_compressed
from trainers.methods.base import Moment
from trainers.methods.magnitude import Magnitude, is_pruning, sparsity
from trainers.methods.parts.pruning import Masked, decayed_adam, keep_largest, num_kept, prunable, replaced, stored_bits
from trainers.networks.storable import storable
from trainers.train import train


def at(step: int, num_steps: int) -> Moment:
    return Moment(step=step, phase_step=step, num_phase_steps=num_steps)


def trained(tmp_path: Path, **method: Any) -> dict[str, torch.Tensor]:
    config = configuration("magnitude", method={"name": "magnitude", "steps": [0.01], **method}, steps=12)
    (point,) = train(config, lambda progress: None, tmp_path)
    return load_compressed(point.path).state_dict()


def weights_of(trial: Attached) -> dict[str, nn.Parameter]:
    return prunable(cast(Masked, trial.model).network)


class Tied(nn.Module):
    """A network whose encoder and decoder share a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.encode, self.norm, self.decode = nn.Linear(4, 4), nn.LayerNorm((2, 2)), nn.Linear(4, 4)
        self.decode.weight = self.encode.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.decode(self.norm(self.encode(x).view(-1, 2, 2)).flatten(1))
        return y


@pytest.mark.parametrize("count", [2, 3, 17, 99, 100])
def test_exactly_the_largest_of_all_tensors_are_kept(count: int) -> None:
    generator = torch.Generator().manual_seed(0)
    scores = [torch.randn(8, 10, generator=generator), torch.randn(20, 1, generator=generator)]
    masks = keep_largest(scores, count)
    assert [mask.shape for mask in masks] == [(8, 10), (20, 1)]
    assert sum(int(mask.sum()) for mask in masks) == count
    kept = torch.cat([score[mask].abs() for score, mask in zip(scores, masks, strict=True)])
    lost = torch.cat([score[~mask].abs() for score, mask in zip(scores, masks, strict=True)])
    assert count <= 3 or not len(lost) or kept.min() > lost.max()


def test_of_equal_values_as_many_as_asked_for_are_kept_the_first_before_the_others() -> None:
    (mask,) = keep_largest([torch.tensor([[1.0, -1.0], [1.0, 2.0]])], 3)
    assert mask.tolist() == [[True, True], [False, True]]


def test_every_tensor_keeps_its_largest_weight_however_small() -> None:
    masks = keep_largest([torch.full((5, 5), 100.0), torch.tensor([[1e-9, -1e-8]]), torch.zeros(0, 3)], 4)
    assert [int(mask.sum()) for mask in masks] == [3, 1, 0]
    assert masks[1].tolist() == [[False, True]]
    assert num_kept(1e-9, masks) == 2
    assert num_kept(0.5, masks) == 14  # 13.5 is rounded to even


def test_weights_are_pruned_biases_and_norms_are_not() -> None:
    network = Tied()
    assert list(prunable(network)) == ["encode.weight"]
    with pytest.raises(ValueError, match="has no weights to prune"):
        prunable(nn.LayerNorm((2, 2)))


def test_a_tied_weight_is_one_weight() -> None:
    network = storable(Tied())
    masked = Masked(network)
    masked.prune(keep_largest(list(prunable(network).values()), 5))
    assert network.decode.weight.count_nonzero() == 5
    assert network.decode.weight is network.encode.weight
    state = replaced(network, {"encode.weight": torch.ones(4, 4)})
    assert list(state) == list(network.state_dict())
    assert "decode.weight" not in state
    assert torch.equal(state["encode.weight"], torch.ones(4, 4))
    assert torch.equal(state["decode.bias"], network.decode.bias)


def test_the_size_estimate_is_that_of_positions_and_values() -> None:
    network = nn.Sequential(nn.Linear(64, 8))
    weight = torch.zeros(8, 64)
    weight[0, :64] = 1  # an eighth: H(1/8) = 0.5436 bits
    assert float(stored_bits(network, {"0.weight": weight})) == pytest.approx(512 * 0.5436 + 64 * 4 + 8 * 6, rel=1e-3)
    assert float(stored_bits(network, {"0.weight": torch.zeros(8, 64)})) == 8 * 6
    assert float(stored_bits(network, {"0.weight": torch.ones(8, 64)})) == 512 * 4 + 8 * 6


def test_the_gradual_schedule_is_the_papers_cubic() -> None:
    """Pruning lasts from a tenth of the training to its half: 400 steps, every fourth of which prunes."""
    found = {step + 1: sparsity(at(step, 1000), 0.5, 0.9) for step in range(1000)}
    for done, wanted in {50: 0.0, 100: 0.0, 300: 0.9 * (1 - 0.5**3), 400: 0.9 * (1 - 0.25**3), 500: 0.9}.items():
        assert found[done] == pytest.approx(wanted)
    assert found[1000] == pytest.approx(0.9)
    assert [done for done in found if is_pruning(at(done - 1, 1000), 0.5)] == list(range(104, 501, 4))


@pytest.mark.parametrize("num_steps", [1, 2, 3, 6, 57, 130])
@pytest.mark.parametrize("finetune", [0.0, 0.5, 1.0])
def test_gradual_pruning_ends_at_the_ratio_in_short_trainings_too(num_steps: int, finetune: float) -> None:
    events = [step for step in range(num_steps) if is_pruning(at(step, num_steps), finetune)]
    assert events
    reached = [sparsity(at(step, num_steps), finetune, 0.9) for step in events]
    assert reached[-1] == pytest.approx(0.9)
    assert all(0 < earlier < later for earlier, later in itertools.pairwise(reached))


@pytest.mark.parametrize("schedule", ["one_shot", "gradual"])
@pytest.mark.parametrize("keep_ratio", [0.1, 0.35, 1.0])
def test_the_trained_network_has_the_weights_that_were_asked_for(
    schedule: str, keep_ratio: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Masked] = []
    points = Magnitude.points

    def spy(self: Magnitude, model: Masked, context: Any) -> Any:
        seen.append(model)
        return points(self, model, context)

    monkeypatch.setattr(Magnitude, "points", spy)
    trained(tmp_path, keep_ratio=keep_ratio, schedule=schedule)
    weights = prunable(seen[0].network)
    wanted = round(keep_ratio * (16 * 8 + 8 * 3))
    assert sum(int(weight.count_nonzero()) for weight in weights.values()) == wanted
    assert sum(int(mask.sum()) for mask in seen[0].masks().values()) == wanted
    assert seen[0].network.get_parameter("1.bias").all()


def test_a_smaller_ratio_gives_a_smaller_file_for_both_schedules(tmp_path: Path) -> None:
    for schedule in ("one_shot", "gradual"):
        sizes = []
        for ratio in (0.1, 0.3, 0.9):
            method = {"name": "magnitude", "keep_ratio": ratio, "schedule": schedule, "steps": [0.1]}
            architecture = {"name": "mlp", "hidden": [30]}
            config = configuration("magnitude", method=method, architecture=architecture, steps=12)
            sizes.append(train(config, lambda progress: None, tmp_path / f"{schedule}{ratio}")[0].size_bytes)
        assert sizes == sorted(set(sizes))


def test_one_shot_prunes_the_smallest_weights_of_what_was_trained_and_keeps_the_rest_as_it_is() -> None:
    trial = attach(
        configuration("magnitude", method={"name": "magnitude", "keep_ratio": 0.25, "schedule": "one_shot"}), noise=0.3
    )
    before = {name: weight.detach().clone() for name, weight in weights_of(trial).items()}
    _, finetune = trial.method.phases(trial.context)
    decision = finetune.decide(trial.model, trial.context)
    assert sum(decision.values()) == 38
    finetune.apply(trial.model, decision)
    together = torch.cat([tensor.flatten().abs() for tensor in before.values()])
    threshold = together.sort(descending=True).values[37]
    for name, weight in weights_of(trial).items():
        assert torch.equal(weight, before[name] * (before[name].abs() >= threshold))


def test_pruned_weights_stay_zero_while_the_others_train() -> None:
    trial = attach(
        configuration("magnitude", method={"name": "magnitude", "keep_ratio": 0.25, "schedule": "one_shot"}), noise=0.3
    )
    _, finetune = trial.method.phases(trial.context)
    model = finetune.apply(trial.model, finetune.decide(trial.model, trial.context))
    before = {name: weight.detach().clone() for name, weight in weights_of(trial).items()}
    (optimiser,) = finetune.optimisers(model, 10)
    for step in range(3):
        finetune.loss(model, trial.batch, trial.context, at(step, 10)).backward()
        optimiser.optimiser.step()
        finetune.after_step(model, trial.context, at(step, 10))
    for name, weight in weights_of(trial).items():
        assert not weight[before[name] == 0].any()
        assert (weight != before[name])[before[name] != 0].any()


def test_weights_decay_by_the_learning_rate_and_nothing_else_does() -> None:
    network = nn.Sequential(nn.Linear(3, 2))
    nn.init.ones_(network[0].bias)
    before = network[0].weight.detach().clone()
    optimiser = decayed_adam(network, 0.1, 0.5, 10)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.optimiser.step()
    assert torch.allclose(network[0].weight, before * (1 - 0.1 * 0.5))
    assert torch.equal(network[0].bias, torch.ones(2))
    decayed, network[0].weight.grad = network[0].weight.detach().clone(), None
    optimiser.optimiser.step()
    assert torch.equal(network[0].weight, decayed), "frozen"


@pytest.mark.parametrize(
    ("field", "value"),
    [("keep_ratio", 0), ("keep_ratio", 1.1), ("schedule", "late"), ("finetune", 1.5), ("weight_decay", -1),
     ("learning_rate", 0), ("steps", [])],
)  # fmt: skip
def test_fields_are_checked(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{field} is "):
        Magnitude(**{"keep_ratio": 0.1, field: value})


def test_without_a_step_the_given_network_is_pruned_at_once_whichever_the_schedule(tmp_path: Path) -> None:
    gradual = configuration("magnitude", steps=0)
    at_once = configuration("magnitude-one-shot", steps=0)
    found = [train(one, lambda progress: None, tmp_path / one.config_hash) for one in (gradual, at_once)]
    files = [[Path(point.path) for point in points] for points in found]
    for one, other in zip(*files, strict=True):
        decoded, wanted = load_compressed(one).state_dict(), load_compressed(other).state_dict()
        assert all(torch.equal(decoded[name], tensor) for name, tensor in wanted.items())
    weights = [tensor for tensor in load_compressed(files[0][0]).state_dict().values() if tensor.ndim > 1]
    num_nonzero, num = (
        sum(int(count) for count in counts)
        for counts in zip(*((w.count_nonzero(), w.numel()) for w in weights), strict=True)
    )
    assert 0 < num_nonzero <= gradual.method.arguments["keep_ratio"] * num + 1
