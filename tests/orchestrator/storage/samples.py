"""What a trial says, and a store that fails, for tests of storage."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.storage.bucket import Bucket

CONFIG = {"seed": 0}
REPORT = {
    "step": 1,
    "total_steps": 2,
    "epoch": 0.5,
    "phase": "train",
    "train_s": 0.1,
    "train_loss": 1.0,
    "rate_bits": 8.0,
    "rate_comparable": True,
    "quality_val": 0.5,
    "quality_name": "accuracy",
    "maximise": True,
}


class FailingStore:
    """The store behind a bucket; it fails for the next ``num_left`` calls."""

    def __init__(self, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
        self.num_left, self._files = 0, bucket._files
        monkeypatch.setattr(bucket, "_files", self)
        monkeypatch.setattr("orchestrator.storage.bucket._PAUSES_S", (0.01, 0.01))

    def __getattr__(self, name: str) -> Any:
        if self.num_left:
            self.num_left -= 1
            raise OSError("SlowDown")
        return getattr(self._files, name)
