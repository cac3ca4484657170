"""What a sweep has measured so far: means over seeds, and the hypervolume that they cover."""

from __future__ import annotations

import pytest

from analysis.fronts.hypervolume import Reference, hypervolume
from orchestrator.search.coverage import Coverage
from tests.points import point

REFERENCE = Reference(size_bytes=1000.0, quality=0.5, maximise=True)


def test_seeds_of_a_configuration_count_as_their_mean() -> None:
    covered = Coverage()
    covered.add([point(config_hash="a", size_bytes=100, quality_val=0.8)])
    covered.add([point(config_hash="a", size_bytes=300, quality_val=0.9)])
    covered.add([point(config_hash="b", size_bytes=500, quality_val=0.95)])
    assert covered.size_bytes == [200.0, 500.0]
    assert covered.quality_val == pytest.approx([0.85, 0.95])
    assert covered.hypervolume(REFERENCE) == hypervolume([200.0, 500.0], covered.quality_val, REFERENCE)


def test_points_of_one_training_are_kept_apart_by_their_ids() -> None:
    covered = Coverage()
    covered.add([point(point_id="coarse", size_bytes=100), point(point_id="fine", size_bytes=400)])
    assert covered.size_bytes == [100.0, 400.0]


def test_before_the_first_point_nothing_is_covered() -> None:
    assert Coverage().any_point is None
    assert Coverage().size_bytes == []


def test_a_seed_counts_once_it_has_every_file() -> None:
    covered = Coverage()
    covered.add([point(config_hash="a", size_bytes=100, task_file="a"), point(config_hash="b", task_file="a")])
    covered.add([point(config_hash="a", size_bytes=300, task_file="b")])
    covered.add([point(config_hash="a", size_bytes=900, task_file="a", seed=1)])
    assert covered.size_bytes == [200.0]
