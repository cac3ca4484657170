"""What a person sees while a sweep runs: a bar on a terminal, and one plain line for each trial that ended."""

from __future__ import annotations

from typing import Any

from ray import tune
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from analysis.units import format_size
from orchestrator.journal import Ended, Journal, Outcome
from orchestrator.study import Study


class ProgressView(tune.Callback):
    """Follows Ray Tune's trials; reads what they measured from the journal."""

    def __init__(self, console: Console, journal: Journal, study: Study, *, num_done: int) -> None:
        self._console, self._journal, self._study = console, journal, study
        self._num_ended = num_done
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("trials", total=study.most_trials, completed=num_done)

    def __getstate__(self) -> dict[str, object]:
        # Tune pickles its callbacks for a restore of its own, which is never used here.
        return {}

    def __enter__(self) -> ProgressView:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._ended(trial)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._ended(trial)

    def _ended(self, trial: Any) -> None:
        trial_id = trial.config["trial_id"]
        ended = self._journal.ended(trial_id)
        if ended is None:  # it is tried again, or was interrupted
            return
        self._num_ended += 1
        num_ended, num_trials = self._num_ended + self._study.num_skipped, self._study.most_trials
        self._bar.update(self._task, completed=num_ended, total=num_trials)
        self._console.print(
            f"{num_ended:{len(str(num_trials))}}/{num_trials} {_line(trial_id, ended)}",
            highlight=False,
            soft_wrap=True,
        )


def _line(trial_id: str, ended: Ended) -> str:
    if ended.outcome is Outcome.STOPPED:
        return f"{escape(trial_id)}  stopped: {escape(ended.reason)}"
    if ended.outcome is Outcome.FAILED:
        return f"[red]{escape(trial_id)}  failed: {escape(ended.reason)}[/red]"
    point = min(ended.points, key=lambda point: point.size_bytes)
    more = f" (and {len(ended.points) - 1} more)" if len(ended.points) > 1 else ""
    return (
        f"{escape(trial_id)}  {escape(point.architecture)}  {format_size(point.size_bytes)}  "
        f"{point.quality_name}_val {point.quality_val:.4f}  {point.train_s:.1f} s{more}"
    )
