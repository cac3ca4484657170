"""Which sweep a command runs, from its arguments and options."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from orchestrator.commands.source import SweepSource, with_sweep_source
from orchestrator.errors import SweepError
from orchestrator.search.domains import RealRange
from orchestrator.sweep.trials import check_trials, trials_of

FLAGS = {"task": "digits", "architecture": "mlp", "method": "epr"}
NAMES = ["recipe_or_file", "task", "architecture", "method", "overrides", "steps", "epochs", "name"]
NAMES += ["no_baselines", "max_size"]


def test_flags_and_overrides_change_what_a_recipe_says() -> None:
    source = SweepSource(recipe_or_file="digits", architecture="mlp", name="mine", overrides=["seeds=2"], steps=0)
    sweep = source.read()
    assert ([spec.name for spec in sweep.architecture], sweep.name) == (["mlp"], "mine")
    assert (sweep.steps, sweep.seeds) == (0, 2)


@pytest.mark.parametrize(("lengths", "said"), [({"steps": 1}, "wanted one of them"), ({}, "--steps 0 stores what")])
def test_no_epochs_or_steps_beside_them_are_refused(lengths: dict[str, int], said: str) -> None:
    with pytest.raises(SweepError, match=said):
        SweepSource(recipe_or_file="digits", epochs=0.0, **lengths).read()


def test_a_file_is_named_in_its_errors(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("task: digits\narchitecture: mlp\nmethod: epr\nseeds: 0\n")
    with pytest.raises(SweepError, match=rf"^{tmp_path}/mine.yaml: seeds is 0: wanted greater than or equal to 1"):
        SweepSource(recipe_or_file=str(tmp_path / "mine.yaml")).read()


@pytest.mark.parametrize("no_baselines", [False, True])
def test_flags_alone_are_a_sweep_with_baselines_unless_unwanted(no_baselines: bool) -> None:
    sweep = SweepSource(**FLAGS, no_baselines=no_baselines).read()
    assert [spec.name for spec in sweep.method] == ["epr", *([] if no_baselines else ["ptq", "uncompressed"])]
    assert sweep.name == "digits-mlp-epr"
    assert SweepSource(**FLAGS, name="mine").read().name == "mine"


def test_without_a_word_two_trainings_pass_the_range_of_lam_up_and_down() -> None:
    (epr, ptq, _) = SweepSource(**FLAGS).read().method
    ends = [(path["path"]["from"], path["path"]["to"]) for path in epr.arguments["lam"].values]
    assert ends == [(0.05, 5.0), (5.0, 0.05)]
    assert {path["path"]["points"] for path in epr.arguments["lam"].values} == {6}
    assert ptq.arguments["bits"].values == [2, 3, 4, 6, 8], "a method without paths has its own range"


@pytest.mark.parametrize(
    ("override", "wanted"),
    [
        ("method.lam=0.5", 0.5),
        ("search=sobol", RealRange(0.05, 5.0, log=True)),
        ("steps=5", RealRange(0.05, 5.0, log=True)),
        ("method=epr", None),
    ],
)
def test_what_is_said_of_lam_or_of_the_search_counts(override: str, wanted: Any) -> None:
    num_trials = ["search.num_trials=4"] if override == "search=sobol" else []
    lam = SweepSource(**FLAGS, overrides=[override, *num_trials]).read().method[0].arguments["lam"]
    assert lam == wanted if wanted is not None else len(lam.values) == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "nothing to run: give a recipe or a sweep file, or --task, --architecture, --method as well"),
        ({"task": "digits"}, "nothing to run: give a recipe or a sweep file, or --architecture, --method as well"),
        (
            {"recipe_or_file": "digits", "no_baselines": True},
            "digits says itself which methods run: --no-baselines is for flags alone",
        ),
    ],
)
def test_a_source_that_describes_no_sweep_is_refused_in_one_line(given: dict[str, Any], message: str) -> None:
    with pytest.raises(SweepError) as error:
        SweepSource(**given).read()
    assert str(error.value) == message


@with_sweep_source
def command(first: int, source: SweepSource, last: Annotated[str, typer.Option()] = "end") -> None:
    """Say what was given."""
    typer.echo(f"{first} {source.recipe_or_file} {source.overrides} {source.no_baselines} {last}")


def test_a_command_has_the_options_in_place_of_its_parameter() -> None:
    assert list(inspect.signature(command).parameters) == ["first", *NAMES, "last"]
    application = typer.Typer()
    application.command()(command)
    words = ["3", "digits", "--set", "steps=5", "--set", "seeds=2", "--no-baselines", "--last", "x"]
    said = CliRunner().invoke(application, words)
    assert said.output == "3 digits ['steps=5', 'seeds=2'] True x\n"


def test_a_size_is_aimed_at_by_epr_where_no_method_is_named() -> None:
    sizes = ["1kB", "2kB"]
    sweep = SweepSource(task="digits", architecture="mlp", max_size=sizes, no_baselines=True).read()
    assert [spec.to_dict()["lam"] for spec in sweep.method] == [{"size": {"choice": sizes}}]
    trials = trials_of(sweep, list(sweep.space.grid(6)))
    check_trials(trials)
    assert [trial.config.method.arguments["lam"] for trial in trials] == [{"size": size} for size in sizes]
    (one,) = SweepSource(recipe_or_file="digits", method="epr", max_size=["1kB"]).read().method
    assert one.to_dict()["lam"] == {"size": "1kB"}


def test_a_method_that_cannot_aim_at_a_size_is_told() -> None:
    with pytest.raises(SweepError, match="--max-size: ptq, uncompressed cannot aim at a size: wanted a sweep with"):
        SweepSource(task="digits", architecture="mlp", method="ptq", max_size=["1kB"]).read()
