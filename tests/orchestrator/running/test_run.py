"""A sweep from its checks to its end; trials run in this process, in the place of Ray."""

from __future__ import annotations

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import SweepError
from orchestrator.planning.session import Session
from orchestrator.planning.study import Study
from orchestrator.running import run
from orchestrator.running.place import Place
from orchestrator.running.result import SweepResult
from orchestrator.storage.journal import Journal
from orchestrator.storage.lease import Lease
from orchestrator.sweep.trials import Trial
from tests.orchestrator.trained import EPR, PLAIN, SWEEP, NoView, runs_of, train

pytestmark = pytest.mark.usefixtures("without_report")

RunTrials = Callable[..., bool]


def again(place: Place, **options: Any) -> SweepResult:
    return run.run_sweep(SWEEP, place, NoView(), **options)


def run_here(session: Session, *_: Any, **__: Any) -> bool:
    while (trial := session.study.next()) is not None:
        train(session.journal, trial)
    return False


@pytest.fixture
def instead_of_ray(monkeypatch: pytest.MonkeyPatch) -> Callable[[RunTrials], None]:
    """Runs trials with a function of the test's."""

    @contextlib.contextmanager
    def joined(address: str | None) -> Iterator[None]:
        yield

    def use(run_trials: RunTrials) -> None:
        monkeypatch.setattr(run, "joined", joined)
        monkeypatch.setattr(run, "check_nodes", lambda *_, **__: None)
        monkeypatch.setattr(run, "run_trials", run_trials)

    return use


def states(place: Place) -> Mapping[tuple[str, str], int]:
    return Counter((one.data.tags["ratefront.kind"], one.info.status) for one in runs_of(place))


def test_a_sweep_killed_before_its_end_is_published_by_the_next_call(place: Place, trained: Journal) -> None:
    result = again(place)
    assert (result.num_finished, result.num_failed, result.interrupted) == (2, 0, False)
    assert states(place) == {("sweep", "FINISHED"): 1, ("trial", "FINISHED"): 2}
    assert any(one.data.tags.get("ratefront.pareto") == "true" for one in runs_of(place))
    assert result.frontier is not None


def test_calling_again_changes_nothing(place: Place, trained: Journal) -> None:
    again(place)
    before = {one.info.run_id: (one.data.metrics, one.data.params) for one in runs_of(place)}
    again(place)
    assert {one.info.run_id: (one.data.metrics, one.data.params) for one in runs_of(place)} == before


def test_an_empty_store_is_filled_from_the_journal(place: Place, trained: Journal, empty_store: bytes) -> None:
    again(place)
    Path(place.tracking_uri.removeprefix("sqlite:///")).write_bytes(empty_store)
    again(place)
    points = [one for one in runs_of(place) if one.data.tags.get("ratefront.point") == "true"]
    records = [trained.ended(trial_id) for trial_id in trained.trial_ids()]
    sizes = sorted(point.size_bytes for ended in records if ended for point in ended.points)
    assert sorted(one.data.metrics["size_bytes"] for one in points) == sizes


def test_a_sweep_of_the_same_content_from_elsewhere_is_not_mixed_in(
    place: Place, trained: Journal, tmp_path: Path
) -> None:
    again(place)
    elsewhere = dataclasses.replace(place, storage=str(tmp_path / "elsewhere"))
    with pytest.raises(SweepError, match=f"MLflow already has a sweep {SWEEP.sweep_id} that is not the one in"):
        again(elsewhere)


def test_a_trial_of_another_configuration_is_not_taken_for_the_planned_one(place: Place, trained: Journal) -> None:
    (first, *_) = trained.trial_ids()
    config = trained.config(first)
    assert config is not None
    trained.begin(first, {**config, "steps": 18}, {})
    with pytest.raises(SweepError, match=f"trial {first} in .* has another configuration than planned"):
        again(place)


def test_an_unfinished_sweep_asks_what_is_meant(place: Place, trained: Journal) -> None:
    (trained.trial_directory(PLAIN) / "ended.json").unlink()
    with pytest.raises(SweepError, match=r"is unfinished \(1 of 2 trials\): --resume goes on with it, --new starts"):
        again(place)


def test_a_resumed_sweep_announces_and_runs_what_is_left(
    place: Place, trained: Journal, instead_of_ray: Callable[[RunTrials], None]
) -> None:
    (trained.trial_directory(PLAIN) / "ended.json").unlink()
    kept = (trained.trial_directory(EPR) / "ended.json").read_bytes()
    announced: list[tuple[int, list[str]]] = []

    def announce(study: Study, left: list[Trial]) -> None:
        announced.append((study.most_trials, [trial.trial_id for trial in left]))

    instead_of_ray(run_here)
    result = again(place, resume=True, announce=announce)
    assert announced == [(2, [PLAIN])]
    assert (result.num_finished, result.exit_code) == (2, 0)
    assert (trained.trial_directory(EPR) / "ended.json").read_bytes() == kept


def test_who_says_no_to_what_is_announced_leaves_nothing(place: Place) -> None:
    def refuse(study: Study, left: list[Trial]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        again(place, announce=refuse)
    assert not (Path(place.storage) / SWEEP.sweep_id).exists()


def test_another_sweep_of_the_same_content_gets_an_id_of_its_own(
    place: Place, trained: Journal, instead_of_ray: Callable[[RunTrials], None]
) -> None:
    again(place)
    instead_of_ray(run_here)
    result = again(place, new=True)
    assert result.sweep_id == f"{SWEEP.sweep_id}-2"
    assert place.sweep_ids() == [SWEEP.sweep_id, f"{SWEEP.sweep_id}-2"]
    assert states(place) == {("sweep", "FINISHED"): 2, ("trial", "FINISHED"): 4}


def test_trials_that_were_cut_off_leave_no_run_open_and_the_exit_code_of_ctrl_c(
    place: Place, instead_of_ray: Callable[[RunTrials], None]
) -> None:
    def cut_off(session: Session, *_: Any, **__: Any) -> bool:
        first, second = session.study.next(), session.study.next()
        assert first is not None
        assert second is not None
        train(session.journal, first)
        session.journal.begin(second.trial_id, second.config.to_dict(), {})
        return True

    instead_of_ray(cut_off)
    result = again(place)
    assert (result.interrupted, result.exit_code, result.num_finished) == (True, 130, 1)
    assert states(place) == {("sweep", "KILLED"): 1, ("trial", "FINISHED"): 1, ("trial", "KILLED"): 1}


def test_whatever_ends_the_trials_the_sweep_is_published(
    place: Place, instead_of_ray: Callable[[RunTrials], None]
) -> None:
    def interrupt(session: Session, *_: Any, **__: Any) -> bool:
        run_one = session.study.next()
        assert run_one is not None
        train(session.journal, run_one)
        raise KeyboardInterrupt

    instead_of_ray(interrupt)
    with pytest.raises(KeyboardInterrupt):
        again(place)
    assert states(place) == {("sweep", "KILLED"): 1, ("trial", "FINISHED"): 1}


def test_a_process_that_lost_its_sweep_publishes_nothing(
    place: Place, instead_of_ray: Callable[[RunTrials], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = Lease()

    @contextlib.contextmanager
    def hold(journal: Journal) -> Iterator[Lease]:
        yield lease

    def lose(session: Session, *_: Any, **__: Any) -> bool:
        lease.lost = True
        raise KeyboardInterrupt

    monkeypatch.setattr(Journal, "hold", hold)
    instead_of_ray(lose)
    with pytest.raises(SweepError, match=f"another process took sweep {SWEEP.sweep_id} while this one stood still"):
        again(place)
    assert runs_of(place) == []
