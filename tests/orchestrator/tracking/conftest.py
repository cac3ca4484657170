"""Who writes a run that is over: MLflow's client, or ratefront itself where it knows the database."""

from __future__ import annotations

import pytest

from orchestrator.tracking.whole_runs import RunDatabase


@pytest.fixture(params=["whole", "client"])
def written(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With "client" no database is known."""
    if request.param == "client":
        monkeypatch.setattr(RunDatabase, "open", lambda tracking_uri, experiment: None)
    return str(request.param)
