"""What happens to a running sweep at Ctrl-C, at SIGTERM and at a kill.

- Ctrl-C (SIGINT) while trials run: Ray Tune takes it, starts no further trial, and ends the workers. A trial that ran
  keeps its last checkpoint and its reports, and has no record. A second Ctrl-C does not wait for the workers.
- SIGTERM, as supervisors, batch schedulers and Kubernetes send it, does as Ctrl-C does (``sigterm_as_ctrl_c``). Ray's
  own handler would leave at once, and MLflow would keep open runs. A signal to the whole process group reaches this
  process alone: Ray's are in groups of their own (``ray_tune/runtime.py``).
- Afterwards ``publish.conclude`` runs, as at any end of a sweep: MLflow gets what has finished, the frontier of it is
  published, and open runs are closed as KILLED.
- ``ratefront sweep`` exits with 130 (``SweepResult.exit_code``). At any other time Ctrl-C ends a command at once, with
  130 as well (``cli.py``).
- The same command with ``--resume`` goes on. Trials that are over stay as they are; trials that were cut off go on from
  their checkpoints. ``planning/retries.py`` says what is tried again.
- A kill (SIGKILL, or a crash of the machine) skips all this. The journal keeps everything, and ``--resume`` goes on.
- A process that stood still so long that another took its sweep (``storage/lease.py``) is interrupted as by Ctrl-C,
  even where it ignores SIGINT, and publishes nothing.
- SIGINT may be ignored from the start, as in the background job of a script. SIGTERM then does what is said above.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from orchestrator.errors import SweepError
from orchestrator.storage.lease import Lease


@contextlib.contextmanager
def sigterm_as_ctrl_c() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does at that moment. Outside of the main thread, which gets signals, do nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        handler = signal.getsignal(signal.SIGINT)  # while trials run it is Ray Tune's
        if not callable(handler):
            raise KeyboardInterrupt
        handler(signal.SIGINT, frame)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def check_held(lease: Lease, sweep_id: str) -> None:
    """Refuse to go on with a sweep that another process took.

    Raises:
        SweepError: it took this one.
    """
    if lease.lost:
        raise SweepError(f"another process took sweep {sweep_id} while this one stood still: that one goes on")
