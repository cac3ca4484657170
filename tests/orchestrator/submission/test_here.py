"""A sweep submitted to this machine is a process of its own, which is remembered whatever happens to either."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.submission import here
from orchestrator.submission.base import State, SubmitError
from orchestrator.submission.here import Here
from orchestrator.views.events import SweepEnded
from tests.orchestrator.submission.samples import SUBMISSION, changed
from trainers.record import write_json

_STOP = "open('go', 'w').close(); import time; time.sleep(600)"
_RESULT = {"interrupted": False, "unpublished": "", "num_failed": 0, "num_finished": 2}
_ENDED = json.dumps(SweepEnded(result=_RESULT).to_dict())
_END = f"print('the last of it'); print({_ENDED!r}, flush=True)"

Plays = Callable[[str], None]


@pytest.fixture
def plays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plays]:
    """Has the process run a line of Python in place of ratefront; what was started is ended afterwards."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    started: list[int] = []
    start = here._start

    def remember(*arguments: object) -> int:
        started.append(start(*arguments))  # type: ignore[arg-type]
        return started[-1]

    monkeypatch.setattr(here, "_start", remember)
    yield lambda code: monkeypatch.setattr(here, "_command", lambda arguments: [sys.executable, "-c", code, *arguments])
    for pid in started:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def wait_until(holds: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.05)


def test_a_job_that_is_killed_is_known_and_can_be_submitted_again(plays: Plays) -> None:
    plays(f"print('begun', flush=True); {_STOP}")
    assert Here().find(SUBMISSION) is None
    handle = Here().submit(SUBMISSION)
    wait_until(Path("go").is_file)
    assert Here().find(SUBMISSION) == handle
    assert Here().status(handle) is State.RUNNING
    assert list(Here().logs(handle, follow=False)) == ["begun"]
    with pytest.raises(SubmitError, match="is there already, with another storage"):
        Here().find(changed(storage="/elsewhere"))
    with pytest.raises(SubmitError, match="started here by somebody else just now"):
        Here().submit(SUBMISSION)

    os.kill(json.loads(Path(handle).with_suffix(".json").read_text())["pid"], signal.SIGKILL)
    wait_until(lambda: Here().find(SUBMISSION) is None)
    assert Here().status(handle) is State.FAILED
    plays(_END)
    assert Here().submit(SUBMISSION) == handle
    assert next(iter(Here().logs(handle, follow=True))) == "the last of it"
    wait_until(lambda: Here().status(handle) is State.FINISHED)


def test_whoever_asks_at_that_moment_keeps_no_sweep_from_starting(plays: Plays) -> None:
    """``ratefront jobs`` holds the lock for a moment."""
    plays("pass")
    log = here._log(SUBMISSION)
    log.parent.mkdir(parents=True)
    log.touch()
    with log.open("rb") as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)
        threading.Timer(0.3, fcntl.flock, (asking, fcntl.LOCK_UN)).start()
        assert Here().submit(SUBMISSION) == str(log)


def test_a_sweep_that_is_starting_is_known_by_its_own_record(
    plays: Plays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two submit a sweep at once; it was submitted before, with other settings."""
    plays("pass")
    handle = Here().submit(changed(storage="/elsewhere"))
    wait_until(lambda: Here().status(handle) is State.FAILED)
    found: list[str | None] = []
    asking = threading.Thread(target=lambda: found.append(Here().find(SUBMISSION)))

    def ask(log: Path, record: dict[str, object]) -> None:
        asking.start()  # the process runs, and has no record yet
        time.sleep(0.3)
        write_json(log, record)

    plays(_STOP)
    monkeypatch.setattr(here, "write_json", ask)
    Here().submit(SUBMISSION)
    asking.join()
    assert found == [handle]


def test_a_job_that_is_cancelled_is_told_so_and_says_so(plays: Plays) -> None:
    plays(f"import signal, sys; signal.signal(signal.SIGTERM, lambda *_: (print('told'), sys.exit(130))); {_STOP}")
    handle = Here().submit(SUBMISSION)
    wait_until(Path("go").is_file)
    Here().cancel(handle)
    assert list(Here().logs(handle, follow=True)) == ["told"]
    assert Here().status(handle) is State.CANCELLED


def test_the_process_has_the_sweep_and_its_environment_and_outlives_a_signal_to_the_group(plays: Plays) -> None:
    plays("import os, sys; print(os.environ['A'], os.getsid(0) == os.getpid(), open(sys.argv[2]).read(), *sys.argv)")
    handle = Here(address="there:1").submit(changed(env={"A": "given"}))
    first, *rest = Here().logs(handle, follow=True)
    assert first == "given True name: My_sweep.v2"
    assert " sweep " in rest[-1]
    assert "--resume --json-lines --address there:1 --storage /shared/sweeps" in rest[-1]
    assert "--address" not in Here().render(SUBMISSION)


def test_what_an_earlier_version_submitted_is_over(plays: Plays, tmp_path: Path) -> None:
    (tmp_path / "old.out").write_text(_ENDED)
    assert Here().status(str(tmp_path / "old.out")) is State.FINISHED
    (tmp_path / "old.out").write_text("")
    assert Here().status(str(tmp_path / "old.out")) is State.FAILED
    assert Here().status(str(tmp_path / "none.out")) is State.GONE
