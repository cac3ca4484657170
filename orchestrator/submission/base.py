"""What a submitter is: something that takes a sweep, runs it elsewhere, and can be asked about it."""

from __future__ import annotations

import abc
import enum
import getpass
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from orchestrator.submission.wheels import Wheel
from orchestrator.sweep.section import YamlSection


class State(enum.Enum):
    """How a submitted sweep stands."""

    WAITING = "waiting"
    """For a place to run."""
    RUNNING = "running"
    FINISHED = "finished"
    """Its command ended with 0."""
    FAILED = "failed"
    """Its command ended with anything else, or never began."""
    CANCELLED = "cancelled"
    GONE = "gone"
    """Whoever ran it knows it no longer."""

    @property
    def is_over(self) -> bool:
        return self not in (State.WAITING, State.RUNNING)


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A sweep, and where it is to leave its results."""

    sweep_id: str
    sweep_file: str
    """The resolved sweep, as YAML."""
    storage: str
    """Folder of all sweeps, as every node of the cluster sees it."""
    tracking_uri: str
    """Of MLflow, as the cluster sees it."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Environment of the driver and of the workers; nothing secret."""
    own: Mapping[str, bytes] = field(default_factory=dict)
    """The user's own modules: content by path from the folder that is to be importable."""
    wheel: Wheel
    """ratefront itself."""
    is_fixed: bool = True
    """Whether the plan is fixed in advance, so that jobs may run parts of it: see ``Sweep.is_fixed``."""

    @property
    def fingerprint(self) -> str:
        """Differs where the sweep would leave something else, or leave it elsewhere, or is another person's."""
        content = [getpass.getuser(), self.storage, self.tracking_uri, self.sweep_file, sorted(self.env.items())]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]

    def arguments(self, sweep_file: str, *, address: str = "auto") -> list[str]:
        """Of ``ratefront``, to run the sweep on the cluster; the same again goes on where it stopped."""
        places = ["--address", address, "--storage", self.storage, "--tracking-uri", self.tracking_uri]
        return ["sweep", sweep_file, "--resume", "--json-lines", *places]


class SubmitError(ValueError):
    """A submission that cannot be made, or a target that does not answer; one line."""


class AbstractSubmitter(YamlSection, abc.ABC):
    """One kind of target. Its fields are the settings of the place; a handle names one submission there."""

    @abc.abstractmethod
    def render(self, submission: Submission) -> str:
        """All that ``submit`` would send or write, to be read; asks nobody and changes nothing."""

    @abc.abstractmethod
    def find(self, submission: Submission) -> str | None:
        """The handle under which a sweep waits or runs there.

        Raises:
            SubmitError: it does, and not as it would be submitted now.
        """

    @abc.abstractmethod
    def submit(self, submission: Submission) -> str:
        """Submit a sweep that neither waits nor runs there; returns its handle.

        Raises:
            SubmitError: it was refused.
        """

    @abc.abstractmethod
    def status(self, handle: str) -> State:
        """How it stands."""

    @abc.abstractmethod
    def logs(self, handle: str, *, follow: bool) -> Iterator[str]:
        """Lines of what it has said; with ``follow`` also what it will say, until it is over."""

    @abc.abstractmethod
    def cancel(self, handle: str) -> None:
        """End it. What has finished is kept, and submitting the sweep again goes on."""


def check_same(submission: Submission, fingerprint: str) -> None:
    """Refuse to take another submission of the same sweep for this one.

    Raises:
        SubmitError: it is another.
    """
    if fingerprint != submission.fingerprint:
        raise SubmitError(
            f"sweep {submission.sweep_id} is there already, with another storage, tracking, budget or resources, or as "
            "somebody else's: cancel that one first, or give this one another --name"
        )


def short_name(sweep_id: str, *, longest: int) -> str:
    """``sweep_id`` as most schedulers take names: small letters, digits and '-'. The hash at its end stays."""
    name, _, digest = sweep_id.lower().rpartition("-")
    cleaned = re.sub(r"[^a-z0-9]+", "-", name).strip("-") or "sweep"
    return f"{cleaned[: longest - len(digest) - 1].rstrip('-')}-{digest}"
