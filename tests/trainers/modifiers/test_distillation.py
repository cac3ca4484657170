"""Distillation: its loss in closed form and in its limits, and where teachers come from."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.trainers.networks import NORMED, clusters
from tests.trainers.trials import attach, configuration, run
from trainers.config import Spec
from trainers.data.examples import Batch
from trainers.modifiers.distillation import Distillation
from trainers.pretrained import pin
from trainers.tasks.base import Task
from trainers.tasks.supervised import SupervisedLoss

FAST = {"name": "uncompressed", "learning_rate": 1e-2}
STUDENT = Spec(name="mlp", arguments={"hidden": [8]})


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cnn as a file, and its ``state_dict`` beside it."""
    directory = tmp_path_factory.mktemp("trained")
    run(configuration("uncompressed", "cnn", steps=150, method=FAST), directory)
    from trainers.compressed import load_compressed

    torch.save(load_compressed(directory / "point.rfz").state_dict(), directory / "net.pth")
    return directory / "point.rfz"


def loss_of(modifier: Distillation, inputs: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    trial = attach(configuration("uncompressed"))
    modification = modifier.attach(trial.model, trial.context, trial.task, STUDENT)
    loss = modification.loss(SupervisedLoss(F.cross_entropy))
    return lambda outputs, targets: loss(lambda given: outputs, Batch(inputs, targets))


def regression() -> Task:
    task = clusters()
    halves = {name: dataclasses.replace(getattr(task, name), targets=getattr(task, name).targets / 2)
              for name in ("train", "validation", "test")}  # fmt: skip
    return dataclasses.replace(task, **halves)


def test_the_divergence_is_that_of_the_softened_probabilities() -> None:
    modifier = Distillation(teacher="t.rfz", temperature=3.0)
    z, v = torch.randn(5, 4, dtype=torch.float64), torch.randn(5, 4, dtype=torch.float64)
    p, q = (v / 3).softmax(dim=1), (z / 3).softmax(dim=1)
    wanted = 9 * (p * (p / q).log()).sum(dim=1).mean()
    assert math.isclose(float(modifier.divergence(z, v)), float(wanted), rel_tol=1e-5)
    assert float(modifier.divergence(v, v)) == pytest.approx(0, abs=1e-6)


def test_at_high_temperature_the_gradient_is_that_of_matched_logits() -> None:
    """Hinton et al., equation 4: T^2 dKL/dz -> (z - v) / N for zero-mean logits of N classes."""
    z, v = (x - x.mean(dim=1, keepdim=True) for x in torch.randn(2, 1, 6, dtype=torch.float64))
    z.requires_grad_(True)
    Distillation(teacher="t.rfz", temperature=1e3).divergence(z, v).backward()
    assert z.grad is not None
    torch.testing.assert_close(z.grad, (z.detach() - v) / 6, rtol=0.02, atol=2e-3)


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_weights_mix_the_task_and_the_teacher(trained: Path, weight: float) -> None:
    modifier = Distillation(teacher=str(trained), weight=weight, temperature=2.0)
    task = clusters()
    inputs, targets, outputs = task.train.inputs[:9], task.train.targets[:9], torch.randn(9, 3)
    from trainers.compressed import load_compressed

    taught = load_compressed(trained)(inputs)
    wanted = (1 - weight) * F.cross_entropy(outputs, targets) + weight * modifier.divergence(outputs, taught)
    torch.testing.assert_close(loss_of(modifier, inputs)(outputs, targets), wanted)


def test_a_compressed_file_a_state_dict_and_a_pinned_path_are_one_teacher(trained: Path) -> None:
    inputs, targets, outputs = torch.randn(4, 1, 4, 4), torch.tensor([0, 1, 2, 0]), torch.randn(4, 3)
    plain = trained.with_name("net.pth")
    architecture = {"name": "cnn", "channels": [3]}
    found = {
        float(loss_of(modifier, inputs)(outputs, targets))
        for modifier in (
            Distillation(teacher=str(trained)),
            Distillation(teacher=pin(str(trained), field="teacher")),
            Distillation(teacher=str(trained), architecture="cnn"),
            Distillation(teacher=str(plain), architecture=architecture),
        )
    }
    assert len(found) == 1


def test_a_student_learns_what_only_its_teacher_knows(trained: Path, tmp_path: Path) -> None:
    """With weight 1 it never sees a label, so its agreement with the labels must come from the teacher."""
    settings = {"teacher": str(trained), "weight": 1.0}
    config = configuration(
        "uncompressed", steps=120, modifiers={"distillation": settings}, method=FAST,
        task="tests.trainers.modifiers.test_distillation:shuffled",
    )  # fmt: skip
    taught = run(config, tmp_path)[1][-1].quality_val
    untaught = run(dataclasses.replace(config, modifiers={}), tmp_path / "untaught")[1][-1].quality_val
    assert taught > 0.9 > 0.6 > untaught


def shuffled() -> Task:
    """``clusters`` whose training labels mean nothing."""
    task = clusters()
    mixed = dataclasses.replace(task.train, targets=(task.train.targets + torch.arange(96) // 3) % 3)
    return dataclasses.replace(task, train=mixed)


def test_a_batch_norm_of_the_teacher_is_in_evaluation_mode_and_stays_as_it_is(tmp_path: Path) -> None:
    run(configuration("uncompressed", "normed"), tmp_path)
    modifier = Distillation(teacher=str(tmp_path / "point.rfz"), architecture=NORMED)
    inputs, targets = clusters().train.inputs[:6], torch.arange(6) % 3
    outputs = torch.randn(6, 3)
    whole = modifier_loss = loss_of(modifier, inputs)(outputs, targets)
    halves = [loss_of(modifier, inputs[part])(outputs[part], targets[part]) for part in (slice(3), slice(3, 6))]
    torch.testing.assert_close(sum(halves) / 2, whole)
    assert modifier_loss.isfinite()


def test_somebodys_own_architecture_in_a_file_is_not_imported_because_the_file_says_so(tmp_path: Path) -> None:
    run(configuration("uncompressed", "normed"), tmp_path)
    with pytest.raises(ValueError, match="is somebody's own code"):
        loss_of(Distillation(teacher=str(tmp_path / "point.rfz")), torch.zeros(1, 1, 4, 4))


def test_a_teacher_that_changed_is_refused(trained: Path, tmp_path: Path) -> None:
    path = tmp_path / "t.rfz"
    path.write_bytes(trained.read_bytes())
    pinned = pin(str(path), field="teacher")
    path.write_bytes(trained.read_bytes() + b"x")
    with pytest.raises(ValueError, match=r"^teacher: \S+t\.rfz has changed: its content is sha256="):
        Distillation(teacher=pinned).check(attach(configuration("ptq")).context.plain, clusters(), STUDENT)


@pytest.mark.parametrize(
    ("task", "settings", "message"),
    [
        (regression, {}, r"compares the probabilities of classes, and this task's targets are torch\.float32 of shape"),
        (lambda: dataclasses.replace(clusters(), offers={"num_outputs": 5}), {}, r"gives outputs of shape \(2, 3\) for "
         r"inputs of shape \(2, 1, 4, 4\): wanted finite ones of shape \(2, 5\), from a network that was trained on "
         r"this task$"),
        (clusters, {"architecture": "mlp"}, r"is of architecture 'cnn', not 'mlp': leave architecture away"),
        (clusters, {"teacher": "/no/t.rfz"}, r"^teacher: cannot read /no/t\.rfz \(No such file or directory\): wanted"),
        (clusters, {"teacher": "t.txt"}, r"^teacher is 't\.txt': wanted a file that ends in .*, or a trained net"),
    ],
)  # fmt: skip
def test_a_teacher_that_does_not_fit_is_refused_in_one_line(
    task: Any, settings: dict[str, Any], message: str, trained: Path
) -> None:
    modifier = Distillation(**{"teacher": str(trained), **settings})
    with pytest.raises(ValueError, match=message) as caught:
        modifier.check(attach(configuration("ptq")).context.plain, task(), STUDENT)
    assert "\n" not in str(caught.value)


def test_a_state_dict_of_another_network_is_refused(trained: Path) -> None:
    with pytest.raises(ValueError, match=r"^teacher: \S+net\.pth is of another network: it lacks 1\.weight"):
        Distillation(teacher=str(trained.with_name("net.pth"))).check(
            attach(configuration("ptq")).context.plain, clusters(), STUDENT
        )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"teacher": ""}, "teacher is '': wanted the path of a .rfz file or of a state_dict, or a trained network's"),
        ({"weight": 1.5}, "weight is 1.5: wanted a number of at least 0 and at most 1"),
        ({"temperature": 0}, "temperature is 0: wanted a number above 0"),
        ({"architecture": 3}, "architecture is 3: wanted a name, or a mapping with a name and arguments"),
    ],
)
def test_a_wrong_setting_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        Distillation(**{"teacher": "t.rfz", **settings})
    assert str(caught.value).startswith(message)
