"""What a submitter is: it sends a sweep to a target, such as a cluster, and can be asked how it stands there."""

from __future__ import annotations

import abc
import enum
import getpass
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from orchestrator.submission.wheels import Wheel
from orchestrator.sweep.section import YamlSection


class State(enum.Enum):
    """The state of a submitted sweep."""

    WAITING = "waiting"
    """It waits for a place to run."""
    RUNNING = "running"
    FINISHED = "finished"
    """Its command ended with 0."""
    FAILED = "failed"
    """Its command ended with anything else, or never began."""
    CANCELLED = "cancelled"
    GONE = "gone"
    """The target that ran it no longer knows it."""

    @property
    def is_over(self) -> bool:
        return self not in (State.WAITING, State.RUNNING)


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A sweep to run elsewhere, and where it is to leave its results."""

    sweep_id: str
    sweep_file: str
    """The resolved sweep, as YAML."""
    storage: str
    """Folder of all sweeps, as every node of the cluster sees it."""
    tracking_uri: str
    """MLflow's address, as the cluster sees it."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Environment variables of the driver and the workers; nothing secret."""
    own: Mapping[str, bytes] = field(default_factory=dict)
    """The user's own modules: each file's content by its path from the folder that is to be importable."""
    wheel: Wheel
    """ratefront itself."""
    is_fixed: bool = True
    """Whether the plan is fixed in advance, so that jobs may run parts of it: see ``Sweep.is_fixed``."""

    @property
    def fingerprint(self) -> str:
        """A hash that differs where the sweep would leave other results, or elsewhere, or is another person's."""
        content = [getpass.getuser(), self.storage, self.tracking_uri, self.sweep_file, sorted(self.env.items())]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]

    def arguments(self, sweep_file: str, *, address: str | None = "auto") -> list[str]:
        """The arguments of ``ratefront`` that run the sweep; the same again goes on where it stopped.

        Args:
            sweep_file: its path where they run.
            address: of the Ray cluster; None starts Ray there.
        """
        joined = [] if address is None else ["--address", address]
        places = [*joined, "--storage", self.storage, "--tracking-uri", self.tracking_uri]
        return ["sweep", sweep_file, "--resume", "--json-lines", *places]


class SubmitError(ValueError):
    """A submission cannot be made, or a target does not answer; the message is one line."""


class AbstractSubmitter(YamlSection, abc.ABC):
    """One kind of target. Its fields are the target's settings; a handle names one submission to it."""

    is_here: ClassVar[bool] = False
    """Whether it is this machine: its folders are checked beforehand, and ``submit`` shows the sweep to its end."""

    @abc.abstractmethod
    def render(self, submission: Submission) -> str:
        """All that ``submit`` would send or write, as text to read; asks nobody and changes nothing."""

    @abc.abstractmethod
    def find(self, submission: Submission) -> str | None:
        """The handle under which the sweep waits or runs there; None where it does not.

        Raises:
            SubmitError: it waits or runs there, though not as it would be submitted now.
        """

    @abc.abstractmethod
    def submit(self, submission: Submission) -> str:
        """Submit a sweep that neither waits nor runs there; returns its handle.

        Raises:
            SubmitError: the target refused it.
        """

    @abc.abstractmethod
    def status(self, handle: str) -> State:
        """The state of a submission."""

    @abc.abstractmethod
    def logs(self, handle: str, *, follow: bool) -> Iterator[str]:
        """The lines that the submission has printed; with ``follow`` also those to come, until it is over."""

    @abc.abstractmethod
    def cancel(self, handle: str) -> None:
        """End a submission. What has finished is kept, and submitting the sweep again goes on with it."""


def check_same(submission: Submission, fingerprint: str) -> None:
    """Refuse another submission of the same sweep in place of this one.

    Raises:
        SubmitError: ``fingerprint`` is that of another.
    """
    if fingerprint != submission.fingerprint:
        raise SubmitError(
            f"sweep {submission.sweep_id} is there already, with another storage, tracking, budget or resources, or as "
            "somebody else's: cancel that one first, or give this one another --name"
        )


def short_name(sweep_id: str, *, longest: int) -> str:
    """``sweep_id`` as most clusters take names: small letters, digits and '-'. The hash at its end is kept whole."""
    name, _, digest = sweep_id.lower().rpartition("-")
    cleaned = re.sub(r"[^a-z0-9]+", "-", name).strip("-") or "sweep"
    return f"{cleaned[: longest - len(digest) - 1].rstrip('-')}-{digest}"
