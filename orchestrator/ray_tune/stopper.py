"""Ray Tune's stopper: on a full disk the trials that run or wait are cut off, as by Ctrl-C."""

from __future__ import annotations

from typing import Any

from ray import tune

from orchestrator.planning.ledger import Ledger


class FullDiskStopper(tune.Stopper):
    """Stops all trials once the ledger says that the disk is full: each of them would train in vain."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Whether one trial is to stop: the sweep's scheduler says that."""
        return False

    def stop_all(self) -> bool:
        return bool(self._ledger.full)
