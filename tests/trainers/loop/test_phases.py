"""Phases, interruptions and reports, on a stand-in method that uses all that a phase can have."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.trainers.methods.two_phases import TwoPhases, two_phases
from tests.trainers.trials import run, without_time
from trainers.compressed import load_compressed
from trainers.loop.checkpoint import CheckpointFile
from trainers.loop.progress import Progress
from trainers.loop.steps import Steps
from trainers.methods.base import Context, Moment, Optimiser, Phase
from trainers.train import train

pytestmark = pytest.mark.usefixtures("two_phases_is_registered")


def steps_of(reports: list[Progress]) -> list[int]:
    return [report.step for report in reports]


def test_phases_follow_each_other_and_are_reported_at_their_ends(tmp_path: Path) -> None:
    files, every = run(two_phases(), tmp_path)
    assert steps_of(every) == [4, 8, 9, 12, 16, 18, 20, 24, 27, 28, 32, 36, 40]
    reports = [report for report in every if report.is_judged]
    assert steps_of(reports) == [9, 18, 20, 27, 36, 40], "whole epochs, and the ends of phases"
    assert [report.phase for report in reports] == ["dense"] * 3 + ["sparse"] * 3
    assert [report.rate_comparable for report in reports] == [True] * 3 + [False] * 3
    assert [report.epoch for report in reports] == pytest.approx([step / 9 for step in steps_of(reports)])
    assert list(files) == ["point-0", "point-1"]


@pytest.mark.parametrize("patience", [1, 2, 100])
@pytest.mark.parametrize("interruptions", [(1,), (2,), (3,), (4,), (99,), (1, 2, 4), (3, 3, 4)])
def test_a_resumed_training_ends_in_the_same_files_and_history(
    patience: int, interruptions: tuple[int, ...], tmp_path: Path
) -> None:
    """The training is interrupted at the k-th report, new or repeated, also in phases that stop early."""
    config = two_phases(patience=patience)
    wanted, history = run(config, tmp_path / "whole")
    seen: dict[int, Progress] = {}
    for kill_at in (*interruptions, None):
        target = None if kill_at is None else steps_of(history)[min(kill_at, len(history)) - 1]

        def report(progress: Progress, target: int | None = target) -> None:
            progress = without_time(progress)
            assert seen.setdefault(progress.step, progress) == progress
            if progress.step == target:
                raise KeyboardInterrupt

        if target is not None:
            with pytest.raises(KeyboardInterrupt):
                train(config, report, tmp_path / "parts", checkpoint_interval_s=0)
    points = train(config, report, tmp_path / "parts", checkpoint_interval_s=0)
    assert {point.point_id: Path(point.path).read_bytes() for point in points} == wanted
    assert list(seen.values()) == history


@pytest.mark.parametrize("step", [1, 6, 9, 23, 39])
def test_a_training_that_dies_between_reports_goes_on_from_the_last_checkpoint(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report may be hours away: checkpoints do not wait for it."""
    config, trained = two_phases(), []
    wanted, history = run(config, tmp_path / "whole")
    take = Steps.take

    def counted(self: Steps, model: nn.Module, phase: Phase, optimisers: Any, moment: Moment) -> Tensor:
        if moment.step == step and moment.step not in trained:
            trained.append(step)
            raise KeyboardInterrupt
        trained.append(moment.step)
        return take(self, model, phase, optimisers, moment)

    monkeypatch.setattr(Steps, "take", counted)
    reports: list[Progress] = []
    with pytest.raises(KeyboardInterrupt):
        train(config, reports.append, tmp_path / "parts", checkpoint_interval_s=0)
    files, later = run(config, tmp_path / "parts", checkpoint_interval_s=0)
    assert files == wanted
    assert [*map(without_time, reports), *later] == history, "with the mean loss of all steps since a report"
    assert sorted(trained) == sorted([*range(40), step]), "no step is taken twice"


def test_a_death_while_writing_the_files_costs_no_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = two_phases()
    wanted, _ = run(config, tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(TwoPhases, "points", lambda *args: (_ for _ in ()).throw(OSError("no space left")))
        with pytest.raises(OSError, match="no space left"):
            run(config, tmp_path / "parts", checkpoint_interval_s=0)
    files, reports = run(config, tmp_path / "parts", checkpoint_interval_s=0)
    assert files == wanted
    assert reports == [], "nothing is trained anew"


def test_a_phase_without_steps_still_decides(tmp_path: Path) -> None:
    _, reports = run(two_phases(first_share=1.0), tmp_path)
    assert {report.phase for report in reports} == {"dense"}
    weight = load_compressed(tmp_path / "point-0.rfz").get_parameter("1.weight")
    assert 0.2 < (weight == 0).float().mean() < 0.8, "pruned"


def test_a_decision_is_kept_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decision may have cost more than the training."""
    config, decided = two_phases(), []
    wanted, history = run(config, tmp_path / "whole")
    phases = TwoPhases.phases

    def counted(self: TwoPhases, context: Context) -> tuple[Phase, ...]:
        first, second = phases(self, context)

        def decide(model: nn.Module, context: Context) -> Any:
            decided.append(second.name)
            return second.decide(model, context)

        return first, dataclasses.replace(second, decide=decide)

    monkeypatch.setattr(TwoPhases, "phases", counted)

    def interrupt(progress: Progress) -> None:
        if progress.phase == "sparse":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, interrupt, tmp_path / "parts", checkpoint_interval_s=3600)
    files, reports = run(config, tmp_path / "parts", checkpoint_interval_s=3600)
    assert decided == ["sparse"]
    assert files == wanted
    assert reports == history[7:], "and what was trained before it"


def test_optimisers_are_built_from_the_values_that_a_checkpoint_restores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, built = two_phases(), []
    phases = TwoPhases.phases

    def spied(self: TwoPhases, context: Context) -> tuple[Phase, ...]:
        def with_spy(phase: Phase) -> Phase:
            def optimisers(model: nn.Module, num_steps: int) -> tuple[Optimiser, ...]:
                built.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
                return phase.optimisers(model, num_steps)

            return dataclasses.replace(phase, optimisers=optimisers)

        return tuple(map(with_spy, phases(self, context)))

    monkeypatch.setattr(TwoPhases, "phases", spied)
    train(config, lambda progress: None, tmp_path, checkpoint_interval_s=0)
    saved = CheckpointFile(tmp_path / "checkpoint.pt", interval_s=0).load(config.to_json())
    assert saved is not None
    train(config, lambda progress: None, tmp_path)
    assert len(built) == 3
    assert all(torch.equal(tensor, saved.model[name]) for name, tensor in built[-1].items())
