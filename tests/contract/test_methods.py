"""What every registered compression method promises."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.trainers.networks import CLUSTERS
from tests.trainers.trials import (
    ARCHITECTURES,
    EARLY_POINTS,
    FIRST,
    VARIANTS,
    architecture_of,
    attach,
    built_by,
    configuration,
    run,
    without_time,
)
from trainers.architectures.base import build_on_meta, layout_of
from trainers.coding import container
from trainers.coding.sections import Integers, Sections
from trainers.compressed import load_compressed, open_compressed
from trainers.config import TrialConfig
from trainers.evaluate import evaluate
from trainers.instantiate import make_method
from trainers.loop.progress import Progress
from trainers.methods import METHODS
from trainers.methods.base import AbstractMethod
from trainers.methods.lcs import CompressibleSubspace
from trainers.networks.norms import norm_parameters
from trainers.preparation import prepare
from trainers.record import OperatingPoint
from trainers.train import forget_checkpoint, train

pytestmark = pytest.mark.parametrize("name", VARIANTS)
TOO_FEW_VALUES = {"multi_hashing"}
"""The methods that cannot hold the weights they are given: only the weights' sizes are kept."""
LEVELS_AT_RANDOM = {"lcs"}
"""The methods that draw a level of compression at each step and train it; each point is compressed at its own level."""
on_every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)


class KilledError(Exception):
    """Raised from a report to end a training as a kill would."""


def kind_of(name: str) -> type[AbstractMethod]:
    return METHODS[VARIANTS[name]["name"]]


def assert_same_sections(found: Sections, wanted: Sections) -> None:
    assert list(found.tensors) == list(wanted.tensors)
    for name, section in wanted.tensors.items():
        other = found.tensors[name]
        assert type(other) is type(section)
        assert other.values.dtype == section.values.dtype
        assert other.values.shape == section.values.shape
        assert other.values.tobytes() == np.ascontiguousarray(section.values).tobytes()
        if isinstance(section, Integers) and isinstance(other, Integers):
            assert (other.table, other.exponent) == (section.table, section.exponent)
    for made, factor in zip(found.factors, wanted.factors, strict=True):
        assert (made.table, made.exponent) == (factor.table, factor.exponent)
        np.testing.assert_array_equal(made.values, factor.values, strict=True)
    assert [vector.tobytes() for vector in found.vectors] == [vector.tobytes() for vector in wanted.vectors]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A training that several promises are checked on; its files are only read."""

    config: TrialConfig
    points: list[OperatingPoint]
    reports: list[Progress]
    written: list[tuple[container.Header, container.Layout, Sections, bytes]]

    @property
    def files(self) -> dict[str, bytes]:
        return {point.point_id: Path(point.path).read_bytes() for point in self.points}


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Trained]:
    @functools.cache
    def once(name: str, architecture: str) -> Trained:
        config = configuration(name, architecture)
        written: list[tuple[container.Header, container.Layout, Sections, bytes]] = []
        reports: list[Progress] = []
        write = container.write

        def spy(header: container.Header, layout: container.Layout, sections: Sections, **shown: Any) -> bytes:
            written.append((header, layout, sections, write(header, layout, sections, **shown)))
            return written[-1][-1]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(container, "write", spy)
            folder = tmp_path_factory.mktemp("trained")
            points = train(config, lambda progress: reports.append(without_time(progress)), folder)
        return Trained(config=config, points=points, reports=reports, written=written)

    return once


@on_every_architecture
def test_decoding_inverts_encoding(name: str, architecture: str, trained: Callable[[str, str], Trained]) -> None:
    found = trained(name, architecture)
    assert found.written
    for header, layout, sections, data in found.written:
        assert container.read_header(data) == header
        assert_same_sections(container.read(data, layout, built_by(found.config)), sections)


@on_every_architecture
def test_a_method_knows_how_many_points_it_yields(
    name: str, architecture: str, trained: Callable[[str, str], Trained]
) -> None:
    found = trained(name, architecture)
    method, context = make_method(found.config.method), attach(found.config).context
    num_times = 1 + sum(phase.points is not None for phase in method.phases(context))
    assert num_times * method.num_points == len(found.points)


def test_adaptive_coding_is_inverted_as_well(name: str) -> None:
    trial = attach(configuration(name, "normed"))
    for _, sections in trial.method.points(trial.model, trial.context):
        data = container.write(trial.header, trial.layout, sections)
        assert_same_sections(container.read(data, trial.layout), sections)


@on_every_architecture
def test_the_account_sums_to_the_file_and_the_stream_is_near_its_information(
    name: str, architecture: str, trained: Callable[[str, str], Trained]
) -> None:
    found = trained(name, architecture)
    for point in found.points:
        opened = open_compressed(point.path, architecture=architecture_of(found.config))
        shares = opened.account()
        assert math.isclose(sum(share.size_bytes for share in shares), point.size_bytes, abs_tol=1e-6)
        (rounding,) = [share.size_bytes for share in shares if share.part == "rounding"]
        content = sum(share.size_bytes for share in shares if share.part in ("tensor", "factor"))
        assert -1e-6 <= rounding <= 0.01 * content + 8
        assert {share.name for share in shares if share.part == "tensor"} == {e.name for e in layout_of(opened.plain)}
        assert all(share.size_bytes >= 0 for share in shares if share.part != "rounding")


@on_every_architecture
def test_gradients_reach_every_trained_tensor(name: str, architecture: str) -> None:
    trial = attach(configuration(name, architecture), noise=0.5)
    model = trial.model
    for phase in trial.method.phases(trial.context):
        model = phase.apply(model, phase.decide(model, trial.context)).train()
        optimisers = [optimiser.optimiser for optimiser in phase.optimisers(model, FIRST.num_phase_steps)]
        trained = [p for optimiser in optimisers for group in optimiser.param_groups for p in group["params"]]
        assert trained
        for _ in range(20 if VARIANTS[name]["name"] in LEVELS_AT_RANDOM else 1):
            phase.loss(model, trial.batch, trial.context, FIRST).backward()
        for parameter in trained:
            assert parameter.grad is not None
            assert parameter.grad.isfinite().all()
            if architecture == "normed" and parameter.numel() == 1:
                continue  # a common scale of the weights before BatchNorm changes nothing
            assert parameter.grad.any(), f"a tensor of shape {tuple(parameter.shape)} gets no gradient"
            parameter.grad = None


@pytest.mark.parametrize("architecture", ["mlp", "cnn", "normed"])
def test_the_weights_themselves_are_trained_in_every_phase_or_the_method_says_so(name: str, architecture: str) -> None:
    trial = prepare(configuration(name, architecture), torch.device("cpu"))
    norms = norm_parameters(trial.context.plain)
    weights = [parameter for name, parameter in trial.model.named_parameters() if name not in norms]
    model = trial.method.attach(trial.model, trial.context)
    are_trained: list[bool] = []
    for phase in trial.method.phases(trial.context):
        model = phase.apply(model, phase.decide(model, trial.context))
        groups = [group for one in phase.optimisers(model, 10) for group in one.optimiser.param_groups]
        trained = {id(parameter) for group in groups for parameter in group["params"]}
        are_trained.append(all(id(weight) in trained for weight in weights))
    assert all(are_trained) == kind_of(name).trains_weights


@on_every_architecture
def test_shares_of_phases_sum_to_one_and_the_rate_is_a_finite_scalar(name: str, architecture: str) -> None:
    trial = attach(configuration(name, architecture))
    phases = trial.method.phases(trial.context)
    assert math.isclose(sum(phase.share for phase in phases), 1)
    rate = trial.method.rate_bits(trial.model, trial.context)
    assert rate.shape == ()
    assert math.isfinite(rate.item())
    assert rate.item() > 0
    assert rate.requires_grad or not any(phase.rate_comparable for phase in phases)


@pytest.mark.parametrize("architecture", ["mlp", "normed"])
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(
    name: str, architecture: str, tmp_path: Path, trained: Callable[[str, str], Trained]
) -> None:
    first = trained(name, architecture)
    torch.rand(7)  # what happened before in the process does not matter
    again, reports_again = run(configuration(name, architecture), tmp_path / "again")
    other, _ = run(configuration(name, architecture, seed=1), tmp_path / "other")
    assert first.files == again
    assert first.reports == reports_again
    assert first.files != other


@pytest.mark.parametrize("architecture", ["mlp", "normed"])
@pytest.mark.parametrize("interruptions", [(1,), (3,), (6,), (2, 3, 5)])
def test_a_resumed_training_ends_in_the_same_file_and_history(
    name: str,
    architecture: str,
    interruptions: tuple[int, ...],
    tmp_path: Path,
    trained: Callable[[str, str], Trained],
) -> None:
    whole = trained(name, architecture)
    config = whole.config
    seen: dict[int, Progress] = {}
    pending = list(interruptions)

    def report(progress: Progress) -> None:
        progress = without_time(progress)
        assert seen.setdefault(progress.step, progress) == progress, "a step is reported anew as it was"
        if pending and progress.step == pending[0]:
            pending.pop(0)
            raise KilledError

    for _ in interruptions:
        with pytest.raises(KilledError):
            train(config, report, tmp_path / "parts", checkpoint_interval_s=0)
    points = train(config, report, tmp_path / "parts", checkpoint_interval_s=0)
    assert {point.point_id: Path(point.path).read_bytes() for point in points} == whole.files
    assert list(seen.values()) == whole.reports


def test_a_finished_training_is_measured_again_without_training_until_it_is_forgotten(
    name: str, tmp_path: Path
) -> None:
    config = configuration(name)
    points = train(config, lambda progress: None, tmp_path, checkpoint_interval_s=0)
    again = train(config, lambda progress: pytest.fail("trained anew"), tmp_path)
    assert again == points
    forget_checkpoint(tmp_path)
    forget_checkpoint(tmp_path)
    wanted = {f"{point.point_id}.{kind}" for point in points for kind in ("rfz", "sections.csv")}
    assert {path.name for path in tmp_path.iterdir()} == wanted


def test_a_resumed_training_does_not_begin_anew(name: str, tmp_path: Path) -> None:
    config = configuration(name)
    steps: list[int] = []

    def report(progress: Progress) -> None:
        steps.append(progress.step)
        if steps == [1, 2, 3, 4]:
            raise KilledError

    with pytest.raises(KilledError):
        train(config, report, tmp_path, checkpoint_interval_s=0)
    train(config, report, tmp_path, checkpoint_interval_s=0)
    assert steps == [1, 2, 3, 4, 4, 5, 6]


@on_every_architecture
def test_decoding_needs_only_the_file_and_the_shapes(
    name: str, architecture: str, trained: Callable[[str, str], Trained]
) -> None:
    assert isinstance(inspect.getattr_static(kind_of(name), "decode"), staticmethod)
    config = configuration(name, architecture)
    trial = attach(config)
    for data in trained(name, architecture).files.values():
        plain = build_on_meta(trial.header.architecture, architecture_of(config), trial.header.arguments)
        before = torch.get_rng_state()
        decoded, again = (
            kind_of(name).decode(container.read(data, trial.layout, built_by(config)), plain) for _ in range(2)
        )
        assert torch.equal(torch.get_rng_state(), before), "decoding draws no random numbers"
        assert all(tensor.is_meta for tensor in plain.state_dict().values())
        assert list(decoded) == list(plain.state_dict())
        for key, like in plain.state_dict().items():
            assert decoded[key].shape == like.shape
            assert decoded[key].dtype == like.dtype
            assert decoded[key].device.type == "cpu"
            assert torch.equal(decoded[key], again[key])


@on_every_architecture
def test_what_is_measured_is_the_decoded_file(
    name: str, architecture: str, trained: Callable[[str, str], Trained]
) -> None:
    found = trained(name, architecture)
    config, trial = found.config, attach(found.config)
    function = architecture_of(config)
    assert found.points
    for point in found.points:
        network = load_compressed(point.path, architecture=function)
        by_hand = function(**trial.header.arguments).eval()
        sections = container.read(Path(point.path).read_bytes(), trial.layout, built_by(config))
        by_hand.load_state_dict(kind_of(name).decode(sections, trial.context.plain))
        inputs = trial.task.test.inputs
        with torch.no_grad():
            assert torch.equal(network(inputs), by_hand(inputs))
        assert not network.training
        assert point.size_bytes == Path(point.path).stat().st_size
        assert point.quality == evaluate(network, trial.task.test, trial.task)
        assert point.quality_val == evaluate(network, trial.task.validation, trial.task)
        assert point.num_parameters == sum(p.numel() for p in network.parameters())
        assert (point.num_steps < config.steps) == (point.point_id in EARLY_POINTS.get(name, []))


@on_every_architecture
def test_attaching_keeps_the_network_up_to_rounding(name: str, architecture: str) -> None:
    """The decoded untrained network points in the given one's direction; where points differ in size, the best does."""
    trial = attach(configuration(name, architecture))
    parameters = dict(trial.context.plain.named_parameters())
    given = torch.cat([trial.given[key].reshape(-1) for key in parameters])
    points: list[torch.Tensor] = []
    for _, sections in trial.method.points(trial.model, trial.context):
        decoded = trial.method.decode(sections, trial.context.plain)
        points.append(torch.cat([decoded[key].reshape(-1) for key in parameters]))
        for key, tensor in trial.given.items():
            if key not in parameters:
                assert torch.equal(decoded[key], tensor), "buffers are kept exactly"
    if VARIANTS[name]["name"] in LEVELS_AT_RANDOM:
        points = [max(points, key=lambda found: float(torch.cosine_similarity(given, found, dim=0)))]
    assert points
    for found in points:
        assert name in TOO_FEW_VALUES or torch.cosine_similarity(given, found, dim=0) > 0.7
        assert 0.5 < found.norm() / given.norm() < 2
    with torch.no_grad():
        assert trial.model.eval()(trial.task.test.inputs).shape == (48, 3)


@pytest.mark.parametrize(("steps", "batch_size"), [(1, 96), (130, 96), (35, 10), (7, 1000)])
def test_reports_are_few_and_the_last_is_at_the_last_step(
    name: str, steps: int, batch_size: int, tmp_path: Path
) -> None:
    _, reports = run(configuration(name, steps=steps, batch_size=batch_size), tmp_path)
    found = [report.step for report in reports]
    assert found == sorted(set(found))
    assert found[-1] == steps
    assert len(found) <= 50 + len(kind_of(name).phases(*_unattached(name)))
    assert all(report.total_steps == steps for report in reports)


def test_the_rate_knob_is_a_field_and_its_range_is_accepted(name: str) -> None:
    knob = kind_of(name).rate_knob
    if knob is None:
        return
    ends = knob.values or (knob.low, knob.high)
    assert len(ends) >= 2
    for value in ends:
        method = kind_of(name)(**{knob.field: value})
        assert getattr(method, knob.field) == value


def test_one_training_gives_a_point_for_each_combination_of_the_point_fields(
    name: str, trained: Callable[[str, str], Trained]
) -> None:
    found = trained(name, "mlp")
    method = make_method(found.config.method)
    lists = {field: getattr(method, field) for field in method.point_fields}
    if isinstance(method, CompressibleSubspace):
        lists["levels"] = method.all_levels
        if method.compression == "quantised":
            del lists["steps"]  # a level is a number of bits
    num_subspaces = int(isinstance(method, CompressibleSubspace))  # its one file of the whole subspace
    assert len(found.points) == math.prod(map(len, lists.values())) + num_subspaces + len(EARLY_POINTS.get(name, []))


def test_fields_are_checked_when_a_method_is_made(name: str) -> None:
    knob = kind_of(name).rate_knob
    if knob is None:
        return
    for value in (math.nan, math.inf, -1, "much", True, None):
        with pytest.raises(ValueError, match=f"^{knob.field} is "):
            kind_of(name)(**{knob.field: value})


def test_the_test_split_is_out_of_reach(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def peek(self: AbstractMethod, model: Any, context: Any) -> Any:
        assert len(context.validation) == 48
        assert len(context.train) == 96
        return context.test

    monkeypatch.setattr(kind_of(name), "attach", peek)
    with pytest.raises(AttributeError, match="test"):
        run(configuration(name), tmp_path)


def _unattached(name: str) -> tuple[Any, ...]:
    trial = attach(configuration(name, task=CLUSTERS))
    return trial.method, trial.context
