"""A later search hears what earlier sweeps measured."""

from __future__ import annotations

import pytest

from orchestrator.planning.study import plan
from orchestrator.running.place import Place
from orchestrator.running.sync import sync_sweep
from orchestrator.search.goals import Goals
from orchestrator.search.space import identity
from orchestrator.storage.journal import Journal
from orchestrator.tracking.warm_start import earlier_outcomes
from tests.orchestrator.trained import SWEEP


def test_a_later_search_can_hear_what_a_sweep_measured(place: Place, trained: Journal) -> None:
    """Configurations come back from MLflow's texts as they were."""
    sync_sweep(SWEEP.sweep_id, place)
    outcomes = earlier_outcomes(place.tracking_uri, ["small"], Goals())
    wanted = [{key: item for key, item in trial.config.to_dict().items() if key != "seed"} for trial in plan(SWEEP)]
    assert sorted(map(identity, wanted)) == sorted(identity(configuration) for configuration, _ in outcomes)
    assert all(1 < told.costs[0] < 4 and -1 <= told.costs[1] < 0 for _, told in outcomes)
    assert all(SWEEP.space.locate(configuration) is not None for configuration, _ in outcomes)


def test_where_no_sweep_is_named_no_store_is_asked() -> None:
    assert earlier_outcomes("http://127.0.0.1:9", [], Goals()) == []


def test_a_sweep_that_is_not_there_is_said(place: Place) -> None:
    place.store.prepare("small")
    with pytest.raises(ValueError, match="no sweep 'smal'"):
        earlier_outcomes(place.tracking_uri, ["smal"], Goals())
