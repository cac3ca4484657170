"""What happens to a sweep, as data: one dataclass for each kind of event, and its JSON form.

``ratefront sweep --json-lines`` writes events; ``attach`` reads them back.
"""

from __future__ import annotations

import abc
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from orchestrator.storage.journal import Ended, Outcome
from orchestrator.views.board import Board, Totals
from trainers.record import OperatingPoint, from_row, to_row


def _now_s() -> float:
    return round(time.time(), 3)


@dataclass(frozen=True, kw_only=True)
class AbstractEvent(abc.ABC):
    """Something that happened to a sweep."""

    kind: ClassVar[str]
    """The event's name in its JSON form."""
    at_s: float = field(default_factory=_now_s)
    """When it happened: seconds since 1970, UTC, to the millisecond."""

    def to_dict(self) -> dict[str, Any]:
        """The event's JSON form; NaN and infinity, which JSON lacks, are None."""
        plain: dict[str, Any] = _finite({"event": self.kind, "at_s": self.at_s, **self.content()})
        return plain

    @abc.abstractmethod
    def content(self) -> dict[str, Any]:
        """All but the kind and the time, as plain data."""

    @classmethod
    @abc.abstractmethod
    def from_content(cls, at_s: float, content: Mapping[str, Any]) -> Self:
        """The event whose JSON form has this content."""


@dataclass(frozen=True, kw_only=True)
class SweepStarted(AbstractEvent):
    """A process began to run a sweep, for the first time or again."""

    kind: ClassVar[str] = "sweep_started"
    sweep_id: str
    directory: str
    """The sweep's folder; an address where the storage is one."""
    num_ended: int
    """Trials that had ended before."""
    totals: Totals

    def content(self) -> dict[str, Any]:
        own = {"sweep_id": self.sweep_id, "directory": self.directory, "num_ended": self.num_ended}
        return {**own, **self.totals.to_dict()}

    @classmethod
    def from_content(cls, at_s: float, content: Mapping[str, Any]) -> Self:
        own = {name: content[name] for name in ("sweep_id", "directory", "num_ended")}
        return cls(at_s=at_s, **own, totals=Totals.from_dict(content))


@dataclass(frozen=True, kw_only=True)
class TrialFound(AbstractEvent):
    """A trial had ended before this process began to run the sweep."""

    kind: ClassVar[str] = "trial_found"
    trial_id: str
    outcome: Outcome
    reason: str = ""
    points: tuple[OperatingPoint, ...] = ()

    @property
    def ended(self) -> Ended:
        """The trial's record, without what only the journal keeps."""
        return Ended(outcome=self.outcome, reason=self.reason, points=self.points, ended_at_s=self.at_s)

    def content(self) -> dict[str, Any]:
        return {"trial_id": self.trial_id, **_ending_to_dict(self.ended)}

    @classmethod
    def from_content(cls, at_s: float, content: Mapping[str, Any]) -> Self:
        return cls(at_s=at_s, trial_id=content["trial_id"], **_ending_from_dict(content))


@dataclass(frozen=True, kw_only=True)
class AbstractTrialEvent(AbstractEvent):
    """Something that happened to one trial while the sweep ran: it changes the board."""

    trial_id: str

    @abc.abstractmethod
    def apply(self, board: Board) -> None:
        """Change the board accordingly."""


@dataclass(frozen=True, kw_only=True)
class TrialStarted(AbstractTrialEvent):
    """A trial started, for the first time or again."""

    kind: ClassVar[str] = "trial_started"
    config: Mapping[str, Any]
    """``TrialConfig.to_dict()``."""

    def apply(self, board: Board) -> None:
        board.start(self.trial_id, self.config)

    def content(self) -> dict[str, Any]:
        return {"trial_id": self.trial_id, "config": self.config}

    @classmethod
    def from_content(cls, at_s: float, content: Mapping[str, Any]) -> Self:
        return cls(at_s=at_s, trial_id=content["trial_id"], config=content["config"])


@dataclass(frozen=True, kw_only=True)
class TrialReported(AbstractTrialEvent):
    """A running trial reported."""

    kind: ClassVar[str] = "report"
    progress: Mapping[str, Any]
    """The fields of ``trainers.loop.progress.Progress``, none of which is None."""

    def apply(self, board: Board) -> None:
        board.report(self.trial_id, self.progress)

    def content(self) -> dict[str, Any]:
        return {"trial_id": self.trial_id, **self.progress}

    @classmethod
    def from_content(cls, at_s: float, content: Mapping[str, Any]) -> Self:
        progress = {key: math.nan if item is None else item for key, item in content.items() if key != "trial_id"}
        return cls(at_s=at_s, trial_id=content["trial_id"], progress=progress)


@dataclass(frozen=True, kw_only=True)
class PointsStored(AbstractTrialEvent):
    """A running trial stored points on its way: files at the end of a stretch of a path."""

    kind: ClassVar[str] = "points_stored"
    points: tuple[OperatingPoint, ...]
    """Those that no earlier event had."""

    def apply(self, board: Board) -> None:
        board.store(self.trial_id, self.points)

    def content(self) -> dict[str, Any]:
        return {"trial_id": self.trial_id, "points": [to_row(point) for point in self.points]}

    @classmethod
    def from_content(cls, at_s: float, content: Mapping[str, Any]) -> Self:
        points = tuple(from_row(point) for point in content["points"])
        return cls(at_s=at_s, trial_id=content["trial_id"], points=points)


@dataclass(frozen=True, kw_only=True)
class TrialEnded(AbstractTrialEvent):
    """A trial ended; the sweep's numbers include it."""

    kind: ClassVar[str] = "trial_ended"
    outcome: Outcome
    reason: str = ""
    points: tuple[OperatingPoint, ...] = ()
    num_ended: int
    """Trials of the sweep that have ended."""
    hypervolume: float | None
    """``Board.hypervolume``."""
    totals: Totals

    @property
    def ended(self) -> Ended:
        """The trial's record, without what only the journal keeps."""
        return Ended(outcome=self.outcome, reason=self.reason, points=self.points, ended_at_s=self.at_s)

    def apply(self, board: Board) -> None:
        board.totals = self.totals
        board.end(self.trial_id, self.ended)

    def content(self) -> dict[str, Any]:
        own = {"trial_id": self.trial_id, **_ending_to_dict(self.ended)}
        return {**own, "num_ended": self.num_ended, "hypervolume": self.hypervolume, **self.totals.to_dict()}

    @classmethod
    def from_content(cls, at_s: float, content: Mapping[str, Any]) -> Self:
        own = {name: content[name] for name in ("trial_id", "num_ended", "hypervolume")}
        return cls(at_s=at_s, **own, **_ending_from_dict(content), totals=Totals.from_dict(content))


@dataclass(frozen=True, kw_only=True)
class SweepEnded(AbstractEvent):
    """A run of the sweep is over; the last event of the run."""

    kind: ClassVar[str] = "sweep_ended"
    result: Mapping[str, Any]
    """``SweepResult.to_dict()``."""

    def content(self) -> dict[str, Any]:
        return dict(self.result)

    @classmethod
    def from_content(cls, at_s: float, content: Mapping[str, Any]) -> Self:
        return cls(at_s=at_s, result=content)


_EVENTS: Mapping[str, type[AbstractEvent]] = {
    event.kind: event
    for event in (SweepStarted, TrialFound, TrialStarted, TrialReported, PointsStored, TrialEnded, SweepEnded)
}


def from_dict(row: Mapping[str, Any]) -> AbstractEvent:
    """The inverse of ``AbstractEvent.to_dict``.

    Raises:
        ValueError: there is no such kind of event.
    """
    if row["event"] not in _EVENTS:
        raise ValueError(f"unknown event {row['event']!r}: wanted one of {', '.join(_EVENTS)}")
    content = {key: item for key, item in row.items() if key not in ("event", "at_s")}
    return _EVENTS[row["event"]].from_content(row["at_s"], content)


def _ending_to_dict(ended: Ended) -> dict[str, Any]:
    points = [to_row(point) for point in ended.points]
    return {"outcome": ended.outcome.value, "reason": ended.reason, "points": points}


def _ending_from_dict(content: Mapping[str, Any]) -> dict[str, Any]:
    points = tuple(from_row(point) for point in content["points"])
    return {"outcome": Outcome(content["outcome"]), "reason": content["reason"], "points": points}


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value
