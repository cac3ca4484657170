"""Estimates how long a training will take: a few steps, some examples and one small file are measured, the rest scaled.

Steps that are long are measured with fewer examples than a batch, on the straight line through two sizes. Of the
points that a method stores one is guarded, on fewer examples where the network is large, and coded in part.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from statistics import fmean, median
from typing import TypeVar

import torch
from torch import nn

from trainers.arrange import arrange
from trainers.coding import container
from trainers.coding.excerpt import excerpt
from trainers.coding.sections import Layout, Sections, check_sections
from trainers.config import TrialConfig
from trainers.data.examples import head
from trainers.determinism import denormals_flushed, deterministic
from trainers.evaluate import evaluate
from trainers.loop.phases import Trained, boundaries
from trainers.loop.progress import report_steps
from trainers.loop.steps import Steps
from trainers.loop.training import Training
from trainers.loop.updates import Updates
from trainers.methods.base import Moment, Phase
from trainers.points import guard_of, rebuilt
from trainers.preparation import Described, Prepared, describe, prepare
from trainers.record import write_atomically
from trainers.seeding import seed_everything, undisturbed
from trainers.tasks.base import Excerpt, Task
from trainers.train import attached
from trainers.trees import num_rows

_FEW = 4
"""The examples of the first measurements, which warm up and say how many more there may be."""
_MORE = 16
"""The least examples of the second measurements."""
_MOST_LAPS = 20
_MOST_CODED = 40_000
"""The most values of a point that are coded."""
_MOST_VALIDATED = 512
"""The most examples that are validated on at once."""
_MACS = 6e9
"""The multiplications of the largest batch that a method is attached with."""
_LEAST = 2
"""The least examples that a network is evaluated on: some refuse a batch of one."""

Clock = Callable[[], float]
_Result = TypeVar("_Result")


@dataclass(frozen=True, kw_only=True)
class Timing:
    """The time that the parts of a training take."""

    begin_s: float
    """The seconds of building the network, attaching the method, and deciding what its phases decide."""
    step_s: float
    """The seconds of one optimiser step, as a mean over the phases."""
    rate_s: float
    """The seconds of estimating the size, for one report."""
    validation_s: float
    """The seconds of validating on one example while training."""
    num_points: int
    point_s: float
    """The seconds of making, writing, reading and guarding one operating point."""
    example_s: float
    """The seconds of measuring a decoded network on one example."""
    is_extrapolated: bool = False
    """Whether steps were too long to be measured with whole batches."""

    def train_s(self, config: TrialConfig) -> float:
        """The seconds of all steps."""
        return config.steps * self.step_s

    def trial_s(self, config: TrialConfig, data: Excerpt) -> float:
        """The seconds of a whole trial, with all examples and operating points."""
        config = config.in_steps(data.num_train)
        num_reports = len(report_steps(config, data.num_train))
        reports_s = num_reports * (self.rate_s + (config.validate_examples or data.num_validation) * self.validation_s)
        points_s = self.num_points * (self.point_s + (data.num_validation + data.num_test) * self.example_s)
        return self.begin_s + self.train_s(config) + reports_s + points_s


def measure(
    config: TrialConfig,
    data: Excerpt,
    *,
    described: Described | None = None,
    example_s: float | None = None,
    device: str = "cpu",
    num_threads: int = 1,
    piece_s: float = 0.4,
) -> Timing:
    """Time a training, and try on the way what ``rehearse`` tries: its method trains, stores and decodes the network.

    On a CPU with one thread seconds are those of the processor, so that whatever else runs here does not count.

    Args:
        config: the training.
        data: the data of its task.
        described: its network, if that is described already.
        example_s: see ``Timing``, if that is known of the same network on the same device with as many threads.
        device: see ``train``.
        num_threads: the number of torch's threads, which is restored afterwards.
        piece_s: about the most seconds that one step or one evaluation may take.

    Raises:
        Exception: whatever ``train`` raises.
    """
    config = config.in_steps(data.num_train)
    threads = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    where = torch.device(device)
    try:
        with undisturbed(), denormals_flushed(), deterministic(where):
            return _measure(config, data, described, example_s, where, _clock(where, num_threads), piece_s)
    finally:
        torch.set_num_threads(threads)


def _clock(device: torch.device, num_threads: int) -> Clock:
    if device.type == "cuda":

        def now() -> float:
            torch.cuda.synchronize()
            return time.perf_counter()

        return now
    return time.process_time if num_threads == 1 else time.perf_counter


def _timed(clock: Clock, call: Callable[[], _Result]) -> tuple[_Result, float]:
    started = clock()
    result = call()
    return result, clock() - started


def _measure(
    config: TrialConfig,
    data: Excerpt,
    described: Described | None,
    example_s: float | None,
    device: torch.device,
    clock: Clock,
    piece_s: float,
) -> Timing:
    task = replace(data.task, validation=head(data.task.validation, _MOST_VALIDATED))
    described = described or describe(config.architecture, task)
    few = max(_MORE, int(_MACS / max(1, described.examined.macs)))
    begun = config.with_batches_of(min(config.batch_size, few))
    trial, prepare_s = _timed(clock, lambda: prepare(begun, device, task, described))
    num_validations = count()
    trial = replace(trial, context=replace(trial.context, validate=_counted(trial.context.validate, num_validations)))
    (training, model), attach_s = _timed(clock, lambda: attached(trial, config, lambda progress: None))
    begin_s = prepare_s + attach_s
    steps_s, is_extrapolated = 0.0, False
    phases = trial.method.phases(trial.context)
    ends = boundaries(phases, config.steps)
    for index, phase in enumerate(phases):
        seed_everything(config.seed, "decide", index)
        model, decide_s = _timed(clock, lambda: _applied(trial, phase, model))  # noqa: B023 - called at once
        begin_s += decide_s
        for modification in training.modifications:
            modification.check(model)
        if ends[index] < ends[index + 1]:
            step_s, is_whole = _step_s(training, phase, model, ends[index], ends[index + 1], clock, piece_s)
            steps_s += step_s * (ends[index + 1] - ends[index])
            is_extrapolated |= not is_whole
    rate_s = validation_s = 0.0
    num_begun = next(num_validations)
    if config.steps:
        with torch.no_grad():
            _, rate_s = _timed(clock, lambda: float(trial.method.rate_bits(model, trial.context)))
    if config.steps or num_begun:
        validation_s = _example_s(model, task, clock, piece_s)
        begin_s += num_begun * (data.num_validation - len(task.validation)) * validation_s
    trained = Trained(model=model, num_steps=config.steps, train_s=0.0)
    decoded, point_s, num_unguarded = _point_s(trial, trained, config, clock, piece_s)
    if example_s is None:
        example_s = _example_s(decoded, task, clock, piece_s)
    if trial.given is not None:  # it passes the validation examples once
        begin_s += data.num_validation * example_s
    calibration = trial.method.calibration_macs(trial.context, trial.macs) / max(1, trial.macs)  # in examples
    return Timing(
        begin_s=begin_s,
        step_s=steps_s / config.steps if config.steps else 0.0,
        rate_s=rate_s,
        validation_s=validation_s,
        num_points=trial.method.num_points * (1 + sum(phase.points is not None for phase in phases)),
        point_s=point_s + (2 * num_unguarded + calibration) * example_s,
        example_s=example_s,
        is_extrapolated=is_extrapolated,
    )


def _counted(validate: Callable[[nn.Module], float], calls: Iterator[int]) -> Callable[[nn.Module], float]:
    def counted(model: nn.Module) -> float:
        next(calls)
        return validate(model)

    return counted


def _applied(trial: Prepared, phase: Phase, model: nn.Module) -> nn.Module:
    return phase.apply(model, phase.decide(model, trial.context))


def _step_s(
    training: Training, phase: Phase, model: nn.Module, first: int, end: int, clock: Clock, piece_s: float
) -> tuple[float, bool]:
    """The seconds of a step of ``phase``, from ``first`` to before ``end``; and whether that was whole."""
    config = training.config
    updates = Updates(training, phase, model, max(end - first, 2 * _MOST_LAPS))
    numbers = count(first)

    def laps_s(batch_size: int) -> Iterator[float]:
        steps = Steps(replace(training, config=replace(config, batch_size=batch_size, accumulate=1)))
        while True:
            number = min(next(numbers), end - 1)
            moment = Moment(step=number, phase_step=number - first, num_phase_steps=end - first)
            yield _timed(clock, lambda: steps.take(model, phase, updates, moment))[1]  # noqa: B023 - called at once

    part_s, is_whole = _scaled(laps_s, math.ceil(config.batch_size / config.accumulate), piece_s)
    return config.accumulate * part_s, is_whole


def _example_s(model: nn.Module, task: Task, clock: Clock, piece_s: float) -> float:
    """The seconds of evaluating ``model`` on one example, of as many at once as the task allows."""

    def laps_s(num_examples: int) -> Iterator[float]:
        split = head(task.validation, num_examples)
        while True:
            yield _timed(clock, lambda: evaluate(model, split, task))[1]

    num_examples = min(task.evaluation_batch_size, len(task.validation))
    return _scaled(laps_s, num_examples, piece_s, is_proportional=True)[0] / num_examples


def _scaled(
    laps_s: Callable[[int], Iterator[float]], num_examples: int, piece_s: float, *, is_proportional: bool = False
) -> tuple[float, bool]:
    """The seconds of doing something with ``num_examples``, and whether that was measured with all of them.

    Where it takes longer than ``piece_s``, it is measured with a few and with more; the rest is a straight line.

    Args:
        laps_s: measures laps with a number of examples, as often as is asked.
        num_examples: the examples of a lap that is wanted.
        piece_s: about the most seconds that a lap may take.
        is_proportional: whether a lap that takes longer with a few examples takes as much longer with more, so that one
            such lap is enough.
    """
    few = min(_LEAST if is_proportional else _FEW, num_examples)
    laps = laps_s(few)
    first_s = next(laps)  # what is done for the first time takes longer
    if is_proportional and first_s > piece_s:
        return first_s * num_examples / few, few == num_examples
    few_s = min(next(laps), next(laps))
    affordable = int(few * piece_s / few_s) if few_s > 0 else num_examples
    size = min(num_examples, max(affordable, _MORE))
    size_s = whole_s = _lap_s(laps_s(size), piece_s)
    if size < num_examples:
        whole_s += (num_examples - size) * max(size_s - few_s, 0.0) / (size - few)
        if whole_s > piece_s:
            return whole_s, False
        whole_s = _lap_s(laps_s(num_examples), piece_s)
    return whole_s, True


def _lap_s(laps: Iterator[float], piece_s: float) -> float:
    """The seconds of a lap: of one where it takes longer than ``piece_s``, else the median after the first."""
    first_s = next(laps)
    if first_s > piece_s:
        return first_s
    took_s = [next(laps)]
    while len(took_s) < _MOST_LAPS and sum(took_s) < piece_s / 2:
        took_s.append(next(laps))
    return median(took_s)


def _point_s(
    trial: Prepared, trained: Trained, config: TrialConfig, clock: Clock, piece_s: float
) -> tuple[nn.Module, float, int]:
    """The network that an operating point decodes to, the seconds of one point, and the examples missing in its guard.

    That is the middle one, or the last before it that is made within ``piece_s``: steps are often ordered.

    Raises:
        StoredWronglyError: it is not the one that was trained.
        ValueError: the method's points are wrong; one line says how.
    """
    method, plain = trial.method, trial.context.plain
    guard = guard_of(trial, trained, config)
    quick = guard.quick(trial.macs, trial.fewest)
    num_unguarded = num_rows(guard.inputs) - num_rows(quick.inputs)
    seed_everything(config.seed, "points")
    rehearsed = method.rehearsed(trial.context)
    points = iter(rehearsed.points(trained.model, trial.context))
    made_s: list[float] = []
    while not made_s or (len(made_s) <= rehearsed.num_points // 2 and sum(made_s) + max(made_s) < piece_s):
        (point_id, sections), took_s = _timed(clock, lambda: next(points))
        made_s.append(took_s)
    check_sections(trial.layout, sections)
    arranged, arrange_s = _timed(clock, lambda: arrange(sections, trial.context.unfrozen_groups))
    coded_s = _coding_s(trial, arranged, clock)
    stored, decode_s = _timed(clock, lambda: method.decode(sections, plain))
    decoded, build_s = _timed(clock, lambda: rebuilt(trial, method.decode(arranged, plain), config.seed))
    _, guard_s = _timed(
        clock, lambda: quick.check(point_id, stored, decoded, lambda: rebuilt(trial, stored, config.seed))
    )
    return decoded, fmean(made_s) + arrange_s + coded_s + decode_s + build_s + guard_s, num_unguarded


def _coding_s(trial: Prepared, sections: Sections, clock: Clock) -> float:
    """The seconds of writing and reading a file: of a part of it, scaled by the number of values."""
    layout, part, times = excerpt(trial.layout, sections, _MOST_CODED)
    _, part_s = _timed(clock, lambda: _write_and_read(trial.header, layout, part))
    return times * part_s


def _write_and_read(header: container.Header, layout: Layout, sections: Sections) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "part.rfz"
        write_atomically(path, container.write(header, layout, sections))
        container.take_apart(path.read_bytes(), layout).account()
