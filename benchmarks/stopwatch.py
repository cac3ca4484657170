"""Notes when the trainings of a sweep begin and end, and what it uses on the way."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.processes import processor_s
from orchestrator.views.base import AbstractView
from orchestrator.views.board import Board
from orchestrator.views.events import AbstractEvent, TrialEnded, TrialStarted

NUM_SLOTS = 2
_BETWEEN_RSS = 100


class Stopwatch(AbstractView):
    """Notes when trainings began and ended, and the driver's memory on the way."""

    def __init__(self) -> None:
        self.began_s = self.trained_s = 0.0
        self.starts_s: list[float] = []
        self.ends_s: list[float] = []
        self.training_at_once = 0.0
        self.first_start_cpu_s = self.all_cpu_s = self.last_end_cpu_s = 0.0
        self.spent: list[dict[str, float]] = []
        self.rss_mb: dict[int, float] = {}

    @contextlib.contextmanager
    def shown(self, board: Board) -> Iterator[None]:
        self.began_s = time.perf_counter()
        yield
        self.trained_s = time.perf_counter()

    def show(self, event: AbstractEvent, board: Board) -> None:
        if event.kind == TrialStarted.kind:
            self.starts_s.append(time.perf_counter())
            if len(self.starts_s) == 1:
                self.first_start_cpu_s = time.process_time()
        elif event.kind == TrialEnded.kind:
            self.ends_s.append(time.perf_counter())
            if board.num_ended in (1 + board.num_trials // 10, board.num_trials):
                self.spent.append(processor_s())
            if board.num_ended == board.num_trials:
                self.last_end_cpu_s, self.all_cpu_s = time.process_time(), sum(self.spent[-1].values())
                self.training_at_once = board.training_at_once  # later it counts the end of the sweep, too
            if board.num_ended % _BETWEEN_RSS == 0:
                self.rss_mb[board.num_ended] = resident_mb()


def resident_mb() -> float:
    """The memory that this process has now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1000
    raise RuntimeError("/proc/self/status has no VmRSS")


def slots(watch: Stopwatch) -> dict[str, float]:
    """What the slots did from the first attempt to start a trial to the last end, as shares of their time."""
    last_s = watch.ends_s[-1]
    all_s = NUM_SLOTS * (last_s - watch.began_s)
    starting_s = sum(start_s - watch.began_s for start_s in watch.starts_s[:NUM_SLOTS])
    trials_s = sum(watch.ends_s) - sum(watch.starts_s)
    training_s = watch.training_at_once * (last_s - watch.began_s)
    shares = {"training": training_s, "around training": trials_s - training_s, "starting": starting_s}
    shares["waiting"] = all_s - starting_s - trials_s
    return {name: seconds / all_s for name, seconds in shares.items()}


def pace(ends_s: list[float]) -> float:
    """Trials a second, once the processes that train have started."""
    first = len(ends_s) // 10
    return (len(ends_s) - 1 - first) / (ends_s[-1] - ends_s[first]) if len(ends_s) > 1 else 0.0


def trial_ms(spent: list[dict[str, float]], num_trials: int) -> dict[str, float]:
    """Milliseconds of the processor that a trial takes, by process, over the trials that ``pace`` counts."""
    first, last = spent[0], spent[-1]
    num = max(num_trials - 1 - num_trials // 10, 1)
    return {kind: (last[kind] - first[kind]) * 1000 / num for kind in last}
