"""Names that MLflow has for settings and measurements; settings are read back as they were."""

from __future__ import annotations

import math
from typing import Any

import pytest

from orchestrator.planning.study import plan
from orchestrator.sweep.file import load_sweep
from orchestrator.sweep.recipes import find_recipe
from orchestrator.tracking.names import configuration_of, metrics_of, params_of, run_name, tags_of
from tests.points import point
from trainers.record import OtherQuality, others_text

CONFIG: dict[str, Any] = {
    "task": {"name": "noisy", "sigma": 1e-12, "shift": -0.0},
    "architecture": {"name": "mlp", "hidden": [16, 8], "bias": False, "activation": "relu"},
    "method": {"name": "ecq", "lam": 0.1, "grid": None, "steps": [1, 2.5], "label": "a(b)"},
    "steps": 100,
    "batch_size": 64,
    "seed": 3,
    "precision": "bfloat16",
    "init_from": "/nets/net.pth@0123",
    "modifiers": {"disout": {"alpha": 5.0, "block": 6}, "unit_sphere": {}},
}


def without_seed(config: dict[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in config.items() if key != "seed"}


def test_the_configuration_comes_back_from_the_parameters() -> None:
    params = params_of(CONFIG)
    assert all(isinstance(text, str) for text in params.values())
    assert configuration_of(params) == without_seed(CONFIG)


def test_what_is_taken_of_a_file_comes_back() -> None:
    config = CONFIG | {"init_from": {"path": "/nets/net.pth#sha256=0123", "key": "ema", "strict": False}}
    params = params_of(config)
    assert params["init_from"] == '{"path": "/nets/net.pth#sha256=0123", "key": "ema", "strict": false}'
    assert configuration_of(params) == without_seed(config)


def test_a_configuration_without_what_is_rarely_said_comes_back_without_it() -> None:
    rarely = ("precision", "init_from", "modifiers")
    plain = {key: item for key, item in CONFIG.items() if key not in rarely}
    assert configuration_of(params_of(plain)) == without_seed(plain)


@pytest.mark.parametrize("recipe", ["digits", "methods_digits"])
def test_every_trial_of_a_recipe_comes_back(recipe: str) -> None:
    for trial in plan(load_sweep(find_recipe(recipe))):
        config = trial.config.to_dict()
        assert configuration_of(params_of(config)) == without_seed(config)


def test_parameters_are_texts_as_they_are_and_anything_else_as_json() -> None:
    params = params_of(CONFIG)
    assert params["architecture"] == 'mlp(activation="relu", bias=false, hidden=[16,8])'
    assert params["architecture.hidden"] == "[16, 8]"
    assert params["architecture.activation"] == "relu"
    assert (params["method"], params["method.lam"], params["seed"]) == ("ecq", "0.1", "3")
    assert (params["modifiers.disout.block"], params["modifiers.unit_sphere"]) == ("6", "true")


def test_a_parameter_is_no_longer_than_what_mlflow_takes() -> None:
    long = {**CONFIG, "architecture": {"name": "mlp", "hidden": list(range(2000))}}
    assert max(map(len, params_of(long).values())) == 6000


def test_a_point_is_told_in_units_and_as_the_ui_can_draw_it() -> None:
    metrics = metrics_of(point(size_bytes=1000, quality_name="mse", quality=0.25, quality_val=0.5))
    assert metrics["log10_size_bytes"] == pytest.approx(math.log10(metrics["size_bytes"]))
    assert (metrics["mse"], metrics["mse_val"], metrics["compression_ratio"]) == (0.25, 0.5, pytest.approx(19.24))
    assert tags_of(point(maximise=False))["ratefront.maximise"] == "false"
    assert tags_of(point())["ratefront.path"] == "trials/0000-epr-s0/point.rfz"
    odd = tags_of(point(zero_weights="1.weight, 3.weight", is_constant=True))
    assert {name: text for name, text in odd.items() if name not in tags_of(point())} == {
        "ratefront.zero_weights": "1.weight, 3.weight",
        "ratefront.is_constant": "true",
    }
    others = others_text({"top-5 accuracy": OtherQuality(maximise=True, quality=0.5, quality_val=0.25)})
    several = metrics_of(point(others=others))
    assert (several["top-5 accuracy"], several["top-5 accuracy_val"]) == (0.5, 0.25)
    assert tags_of(point(others=others))["ratefront.others"] == others


def test_a_run_is_named_by_its_trial_its_point_and_its_architecture() -> None:
    small = {**CONFIG, "architecture": {"name": "mlp", "hidden": [4]}}
    assert run_name(small, "0000-ecq-s3") == "0000-ecq-s3 mlp(hidden=[4])"
    assert run_name(small, "0000-ecq-s3", "fine") == "0000-ecq-s3/fine mlp(hidden=[4])"
    wide = {**CONFIG, "architecture": {"name": "mlp", "hidden": list(range(100))}}
    assert len(run_name(wide, "t")) == len("t ") + 100


def test_a_signal_is_in_tags_and_its_rate_a_metric_named_by_the_unit() -> None:
    fitted = point(quality_name="psnr_db", size_bytes=1000, signal_unit="pixel", signal_count=16_000)
    assert metrics_of(fitted)["bits_per_pixel"] == 0.5
    assert {key: tag for key, tag in tags_of(fitted).items() if "signal" in key} == {
        "ratefront.signal_unit": "pixel",
        "ratefront.signal_count": "16000",
    }
    assert not [name for name in (*metrics_of(point()), *tags_of(point())) if "pixel" in name or "signal" in name]
