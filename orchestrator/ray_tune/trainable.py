"""What Ray Tune runs on a worker: one trial."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.storage.locations import open_journal
from orchestrator.sweep.resources import TrialResources
from orchestrator.trial import Request, Setting, execute

if TYPE_CHECKING:
    from orchestrator.ray_tune.tasks import SharedTasks
    from trainers.loop.progress import Progress


_MOST_WAIT_S = 1.0
"""How long a worker waits at most, at a trial's beginning, until the tracker has taken what the one before it sent."""


class _Pace:
    """Keeps very short trials from running far ahead of the tracker, whose work would be left to the sweep's end.

    A worker waits for a tracker that is behind, once; where that was in vain, it waits no more until the tracker has
    caught up. So a server that hangs stops nothing.
    """

    def __init__(self) -> None:
        self._last: Any = None  # Ray's reference to what the worker sent last
        self._was_in_vain = False

    def wait(self) -> None:
        """Before a trial begins."""
        import ray

        if self._last is not None:
            timeout_s = 0.0 if self._was_in_vain else _MOST_WAIT_S
            taken, _ = ray.wait([self._last], timeout=timeout_s, fetch_local=False)
            self._was_in_vain = not taken

    def sent(self, reference: Any) -> None:
        """Note what a trial sent."""
        self._last = reference


_pace = _Pace()  # a worker runs many trials


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What all trials of a sweep are given on Ray: one object, which a worker fetches for each."""

    setting: Setting
    tracker: Any
    """A ``TrackerActor``, which is told when the journal has something new."""
    tasks: SharedTasks
    """The tasks, with their data."""


def run_on_ray(config: dict[str, Any], *, around: Surroundings) -> None:
    """Run one trial, as Ray Tune calls it.

    Args:
        config: what ``StudySearcher`` suggested.
        around: what it shares with all others.
    """
    from ray import tune

    if open_journal(around.setting.location).instance is None:  # a node that came late and does not see the folder
        raise FileNotFoundError(around.setting.location)

    def report(progress: Progress) -> None:
        tune.report(asdict(progress))  # flat, as Ray's schedulers read it

    def track(trial_id: str) -> None:
        _pace.sent(around.tracker.sync.remote(trial_id))

    _pace.wait()
    request = Request(
        setting=around.setting,
        trial_id=config["trial_id"],
        config=config["config"],
        resources=TrialResources(**config["resources"]),
    )
    execute(request, report=report, track=track, find_task=around.tasks.find)
