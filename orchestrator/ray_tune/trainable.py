"""What Ray Tune runs on a worker: one trial."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from orchestrator.storage.locations import open_journal
from orchestrator.sweep.resources import TrialResources
from orchestrator.trial import Request, Setting, execute

if TYPE_CHECKING:
    from orchestrator.ray_tune.tasks import SharedTasks
    from trainers.loop.progress import Progress


def run_on_ray(config: dict[str, Any], *, setting: Setting, tracker: Any, shared: SharedTasks) -> None:
    """Run one trial, as Ray Tune calls it.

    Args:
        config: what ``StudySearcher`` suggested.
        setting: what all trials of the sweep share.
        tracker: a ``TrackerActor``, which is told when the journal has something new.
        shared: the tasks, with their data.
    """
    from ray import tune

    if open_journal(setting.location).instance is None:  # a node that came late and does not see the folder
        raise FileNotFoundError(setting.location)

    def report(progress: Progress) -> None:
        tune.report(asdict(progress))  # flat, as Ray's schedulers read it

    request = Request(
        setting=setting,
        trial_id=config["trial_id"],
        config=config["config"],
        resources=TrialResources(**config["resources"]),
    )
    execute(request, report=report, track=tracker.sync.remote, find_task=shared.find)
