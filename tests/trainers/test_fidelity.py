"""How far a network is from one that was given: in nats and by its answers, or by the squared error of its outputs."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.trainers.trials import configuration, run
from trainers.data.windows import IGNORED
from trainers.divergence import DivergedError
from trainers.fidelity import Comparison, Fidelity, Given, are_logits
from trainers.pretrained import pin
from trainers.tasks import TASKS
from trainers.tasks.base import Batch, Score, Split, Task, classification
from trainers.tasks.supervised import SupervisedLoss, SupervisedScore
from trainers.train import train
from trainers.trees import moved_to

INPUTS = torch.randn(25, 4, generator=torch.Generator().manual_seed(0))
SPLIT = Split(inputs=INPUTS, targets=torch.arange(25) % 3)
TASK = dataclasses.replace(
    classification(train=SPLIT, validation=SPLIT, test=SPLIT, num_classes=3), evaluation_batch_size=10
)
INFINITY = math.inf


class Network(nn.Module):
    """Computes what it was made with, of inputs and a parameter."""

    def __init__(self, function: Any, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))
        self.function, self.num_passes = function, 0

    def forward(self, x: Tensor) -> Any:
        self.num_passes += 1
        return self.function(self.scale * x)


def compared(given: Any, others: Any, *, of_classes: bool = True) -> Fidelity:
    comparison = Comparison(of_classes=of_classes)
    for one, other in zip(given, others, strict=True):
        comparison.add(*([torch.from_numpy(np.array(values))] for values in (one, other)))
    return comparison.result()


def logs(*shares: float) -> list[float]:
    return [math.log(share) if share else -INFINITY for share in shares]


def test_the_divergence_is_the_mean_over_examples_and_agreement_their_share() -> None:
    """By hand: 1/2 ln(1/2 / 1/4) + 1/2 ln(1/2 / 3/4) = ln 2 - ln 3 / 2 for the first example, 0 for the others."""
    same = logs(0.2, 0.8)
    found = compared([[logs(0.5, 0.5), same], [same]], [[logs(0.25, 0.75), same], [same]])
    assert found.kl == pytest.approx((math.log(2) - math.log(3) / 2) / 3, rel=1e-12)
    assert found.agreement == 2 / 3  # of equal classes the first counts
    assert found.output_error is None
    shifted = compared([[[3.0, 1.0]]], [[[103.0, 101.0]]])
    assert (shifted.kl, shifted.agreement) == (0.0, 1.0), "logits mean the same after a shift"


@pytest.mark.parametrize(
    ("given", "others", "kl"),
    [
        (logs(0, 1, 0), logs(0, 1, 0), 0.0),
        (logs(0, 1, 0), logs(0.5, 0.25, 0.25), math.log(4)),
        ([0.0, 1e4, -1e30], [0.0, 1e4, 1.0], 0.0),
        ([1e4, 0.0], [0.0, 1e4], 1e4),
        (logs(0.5, 0.5), logs(0, 1), INFINITY),
    ],
)
def test_a_class_without_a_share_counts_nothing_and_is_never_nan(
    given: list[float], others: list[float], kl: float
) -> None:
    assert compared([[given]], [[others]]).kl == pytest.approx(kl, rel=1e-12)


def test_other_outputs_are_compared_by_their_relative_squared_error() -> None:
    given, others = [[3.0, 4.0], [0.0]], [[3.0, 4.5], [1.0]]
    assert compared(given, others, of_classes=False) == Fidelity(output_error=1.25 / 25)
    assert compared([[3 + 4j]], [[3 + 5j]], of_classes=False) == Fidelity(output_error=1 / 25)
    assert compared([[0.0]], [[1.0]], of_classes=False) == Fidelity(), "nothing is relative to nothing"
    assert compared([[1.0]], [[1.0, 1.0]], of_classes=False) == Fidelity(), "as many boxes as were found"


@pytest.mark.parametrize("broken", [math.nan, INFINITY])
def test_nothing_is_said_of_a_given_network_that_computes_no_numbers(broken: float) -> None:
    assert compared([[[broken, 0.0]]], [[[1.0, 0.0]]]) == Fidelity()
    assert math.isnan(compared([[[1.0, 0.0]]], [[[broken, 0.0]]]).kl or 0.0)
    assert compared([[broken, 0.0]], [[1.0, 0.0]], of_classes=False) == Fidelity()


def test_a_given_network_is_run_once_where_its_outputs_fit_and_beside_each_where_not() -> None:
    given, other = Network(lambda x: x[:, :3]), Network(lambda x: x[:, :3], 0.5)
    logarithms = [(scale * INPUTS[:, :3].double()).log_softmax(dim=1) for scale in (1.0, 0.5)]
    wanted = float((logarithms[0].exp() * (logarithms[0] - logarithms[1])).sum(dim=1).mean())
    for most_bytes, num_passes in ((25 * 3 * 4, 3), (25 * 3 * 4 - 1, 9)):
        given.num_passes = 0
        kept = Given(given, SPLIT, TASK, most_bytes=most_bytes)
        found = [kept.compare(other)[1] for _ in range(2)]
        assert found[0] == found[1]
        assert found[0].kl == pytest.approx(wanted, rel=1e-6)
        assert found[0].agreement == 1.0
        assert given.num_passes == num_passes
    assert given.training, "it is measured in evaluation mode, and left as it was"


def test_a_score_that_looks_at_the_network_is_compared_as_well() -> None:
    def score(network: Any, batch: Batch) -> Score:
        assert isinstance(network, nn.Module)
        return TASK.score(network, Batch(*moved_to(batch, next(network.parameters()).device)))

    task = dataclasses.replace(TASK, score=score)
    network = Network(lambda x: x[:, :3])
    found = Given(network, SPLIT, task).compare(Network(lambda x: x[:, :3], 0.5))
    assert found == Given(network, SPLIT, TASK).compare(Network(lambda x: x[:, :3], 0.5))
    assert found[1].kl is not None
    assert not network._forward_hooks


def test_outputs_in_bfloat16_are_compared_in_more_digits() -> None:
    given, other = (Network(lambda x: x[:, :3].bfloat16(), scale) for scale in (1.0, 0.9))
    _, found = Given(given, SPLIT, TASK).compare(other)
    rounded = [(scale * INPUTS[:, :3]).bfloat16().double().log_softmax(dim=1) for scale in (1.0, torch.tensor(0.9))]
    assert found.kl == pytest.approx(float((rounded[0].exp() * (rounded[0] - rounded[1])).sum(dim=1).mean()))


def test_several_outputs_are_no_classes() -> None:
    first: Any = lambda outputs, targets: outputs["values"][:, 0]  # noqa: E731
    task = dataclasses.replace(TASK, score=SupervisedScore((first,)))
    given, other = (Network(lambda x: {"values": x, "signs": x.abs()}, scale) for scale in (1.0, 1.5))
    measured, found = Given(given, SPLIT, task).compare(other)
    assert measured.quality == pytest.approx(float(1.5 * INPUTS[:, 0].mean()))
    assert found.output_error == pytest.approx(0.25)
    assert found.kl is found.agreement is None


@pytest.mark.parametrize(
    ("targets", "changes", "expected"),
    [
        (torch.zeros(25, dtype=torch.int64), {}, True),
        (
            torch.zeros(25, dtype=torch.int64),
            {"loss": SupervisedLoss(nn.functional.nll_loss), "quality_name": "top5_accuracy"},
            True,
        ),
        (torch.zeros(25, dtype=torch.int64), {"quality_name": "error"}, True),
        (
            torch.zeros(25, dtype=torch.int64),
            {"loss": nn.functional.mse_loss, "quality_name": "mse"},
            False,
        ),
        (torch.zeros(25, 3, dtype=torch.int64), {}, False),
        (torch.zeros(25), {}, False),
    ],
)
def test_a_task_says_whether_outputs_are_logits(targets: Tensor, changes: dict[str, Any], expected: bool) -> None:
    split = Split(inputs=INPUTS, targets=targets)
    if "loss" in changes:
        changes = {**changes, "loss": SupervisedLoss(changes["loss"])}
    task: Task = dataclasses.replace(TASK, train=split, validation=split, test=split, **changes)
    assert are_logits(task) is expected


def test_a_single_output_for_two_classes_has_no_softmax() -> None:
    _, found = Given(Network(lambda x: x[:, :1]), SPLIT, TASK).compare(Network(lambda x: x[:, :1], 2.0))
    assert found.output_error == pytest.approx(1.0)
    assert found.kl is found.agreement is None


def test_networks_of_a_text_are_compared_for_each_token_that_is_predicted(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("to be or not to be, " * 40)
    task = dataclasses.replace(TASKS["text"](file=str(tmp_path / "text.txt"), context=8), evaluation_batch_size=3)
    logits = torch.randn(task.offers["num_outputs"], 2, 9, generator=torch.Generator().manual_seed(0))
    given, other = (Network(lambda x, one=one: logits[x.long(), one]) for one in range(2))
    batch = task.validation.take(torch.arange(len(task.validation)))
    places = logits[batch.inputs[batch.targets != IGNORED]].double().log_softmax(dim=-1)  # (tokens, networks, 9)
    assert len(places) == 40 < batch.targets.numel(), "each token once, whatever the windows"
    for most_bytes in (0, 1 << 20):
        kept = Given(given, task.validation, task, most_bytes=most_bytes)
        _, found = kept.compare(other)
        wanted = (places[:, 0].exp() * (places[:, 0] - places[:, 1])).sum(dim=1).mean()
        assert found.kl == pytest.approx(float(wanted), rel=1e-6)
        assert found.agreement == pytest.approx(
            float((places[:, 0].argmax(1) == places[:, 1].argmax(1)).double().mean())
        )
        assert (found.output_error, kept.num_classes) == (None, 9)


def test_points_of_a_given_network_record_how_far_they_are_from_it(tmp_path: Path) -> None:
    """The given file is read back; an untouched copy is the same network, and coarse steps are further from it."""
    (name, _), *_ = run(configuration("uncompressed"), tmp_path)[0].items()
    given = pin(str(tmp_path / f"{name}.rfz"))
    found = {}
    for key, source in (("whole", given), ("partial", {"path": given, "strict": False}), ("none", "")):
        config = configuration("ecq", steps=1, init_from=source)
        found[key] = train(config, lambda progress: None, tmp_path / key)
    assert all(point.kl is not None and point.kl > 0 and point.output_error is None for point in found["whole"])
    assert all(0 <= (point.agreement or 0) <= 1 for point in found["whole"])
    by_size = sorted(found["whole"], key=lambda point: point.size_bytes)
    assert (by_size[0].kl or 0) > (by_size[-1].kl or 0)
    for key in ("partial", "none"):
        assert {(point.kl, point.agreement, point.output_error) for point in found[key]} == {(None, None, None)}
    files = [[point.sha256 for point in found[key]] for key in ("whole", "partial")]
    assert files[0] == files[1], "measuring draws no random number that storing would have drawn"


def test_a_decoded_network_of_nan_diverged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (name, _), *_ = run(configuration("uncompressed"), tmp_path)[0].items()
    compare = Given.compare

    def broken(self: Given, network: nn.Module) -> Any:
        with torch.no_grad():
            list(network.parameters())[-1].fill_(math.nan)
        return compare(self, network)

    monkeypatch.setattr(Given, "compare", broken)
    config = configuration("ptq", steps=1, init_from=pin(str(tmp_path / f"{name}.rfz")))
    with pytest.raises(DivergedError, match="the decoded network's kl is nan"):
        train(config, lambda progress: None, tmp_path / "broken")
