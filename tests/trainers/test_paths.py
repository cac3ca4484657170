"""The values that a rate knob passes in one training, as a sweep file says them, and the points that they leave."""

from __future__ import annotations

from pathlib import Path as File
from typing import Any

import pytest

from trainers.config import Spec, TrialConfig
from trainers.loop.progress import Progress
from trainers.path_label import is_path, path_label
from trainers.paths import Path, completed, shown
from trainers.train import train


def test_a_number_is_a_path_of_one_value() -> None:
    (stretch,) = Path.of("lam", 0.5).stretches
    assert (stretch.value, stretch.share, stretch.learning_rate) == (0.5, 1.0, 1.0)


def test_the_first_value_has_its_share_and_the_others_have_equal_parts_of_the_rest() -> None:
    path = Path.of("lam", {"path": [3, 2, 1], "first": 0.5, "learning_rate": 0.25})
    assert [(one.value, one.share, one.learning_rate) for one in path.stretches] == [
        (3, 0.5, 1.0),
        (2, 0.25, 0.25),
        (1, 0.25, 0.25),
    ]


def test_a_row_is_geometric_and_may_rise() -> None:
    assert Path.of("lam", {"path": {"from": 3.2, "to": 0.2, "points": 5}}).values == (3.2, 1.6, 0.8, 0.4, 0.2)
    assert Path.of("lam", {"path": {"from": 1, "to": 100, "points": 3}}).values == (1, 10, 100)
    ends = Path.of("lam", {"path": {"from": 3.14159265, "to": 1e-308, "points": 3}}).values
    assert (ends[0], ends[-1]) == (3.14159265, 1e-308), "as they were given"


def test_values_stand_in_the_names_of_files() -> None:
    assert [shown(one) for one in (3.0, 3, 0.25, 1e6, 1e-7, "ternary")] == [
        "3",
        "3",
        "0.25",
        "1e06",
        "1e-07",
        "ternary",
    ]


def test_defaults_are_written_out() -> None:
    """So that a sweep stays the same when a default changes."""
    assert completed({"path": [2, 1]}) == {"path": [2, 1], "first": 0.4, "learning_rate": 1.0}
    assert completed({"path": [2, 1], "first": 0.1}) == {"path": [2, 1], "first": 0.1, "learning_rate": 1.0}
    assert (completed(0.5), completed({"fc*": {"step": 1}})) == (0.5, {"fc*": {"step": 1}})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"way": [2, 1]}, "lam is {'way': [2, 1]}: wanted a number, or {path: [3.2, 0.8, 0.2]}"),
        ({"from": 2, "to": 1}, "lam is {'from': 2, 'to': 1}: wanted a number, or {path: [3.2, 0.8, 0.2]}"),
        ({"path": [2, 1], "way": 3}, "lam has 'way': wanted path, first, learning_rate"),
        ({"path": [2, 1], "frist": 0.5}, "lam has 'frist': wanted path, first, learning_rate; did you mean 'first'?"),
        ({"first": 0.5}, "lam is {'first': 0.5}: wanted a number, or {path: [3.2, 0.8, 0.2]}"),
        ({"path": [1]}, "lam: path is [1]: wanted 2 to 32 values, as in {path: [3.2, 0.8, 0.2]}"),
        ({"path": 1}, "lam: path is 1: wanted 2 to 32 values"),
        ({"path": [1, 2, 1]}, "lam: path is [1, 2, 1]: wanted each value once, told apart by six digits"),
        ({"path": [0.2, 0.2000000001]}, "lam: path is [0.2, 0.2000000001]: wanted each value once"),
        ({"path": [[1], 2]}, "lam: path has [1]: wanted single values; a range may stand for from, to and points"),
        ({"path": [{"loguniform": [1, 3]}, 1]}, "lam: path has {'loguniform': [1, 3]}: wanted single values"),
        ({"path": {"from": 2, "to": 2, "points": 3}}, "lam: path is {'from': 2, 'to': 2, 'points': 3}: wanted a row"),
        ({"path": {"from": 1, "to": 2}}, "lam: path is {'from': 1, 'to': 2}: wanted from, to and points"),
        ({"path": {"from": 0, "to": 2, "points": 3}}, "lam: from is 0: wanted a number above 0"),
        ({"path": {"from": 1, "to": 2, "points": 1}}, "lam: points is 1: wanted a whole number of at least 2"),
        ({"path": [2, 1], "first": 1.5}, "lam: first is 1.5: wanted a number above 0 and at most 0.99"),
        ({"path": [2, 1], "learning_rate": 0}, "lam: learning_rate is 0: wanted a number above 0"),
    ],
)
def test_a_mistake_is_one_line(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError) as error:
        Path.of("lam", given)
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)


def path_config(lam: Any, **changes: Any) -> TrialConfig:
    return TrialConfig.from_dict(
        {
            "task": "digits",
            "architecture": {"name": "mlp", "hidden": [8]},
            "method": {"name": "epr", "lam": lam},
            "steps": 60,
            "batch_size": 128,
            **changes,
        }
    )


FALLING = {"path": [3.2, 0.8, 0.2], "first": 0.5}


def test_a_training_stores_a_point_at_the_end_of_each_stretch(tmp_path: File) -> None:
    seen: list[list[str]] = []
    reports: list[Progress] = []
    points = train(
        path_config(FALLING), reports.append, tmp_path, stored=lambda some: seen.append([p.point_id for p in some])
    )
    assert [(point.point_id, point.num_steps) for point in points] == [("lam3.2", 30), ("lam0.8", 45), ("lam0.2", 60)]
    assert seen == [["lam3.2"], ["lam3.2", "lam0.8"]], "the last is the training's own"
    assert [point.train_s for point in points] == sorted(point.train_s for point in points)
    assert {report.phase for report in reports} == {"lam3.2", "lam0.8", "lam0.2"}
    assert [report.is_judged for report in reports if report.step in (30, 45, 60)] == [False, False, True], (
        "a scheduler does not stop a training just before it stores a point"
    )
    assert (tmp_path / "lam0.8.sections.csv").exists()


def test_no_scheduler_stops_a_training_between_a_stretch_and_its_file(tmp_path: File) -> None:
    """Also where the stretch ends with an epoch."""
    lam, reports = {"path": [3.2, 0.2], "first": 0.5}, list[Progress]()
    train(path_config(lam, steps=32), reports.append, tmp_path)
    whole = {one.step: one.is_judged for one in reports if one.epoch.is_integer()}
    assert whole == {8: True, 16: False, 24: True, 32: True}


def test_the_first_stretch_is_a_training_of_its_own_and_storing_does_not_disturb_the_next(tmp_path: File) -> None:
    first, *_ = train(path_config(FALLING), lambda progress: None, tmp_path / "path")
    (alone,) = train(path_config(3.2, steps=30), lambda progress: None, tmp_path / "alone")
    assert first.sha256 == alone.sha256


@pytest.mark.parametrize("interval_s", [0.0, 1e9])
@pytest.mark.parametrize("killed_at", [12, 30, 36, 45, 54, 60])
def test_a_training_resumed_in_any_stretch_ends_in_the_same_files(
    killed_at: int, interval_s: float, tmp_path: File
) -> None:
    config = path_config(FALLING)
    wanted = {point.point_id: point.sha256 for point in train(config, lambda progress: None, tmp_path / "whole")}
    interrupted(config, killed_at, tmp_path / "parts", interval_s)
    early = {path: path.stat().st_mtime_ns for path in (tmp_path / "parts").glob("*.rfz")}
    points = train(config, lambda progress: None, tmp_path / "parts")
    assert {point.point_id: point.sha256 for point in points} == wanted
    assert [point.num_steps for point in points] == [30, 45, 60]
    if killed_at > 45:
        assert early == {path: path.stat().st_mtime_ns for path in early}, "what was stored stays"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (
            {"path": {"from": 3.2, "to": 0.2, "points": 5}, "first": 0.4, "learning_rate": 1.0},
            "3.2..0.2 in 5, first 0.4",
        ),
        (
            {"path": [8, "ternary", 1], "first": 1 / 3, "learning_rate": 0.5},
            "8..1 in 3, first 0.333, learning_rate 0.5",
        ),
    ],
)
def test_a_path_is_short_in_labels(given: dict[str, Any], wanted: str) -> None:
    assert path_label(given, 3) == f"path({wanted})"
    assert str(Spec(name="epr", arguments={"lam": given})).startswith("epr(lam=path(")


@pytest.mark.parametrize("path", [7, "", "layer1", [], {"of": 1}])
def test_a_setting_that_looks_like_a_path_is_none_in_labels(path: Any) -> None:
    given = {"first": 1, "learning_rate": 1.0, "path": path}
    assert str(Spec(name="own", arguments={"x": given})).startswith('own(x={"first":1,')
    assert not is_path({"first": 1, "path": [1, 2]})


def interrupted(config: TrialConfig, step: int, folder: File, interval_s: float = 0.0) -> None:
    """Train until the report after ``step``."""

    def report(progress: Progress) -> None:
        if progress.step == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, report, folder, checkpoint_interval_s=interval_s)


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"?")])
def test_where_an_early_file_is_lost_the_training_begins_anew(damage: Any, tmp_path: File) -> None:
    config, said = path_config(FALLING), list[str]()
    wanted = {point.point_id: point.sha256 for point in train(config, lambda progress: None, tmp_path / "whole")}
    interrupted(config, 54, tmp_path / "parts")
    damage(tmp_path / "parts" / "lam3.2.rfz")
    points = train(config, lambda progress: None, tmp_path / "parts", damaged=said.append)
    assert {point.point_id: point.sha256 for point in points} == wanted
    (line,) = said
    assert line.endswith("lam3.2.rfz is missing, or not what was measured: the training begins anew")
