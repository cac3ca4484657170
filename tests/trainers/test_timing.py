"""The time of a training is estimated from a few steps, some examples and a small file."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from trainers import timing
from trainers.architectures.base import build
from trainers.architectures.mlp import mlp
from trainers.coding import container
from trainers.config import Spec, TrialConfig
from trainers.data.examples import Batch
from trainers.guard import StoredWronglyError
from trainers.instantiate import make_excerpt, make_task
from trainers.networks.calling import Network
from trainers.tasks.base import Excerpt, Score
from trainers.timing import Timing, measure

CONFIG = TrialConfig(
    task=Spec(name="digits"),
    architecture=Spec(name="mlp", arguments={"hidden": [8]}),
    method=Spec(name="epr", arguments={"lam": 0.5}),
    steps=997,
)
PLAIN = dataclasses.replace(CONFIG, method=Spec(name="uncompressed"))  # epr looks for its first step with the loss


@pytest.fixture
def digits() -> Excerpt:
    return make_excerpt(CONFIG.task)


class Clock:
    """Time that passes only where a test says so."""

    now_s = 0.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("time.process_time", lambda: clock.now_s)
    return clock


def slow(data: Excerpt, clock: Clock, *, step_s: float = 0.0, example_s: float = 0.0, score_s: float = 0.0) -> Excerpt:
    """The data, whose loss takes ``step_s`` and ``example_s`` for each example, and whose score takes ``score_s``."""

    def loss(network: Network, batch: Batch) -> torch.Tensor:
        clock.now_s += step_s + len(batch.targets) * example_s
        return data.task.loss(network, batch)

    def score(network: Network, batch: Batch) -> Score:
        clock.now_s += len(batch.targets) * score_s
        return data.task.score(network, batch)

    return dataclasses.replace(data, task=dataclasses.replace(data.task, loss=loss, score=score))


def test_what_is_measured_is_positive_and_leaves_nothing_behind(
    digits: Excerpt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    threads, drawn = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(threads + 1)
    try:
        found = measure(CONFIG, digits)
        assert torch.get_num_threads() == threads + 1
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert found.step_s > 0
    assert found.point_s > 0
    assert found.num_points == 1
    assert not list(tmp_path.iterdir())


def test_a_slow_step_is_found_with_fewer_examples_than_a_batch(digits: Excerpt, clock: Clock) -> None:
    found = measure(PLAIN, slow(digits, clock, step_s=0.5))
    assert found.is_extrapolated
    assert found == dataclasses.replace(found, step_s=0.5, begin_s=0.0, rate_s=0.0, validation_s=0.0, point_s=0.0)


def test_a_step_that_takes_time_for_each_example_is_scaled_to_a_batch(digits: Excerpt, clock: Clock) -> None:
    found = measure(PLAIN, slow(digits, clock, step_s=0.5, example_s=0.125))
    assert found.is_extrapolated
    assert found.step_s == pytest.approx(0.5 + 64 * 0.125)


def test_a_quick_step_is_measured_with_whole_batches(digits: Excerpt, clock: Clock) -> None:
    found = measure(PLAIN, slow(digits, clock, step_s=0.001))
    assert not found.is_extrapolated
    assert found.step_s == pytest.approx(0.001)


def test_a_batch_in_parts_takes_the_time_of_each(digits: Excerpt, clock: Clock) -> None:
    config = dataclasses.replace(PLAIN, batch_size=64, accumulate=4)
    timing = measure(config, slow(digits, clock, step_s=0.1))
    assert timing.step_s == pytest.approx(4 * 0.1)


def test_without_a_step_only_the_beginning_and_the_points_count(
    digits: Excerpt, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = dataclasses.replace(PLAIN, steps=0)
    monkeypatch.setattr(timing, "_step_s", lambda *given: pytest.fail("a step was measured"))
    found = measure(config, slow(digits, clock, score_s=0.001))
    assert (found.step_s, found.validation_s, found.rate_s) == (0, 0, 0)
    assert found.example_s == pytest.approx(0.001)
    assert found.trial_s(config, digits) == pytest.approx(0.001 * (digits.num_validation + digits.num_test))


def test_a_given_network_passes_the_validation_examples_once(digits: Excerpt, clock: Clock, tmp_path: Path) -> None:
    values = build("mlp", mlp, {"input_shape": [1, 8, 8], "num_outputs": 10, "hidden": [8]}).state_dict()
    torch.save(values, tmp_path / "net.pth")
    config = dataclasses.replace(PLAIN, steps=0, init_from=str(tmp_path / "net.pth"))
    found = measure(config, digits, example_s=0.25)
    assert found.begin_s == 0.25 * digits.num_validation


def test_what_is_known_of_examples_is_not_measured_again_and_counts_for_those_that_were_not_guarded(
    digits: Excerpt, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = dataclasses.replace(PLAIN, steps=0)
    monkeypatch.setattr(timing, "_example_s", lambda *given: pytest.fail("examples were measured"))
    assert measure(config, digits, example_s=0.25).point_s == 0, "a small network is guarded with all 32"
    monkeypatch.setattr("trainers.guard._QUICK_MACS", 5.5 * (64 * 8 + 8 * 10))
    found = measure(config, digits, example_s=0.25)
    assert (found.example_s, found.point_s) == (0.25, 2 * (32 - 5) * 0.25)


def test_of_a_network_that_is_slow_to_evaluate_one_lap_of_two_examples_is_enough(digits: Excerpt, clock: Clock) -> None:
    lengths: list[int] = []
    slowed = slow(digits, clock, score_s=1.0)

    def score(network: Network, batch: Batch) -> Score:
        lengths.append(len(batch.targets))
        return slowed.task.score(network, batch)

    data = dataclasses.replace(slowed, task=dataclasses.replace(slowed.task, score=score))
    assert measure(dataclasses.replace(PLAIN, steps=0), data).example_s == 1.0
    assert lengths == [2]


def test_each_phase_counts_by_its_steps(digits: Excerpt, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """``magnitude`` trains for the first half and fine-tunes in the second, at three times the price."""
    config = dataclasses.replace(
        CONFIG,
        steps=1000,
        method=Spec(name="magnitude", arguments={"keep_ratio": 0.1, "schedule": "one_shot", "finetune": 0.25}),
    )
    prices = iter([1.0, 3.0])
    monkeypatch.setattr(timing, "_step_s", lambda *given: (next(prices), True))
    assert measure(config, digits).step_s == pytest.approx(0.75 * 1 + 0.25 * 3)


def test_what_a_phase_validates_before_it_begins_counts_for_all_examples(digits: Excerpt, clock: Clock) -> None:
    config = dataclasses.replace(CONFIG, method=Spec(name="low_rank", arguments={"ratio": 0.25}))
    few = measure(config, slow(digits, clock, score_s=0.001))
    more = measure(config, dataclasses.replace(slow(digits, clock, score_s=0.001), num_validation=3000))
    assert few.begin_s > 0
    assert more.begin_s == pytest.approx(10 * few.begin_s)


def test_of_a_hundred_points_one_small_file_is_written(digits: Excerpt, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    write = container.write

    def counted(header: Any, layout: Any, sections: Any) -> bytes:
        written.append(sum(section.values.size for section in sections.tensors.values()))
        return write(header, layout, sections)

    monkeypatch.setattr(container, "write", counted)
    monkeypatch.setattr(timing, "_MOST_CODED", 2000)
    tenths = [number / 10 for number in range(1, 11)]
    config = dataclasses.replace(
        CONFIG,
        architecture=Spec(name="mlp", arguments={"hidden": [300, 100]}),
        method=Spec(name="lcs", arguments={"compression": "unstructured", "levels": tenths, "steps": tenths}),
    )
    found = measure(config, digits)
    assert found.num_points == 101
    (num_values,) = written
    assert num_values < 3000


def test_the_time_of_coding_a_part_is_scaled_by_the_number_of_values(
    digits: Excerpt, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = container.write

    def slowly(header: Any, layout: Any, sections: Any) -> bytes:
        clock.now_s += sum(section.values.size for section in sections.tensors.values()) / 1000
        return write(header, layout, sections)

    monkeypatch.setattr(container, "write", slowly)
    monkeypatch.setattr(timing, "_MOST_CODED", 200)
    num_values = 64 * 8 + 8 + 8 * 10 + 10
    config = dataclasses.replace(CONFIG, method=Spec(name="ptq", arguments={"bits": 4}))
    assert measure(config, digits).point_s == pytest.approx(num_values / 1000)


def test_what_is_stored_wrongly_is_found_on_the_way(digits: Excerpt, monkeypatch: pytest.MonkeyPatch) -> None:
    config = dataclasses.replace(CONFIG, architecture=Spec(name="tests.trainers.test_timing:counting"))
    with pytest.raises(StoredWronglyError):
        measure(dataclasses.replace(config, method=Spec(name="uncompressed")), digits)


def counting() -> torch.nn.Module:
    """A network that computes with the number of its steps, which no file holds."""
    from tests.trainers.test_rehearsal import Counting

    network = Counting()
    network.linear = torch.nn.Linear(64, 10)
    return network


def test_a_trial_is_its_beginning_its_steps_its_reports_and_its_points() -> None:
    task = make_task(CONFIG.task)
    found = Timing(begin_s=7.0, step_s=2.0, rate_s=3.0, validation_s=0.25, num_points=5, point_s=11.0, example_s=0.125)
    num_reports = -(-997 // (2 * (len(task.train) // 64)))  # 997 steps are over 50 epochs: every second one reports
    reports_s = num_reports * (3.0 + 0.25 * len(task.validation))
    points_s = 5 * (11.0 + 0.125 * (len(task.validation) + len(task.test)))
    assert found.train_s(CONFIG) == 1994.0
    assert found.trial_s(CONFIG, Excerpt.whole(task)) == 7.0 + 1994.0 + reports_s + points_s
