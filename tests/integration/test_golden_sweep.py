"""A sweep's folder that an earlier version left behind is read and resumed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.console import call

GOLDEN = Path(__file__).parents[1] / "golden" / "sweep_0_1_0" / "adaptive-7ea2df9e"
FAILED, IN_FLIGHT = "0005-epr-s0", "0005-epr-s1"
CHECKPOINT_STEP = 136
NUM_TRIALS = 16


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory, empty_store: bytes) -> Path:
    """The golden folder, after this version went on with it."""
    directory = tmp_path_factory.mktemp("golden")
    (directory / "mlflow.db").write_bytes(empty_store)
    folder = directory / "sweeps" / GOLDEN.name
    shutil.copytree(GOLDEN, folder)
    done = call(directory, "sweep", str(GOLDEN / "sweep.yaml"), "--resume")
    assert done.returncode == 0, done.stderr
    assert f"sweep {GOLDEN.name}" in done.stdout
    return folder


def _ended(folder: Path, trial_id: str) -> dict[str, object] | None:
    record = folder / "trials" / trial_id / "ended.json"
    return json.loads(record.read_text()) if record.exists() else None


def test_what_had_ended_stays_as_it_was(resumed: Path) -> None:
    over = [path.name for path in sorted((GOLDEN / "trials").iterdir()) if path.name not in (FAILED, IN_FLIGHT)]
    assert len(over) == 10
    for trial_id in over:
        for path in (GOLDEN / "trials" / trial_id).iterdir():
            assert (resumed / "trials" / trial_id / path.name).read_bytes() == path.read_bytes(), path


def test_what_was_left_is_run(resumed: Path) -> None:
    outcomes = [_ended(resumed, path.name) for path in (resumed / "trials").iterdir()]
    assert len(outcomes) == NUM_TRIALS
    assert {outcome["outcome"] for outcome in outcomes if outcome is not None} == {"finished", "stopped"}
    assert None not in outcomes


def test_a_failed_trial_is_tried_again(resumed: Path) -> None:
    before, after = _ended(GOLDEN, FAILED), _ended(resumed, FAILED)
    assert before is not None
    assert after is not None
    assert (before["outcome"], after["outcome"]) == ("failed", "finished")


def test_a_trial_in_flight_goes_on_from_its_checkpoint(resumed: Path) -> None:
    before = (GOLDEN / "trials" / IN_FLIGHT / "progress.jsonl").read_text().splitlines()
    after = (resumed / "trials" / IN_FLIGHT / "progress.jsonl").read_text().splitlines()
    assert after[: len(before)] == before
    steps = [json.loads(line)["step"] for line in after[len(before) :]]
    assert steps == sorted(steps)
    assert steps[0] > CHECKPOINT_STEP
    assert steps[-1] == 230
    assert not (resumed / "trials" / IN_FLIGHT / "checkpoint.pt").exists()


def test_the_search_goes_on_where_it_was(resumed: Path) -> None:
    before = (GOLDEN / "study.jsonl").read_text()
    whole, _, half = before.rpartition("\n")
    after = (resumed / "study.jsonl").read_text()
    assert half
    assert after.startswith(f"{whole}\n")
    lines = [json.loads(line) for line in after.splitlines()]
    assert [line["ask"] for line in lines if "ask" in line] == list(range(8))
    assert sorted(line["tell"] for line in lines if "tell" in line) == list(range(8))
