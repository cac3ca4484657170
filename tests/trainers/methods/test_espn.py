"""How ESPN finds its masks, and how it uses them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import nn

from tests.trainers.trials import FIRST, attach, configuration
from trainers.methods.base import Phase
from trainers.methods.espn import ExtremeSparsePruning, Relaxed, paired_alpha
from trainers.methods.parts.pruning import Masked, prunable
from trainers.train import train


def method(**fields: Any) -> dict[str, Any]:
    return {"name": "espn", "keep_ratio": 0.2, **fields}


def randomise(relaxed: Relaxed) -> None:
    with torch.no_grad():
        for mask in relaxed.masks:
            mask.copy_(torch.rand_like(mask) * 2 - 1)


@pytest.mark.parametrize(("keep_ratio", "authors"), [(0.02, 8e-5), (0.01, 1.5e-4), (0.004, 2.5e-4)])
def test_the_derived_penalty_is_near_those_of_the_authors(keep_ratio: float, authors: float) -> None:
    assert paired_alpha(keep_ratio) == pytest.approx(authors, rel=0.15)


def test_the_loss_is_the_tasks_and_the_penalty_of_the_masks_alone() -> None:
    trial = attach(configuration("espn", method=method(alpha=0.25)), noise=0.3)
    relaxed = cast(Relaxed, trial.model)
    warmup, discover, _ = trial.method.phases(trial.context)
    plain = trial.context.loss(relaxed.network, trial.batch).item()
    assert warmup.loss(relaxed, trial.batch, trial.context, FIRST).item() == pytest.approx(plain)
    with torch.no_grad():
        relaxed.masks[1].fill_(-1.0)  # 24 of 152
    found = discover.loss(relaxed, trial.batch, trial.context, FIRST).item()
    weights = {"1.weight": relaxed.network.get_parameter("1.weight"), "3.weight": -relaxed.network[3].weight}
    product = partial(torch.func.functional_call, relaxed.network, weights)
    task = trial.context.loss(product, trial.batch).item()
    assert found == pytest.approx(task + 0.25 * 152, rel=1e-5)


def test_the_search_ends_when_few_enough_masks_exceed_a_hundredth() -> None:
    trial = attach(configuration("espn", method=method(keep_ratio=0.25)))
    relaxed = cast(Relaxed, trial.model)
    phases = {phase.name: phase for phase in trial.method.phases(trial.context)}
    stop = phases["discover"].stop
    assert not stop(relaxed, trial.context)
    with torch.no_grad():
        for mask in relaxed.masks:
            mask.fill_(0.01)
        relaxed.masks[0].view(-1)[:39] = 0.011  # a quarter of 152 is 38
        relaxed.masks[1].view(-1)[:9] = -5.0  # below zero does not count
    assert not stop(relaxed, trial.context)
    with torch.no_grad():
        relaxed.masks[0].view(-1)[0] = 0.01
    assert stop(relaxed, trial.context)
    assert not phases["warmup"].stop(relaxed, trial.context)
    assert not phases["finetune"].stop(relaxed, trial.context)


def test_a_search_that_is_over_early_takes_no_more_steps(tmp_path: Path) -> None:
    """The penalty is stronger than the task, so each of the 8 steps of the search takes 2.5 / 8 from every mask."""
    config = configuration("espn", method=method(alpha=100.0, mask_pace=2.5), steps=20)
    seen: list[tuple[int, str]] = []
    (*_, point) = train(config, lambda progress: seen.append((progress.step, progress.phase)), tmp_path)
    assert [step for step, phase in seen if phase == "discover"] == [3, 4, 5, 6]
    assert point.num_steps == 2 + 4 + 10
    assert [step for step, phase in seen if phase == "finetune"] == list(range(11, 21))


def decided(then: str, keep_ratio: float = 0.2) -> tuple[dict[str, torch.Tensor], list[torch.Tensor], Masked, Phase]:
    """The early state, the masks, the network after the decision, and the last phase; weights have moved by then."""
    trial = attach(configuration("espn", "normed", method=method(then=then, keep_ratio=keep_ratio)), noise=0.3)
    relaxed = cast(Relaxed, trial.model)
    _, discover, last = trial.method.phases(trial.context)
    discover.apply(relaxed, discover.decide(relaxed, trial.context))
    early = {name: tensor.detach().clone() for name, tensor in relaxed.network.state_dict().items()}
    relaxed.train()(trial.batch[0])  # running statistics move
    with torch.no_grad():
        for parameter in relaxed.network.parameters():
            parameter.add_(1 + torch.rand_like(parameter))
    randomise(relaxed)
    masks = [mask.detach().clone() for mask in relaxed.masks]
    return early, masks, cast(Masked, last.apply(relaxed, last.decide(relaxed, trial.context))), last


@pytest.mark.parametrize("keep_ratio", [0.1, 0.2, 0.5])
def test_the_largest_masks_of_all_layers_are_kept_whatever_their_sign(keep_ratio: float) -> None:
    _, masks, masked, _ = decided("finetune", keep_ratio)
    kept = list(masked.masks().values())
    num_kept = round(keep_ratio * sum(mask.numel() for mask in masks))
    together = torch.cat([mask.abs().flatten() for mask in masks])
    threshold = together.sort(descending=True).values[num_kept - 1]
    assert all(torch.equal(found, mask.abs() >= threshold) for found, mask in zip(kept, masks, strict=True))
    assert any((mask[found] < 0).any() for found, mask in zip(kept, masks, strict=True))


def test_rewinding_restores_the_whole_early_network_where_it_is_kept() -> None:
    early, _, masked, last = decided("rewind")
    assert last.name == "rewind"
    found = masked.network.state_dict()
    kept = masked.masks()
    assert list(kept) == list(prunable(masked.network))
    for name, tensor in early.items():
        assert torch.equal(found[name], tensor * kept[name] if name in kept else tensor)
    assert int(found["1.num_batches_tracked"]) == 0


def test_fine_tuning_goes_on_with_the_products_where_they_are_kept() -> None:
    early, masks, masked, last = decided("finetune")
    assert last.name == "finetune"
    found = masked.network.state_dict()
    kept = masked.masks()
    for (name, mask), real in zip(kept.items(), masks, strict=True):
        assert torch.equal(found[name] != 0, mask)
        assert not torch.allclose(found[name][mask], early[name][mask])
        assert (found[name][mask].sign() == real[mask].sign()).any()
    assert int(found["1.num_batches_tracked"]) == 1


def test_an_early_network_is_kept_only_to_rewind_to_it() -> None:
    names = {then: set(attach(configuration("espn", method=method(then=then))).model.state_dict()) for then in
             ("rewind", "finetune")}  # fmt: skip
    assert names["rewind"] - names["finetune"] == {f"early{index}" for index in range(4)}


def test_without_a_search_the_largest_weights_are_kept() -> None:
    """If all masks are equal, ESPN is magnitude pruning."""
    trial = attach(configuration("espn", method=method(discovery=0.0)), noise=0.3)
    relaxed = cast(Relaxed, trial.model)
    weights = [weight.detach().clone() for weight in prunable(relaxed.network).values()]
    *_, last = trial.method.phases(trial.context)
    masked = cast(Masked, last.apply(relaxed, last.decide(relaxed, trial.context)))
    threshold = torch.cat([weight.abs().flatten() for weight in weights]).sort(descending=True).values[29]
    for mask, weight in zip(masked.masks().values(), weights, strict=True):
        assert torch.equal(mask, weight.abs() >= threshold)


def test_a_tied_weight_has_one_mask_under_both_names() -> None:
    network = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    network[1].weight = network[0].weight
    relaxed = Relaxed(network, rewinds=True)
    randomise(relaxed)
    (mask,) = relaxed.masks
    w = network[0].weight * mask
    x = torch.randn(5, 4)
    assert torch.allclose(relaxed(x), x @ w.T @ w.T, atol=1e-6)


@pytest.mark.parametrize("then", ["finetune", "rewind"])
def test_a_smaller_ratio_gives_a_smaller_file_with_the_weights_that_were_asked_for(
    then: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[int] = []
    points = ExtremeSparsePruning.points

    def spy(self: ExtremeSparsePruning, model: Masked, context: Any) -> Any:
        left.append(sum(int(weight.count_nonzero()) for weight in prunable(model.network).values()))
        return points(self, model, context)

    monkeypatch.setattr(ExtremeSparsePruning, "points", spy)
    sizes = []
    for ratio in (0.1, 0.3, 0.8):
        changes = {"architecture": {"name": "mlp", "hidden": [30]}, "steps": 10}
        config = configuration("espn", method=method(then=then, keep_ratio=ratio, steps=[0.1]), **changes)
        sizes.append(train(config, lambda progress: None, tmp_path / str(ratio))[0].size_bytes)
    assert sizes == sorted(set(sizes))
    assert left == [57, 171, 456]


@pytest.mark.parametrize(
    ("field", "value"),
    [("keep_ratio", 0), ("alpha", "derived"), ("alpha", -1), ("then", "stop"), ("warmup", 2), ("discovery", 0.95),
     ("mask_pace", 0), ("learning_rate", 0), ("steps", [])],
)  # fmt: skip
def test_fields_are_checked(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{field} is "):
        ExtremeSparsePruning(**{"keep_ratio": 0.1, field: value})
