"""The Ray Tune trainable: one trial on a worker."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from orchestrator.storage.locations import open_journal
from orchestrator.sweep.resources import TrialResources
from orchestrator.trial import Request, Setting, execute

if TYPE_CHECKING:
    from orchestrator.ray_tune.tasks import SharedTasks
    from trainers.loop import Progress


def run_on_ray(config: dict[str, Any], *, setting: Setting, tracker: Any, shared: SharedTasks) -> None:
    """The Ray Tune trainable; ``config`` is what ``StudySearcher`` suggested."""
    from ray import tune

    if open_journal(setting.location).instance is None:  # a node that came late: what a trial left there is lost
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
