"""MLflow is brought up to what a sweep left, whatever ended it."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

import pytest

from orchestrator.errors import SweepError
from orchestrator.running import sync
from orchestrator.running.place import Place
from orchestrator.running.sync import sync_sweep
from orchestrator.storage.journal import Journal
from orchestrator.storage.lease import Lease
from orchestrator.sweep.yaml_text import to_yaml
from tests.orchestrator.trained import PLAIN, SWEEP, runs_of

pytestmark = pytest.mark.usefixtures("without_report")


def test_an_unfinished_sweep_is_logged_as_far_as_it_came(place: Place, trained: Journal) -> None:
    (trained.trial_directory(PLAIN) / "ended.json").unlink()
    result = sync_sweep(SWEEP.sweep_id, place)
    assert (result.num_finished, result.num_trials, result.interrupted) == (1, 2, True)
    assert result.frontier is not None
    kinds = Counter((run.data.tags["ratefront.kind"], run.info.status) for run in runs_of(place))
    assert kinds == {("sweep", "KILLED"): 1, ("trial", "FINISHED"): 1, ("trial", "KILLED"): 1}


def test_what_came_later_is_logged_the_next_time(place: Place, trained: Journal) -> None:
    record = trained.ended(PLAIN)
    assert record is not None
    (trained.trial_directory(PLAIN) / "ended.json").unlink()
    sync_sweep(SWEEP.sweep_id, place)
    trained.record(PLAIN, record)
    assert sync_sweep(SWEEP.sweep_id, place).num_finished == 2
    assert Counter(run.info.status for run in runs_of(place)) == {"FINISHED": 3}


@pytest.mark.parametrize("content", [b"", bytes(40), b'{"outcome": "fini'])
@pytest.mark.parametrize("kind", ["trial.json", "ended.json", "progress.jsonl"])
def test_damage_to_one_trial_costs_no_other(place: Place, trained: Journal, kind: str, content: bytes) -> None:
    (trained.trial_directory(PLAIN) / kind).write_bytes(content)
    result = sync_sweep(SWEEP.sweep_id, place)
    assert result.num_finished == (2 if kind == "progress.jsonl" else 1)
    assert [f"trials/{PLAIN}/{kind} is damaged" in line for line in result.damage] == [True] * len(result.damage)
    assert len(result.damage) == 1 or kind == "progress.jsonl"
    assert "FINISHED" in {run.info.status for run in runs_of(place)}
    assert sync_sweep(SWEEP.sweep_id, place).damage == [], "it was said"


@pytest.mark.parametrize("content", [b"", bytes(40), b"name: small\ntask: dig", b"name: [small\n"])
def test_a_damaged_sweep_file_says_how_to_mend_it(place: Place, trained: Journal, content: bytes) -> None:
    trained.file("sweep.yaml").write_bytes(content)
    with pytest.raises(
        SweepError, match=r"/sweep\.yaml is damaged \(.*'ratefront sweep FILE --resume', with the file that the sweep"
    ):
        sync_sweep(SWEEP.sweep_id, place)


def test_half_a_sweep_file_that_reads_as_another_sweep_is_damaged(place: Place, trained: Journal) -> None:
    document = SWEEP.to_dict()
    document["method"] = document["method"][:1]
    trained.file("sweep.yaml").write_text(to_yaml(document))
    with pytest.raises(SweepError, match=f"damaged .trial {PLAIN} is not one of those that it plans"):
        sync_sweep(SWEEP.sweep_id, place)


def test_who_lost_the_sweep_meanwhile_says_so(place: Place, trained: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = Lease()

    @contextlib.contextmanager
    def hold(journal: Journal) -> Iterator[Lease]:
        yield lease

    def lose(*_: object, **__: object) -> None:
        lease.lost = True
        raise KeyboardInterrupt

    monkeypatch.setattr(Journal, "hold", hold)
    monkeypatch.setattr(sync, "conclude", lose)
    with pytest.raises(SweepError, match=f"another process took sweep {SWEEP.sweep_id} while this one stood still"):
        sync_sweep(SWEEP.sweep_id, place)


def test_a_folder_that_holds_no_sweep_is_no_sweep(place: Place) -> None:
    with pytest.raises(SweepError, match=r"is not the folder of a sweep: wanted one with sweep\.yaml and trials/"):
        sync_sweep("digits-0123abcd", place)
