"""One trial from configuration to files, and the evaluator."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.trainers.networks import COARSE, clusters, coarse, normed
from tests.trainers.trials import configuration, run
from trainers.coding.sections import Sections
from trainers.compressed import load_compressed
from trainers.divergence import DivergedError
from trainers.evaluate import evaluate
from trainers.loop.progress import Progress
from trainers.methods.base import Context
from trainers.methods.uncompressed import Uncompressed
from trainers.record import OperatingPoint, from_row, to_row
from trainers.tasks.base import Split, Task
from trainers.tasks.supervised import SupervisedScore
from trainers.train import train


def nothing(progress: Progress) -> None:
    pass


def never(progress: Progress) -> None:
    pytest.fail("trained before the configuration was refused")


def test_a_training_loads_only_what_it_needs() -> None:
    """scipy, which only the fusion of networks needs, would cost every worker a second, and numba half a second."""
    program = "import sys, trainers.train; sys.exit('scipy' in sys.modules or 'numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=600).returncode == 0


def test_a_record_says_what_was_run_and_what_was_measured(tmp_path: Path) -> None:
    config = configuration("epr", "mlp", seed=5)
    (point,) = train(config, nothing, tmp_path, sweep_id="s", trial_id="t")
    data = (tmp_path / "point.rfz").read_bytes()
    assert point == OperatingPoint(
        sweep_id="s",
        trial_id="t",
        point_id="point",
        task="tests.trainers.networks:clusters",
        architecture="mlp(hidden=[8])",
        method="epr",
        config_hash=config.config_hash,
        seed=5,
        num_parameters=163,
        macs=16 * 8 + 8 * 3,
        num_steps=6,
        train_s=point.train_s,
        size_bytes=len(data),
        uncompressed_bytes=4 * 163,
        quality=point.quality,
        quality_val=point.quality_val,
        quality_name="accuracy",
        maximise=True,
        sha256=hashlib.sha256(data).hexdigest(),
        path=str(tmp_path / "point.rfz"),
    )
    assert point.train_s > 0
    assert 0 <= point.quality <= 1
    assert from_row(to_row(point)) == point


def test_training_learns_and_compresses(tmp_path: Path) -> None:
    method = {"name": "epr", "lam": 0.01, "learning_rate": 1e-2}
    (small,) = train(configuration("epr", method=method, steps=120), nothing, tmp_path / "epr")
    method = {"name": "uncompressed", "learning_rate": 1e-2}
    (large,) = train(configuration("epr", method=method, steps=120), nothing, tmp_path / "uncompressed")
    assert min(small.quality, large.quality) > 0.9
    assert large.size_bytes > 4 * 163 > 2 * small.size_bytes


@pytest.mark.parametrize("method", [{"name": "epr", "lam": 0.1}, {"name": "ptq", "bits": 4}, {"name": "uncompressed"}])
def test_a_huge_learning_rate_diverges(method: dict[str, Any], tmp_path: Path) -> None:
    config = configuration("epr", method={**method, "learning_rate": 1e30})
    with pytest.raises(DivergedError, match=r"the training loss became (nan|inf) between steps 1 and 2 of 6"):
        train(config, nothing, tmp_path)
    assert not list(tmp_path.glob("*.rfz"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "tests.trainers.networks:parameterless"}, "has no parameters: nothing to train"),
        (
            {"architecture": {"name": COARSE, "dtype": "float8_e4m3fn"}},
            "tensor 'weight' of the architecture is torch.float8_e4m3fn, which a file does not hold: use torch.bfloat",
        ),
        ({"architecture": "lenet5"}, r"the architecture does not take inputs of shape \(1, 4, 4\): "),
        ({"architecture": "lenet300_100"}, r"the architecture does not take inputs of shape \(1, 4, 4\): "),
        ({"architecture": {"name": "cnn", "channels": [3] * 9}}, "images of 4x4 are too small for 9 poolings"),
        ({"architecture": {"name": "mlp", "hidden": [1 << 20, 1 << 20]}}, "values: wanted at most"),
        ({"architecture": {"name": "mlp", "hidden": []}, "method": "eprr"}, "unknown method 'eprr'"),
        ({"task": "digitz"}, "unknown task 'digitz'"),
    ],
)
def test_a_wrong_configuration_is_refused_before_training(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        train(configuration("epr", **changes), never, tmp_path)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "float64"])
def test_a_network_of_any_float_is_stored_in_its_own_dtype(dtype: str, tmp_path: Path) -> None:
    method = {"name": "uncompressed", "learning_rate": 1e-2}
    config = configuration("uncompressed", architecture={"name": COARSE, "dtype": dtype}, method=method, steps=40)
    (point,) = train(config, nothing, tmp_path)
    assert point.quality > 0.9
    assert point.uncompressed_bytes == 51 * getattr(torch, dtype).itemsize <= point.size_bytes
    state = load_compressed(point.path, architecture=coarse).state_dict()
    assert {tensor.dtype for tensor in state.values()} == {getattr(torch, dtype)}


def test_what_a_file_could_not_hold_is_refused_before_training(tmp_path: Path) -> None:
    text = str(np.random.default_rng(0).bytes(1 << 19).hex())  # more than is held of any arguments
    config = configuration("epr", architecture={"name": "tests.trainers.test_train:verbose", "text": text + text})
    with pytest.raises(ValueError, match="a file's header has no room for"):
        train(config, never, tmp_path)


def verbose(*, text: str) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 3))


def test_a_linear_network_is_trained(tmp_path: Path) -> None:
    files, _ = run(configuration("epr", architecture={"name": "mlp", "hidden": []}), tmp_path)
    assert files["point"]


def test_numbers_of_numpy_survive_a_checkpoint(tmp_path: Path) -> None:
    """A sampler's float64 is a float to everything but the reader of checkpoints."""
    config = configuration("epr", method={"name": "epr", "lam": np.float64(0.1)})

    def interrupt(progress: Progress) -> None:
        if progress.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, interrupt, tmp_path, checkpoint_interval_s=0)
    assert (
        train(config, nothing, tmp_path)[0].config_hash
        == configuration("epr", method={"name": "epr", "lam": 0.1}).config_hash
    )


class Points:
    """Takes the place of a method's ``points``: yields the given ids, each with what the method stores."""

    def __init__(self, *ids: str) -> None:
        self._ids, self._points = ids, Uncompressed.points

    def __get__(self, method: Uncompressed, owner: type) -> Any:
        def points(model: nn.Module, context: Context) -> Iterator[tuple[str, Sections]]:
            ((_, sections),) = self._points(method, model, context)
            yield from ((point_id, sections) for point_id in self._ids)

        return points


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ((), "method 'uncompressed' yielded no operating point: wanted at least one"),
        (("a", "a"), "point id 'a' was yielded twice: wanted another for each operating point"),
        *(
            ((point_id,), f"point id {point_id!r} is no file name: wanted letters, digits, '.', '_' and '-'")
            for point_id in ("", "a b", "../a", "a/b", "ä", "a\n", "λ=1")
        ),
    ],
)
def test_points_that_cannot_be_told_apart_are_refused(
    ids: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Uncompressed, "points", Points(*ids))
    with pytest.raises(ValueError) as caught:
        run(configuration("uncompressed"), tmp_path / "trial")
    assert str(caught.value) == message
    assert len(list(tmp_path.rglob("*.rfz"))) == len(ids[1:]), "nothing is written in the place of another"


def test_point_ids_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = ("rank-4", "Rank_8.5", "0")
    monkeypatch.setattr(Uncompressed, "points", Points(*ids))
    assert tuple(run(configuration("uncompressed"), tmp_path)[0]) == ids


@pytest.mark.parametrize("quality", ["nan", "inf", "-inf"])
def test_a_quality_that_is_no_number_is_a_divergence(quality: str, tmp_path: Path) -> None:
    config = configuration("uncompressed", task={"name": "tests.trainers.test_train:unmeasurable", "quality": quality})
    with pytest.raises(DivergedError, match=f"^after step 6, the last: the decoded network's quality is {quality}; "):
        run(config, tmp_path)


def unmeasurable(*, quality: str) -> Task:
    """``clusters`` whose quality is always ``quality``."""
    return dataclasses.replace(clusters(), quality_of=lambda mean: float(quality))


def test_a_report_is_plain_numbers(tmp_path: Path) -> None:
    _, reports = run(configuration("epr"), tmp_path)
    for report in reports:
        assert type(report.step) is int
        assert [type(v) for v in (report.epoch, report.train_loss, report.rate_bits, report.quality_val)] == [float] * 4


def test_evaluation_is_the_mean_over_all_examples_in_batches() -> None:
    task = clusters()
    large = Split(inputs=task.test.inputs.repeat(53, 1, 1, 1)[:2501], targets=task.test.targets.repeat(53)[:2501])
    torch.manual_seed(0)
    model = normed(input_shape=(1, 4, 4), num_outputs=3).train()
    found = evaluate(model, large, task)
    with torch.no_grad():
        assert found == pytest.approx((model.eval()(large.inputs).argmax(1) == large.targets).double().mean().item())


@pytest.mark.parametrize("training", [True, False])
def test_evaluation_leaves_the_network_as_it_was(training: bool) -> None:
    model = normed(input_shape=(1, 4, 4), num_outputs=3).train(training)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    evaluate(model, clusters().test, clusters())
    assert model.training is training
    assert all(module.training is training for module in model.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_metric_that_is_no_mean_is_of_the_mean_score() -> None:
    task = clusters()
    squared = Task(
        **{
            **vars(task),
            "score": SupervisedScore((lambda outputs, targets: (outputs[:, 0] - targets) ** 2,)),
            "quality_of": lambda mean: -10 * mean,
        }
    )
    split = Split(inputs=torch.zeros(1500, 1), targets=torch.cat([torch.zeros(1000), torch.full((500,), 3.0)]))
    assert evaluate(nn.Identity(), split, squared) == pytest.approx(-10 * 9 * 500 / 1500)


def test_a_split_has_as_many_targets_as_inputs() -> None:
    with pytest.raises(ValueError, match="a split has 2 inputs, 3 targets: wanted equally many, at least 1"):
        Split(inputs=torch.zeros(2), targets=torch.zeros(3))
    with pytest.raises(ValueError, match="a split has 0 inputs"):
        Split(inputs=torch.zeros(0), targets=torch.zeros(0))


def test_a_file_that_would_hold_infinity_is_a_divergence(tmp_path: Path) -> None:
    """Parameters are finite; float16 is not wide enough for the statistics of batch norms at each level."""
    method = {"name": "lcs", "learning_rate": 1e7, "weight_decay": 0.0}
    with pytest.raises(DivergedError, match=r"^after step 6, the last: .* finite; a lower learning rate may mend it$"):
        run(configuration("lcs", "normed", method=method), tmp_path)
    assert not (tmp_path / "subspace.rfz").exists()


def test_a_file_with_a_layer_of_zeros_says_so_and_whether_the_network_was_destroyed(tmp_path: Path) -> None:
    """At so coarse a step a layer rounds to zero, and so it ends; what reads its empty units is zero as well."""
    coarse = {"name": "epr", "lam": 0.0, "initial_step": 0.1, "tensors": {"1.weight": {"step": 100.0}}}
    (point,) = train(configuration("epr", method=coarse), lambda progress: None, tmp_path / "coarse")
    assert (point.zero_weights, point.is_constant) == ("1.weight, 3.weight", True)
    (point,) = train(configuration("epr"), lambda progress: None, tmp_path / "usual")
    assert (point.zero_weights, point.is_constant) == ("", False)
