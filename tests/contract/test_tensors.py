"""Settings of single weights, of every method that rounds trained weights: a step or bits of their own, or none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.trainers.trials import configuration, method_arguments
from trainers.compressed import load_compressed
from trainers.config import Spec, TrialConfig
from trainers.methods import METHODS
from trainers.methods.parts import tensor_settings
from trainers.preparation import Prepared, prepare
from trainers.train import train

COARSE: dict[str, dict[str, Any]] = {
    "coreset": {"steps": [1.0]},
    "ecq": {"steps": [1.0]},
    "ecq-network": {"steps": [1.0], "unit": "network", "recalibrate": True},
    "espn": {"steps": [1.0]},
    "lcs": {"levels": [1.0], "steps": [1.0]},
    "low_rank": {"steps": [1.0]},
    "magnitude": {"steps": [1.0]},
    "multi_hashing": {"steps": [1.0]},
    "obs": {"steps": [1.0]},
    "obs-one-pass": {"steps": [1.0], "propagation": 0.0},
    "ptq": {"bits": 2},
    "qat": {"bits": "ternary"},
    "spike_slab": {"cuts": [0.5], "steps": [16.0]},
    "str": {"steps": [1.0]},
}
"""Settings that round coarsely."""
FINE: dict[str, dict[str, Any]] = {"ptq": {"bits": 12}, "qat": {"bits": 8}, "multi_hashing": {}}
"""What one weight then has instead, where that is no step."""
WITHOUT_SKIP = {"lcs"}
PRUNING = {"espn", "magnitude", "str"}


def fine(method: str) -> dict[str, Any]:
    return FINE.get(method, {"step": 0.01})


def trial_of(variant: str, tensors: dict[str, dict[str, Any]]) -> tuple[TrialConfig, Prepared]:
    method = variant.partition("-")[0]
    arguments = {**method_arguments(method), **COARSE[variant], "tensors": tensors}
    config = configuration("uncompressed", "normed", method={"name": method, **arguments}, steps=6)
    return config, prepare(config, torch.device("cpu"))


def stored(trial: Prepared) -> dict[str, Tensor]:
    model = trial.method.attach(trial.model, trial.context)
    for phase in trial.method.phases(trial.context):
        if phase.name.startswith("quantised"):  # what qat begins with
            model = phase.apply(model, None)
    _, sections = next(iter(trial.method.points(model, trial.context)))
    return trial.method.decode(sections, trial.context.plain)


def weights_of(trial: Prepared) -> list[str]:
    return [name for name, parameter in trial.context.plain.named_parameters() if parameter.ndim > 1]


def test_every_method_that_rounds_trained_weights_has_them() -> None:
    own = {"epr", "uncompressed"}  # the first has settings of its latents, the second does not round
    assert {name.partition("-")[0] for name in COARSE} == set(METHODS) - own


@pytest.mark.parametrize("variant", COARSE)
def test_a_weight_has_its_own_precision_or_is_kept_as_float16(variant: str) -> None:
    method = variant.partition("-")[0]
    _, trial = trial_of(variant, {})
    *_, first, last = weights_of(trial)
    given = {name: tensor.clone() for name, tensor in trial.model.state_dict().items()}
    coarse = stored(trial)
    tensors = {} if method in WITHOUT_SKIP else {first: {"skip": True}}
    tensors |= {last: fine(method)} if fine(method) else {}
    _, trial = trial_of(variant, tensors)
    found = stored(trial)
    if method not in WITHOUT_SKIP:
        assert torch.equal(found[first], given[first].half().float())
        assert not torch.equal(coarse[first], found[first])
    if fine(method):
        assert (found[last] - given[last]).norm() < 0.2 * (coarse[last] - given[last]).norm()


@pytest.mark.parametrize("variant", COARSE)
def test_a_training_with_them_stores_what_it_trained(variant: str, tmp_path: Path) -> None:
    method = variant.partition("-")[0]
    *_, first, last = weights_of(trial_of(variant, {})[1])
    tensors = {} if method in WITHOUT_SKIP else {first: {"skip": True}}
    config, _ = trial_of(variant, {**tensors, **({last: fine(method)} if fine(method) else {})})
    for point in train(config, lambda progress: None, tmp_path):  # the guard compares what is stored
        weight = load_compressed(point.path, allow_import=True).state_dict()[first]
        if method not in WITHOUT_SKIP:
            assert torch.equal(weight, weight.half().float())
        if method in PRUNING:
            assert weight.count_nonzero() == weight.numel()


@pytest.mark.parametrize("method", sorted({name.partition("-")[0] for name in COARSE}))
def test_a_wrong_setting_or_pattern_is_refused_in_one_line(method: str) -> None:
    setting = fine(method) if method in WITHOUT_SKIP else {"skip": True}
    for tensors, said in (
        ({"none.*": setting}, "fits none of the network's tensors"),
        ({"*": setting, "*.weight": setting}, "never counts"),
    ):
        _, trial = trial_of(method, tensors)
        with pytest.raises(ValueError, match=said):
            trial.method.attach(trial.model, trial.context)
    wrong: list[dict[str, dict[str, Any]]] = [{"*": {"skip": False}}, {"*": {"stap": 1}}]
    for tensors in [*wrong, *({"*": {key: 0}} for key in fine(method))]:
        with pytest.raises(ValueError, match="tensors"):
            trial_of(method, tensors)
    assert tensor_settings.is_skipped({"a.*": {"skip": True}}, "a.b")
    assert Spec.from_dict("method", {"name": method, "tensors": {}}).arguments == {"tensors": {}}


@pytest.mark.parametrize(
    ("method", "tensors", "said"),
    [
        ("lcs", {"*": {"skip": True}}, "tensors: '*': skip is True: the file of all levels rounds"),
        ("multi_hashing", {"*": {"step": 0.1}}, "tensors: '*' has no setting 'step'"),
        ("qat", {"*": {"step": 0.1}}, "tensors: '*' has no setting 'step'"),
    ],
)
def test_a_setting_that_means_nothing_to_a_method_is_refused(method: str, tensors: Any, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        trial_of(method, tensors)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_weights_may_not_be_skipped_where_some_must_be_pruned() -> None:
    for method in sorted(PRUNING):
        _, trial = trial_of(method, {"*": {"skip": True}})
        with pytest.raises(ValueError, match="neither frozen nor skipped"):
            trial.method.attach(trial.model, trial.context)


def test_settings_have_no_effect_on_the_levels_of_bits_and_are_refused() -> None:
    with pytest.raises(ValueError, match=r"tensors is .* which has no effect where compression is 'quantised'"):
        METHODS["lcs"](compression="quantised", tensors={"*": {"step": 0.1}})  # type: ignore[call-arg]
    METHODS["lcs"](compression="quantised", tensors={})  # type: ignore[call-arg]
