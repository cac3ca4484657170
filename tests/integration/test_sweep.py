"""A sweep from YAML to frontier: what is on disk, in MLflow and on the terminal agrees."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from orchestrator.storage.folder import LocalFolder
from orchestrator.storage.journal import Journal, Outcome
from tests.console import NUM_FAILED, NUM_TRIALS, Finished, call
from trainers.compressed import load_compressed, open_compressed
from trainers.config import Spec
from trainers.evaluate import evaluate
from trainers.instantiate import make_task

COMPILING = "compiling the coder, once on this machine: some ten seconds\n"
"""What the first test of a new machine is told, whichever that is."""


@pytest.fixture(scope="module")
def runs(finished: Finished) -> list[object]:
    client = MlflowClient(finished.tracking_uri)
    (experiment,) = (item for item in client.search_experiments() if item.name == "tiny")
    return list(client.search_runs([experiment.experiment_id], max_results=1000))


def test_a_failed_trial_makes_exit_code_one_and_the_rest_finishes(finished: Finished) -> None:
    assert finished.process.returncode == 1, finished.process.stderr
    assert f"{NUM_TRIALS - NUM_FAILED} of {NUM_TRIALS} trials finished, {NUM_FAILED} failed" in finished.process.stdout
    assert "the training loss became" in finished.process.stdout
    assert "Traceback" not in finished.process.stdout
    assert finished.process.stderr.removeprefix(COMPILING) == ""


def test_every_point_is_a_file_whose_decoded_network_has_the_stated_quality(finished: Finished) -> None:
    journal, task = Journal(LocalFolder(finished.sweep_directory)), make_task(Spec(name="digits"))
    points = [point for trial in journal.trial_ids() for point in journal.ended(trial).points]
    assert len(points) == NUM_TRIALS - NUM_FAILED
    for point in points:
        path = finished.sweep_directory / point.path
        assert path.stat().st_size == point.size_bytes
        network = load_compressed(path)
        assert evaluate(network, task.test, task) == point.quality
        assert evaluate(network, task.validation, task) == point.quality_val


def test_every_trial_is_one_closed_run_below_the_sweep(finished: Finished, runs: list) -> None:
    (parent,) = (run for run in runs if run.data.tags["ratefront.kind"] == "sweep")
    trials = [run for run in runs if run.data.tags["ratefront.kind"] == "trial"]
    journal = Journal(LocalFolder(finished.sweep_directory))
    assert sorted(run.data.tags["ratefront.trial_id"] for run in trials) == list(journal.trial_ids())
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} == {parent.info.run_id}
    assert sorted(run.info.status for run in runs) == sorted(
        ["FAILED"] * NUM_FAILED + ["FINISHED"] * (NUM_TRIALS - NUM_FAILED + 1)
    )


def test_mlflow_says_of_each_point_what_the_record_says(finished: Finished, runs: list) -> None:
    journal = Journal(LocalFolder(finished.sweep_directory))
    client = MlflowClient(finished.tracking_uri)
    for run in (run for run in runs if run.data.tags.get("ratefront.point") == "true"):
        (point,) = journal.ended(run.data.tags["ratefront.trial_id"]).points
        assert run.data.metrics["size_bytes"] == point.size_bytes
        assert run.data.metrics["accuracy"] == point.quality
        assert run.data.metrics["accuracy_val"] == point.quality_val
        assert run.data.params["architecture"] == point.architecture
        logged = Path(client.download_artifacts(run.info.run_id, "point.rfz"))
        assert logged.read_bytes() == (finished.sweep_directory / point.path).read_bytes()
        history = client.get_metric_history(run.info.run_id, "epoch_accuracy_val")
        assert [metric.step for metric in history] == [row["step"] for row in journal.progress(point.trial_id)]


def test_a_failed_run_carries_its_reason(runs: list) -> None:
    failed = [run for run in runs if run.info.status == "FAILED"]
    assert len(failed) == NUM_FAILED
    for run in failed:
        assert run.data.tags["ratefront.failure"].startswith("diverged: the training loss became")
        assert "ratefront.point" not in run.data.tags


def test_the_sections_of_a_point_add_up_to_its_file(finished: Finished) -> None:
    for path in finished.sweep_directory.glob("trials/*/point.sections.csv"):
        rows = list(csv.DictReader(path.read_text().splitlines()))
        size_bytes = path.with_name("point.rfz").stat().st_size
        assert sum(float(row["size_bytes"]) for row in rows) == pytest.approx(size_bytes, abs=0.01)


def test_front_runs_are_tagged_and_one_seed_of_each_represents_it(finished: Finished, runs: list) -> None:
    rows = list(csv.DictReader((finished.sweep_directory / "frontier" / "frontier.csv").read_text().splitlines()))
    front = [row for row in rows if row["on_front"] == "True"]
    pareto = [run for run in runs if run.data.tags.get("ratefront.pareto") == "true"]
    representative = {run.info.run_id for run in runs if run.data.tags.get("ratefront.representative") == "true"}
    assert front
    assert len(pareto) == 2 * len(front)  # two seeds
    assert representative == {row["file_run_id"] for row in front}


def test_the_parent_run_holds_the_sweep_file_and_the_figures(finished: Finished, runs: list) -> None:
    (parent,) = (run for run in runs if run.data.tags["ratefront.kind"] == "sweep")
    client = MlflowClient(finished.tracking_uri)
    artifacts = {item.path for item in client.list_artifacts(parent.info.run_id)}
    artifacts |= {item.path for item in client.list_artifacts(parent.info.run_id, "frontier")}
    expected = {"sweep.yaml", *(f"frontier/frontier.{kind}" for kind in ("png", "svg", "html", "csv"))}
    assert expected <= artifacts


def test_the_same_sweep_again_must_say_what_it_means(finished: Finished) -> None:
    again = call(finished.folder, "sweep", "tiny.yaml")
    assert again.returncode == 2
    assert again.stderr.count("\n") == 1
    assert "is unfinished (16 of 20 trials): --resume goes on with it, --new starts another" in again.stderr


def test_frontier_best_list_and_plan_answer(finished: Finished) -> None:
    shown = call(finished.folder, "frontier", "tiny", "--out", "figures")
    assert shown.returncode == 0, shown.stderr
    assert (finished.folder / "figures" / "frontier.svg").read_text().startswith("<?xml")
    chosen = call(finished.folder, "best", "tiny", "--max-size", "100kB")
    assert chosen.returncode == 0, chosen.stderr
    assert Path(chosen.stdout.splitlines()[0]).is_file()
    assert "tiny-" in call(finished.folder, "list").stdout
    planned = json.loads(call(finished.folder, "plan", "tiny.yaml", "--json").stdout)
    assert len(planned["trials"]) == NUM_TRIALS


def test_nothing_fits_in_a_tiny_budget(finished: Finished) -> None:
    chosen = call(finished.folder, "best", "tiny", "--max-size", "10B")
    assert chosen.returncode == 2
    assert "nothing fits in 10 B: the smallest file has" in chosen.stderr


def test_inspect_decode_and_evaluate_agree_with_the_record(finished: Finished) -> None:
    journal = Journal(LocalFolder(finished.sweep_directory))
    (point,) = next(
        ended.points for trial in journal.trial_ids() if (ended := journal.ended(trial)).outcome is Outcome.FINISHED
    )
    path = str(finished.sweep_directory / point.path)
    inspected = json.loads(call(finished.folder, "inspect", path, "--json").stdout)
    assert sum(share["size_bytes"] for share in inspected["shares"]) == pytest.approx(point.size_bytes)
    evaluated = json.loads(call(finished.folder, "evaluate", path, "--task", "digits", "--json").stdout)
    assert evaluated["accuracy"] == point.quality
    decoded = call(finished.folder, "decode", path, "--out", "network.safetensors")
    assert decoded.returncode == 0, decoded.stderr
    from safetensors.torch import load_file

    stored, expected = load_file(finished.folder / "network.safetensors"), open_compressed(path).state_dict()
    assert stored.keys() == expected.keys()
    assert all(bool((stored[name] == expected[name]).all()) for name in expected)


def test_resuming_runs_only_what_failed(finished: Finished) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.sweep_directory.glob("trials/*/*.rfz")}
    started = time.time()
    again = call(finished.folder, "sweep", "tiny.yaml", "--resume")
    assert again.returncode == 1
    assert {path: path.stat().st_mtime_ns for path in finished.sweep_directory.glob("trials/*/*.rfz")} == before
    client = MlflowClient(finished.tracking_uri)
    (experiment,) = (item for item in client.search_experiments() if item.name == "tiny")
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    assert len(runs) == NUM_TRIALS + 1  # none was made twice
    assert sum(run.info.status == "FAILED" and run.info.end_time > 1000 * started for run in runs) == NUM_FAILED
