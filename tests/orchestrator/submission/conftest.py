"""Fixtures of submissions."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Golden files are not of the person who runs the tests."""
    monkeypatch.setattr("getpass.getuser", lambda: "somebody")
