"""Phases, interruptions and reports, on a stand-in method that uses all that a phase can have."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from tests.trainers.trials import configuration, run, without_time
from trainers import checkpoint
from trainers.coding.sections import Sections
from trainers.compressed import load_compressed
from trainers.config import TrialConfig
from trainers.divergence import DivergedError
from trainers.loop import Progress
from trainers.methods import METHODS, backend
from trainers.methods.base import AbstractMethod, Batch, Context, Moment, Optimiser, Phase, RateKnob
from trainers.methods.multi_hashing import MultiHashing
from trainers.methods.plain import adam_cosine
from trainers.train import train


class Mask(nn.Module):
    def __init__(self, kept: Tensor) -> None:
        super().__init__()
        self.register_buffer("kept", kept)

    def forward(self, weight: Tensor) -> Tensor:
        return weight * self.kept


@dataclass(frozen=True, kw_only=True)
class TwoPhases(AbstractMethod):
    """Trains until ``patience`` reports have passed, then prunes at random and trains what is left.

    Dropout grows over a phase; a running average of a bias is kept; weights and biases have an optimiser each.
    """

    patience: int = 100
    first_share: float = 0.5

    version: ClassVar[int] = 1
    rate_knob: ClassVar[RateKnob | None] = None

    def attach(self, model: nn.Module, context: Context) -> nn.Module:
        model.register_buffer("num_reports", torch.tensor(0))
        model.register_buffer("average", torch.zeros(8))
        return model

    def phases(self, context: Context) -> tuple[Phase, ...]:
        def loss(model: nn.Module, batch: Batch, context: Context, moment: Moment) -> Tensor:
            assert model.training
            outputs = nn.functional.dropout(model(batch[0]), 0.2 * moment.progress)
            return context.loss(outputs, batch[1])

        def optimisers(model: nn.Module, num_steps: int) -> tuple[Optimiser, ...]:
            named = dict(model.named_parameters())
            weights = [parameter for name, parameter in named.items() if "bias" not in name]
            biases = [parameter for name, parameter in named.items() if "bias" in name]
            sgd = torch.optim.SGD(weights, lr=0.1 / (1 + float(weights[0].detach().norm())), momentum=0.9)
            schedule = torch.optim.lr_scheduler.SequentialLR(
                sgd,
                [torch.optim.lr_scheduler.LinearLR(sgd, total_iters=2),
                 torch.optim.lr_scheduler.CosineAnnealingLR(sgd, max(num_steps - 2, 1))],
                [2],
            )  # fmt: skip
            return Optimiser(optimiser=sgd, schedule=schedule), adam_cosine([{"params": biases, "lr": 0.01}], num_steps)

        def after_step(model: nn.Module, context: Context, moment: Moment) -> None:
            assert not torch.is_grad_enabled()
            bias = model.get_parameter("1.bias")
            bias.add_(1e-3 * torch.rand_like(bias))
            model.get_buffer("average").lerp_(bias, 1 / (1 + moment.phase_step))

        def stop(model: nn.Module, context: Context) -> bool:
            model.get_buffer("num_reports").add_(1)
            return int(model.get_buffer("num_reports")) >= self.patience

        def decide(model: nn.Module, context: Context) -> Any:
            inputs, _ = next(context.batches("validation"))
            with torch.no_grad():
                salt = float(model(inputs).sum())
            weight = model.get_parameter("1.weight")
            return {"kept": (torch.rand(weight.shape) < 0.5).tolist(), "salt": salt, "one": [1, None, "x"]}

        def apply(model: nn.Module, decision: Any) -> nn.Module:
            parametrize.register_parametrization(model[1], "weight", Mask(torch.tensor(decision["kept"])))  # type: ignore[index]
            return model

        first = Phase(
            name="dense", share=self.first_share, loss=loss, optimisers=optimisers, after_step=after_step, stop=stop
        )
        second = Phase(
            name="sparse",
            share=1 - self.first_share,
            loss=loss,
            optimisers=optimisers,
            after_step=after_step,
            decide=decide,
            apply=apply,
            rate_comparable=False,
        )
        return first, second

    def rate_bits(self, model: nn.Module, context: Context) -> Tensor:
        return torch.rand(()) + 1

    def points(self, model: nn.Module, context: Context) -> Iterator[tuple[str, Sections]]:
        for index in range(2):
            tensors = {
                name: backend.raw(getattr(model.get_submodule(name.split(".")[0]), name.split(".")[1]))
                for name in context.plain.state_dict()
            }
            average = model.get_buffer("average").half().numpy()
            yield f"point-{index}", Sections(tensors=tensors, vectors=(torch.rand(2).half().numpy(), average))

    @staticmethod
    def decode(sections: Sections, plain: nn.Module) -> dict[str, Tensor]:
        return backend.dequantise(sections, plain)


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "two_phases", TwoPhases)


def two_phases(**method: Any) -> TrialConfig:
    """Epochs of nine steps; the phases change at step 20, in the middle of the third."""
    return configuration(
        "uncompressed", method={"name": "two_phases", **method}, steps=40, batch_size=10,
        task="tests.trainers.networks:jittered",
    )  # fmt: skip


def steps_of(reports: list[Progress]) -> list[int]:
    return [report.step for report in reports]


def test_phases_follow_each_other_and_are_reported_at_their_ends(tmp_path: Path) -> None:
    files, reports = run(two_phases(), tmp_path)
    assert steps_of(reports) == [9, 18, 20, 27, 36, 40]
    assert [report.phase for report in reports] == ["dense"] * 3 + ["sparse"] * 3
    assert [report.rate_comparable for report in reports] == [True] * 3 + [False] * 3
    assert [report.epoch for report in reports] == pytest.approx([step / 9 for step in steps_of(reports)])
    assert list(files) == ["point-0", "point-1"]


@pytest.mark.parametrize("patience", [1, 2, 100])
@pytest.mark.parametrize("interruptions", [(1,), (2,), (3,), (4,), (99,), (1, 2, 4), (3, 3, 4)])
def test_a_resumed_training_ends_in_the_same_files_and_history(
    patience: int, interruptions: tuple[int, ...], tmp_path: Path
) -> None:
    """Interrupted at the k-th report that is new or repeated, through phases that stop early."""
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


def test_steps_taken_are_counted_through_an_early_stop(tmp_path: Path) -> None:
    reports: list[Progress] = []
    points = train(two_phases(patience=1), reports.append, tmp_path)
    assert steps_of(reports) == [9, 27, 36, 40], "the second phase keeps its place"
    assert {point.num_steps for point in points} == {9 + 20}


def test_a_phase_without_steps_still_decides(tmp_path: Path) -> None:
    _, reports = run(two_phases(first_share=1.0), tmp_path)
    assert {report.phase for report in reports} == {"dense"}
    weight = load_compressed(tmp_path / "point-0.rfz").get_parameter("1.weight")
    assert 0.2 < (weight == 0).float().mean() < 0.8, "pruned"


def test_a_checkpoint_of_another_configuration_is_refused(tmp_path: Path) -> None:
    """And left alone."""

    def interrupt(progress: Progress) -> None:
        if progress.step == 18:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(two_phases(), interrupt, tmp_path, checkpoint_interval_s=0)
    with pytest.raises(ValueError, match=r"checkpoint\.pt belongs to another configuration: remove it, or give"):
        train(two_phases(patience=5), interrupt, tmp_path)
    assert (tmp_path / "checkpoint.pt").exists()


def test_a_checkpoint_is_written_no_more_often_than_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saves: list[Path] = []
    save = checkpoint.save
    monkeypatch.setattr(checkpoint, "save", lambda path, state: (saves.append(path), save(path, state)))
    train(configuration("uncompressed"), lambda progress: None, tmp_path / "rarely", checkpoint_interval_s=3600)
    assert saves == []
    train(configuration("uncompressed"), lambda progress: None, tmp_path / "always", checkpoint_interval_s=0)
    assert len(saves) == 6


def test_a_decision_is_kept_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have cost more than the training."""
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
    assert reports == history[3:], "and what was trained before it"


def test_moments_count_over_the_phase_and_over_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Moment] = []
    phases = TwoPhases.phases

    def spied(self: TwoPhases, context: Context) -> tuple[Phase, ...]:
        return tuple(
            dataclasses.replace(phase, after_step=lambda model, context, moment: seen.append(moment))
            for phase in phases(self, context)
        )

    monkeypatch.setattr(TwoPhases, "phases", spied)
    run(two_phases(first_share=0.25, patience=1), tmp_path)
    assert [moment.step for moment in seen] == [*range(9), *range(10, 40)], "a phase that stops early leaves a gap"
    assert [moment.phase_step for moment in seen] == [*range(9), *range(30)]
    assert [moment.progress for moment in seen] == [*(n / 10 for n in range(9)), *(n / 30 for n in range(30))]


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
    saved = checkpoint.load(tmp_path / "checkpoint.pt")
    assert saved is not None
    train(config, lambda progress: None, tmp_path)
    assert len(built) == 3
    assert all(torch.equal(tensor, saved["model"][name]) for name, tensor in built[-1].items())


def test_every_example_is_seen_once_an_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the last, partial batch; the order changes from epoch to epoch and with the seed."""
    seen: list[Tensor] = []

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        seen.append(targets)
        return nn.functional.cross_entropy(outputs, targets % 3)

    from tests.trainers import networks
    from trainers.tasks.base import Split, Task

    task = networks.clusters()
    split = Split(inputs=task.train.inputs, targets=torch.arange(96))
    monkeypatch.setattr(networks, "clusters", lambda: Task(**{**vars(task), "train": split, "loss": loss}))
    run(configuration("uncompressed", steps=18, batch_size=10), tmp_path)
    assert [len(batch) for batch in seen] == [10] * 18
    epochs = [torch.cat(seen[:9]).tolist(), torch.cat(seen[9:]).tolist()]
    assert all(len(set(epoch)) == 90 for epoch in epochs)
    assert epochs[0] != epochs[1]


def sgd_at(rate: float) -> Callable[[nn.Module, int], tuple[Optimiser, ...]]:
    """Plain gradient descent for any method."""

    def optimisers(model: nn.Module, num_steps: int) -> tuple[Optimiser, ...]:
        sgd = torch.optim.SGD(model.parameters(), lr=rate)
        return (Optimiser(optimiser=sgd, schedule=torch.optim.lr_scheduler.ConstantLR(sgd, 1.0, 0)),)

    return optimisers


@pytest.mark.parametrize("diverging", [0, 1])
def test_a_divergence_in_any_phase_is_said_with_its_step_its_phase_and_a_remedy(
    diverging: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phases = TwoPhases.phases

    def unstable(self: TwoPhases, context: Context) -> tuple[Phase, ...]:
        found = list(phases(self, context))
        found[diverging] = dataclasses.replace(found[diverging], optimisers=sgd_at(1e36))
        return tuple(found)

    monkeypatch.setattr(TwoPhases, "phases", unstable)
    reports: list[Progress] = []
    with pytest.raises(
        DivergedError,
        match=r"^(the training loss|parameter '\S+') became (nan|inf|NaN or infinite) .*"
        r"of 40, in phase '(dense|sparse)': a lower learning rate may mend it$",
    ) as caught:
        train(two_phases(), reports.append, tmp_path)
    assert ["dense", "sparse"][diverging] in str(caught.value)
    assert all(report.phase == "dense" for report in reports), "nothing is reported of a network that diverged"
    assert len(reports) == 3 * diverging
    assert not list(tmp_path.glob("*.rfz"))


def test_products_of_factors_diverge_under_gradient_descent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Why multi-hashing has Adam; long before its product leaves the finite numbers, its loss does."""
    monkeypatch.setattr(MultiHashing, "_optimisers", lambda self, model, num_steps: sgd_at(3.0)(model, num_steps))
    with pytest.raises(DivergedError, match="the training loss became nan between steps"):
        run(configuration("multi_hashing", steps=60), tmp_path)


def test_a_parameter_that_a_report_would_hide_is_found_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The losses until the report are finite, and the accuracy of a network of NaN is a number as well."""
    phases = TwoPhases.phases

    def spoiled(self: TwoPhases, context: Context) -> tuple[Phase, ...]:
        def after_step(model: nn.Module, context: Context, moment: Moment) -> None:
            if moment.step == 8:
                model.get_parameter("3.bias")[0] = math.nan

        return tuple(dataclasses.replace(phase, after_step=after_step) for phase in phases(self, context))

    monkeypatch.setattr(TwoPhases, "phases", spoiled)
    with pytest.raises(DivergedError, match=r"^parameter '3\.bias' became NaN or infinite by step 9 of 40"):
        train(two_phases(), lambda progress: pytest.fail("reported"), tmp_path)


@pytest.mark.parametrize("is_finite", [True, False])
def test_what_a_step_raises_is_a_divergence_where_the_network_is_not_finite(
    is_finite: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phases = TwoPhases.phases

    def raising(self: TwoPhases, context: Context) -> tuple[Phase, ...]:
        def loss(model: nn.Module, batch: Batch, context: Context, moment: Moment) -> Tensor:
            if moment.step == 4:
                with torch.no_grad():
                    model.get_parameter("3.bias")[0] = 0.0 if is_finite else math.inf
                raise RuntimeError("the decomposition did not converge")
            return context.loss(model(batch[0]), batch[1])

        return tuple(dataclasses.replace(phase, loss=loss) for phase in phases(self, context))

    monkeypatch.setattr(TwoPhases, "phases", raising)
    wanted = RuntimeError if is_finite else DivergedError
    message = "^the decomposition did not converge$" if is_finite else r"^parameter '3\.bias' became .* by step 4 of 40"
    with pytest.raises(wanted, match=message):
        train(two_phases(), lambda progress: pytest.fail("reported"), tmp_path)
