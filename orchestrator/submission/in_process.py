"""A submitter that runs the sweep in this very process, to debug what a cluster would run, and for tests."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from orchestrator.submission.base import AbstractSubmitter, State, Submission
from orchestrator.submission.jobs import jobs_folder
from orchestrator.views.events import SweepEnded
from orchestrator.views.log import JsonLinesView, last_result, read_events, write_event


class InProcess(AbstractSubmitter):
    """Starts Ray here, or joins the one at ``address``; ``submit`` returns when the sweep is over.

    A handle is the path of the file that keeps what the sweep printed.
    """

    ends_with_submit: ClassVar[bool] = True
    address: str = ""
    """Address of a running Ray cluster; empty: Ray is started here."""

    def render(self, submission: Submission) -> str:
        command = shlex.join(["ratefront", *submission.arguments("sweep.yaml", address=self.address or "local")])
        return f"{command}  # in this process\n--- sweep.yaml\n{submission.sweep_file}"

    def find(self, submission: Submission) -> str | None:
        return None  # it would not return before it is over

    def submit(self, submission: Submission) -> str:
        from orchestrator.running.place import Place
        from orchestrator.running.run import run_sweep
        from orchestrator.sweep.definition import Sweep
        from orchestrator.sweep.yaml_text import parse_yaml

        os.environ.update(submission.env)
        place = Place(
            storage=submission.storage,
            tracking_uri=submission.tracking_uri,
            import_path=Path.cwd(),
            address=self.address or None,
        )
        log = jobs_folder() / "logs" / f"{submission.sweep_id}.out"
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        sweep = Sweep.from_dict(parse_yaml(submission.sweep_file, source="sweep.yaml"))
        with log.open("a", encoding="utf-8") as stream:
            result = run_sweep(sweep, place, JsonLinesView(stream), resume=True)
            write_event(SweepEnded(result=result.to_dict()), stream)
        return str(log)

    def status(self, handle: str) -> State:
        from orchestrator.running.result import exit_code_of

        if not Path(handle).is_file():
            return State.GONE
        result = last_result(read_events(self.logs(handle, follow=False), otherwise=lambda line: None))
        return State.FINISHED if result is not None and exit_code_of(result) == 0 else State.FAILED

    def logs(self, handle: str, *, follow: bool) -> Iterator[str]:
        yield from Path(handle).read_text(encoding="utf-8").splitlines()

    def cancel(self, handle: str) -> None:
        pass  # it is over
