"""Sweeps that end without a report, whose figures take most of a test's time."""

from __future__ import annotations

import pytest

from orchestrator.running import publish


@pytest.fixture
def without_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "log_report", lambda *_, **__: "")
