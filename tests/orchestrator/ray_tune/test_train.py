"""How trials are handed to Ray Tune; it is replaced by what the test makes of it."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.tune.tune import _setup_signal_catching

from orchestrator.errors import SweepError
from orchestrator.planning.session import Session
from orchestrator.ray_tune import train
from orchestrator.ray_tune.tasks import SharedTasks
from orchestrator.storage.journal import Journal
from orchestrator.storage.locations import open_journal
from orchestrator.sweep.definition import Sweep
from orchestrator.views.board import Board
from orchestrator.views.events import AbstractEvent, SweepStarted, TrialFound
from tests.orchestrator.trained import NoView
from tests.points import point

DOCUMENT: dict[str, Any] = {
    "task": "digits",
    "architecture": "mlp",
    "method": {"name": "epr", "lam": [0.1, 0.2, 0.3]},
    "search": "grid",
}
TRIALS = [f"{number:04d}-epr-s0" for number in range(3)]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """One trial finished, one failed, one never began."""
    journal = open_journal(str(tmp_path))
    for trial_id in TRIALS[:2]:
        journal.begin(trial_id, {}, {"gpu": "0"})
    journal.finish(TRIALS[0], [point(trial_id=TRIALS[0])])
    journal.fail(TRIALS[1], "it must")
    return journal


class Tune:
    """Ray Tune's tuner: keeps its settings, and does what the test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.settings: dict[str, Any] = {}
        self.events: list[str] = []
        self.do: Callable[[dict[str, Any]], None] = lambda settings: None
        monkeypatch.setattr("ray.tune.Tuner", self._make)
        monkeypatch.setattr("ray.tune.with_parameters", lambda function, **given: (function, given))
        monkeypatch.setattr("ray.tune.with_resources", lambda trainable, resources: (*trainable, resources))
        monkeypatch.setattr(train.SharedTasks, "load", lambda specs, import_path, at_hand: SharedTasks(dict(specs)))
        monkeypatch.setattr(train, "tracking", self._tracking)
        monkeypatch.setenv("TUNE_MAX_PENDING_TRIALS_PG", "")

    @contextlib.contextmanager
    def _tracking(self, location: str, **settings: str) -> Iterator[str]:
        self.events.append("tracker begins")
        yield "the tracker"
        self.events.append("tracker ends")

    def _make(self, trainable: Any, *, tune_config: Any, run_config: Any) -> Any:
        self.settings = {"trainable": trainable, **vars(tune_config), **vars(run_config)}
        return SimpleNamespace(fit=lambda: self.do(self.settings))


@pytest.fixture
def tune(monkeypatch: pytest.MonkeyPatch) -> Tune:
    return Tune(monkeypatch)


class Notes(NoView):
    """Keeps what it is shown."""

    def __init__(self) -> None:
        self.events: list[AbstractEvent] = []

    def show(self, event: AbstractEvent, board: Board) -> None:
        self.events.append(event)


def run(journal: Journal, view: NoView | None = None, **changes: Any) -> bool:
    sweep = Sweep.from_dict({**DOCUMENT, **changes})
    session = Session.open(sweep, sweep.sweep_id, journal)
    return train.run_trials(
        session, view or NoView(), {}, tracking_uri="sqlite:///x.db", import_path=Path("/own"), address=None
    )


def rays_trial(settings: dict[str, Any]) -> Any:
    """The next trial, as Ray makes it of what the searcher suggests."""
    suggested = settings["search_alg"].suggest("ray's")
    return SimpleNamespace(
        config=suggested, run_metadata=SimpleNamespace(metric_n_steps={}, metric_analysis={}), status="RUNNING"
    )


def test_what_failed_is_tried_again_and_what_finished_is_found(journal: Journal, tune: Tune) -> None:
    notes = Notes()

    def look(settings: dict[str, Any]) -> None:
        assert journal.ended(TRIALS[1]) is None
        assert rays_trial(settings).config["trial_id"] == TRIALS[1]

    tune.do = look
    run(journal, notes)
    started, found = notes.events
    assert isinstance(started, SweepStarted)
    assert isinstance(found, TrialFound)
    assert found.trial_id == TRIALS[0]


def test_whether_trials_were_cut_off_is_whether_some_still_run(journal: Journal, tune: Tune) -> None:
    def start(settings: dict[str, Any]) -> None:
        settings["callbacks"][0].on_trial_start(0, [], rays_trial(settings))

    assert run(journal) is False
    tune.do = start
    assert run(journal) is True


@pytest.mark.parametrize(
    ("changes", "most"),
    [({}, "200"), ({"search": {"name": "tpe", "num_trials": 3}}, "1"), ({"budget": {"trials": 3}}, "1"),
     ({"scheduler": "mo_asha"}, "1")],
)  # fmt: skip
def test_a_fixed_plan_is_queued_so_that_an_autoscaler_sees_it(
    changes: dict[str, Any], most: str, tmp_path: Path, tune: Tune
) -> None:
    run(open_journal(str(tmp_path)), **changes)
    assert os.environ["TUNE_MAX_PENDING_TRIALS_PG"] == most


def test_a_trial_gets_its_resources_and_workers_that_die_are_replaced(journal: Journal, tune: Tune) -> None:
    run(journal, resources={"cpu": 2, "gpu": 0.5})
    function, given, resources = tune.settings["trainable"]
    assert function is train.run_on_ray
    assert list(given) == ["around"], "each costs a worker a fetch for each trial"
    around = given["around"]
    assert (around.tracker, around.setting.import_path) == ("the tracker", "/own")
    assert [spec.name for spec in around.tasks.references.values()] == ["digits"]
    (bundle,) = resources(tune.settings["search_alg"].suggest("ray's")).bundles
    assert (bundle["CPU"], bundle["GPU"]) == (2, 0.5)
    assert tune.settings["failure_config"].max_failures == 2
    assert tune.settings["storage_path"] == journal.location


@pytest.mark.parametrize("handler", [signal.default_int_handler, signal.SIG_IGN])
def test_ray_tune_leaves_ctrl_c_as_it_was(journal: Journal, tune: Tune, handler: Any) -> None:
    """It sets a handler of its own, which does nothing the first time once the trials are over."""
    before = signal.signal(signal.SIGINT, handler)
    try:
        tune.do = lambda settings: _setup_signal_catching()
        run(journal)
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_what_ray_tune_wraps_is_said_in_one_line_and_the_tracker_ends(
    journal: Journal, tune: Tune, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray.tune import TuneError

    def give_up(settings: dict[str, Any]) -> None:
        raise TuneError("wrapped") from OSError("no space left\n on the disk")

    tune.do = give_up
    ends: list[str] = []

    @contextlib.contextmanager
    def tracking(location: str, **settings: str) -> Iterator[None]:
        try:
            yield
        finally:
            ends.append(location)

    monkeypatch.setattr(train, "tracking", tracking)
    with pytest.raises(
        SweepError, match=r"^Ray Tune gave up: no space left on the disk; what has finished is kept, and"
    ):
        run(journal)
    assert ends == [journal.location]


@pytest.mark.parametrize("is_wrapped", [False, True])
def test_a_full_disk_ends_the_run_and_the_ledger_says_so(is_wrapped: bool, journal: Journal, tune: Tune) -> None:
    from ray.tune import TuneError

    def give_up(settings: dict[str, Any]) -> None:
        full = OSError(errno.ENOSPC, "No space left on device", "study.jsonl")
        if not is_wrapped:
            raise full
        try:
            raise full
        except OSError:
            raise TuneError("Traceback (most recent call last): ...")  # noqa: B904  # as Ray Tune does

    tune.do = give_up
    sweep = Sweep.from_dict(DOCUMENT)
    session = Session.open(sweep, sweep.sweep_id, journal)
    train.run_trials(session, NoView(), {}, tracking_uri="sqlite:///x.db", import_path=Path("/own"), address=None)
    assert session.ledger.full == "no space left on device: study.jsonl"
    assert tune.settings["stop"].stop_all()
