"""The plan of a sweep on a terminal."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli import program
from orchestrator.commands.plans import _sentence
from orchestrator.planning.estimate import Estimate, Kind
from orchestrator.sweep.resources import TrialResources
from tests.trainers.networks import CLUSTERS, ODD
from trainers.config import Spec, TrialConfig

SWEEP = """
name: large
task: digits
architecture: mlp
method: {name: epr, lam: {loguniform: [0.1, 10]}}
search: {name: grid, num_values: 1003}
"""


def test_of_a_large_sweep_a_thousand_configurations_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_text(SWEEP)
    shown = CliRunner().invoke(program, ["plan", str(path), "--no-measure"]).stdout
    assert len([line for line in shown.splitlines() if line.startswith(" digits ")]) == 1000
    assert " and 3 more: --json has all of them\n" in shown
    listed = CliRunner().invoke(program, ["plan", str(path), "--no-measure", "--json"]).stdout
    assert len(json.loads(listed)["trials"]) == 1003


KIND = Kind(
    example=TrialConfig(task=Spec(name="digits"), architecture=Spec(name="mlp"), method=Spec(name="ptq"), steps=9),
    method="ptq",
    resources=TrialResources(),
    num_trials=4,
)
ESTIMATE = Estimate(kinds=[KIND], num_kinds=1, num_trials=4, at_once=2, hours=0.1, train_h=0.2)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "about 6 min (3 min to 12 min), 2 at once; 12 min one after the other\nsure within a factor of 2: a few "
             "whole steps of each kind of trial were measured, some examples and a small file\nassumed: "),
        ({"kinds": [dataclasses.replace(KIND, is_extrapolated=True)]},
         "about 6 min (2 min to 18 min), 2 at once; 12 min one after the other\nsure within a factor of 3: steps are "
         "long here, so they were measured with fewer examples than a batch has\nassumed: "),
        ({"num_kinds": 3, "budget": "budget.wall_s"},
         "about 6 min (2 min to 18 min), 2 at once; 12 min one after the other, then budget.wall_s is spent\nsure "
         "within a factor of 3: 1 of 3 kinds of trials were measured in the time that there is, and stand for all; "
         "sweep tries the others before it starts\nassumed: "),
    ],
)  # fmt: skip
def test_an_estimate_says_how_sure_it_is_and_why(changes: dict[str, object], said: str) -> None:
    assert _sentence(dataclasses.replace(ESTIMATE, **changes)).startswith(said)  # type: ignore[arg-type]


def test_a_plan_refuses_what_a_method_cannot_compress(tmp_path: Path) -> None:
    """``odd`` has no hidden units that could go."""
    path = tmp_path / "odd.yaml"
    path.write_text(f"{{task: '{CLUSTERS}', architecture: '{ODD}', method: {{name: coreset, keep_ratio: [0.3, 0.5]}}}}")
    refused = CliRunner().invoke(program, ["plan", str(path)])
    assert refused.exit_code == 2
    assert f"method 'coreset' on architecture '{ODD}': the network has no hidden units to remove" in refused.stderr


def test_a_plan_without_steps_says_that_nothing_is_trained() -> None:
    given = ["--task", "digits", "--architecture", "mlp", "--method", "ptq", "--no-baselines", "--steps", "0"]
    shown = CliRunner().invoke(program, ["plan", *given]).stdout
    assert "no init_from: with 0 steps networks are stored untrained, as their architectures draw them\n" in shown
    assert re.search(r" ptq +- +[0-9.]+ +5\b", shown)
    assert "sure within a factor of 2: the beginning of each kind of trial" in shown


def test_a_plan_shows_whole_numbers_as_such() -> None:
    given = ["--task", "digits", "--architecture", "mlp", "--method", "ptq", "--no-baselines", "--no-measure"]
    shown = CliRunner().invoke(program, ["plan", *given, "--epochs", "3"]).stdout
    assert "\nepochs: 3\n" in shown


def test_a_plan_as_json_has_the_factor() -> None:
    given = ["--task", "digits", "--architecture", "mlp", "--method", "ptq", "--no-baselines", "--json"]
    planned = json.loads(CliRunner().invoke(program, ["plan", *given]).stdout)
    assert planned["estimate"]["factor"] == 2.0
    assert planned["estimate"]["num_kinds"] == 1


def test_a_plan_shows_the_training_settings_that_vary(tmp_path: Path) -> None:
    path = tmp_path / "set.yaml"
    path.write_text(
        "task: digits\narchitecture: {name: mlp, hidden: [8]}\nmethod: uncompressed\nsteps: 5\nbatch_size: 96\n"
        "optimiser: [own, adam]\naccumulate: [1, 48]\nema: 0.9\n"
    )
    shown = CliRunner().invoke(program, ["plan", str(path)], env={"COLUMNS": "240"}).stdout
    assert "uncompressed  optimiser adam(betas=[0.9,0.999], eps=1e-08, weight_decay=0), accumulate 48  5" in shown
    assert "\noptimiser: own or adam\nema: 0.9\naccumulate: 1 or 48\n" in shown
    assert re.search(r"uncompressed  optimiser adam, accumulate 48 +[0-9.]+ ", shown)
    kinds = json.loads(CliRunner().invoke(program, ["plan", str(path), "--json"]).stdout)["estimate"]["kinds"]
    assert {"optimiser": "adam", "accumulate": 48, "ema": True} in [kind["settings"] for kind in kinds]
