"""Fixtures of submissions."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Submissions are made as a fixed user, whatever person runs the tests: golden files hold the fingerprint."""
    monkeypatch.setattr("getpass.getuser", lambda: "somebody")
