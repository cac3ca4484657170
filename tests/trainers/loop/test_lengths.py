"""How long a training is, in steps or epochs, and how much of the validation split it looks at."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainers import networks
from tests.trainers.trials import configuration, run
from trainers import evaluate, preparation
from trainers.tasks.base import Task


@pytest.mark.parametrize(("epochs", "steps"), [(2, 4), (0.5, 1), (0.1, 1)])
def test_epochs_are_so_many_steps(epochs: float, steps: int, tmp_path: Path) -> None:
    """An epoch of 96 examples has two batches of 40."""
    files, reports = run(configuration("ptq", steps=0, epochs=epochs, batch_size=40), tmp_path / "epochs")
    assert files == run(configuration("ptq", steps=steps, batch_size=40), tmp_path / "steps")[0]
    assert (reports[-1].step, reports[-1].total_steps) == (steps, steps)


def test_a_training_in_epochs_is_resumed(tmp_path: Path) -> None:
    config = configuration("ptq", steps=0, epochs=6)
    whole, _ = run(config, tmp_path / "whole")

    def interrupt(train_s: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(config, tmp_path / "resumed", checkpoint_interval_s=0, saved=interrupt)
    assert run(config, tmp_path / "resumed")[0] == whole


def test_a_part_of_validation_is_looked_at_while_training_and_all_of_it_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths: list[int] = []

    def counted(model, split, task, **options):  # type: ignore[no-untyped-def]
        lengths.append(len(split))
        return evaluate.evaluate(model, split, task, **options)

    monkeypatch.setattr(preparation, "evaluate", counted)
    files, reports = run(configuration("ptq", validate_examples=5), tmp_path / "part")
    assert lengths == [5] * len(reports)
    whole, all_reports = run(configuration("ptq"), tmp_path / "whole")
    assert files == whole
    assert [one.quality_val for one in reports] != [one.quality_val for one in all_reports]


def test_more_validation_examples_than_there_are_is_all(tmp_path: Path) -> None:
    task: Task = networks.clusters()
    assert len(task.validation) == 48
    found = run(configuration("ptq", validate_examples=1000), tmp_path / "many")
    assert found[1] == run(configuration("ptq"), tmp_path / "all")[1]
