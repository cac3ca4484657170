"""Training settings in a sweep: what may vary, its identity, overrides, mistakes, and what people are shown."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
import textwrap
from pathlib import Path
from random import Random
from typing import Any

import pytest

from analysis.points.labels import TRAINING_SETTINGS, config_labels, config_text, method_variants
from orchestrator.errors import SweepError
from orchestrator.planning.study import plan
from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.file import load_sweep
from orchestrator.sweep.overrides import apply_overrides
from orchestrator.sweep.yaml_text import parse_yaml
from orchestrator.tracking.names import configuration_of, params_of
from tests.trainers.networks import CLUSTERS
from trainers.config import TrialConfig
from trainers.training_settings import DEFAULTS, NAMED

RESULTS = Path(__file__).parents[3] / "results"
PAGE = Path(__file__).parents[3] / "docs/training.md"
SGD = {"name": "sgd", "momentum": 0.9, "nesterov": False, "weight_decay": 0.0}
EVERYTHING: dict[str, Any] = {
    "optimiser": ["own", {"name": "sgd", "momentum": {"uniform": [0.5, 0.95]}}, "adamw"],
    "schedule": {"name": "linear", "warmup": {"choice": [0, 0.1]}},
    "precision": ["float32", "float16"],
    "clip": {"uniform": [0, 2]},
    "ema": [0, 0.99],
    "accumulate": [1, 4],
    "validate_examples": [0, 8],
}


def document(**changes: Any) -> dict[str, Any]:
    return {
        "name": "small", "task": CLUSTERS, "architecture": {"name": "mlp", "hidden": [8]},
        "method": {"name": "ptq", "bits": [4]}, "steps": 3, "batch_size": 96, **changes,
    }  # fmt: skip


def configs(**changes: Any) -> list[TrialConfig]:
    return [trial.config for trial in plan(Sweep.from_dict(document(search="grid", **changes)))]


def test_a_grid_goes_through_alternatives_and_their_domains() -> None:
    found = configs(optimiser=["own", {"name": "sgd", "momentum": {"choice": [0.8, 0.9]}}], clip=[0, 1], accumulate=2)
    assert [config.settings for config in found] == [
        {**optimiser, **clip, "accumulate": 2}
        for optimiser in ({}, {"optimiser": {**SGD, "momentum": 0.8}}, {"optimiser": SGD})
        for clip in ({}, {"clip": 1.0})
    ]
    assert len({config.config_hash for config in found}) == 6


def test_a_list_under_an_optimiser_is_one_value() -> None:
    (config,) = configs(optimiser={"name": "adam", "betas": [0.8, 0.9]})
    assert config.optimiser.arguments["betas"] == [0.8, 0.9]
    with pytest.raises(SweepError, match=r"^optimiser 'sgd': momentum is \[0.8, 0.9\], and wanted is one.+choice"):
        Sweep.from_dict(document(optimiser={"name": "sgd", "momentum": [0.8, 0.9]}))


def test_what_was_chosen_is_found_again_from_what_mlflow_has() -> None:
    space = Sweep.from_dict(document(**EVERYTHING)).space
    for seed in range(40):
        drawn = space.at(iter(Random(seed).random, None))
        config = TrialConfig.from_dict({**drawn, "seed": 0})
        logged = configuration_of(params_of(config.to_dict()))
        assert logged == drawn
        assert TrialConfig.from_dict({**logged, "seed": 0}) == config
        located = space.locate(logged)
        assert located is not None
        assert space.choose(lambda name, domain, located=located: located[name]) == drawn


def test_whole_numbers_of_a_real_setting_are_found_again() -> None:
    given = {key: item for key, item in document(clip={"integers": [1, 3]}).items() if key != "steps"}
    space = Sweep.from_dict({**given, "epochs": {"integers": [2, 6]}}).space
    drawn = space.at(iter(Random(0).random, None))
    recorded = {key: item for key, item in TrialConfig.from_dict(drawn).to_dict().items() if key != "seed"}
    found = space.locate(recorded)
    assert found is not None
    assert [type(found[name]) for name in ("clip", "epochs")] == [int, int]
    assert space.choose(lambda name, domain: found[name]) == drawn


def test_writing_a_sweep_inverts_reading_it() -> None:
    sweep = Sweep.from_dict(document(**EVERYTHING))
    again = Sweep.from_dict(sweep.to_dict())
    assert again == sweep
    assert again.sweep_id == sweep.sweep_id
    assert sweep.search["name"] == "tpe", "two ranges at once"


def test_defaults_leave_a_sweep_what_it_was() -> None:
    plain = Sweep.from_dict(document())
    defaults = {"optimiser": "own", "schedule": "own", "precision": "float32", "clip": 0, "ema": 0, "accumulate": 1}
    same = Sweep.from_dict(document(**defaults))
    assert same.sweep_id == plain.sweep_id
    assert same.to_dict() == plain.to_dict()
    assert not set(defaults) & set(plain.to_dict())
    assert same.space.num_fractions == 3  # architecture, method, bits: random and Sobol draws stay
    assert [config.config_hash for config in configs(**defaults)] == [config.config_hash for config in configs()]


@pytest.mark.parametrize(
    "folder", sorted(path.parent for path in RESULTS.glob("*/points.csv")), ids=lambda path: path.name
)
def test_recorded_sweeps_keep_their_ids_and_hashes(folder: Path) -> None:
    with (folder / "points.csv").open(newline="") as text:
        rows = list(csv.DictReader(text))
    assert {row["sweep_id"] for row in rows} == {load_sweep(folder / "sweep.yaml").sweep_id}
    for row in rows:
        if row.get("task_file"):  # parameters name the file of the repeat, and the hash is of all files
            continue
        configuration = configuration_of(json.loads(row["params"]))
        assert TrialConfig.from_dict({**configuration, "seed": 0}).config_hash == row["config_hash"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": "sgd"}, "unknown field 'optimizer'; did you mean 'optimiser'?"),
        ({"optimiser": "sdg"}, "unknown optimiser 'sdg'; did you mean 'sgd'?"),
        ({"optimiser": []}, "optimiser is []: wanted at least one"),
        ({"optimiser": {"name": "sgd", "momentun": 0.9}}, "optimiser 'sgd' has no argument 'momentun'; did you mean"),
        ({"optimiser": {"name": "sgd", "momentum": 2}}, "optimiser 'sgd': momentum is 2.0: wanted a number"),
        ({"schedule": {"name": "cosine", "warmup": 1}}, "schedule 'cosine': warmup is 1.0: wanted a number"),
        ({"clip": [1, -1]}, "clip is -1: wanted a number of at least 0"),
        ({"ema": {"uniform": [0.9, 1]}}, "ema is 1.0: wanted a number of at least 0 and below 1"),
        ({"accumulate": [1, 200]}, "accumulate is 200 and batch_size is 96: wanted an example at least in each part"),
        ({"precision": "half"}, "precision is 'half': wanted float32 or bfloat16 or float16"),
        ({"method": {"name": "epr", "lam": 1.0}, "optimiser": "sgd"},
         "optimiser is 'sgd', and method 'epr' owns its optimiser (the learning rates of latents are in units of"),
        ({"steps": 0, "ema": 0.9}, "steps is 0, and 'ema' changes only how a network is trained: wanted"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SweepError) as caught:
        plan(Sweep.from_dict(document(**changes)))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_overrides_set_a_setting_or_an_argument_of_it() -> None:
    changed = apply_overrides(document(), ["optimiser=sgd", "optimiser.momentum=0.5", "clip=[0.5, 1]", "ema=0.9"])
    assert changed["optimiser"] == {"name": "sgd", "momentum": 0.5}
    assert (changed["clip"], changed["ema"]) == ([0.5, 1], 0.9)
    several = apply_overrides(document(optimiser=["adam", "sgd"]), ["optimiser.weight_decay=0.1", "optimiser.eps=1e-6"])
    assert several["optimiser"] == [
        {"name": "adam", "weight_decay": 0.1, "eps": 1e-6},
        {"name": "sgd", "weight_decay": 0.1},
    ]
    with pytest.raises(SweepError, match=r"^'schedule.warmup' needs schedule itself first, as in --set schedule=cos"):
        apply_overrides(document(), ["schedule.warmup=0.1"])
    with pytest.raises(SweepError, match=r"^unknown field 'optimiser.momentun'; did you mean 'optimiser.momentum'\?$"):
        apply_overrides(document(optimiser="sgd"), ["optimiser.momentun=0.1"])


def test_trainings_that_differ_in_a_setting_are_told_apart() -> None:
    found = configs(optimiser=["own", SGD], precision=["float32", "float16"], clip=[0, 1])
    params = [params_of(config.to_dict()) for config in found]
    rows = [
        {
            "task": "t",
            "architecture": "a",
            "method": "ptq",
            "sweep_id": "s",
            "trial_id": str(n),
            "point_id": "point",
        }
        for n in range(len(params))
    ]
    labels = config_labels(rows, params)
    assert labels[0] == ""
    assert labels[-1] == "optimiser=sgd precision=float16 clip=1", "what all that have it share is left out"
    assert len(set(labels)) == 8
    texts = [config_text(one) for one in params]
    assert len(set(texts)) == 8
    assert texts[1].endswith("steps=3 batch_size=96 clip=1.0")
    assert len(set(method_variants(["ptq"] * 8, texts))) == 4, "words are variants, numbers are not"


def test_labels_know_every_setting() -> None:
    assert tuple(DEFAULTS) == TRAINING_SETTINGS


def test_the_page_has_a_sweep_that_can_be_read_and_all_arguments() -> None:
    page = PAGE.read_text()
    block = textwrap.dedent(re.findall(r"(?:^    .*\n)+", page, flags=re.MULTILINE)[0])
    assert set(DEFAULTS) <= set(Sweep.from_dict({"name": "page", **parse_yaml(block, source="page")}).to_dict())
    rows = {row.split("`")[1]: row for row in page.splitlines() if row.startswith("| `")}
    assert list(rows) == list(DEFAULTS)
    for kind, registry in NAMED.items():
        for name, made in registry.items():
            assert f"`{name}`" in rows[kind]
            assert all(f"`{field.name}`" in rows[kind] for field in dataclasses.fields(made))


def without_steps(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in document(**changes).items() if key != "steps"}


def test_epochs_take_the_place_of_steps() -> None:
    sweep = Sweep.from_dict(without_steps(epochs=[2, 0.5], search="grid"))
    found = [trial.config for trial in plan(sweep)]
    assert [(config.epochs, config.steps) for config in found] == [(2, 0), (0.5, 0)]
    assert [config.in_steps(480).steps for config in found] == [10, 2]
    assert [config.length for config in found] == ["2 epochs", "0.5 epochs"]
    assert not sweep.may_train_nothing
    assert Sweep.from_dict(sweep.to_dict()).sweep_id == sweep.sweep_id
    with pytest.raises(SweepError, match=r"^steps is 3 and epochs is 2: wanted one of them$"):
        Sweep.from_dict(document(epochs=2))


def test_who_sets_one_length_leaves_the_other_out() -> None:
    assert "steps" not in apply_overrides(document(), ["epochs=2"])
    assert apply_overrides(without_steps(epochs=2), ["steps=7"]) == document(steps=7)
