"""Levels of compression, lines between two copies of a network, and files that hold one point or all of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.trainers.trials import FIRST, attach, configuration, run
from trainers.architectures.base import build_on_meta, layout_of
from trainers.architectures.graph import unit_groups
from trainers.architectures.mlp import mlp
from trainers.coding import container
from trainers.coding.bytestream import RfzError
from trainers.coding.sections import Integers, Raw, Sections
from trainers.compressed import open_compressed
from trainers.methods.base import Context, Moment
from trainers.methods.lcs import CompressibleSubspace, Subspace
from trainers.methods.levels import check_levels, narrow, position, prune, quantise, rounded
from trainers.methods.recalibration import recalibrate
from trainers.methods.subspaces import decode_subspace
from trainers.train import train

KINDS = ("unstructured", "quantised", "structured")


def method(kind: str = "unstructured", /, **fields: Any) -> dict[str, Any]:
    return {"name": "lcs", "compression": kind, "subspace": "line", **fields}


def apart(kind: str, architecture: str = "mlp", /, **fields: Any) -> tuple[Subspace, CompressibleSubspace, Context]:
    """A subspace whose copies have nothing in common."""
    trial = attach(configuration("lcs", architecture, method=method(kind, **fields)), noise=0.3)
    subspace = cast(Subspace, trial.model)
    with torch.no_grad():
        for end in subspace.ends:
            end.copy_(torch.randn_like(end))
    return subspace, cast(CompressibleSubspace, trial.method), trial.context


# levels


def test_pruning_keeps_the_largest_and_one_at_least() -> None:
    weight = torch.tensor([[0.1, -4.0, 2.0], [-0.3, 1.0, 0.2]], requires_grad=True)
    assert prune(weight, 0.5).tolist() == [[0, -4, 2], [0, 1, 0]]
    assert prune(weight, 1e-6).tolist() == [[0, -4, 0], [0, 0, 0]]
    assert torch.equal(prune(weight, 1.0), weight)
    prune(weight, 0.5).sum().backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == [[0, 1, 1], [0, 1, 0]]
    assert prune(torch.zeros(0, 3), 0.5).shape == (0, 3)
    assert prune(torch.tensor([1.0, -2.0, 1.0, -1.0]), 0.5).tolist() == [1, -2, 0, 0], "of equal ones the first"


@pytest.mark.parametrize("bits", [2, 3, 8])
def test_rounding_is_to_whole_steps_within_bits_and_gradients_pass_straight_through(bits: int) -> None:
    torch.manual_seed(0)
    weight = torch.cat([torch.randn(2000), torch.tensor([-20.0, 20.0])]).requires_grad_()
    whole, step = rounded(weight.detach(), bits)
    assert torch.equal(whole, whole.round())
    assert (whole.min(), whole.max()) == (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    assert float(step) == float(step.half())
    found = quantise(weight, bits)
    assert torch.equal(found, whole * step)
    found.sum().backward()
    assert weight.grad is not None
    assert torch.equal(weight.grad, torch.ones_like(weight))


def test_a_narrowed_network_is_the_smaller_one() -> None:
    torch.manual_seed(0)
    wide = mlp(input_shape=(5,), hidden=[20, 4], num_outputs=3)
    with torch.no_grad():
        for parameter in wide.parameters():
            parameter.copy_(torch.randn_like(parameter))
    groups = unit_groups(build_on_meta("mlp", mlp, {"input_shape": [5], "hidden": [20, 4], "num_outputs": 3}), (5,))
    narrowed = narrow(dict(wide.named_parameters()), groups, 0.55)
    small = mlp(input_shape=(5,), hidden=[11, 3], num_outputs=3)  # 0.55 * 20 is above 11 in floats
    shapes = {name: parameter.shape for name, parameter in small.named_parameters()}
    for name, shape in shapes.items():
        kept = narrowed[name][tuple(slice(size) for size in shape)]
        assert torch.equal(kept, wide.get_parameter(name)[tuple(slice(size) for size in shape)])
        assert narrowed[name].count_nonzero() == kept.numel(), "everything else is zero"
        small.get_parameter(name).data.copy_(kept)
    inputs = torch.randn(7, 5)
    torch.testing.assert_close(torch.func.functional_call(wide, narrowed, (inputs,)), small(inputs))


def test_shares_of_weights_grow_geometrically_along_the_line_and_the_others_in_proportion() -> None:
    assert [position("unstructured", level, (0.01, 0.1, 1.0)) for level in (0.01, 0.1, 1.0)] == [0, 0.5, 1]
    assert [position("quantised", level, (3, 4, 7)) for level in (3, 4, 7)] == [0, 0.25, 1]
    assert [position("structured", level, (0.25, 1.0)) for level in (0.25, 0.4375, 1.0)] == [0, 0.25, 1]
    assert position("unstructured", 0.5, (0.5,)) == 1


@pytest.mark.parametrize(
    ("kind", "levels", "message"),
    [
        ("unstructured", [0.5], "levels is [0.5]: wanted 'default' or a list of 2 to 32 numbers, such as [0.025, 0.05];"
                                " in a sweep, where lists are choices, [[0.025, 0.05]]"),
        ("unstructured", "all", "levels is 'all': wanted 'default' or a list"),
        ("unstructured", 0.5, "levels is 0.5: wanted 'default' or a list"),
        ("unstructured", [0.0, 1.0], "levels[0] is 0.0: wanted a number above 0 and at most 1"),
        ("structured", [0.5, 1.5], "levels[1] is 1.5: wanted a number above 0 and at most 1"),
        ("quantised", [3, 4.0], "levels[1] is 4.0: wanted a whole number of at least 2 and at most 8"),
        ("quantised", [1, 4], "levels[0] is 1: wanted a whole number of at least 2 and at most 8"),
        ("quantised", [4, 3], "levels is [4, 3]: wanted each once, the most compressed first"),
        ("structured", [0.5, 0.5], "levels is [0.5, 0.5]: wanted each once, the most compressed first"),
        ("unstructured", [0.1, 0.100005], "levels is [0.1, 0.100005]: wanted each once, the most compressed first, and "
                                          "told apart by float16"),
        ("unstructured", [1e-8, 0.5], "levels is [1e-08, 0.5]: wanted each once"),
    ],
)  # fmt: skip
def test_levels_are_checked(kind: str, levels: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        CompressibleSubspace(compression=kind, subspace="line", levels=levels)
    assert str(caught.value).startswith(message)
    check_levels("unstructured", [0.5], at_least=1)


@pytest.mark.parametrize(
    ("field", "value"),
    [("compression", "lossy"), ("subspace", "plane"), ("penalty", -1), ("warmup", 1.5), ("learning_rate", 0),
     ("weight_decay", -1), ("steps", [])],
)  # fmt: skip
def test_fields_are_checked(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{field} is "):
        CompressibleSubspace(**{field: value})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"compression": "quantised", "subspace": "line", "steps": [0.1]},
         "steps is [0.1], which has no effect where compression is 'quantised': leave it out"),
        ({"compression": "structured", "subspace": "line", "warmup": 0.1},
         "warmup is 0.1, which has no effect where compression is 'structured': leave it out"),
        ({"compression": "structured", "subspace": "line", "penalty": 2},
         "penalty is 2, which has no effect where subspace is 'line' and compression 'structured': leave it out"),
        ({"penalty": 2},
         "penalty is 2, which has no effect where subspace is 'point' and compression 'unstructured': leave it out"),
    ],
)  # fmt: skip
def test_a_setting_without_effect_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        CompressibleSubspace(**fields)
    assert str(caught.value) == message


def test_defaults_without_effect_may_be_written_out() -> None:
    CompressibleSubspace(compression="quantised", steps=[0.25, 0.5], warmup=0.5, penalty=1)


# lines


def test_a_line_joins_its_ends() -> None:
    subspace, _, _ = apart("quantised", levels=[2, 3, 6])
    starts, ends = ({name: found[index] for name, found in subspace.copies().items()} for index in (0, 1))
    assert list(starts) == ["1.weight", "1.bias", "3.weight", "3.bias"]
    for name, start in starts.items():
        assert torch.equal(subspace.line(2)[name], start)
        assert torch.equal(subspace.line(6)[name], ends[name])
        torch.testing.assert_close(subspace.line(3)[name].detach(), 0.75 * start + 0.25 * ends[name])


def test_a_point_has_one_copy_and_of_narrow_networks_only_biases_and_norms_have_two() -> None:
    assert [len(found) for found in apart("unstructured", subspace="point")[0].copies().values()] == [1] * 4
    copies = apart("structured", "normed")[0].copies()
    assert {name: len(found) for name, found in copies.items()} == {
        "0.weight": 1, "1.weight": 2, "1.bias": 2, "4.weight": 1, "4.bias": 2,
    }  # fmt: skip


def test_a_tied_weight_is_one_weight() -> None:
    tied = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    tied[1].weight = tied[0].weight
    subspace = Subspace(tied, "unstructured", [0.25, 1.0], ["0.weight"], ())
    x = torch.randn(5, 4)
    pruned = prune(subspace.line(0.25)["0.weight"], 0.25)
    assert pruned.count_nonzero() == 4
    torch.testing.assert_close(subspace.compute(x, 0.25, 0.25), x @ pruned.T @ pruned.T)


def test_the_penalty_is_the_squared_cosine_of_all_weights_whatever_their_length() -> None:
    subspace, _, _ = apart("unstructured")
    found = subspace.copies()
    start, end = (torch.cat([found[name][i].flatten() for name in ("1.weight", "3.weight")]) for i in (0, 1))
    wanted = float(torch.cosine_similarity(start, end, dim=0)) ** 2
    assert subspace.squared_cosine().item() == pytest.approx(wanted, rel=1e-4)
    with torch.no_grad():
        for end in subspace.ends:
            end.mul_(-3)
    assert subspace.squared_cosine().item() == pytest.approx(wanted, rel=1e-4)
    fresh = attach(configuration("lcs-line")).model
    assert cast(Subspace, fresh).squared_cosine().item() == pytest.approx(1)
    assert apart("unstructured", subspace="point")[0].squared_cosine().item() == 0


def test_the_loss_is_that_of_the_compressed_network_at_the_drawn_level_and_the_penalty() -> None:
    trial = attach(configuration("lcs", method=method("quantised", levels=[2, 8], penalty=0.5)), noise=0.3)
    (phase,) = trial.method.phases(trial.context)
    subspace, (inputs, targets) = cast(Subspace, trial.model), trial.batch
    losses = {round(phase.loss(subspace, trial.batch, trial.context, FIRST).item(), 5) for _ in range(30)}
    wanted = {
        round(trial.context.loss(subspace.compute(inputs, bits, bits), targets).item() + 0.5, 5) for bits in (2, 8)
    }
    assert losses == wanted
    assert len(wanted) == 2


def test_shares_are_drawn_at_both_ends_and_uniformly_along_the_line() -> None:
    torch.manual_seed(0)
    drawn = [CompressibleSubspace(levels=[0.01, 1.0])._drawn() for _ in range(4000)]
    assert all(len(levels) == 1 for levels in drawn)
    found = torch.tensor(drawn).flatten()
    assert [float((found == end).float().mean()) for end in (0.01, 1.0)] == pytest.approx([0.25, 0.25], abs=0.03)
    between = found[(found > 0.01) & (found < 1)].log10().sort().values
    quartiles = [float(between[int(share * len(between))]) for share in (0.25, 0.5, 0.75)]
    assert quartiles == pytest.approx([-1.5, -1, -0.5], abs=0.1)


def test_bits_are_drawn_from_the_levels_and_widths_as_a_sandwich() -> None:
    quantised = CompressibleSubspace(compression="quantised", levels=[3, 5, 8])
    assert {quantised._drawn()[0] for _ in range(100)} == {3, 5, 8}
    high, low, *between = CompressibleSubspace(compression="structured")._drawn()
    assert (high, low, len(between)) == (1.0, 0.25, 2)
    assert all(0.25 < width < 1 for width in between)
    assert CompressibleSubspace(compression="structured", subspace="point", levels=[0.5])._drawn() == [0.5]


def test_the_share_of_weights_falls_to_the_level_until_the_warmup_is_over() -> None:
    def amounts(**fields: Any) -> list[float]:
        moments = [Moment(step=step, phase_step=step, num_phase_steps=10) for step in (0, 2, 4, 9)]
        return [CompressibleSubspace(**fields)._amount(0.6, moment) for moment in moments]

    assert amounts(warmup=0.4) == pytest.approx([1, 0.8, 0.6, 0.6])
    assert amounts(warmup=0) == [0.6] * 4
    assert amounts(compression="structured") == [0.6] * 4


@pytest.mark.parametrize("kind", KINDS)
def test_running_statistics_follow_the_highest_level_alone(kind: str) -> None:
    subspace, chosen, _ = apart(kind, "normed")
    norm = cast(nn.BatchNorm2d, subspace.network[1])
    low, high = chosen.all_levels[0], chosen.all_levels[-1]
    inputs = torch.randn(8, 1, 4, 4)
    before = {name: buffer.clone() for name, buffer in norm.named_buffers()}
    subspace.train().compute(inputs, low, low)
    assert all(torch.equal(buffer, before[name]) for name, buffer in norm.named_buffers())
    subspace.compute(inputs, high, high)
    assert not any(torch.equal(buffer, before[name]) for name, buffer in norm.named_buffers())


# recalibration


def test_recalibrated_statistics_are_means_over_whole_training_batches() -> None:
    _, _, context = apart("unstructured", "normed")
    inputs = torch.randn(10, 3)
    context = dataclasses.replace(
        context,
        num_train=10,
        batches=lambda split: ((part, part) for part in inputs.split(4) if split == "train"),
    )
    model = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(3, momentum=0.3), nn.Dropout(0.5), nn.BatchNorm1d(3))
    model.train()
    norm = cast(nn.BatchNorm1d, model[1])
    norm.running_mean = torch.full((3,), 7.0)
    for _ in range(2):  # what was there before does not matter
        recalibrate(model, context)
        wanted = torch.stack([inputs[:4].mean(0), inputs[4:8].mean(0)]).mean(0)
        torch.testing.assert_close(norm.running_mean, wanted)
        torch.testing.assert_close(norm.running_var, torch.stack([inputs[:4].var(0), inputs[4:8].var(0)]).mean(0))
    assert norm.momentum == 0.3
    constant = torch.cat([inputs[:, :1], torch.full((10, 1), 0.1), torch.zeros(10, 1)], dim=1)
    batches = lambda split: ((part, part) for part in constant.split(4))  # noqa: E731
    recalibrate(model, dataclasses.replace(context, batches=batches))
    assert norm.running_var.tolist()[1:] == [1, 1], "of channels that are constant"
    assert all(module.training for module in model.modules())


def test_long_splits_are_sampled_evenly() -> None:
    _, _, context = apart("unstructured", "normed")
    seen: list[int] = []

    class Watching(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            seen.append(int(inputs[0, 0]))
            return inputs

    def batches(split: str) -> Any:
        return ((torch.full((1000, 2), float(index)), torch.zeros(1)) for index in range(9))

    model = nn.Sequential(Watching(), nn.BatchNorm1d(2))
    recalibrate(model, dataclasses.replace(context, num_train=9000, batches=batches))
    assert seen == [0, 3, 6]
    seen.clear()
    recalibrate(Watching(), dataclasses.replace(context, num_train=9000, batches=batches))
    assert not seen, "there are no batch norms"


@pytest.mark.parametrize("kind", KINDS)
def test_each_level_is_stored_with_statistics_of_its_own(kind: str) -> None:
    subspace, chosen, context = apart(kind, "normed", **({} if kind == "quantised" else {"steps": [0.01]}))
    inputs = torch.cat([batch for batch, _ in context.batches("train")])
    scales: list[Tensor] = []
    for point_id, sections in chosen.points(subspace, context):
        if point_id == "subspace":
            continue
        decoded = chosen.decode(sections, context.plain)
        level = chosen.all_levels[len(scales)]
        values = subspace.baked(level, context)
        outputs = torch.conv2d(inputs, values["0.weight"], padding=1)
        variance = outputs.var(dim=(0, 2, 3), correction=1)
        deviation = torch.where(variance > 1e-8, variance, 1).sqrt()  # a constant channel keeps its scale
        torch.testing.assert_close(decoded["1.weight"], values["1.weight"] / deviation, rtol=0.1, atol=0.05)
        scales.append(decoded["1.weight"])
    assert not torch.allclose(scales[0], scales[-1], rtol=0.05)


# files


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_pruned_point_has_the_share_of_each_layers_weights(share: float) -> None:
    subspace, chosen, context = apart("unstructured", levels=[share, 1.0], steps=[0.001])
    point_id, sections = next(chosen.points(subspace, context))
    assert point_id == f"level{share}-step0.001"
    decoded = chosen.decode(sections, context.plain)
    for name in ("1.weight", "3.weight"):
        wanted = prune(subspace.line(share)[name].detach(), share)
        assert wanted.count_nonzero() == round(share * wanted.numel())
        torch.testing.assert_close(decoded[name], wanted, rtol=0, atol=0.002)


def test_a_quantised_point_computes_with_the_weights_that_were_trained() -> None:
    subspace, chosen, context = apart("quantised")
    for (point_id, sections), bits in zip(chosen.points(subspace, context), range(3, 9), strict=False):
        assert point_id == f"bits{bits}"
        decoded = chosen.decode(sections, context.plain)
        for name in ("1.weight", "3.weight"):
            assert torch.equal(decoded[name], quantise(subspace.line(bits)[name], bits))


@pytest.mark.parametrize(
    ("kind", "architecture", "subspace"),
    [("unstructured", "mlp", "line"), ("unstructured", "normed", "point"), ("quantised", "normed", "line"),
     ("structured", "mlp", "point"), ("structured", "normed", "line")],
)  # fmt: skip
def test_any_level_can_be_decoded_from_the_file_of_the_subspace(
    kind: str, architecture: str, subspace: str, tmp_path: Path
) -> None:
    """Networks are compared by what they compute: units of the points' files were put in another order."""
    levels = {"unstructured": [0.2, 0.5, 1.0], "quantised": [3, 5, 8], "structured": [0.25, 0.5, 1.0]}[kind]
    finely = {} if kind == "quantised" else {"steps": [0.002]}
    chosen = method(kind, subspace=subspace, levels=levels, **finely)
    config = configuration("lcs", architecture, method=chosen, steps=10)
    run(config, tmp_path)
    trial = attach(config)
    inputs = trial.task.test.inputs
    opened = open_compressed(tmp_path / "subspace.rfz", architecture=lambda **arguments: trial.context.plain)
    sections = container.read(opened.data, layout_of(trial.context.plain))
    network = attach(dataclasses.replace(config, method=dataclasses.replace(config.method, name="uncompressed",
                     arguments={}))).model.eval()  # fmt: skip
    outputs: list[Tensor] = []
    for level in levels:
        network.load_state_dict(
            decode_subspace(sections, trial.context.plain, level=level, groups=trial.context.groups)
        )
        outputs.append(network(inputs).detach())
        point = f"bits{level}" if kind == "quantised" else f"level{level:g}-step0.002"
        stored = container.read((tmp_path / f"{point}.rfz").read_bytes(), trial.layout)
        network.load_state_dict(CompressibleSubspace.decode(stored, trial.context.plain))
        wanted = network(inputs).detach()
        error = (outputs[-1] - wanted).square().mean().sqrt() / wanted.std()
        assert error < (0.35 if level == 3 else 0.15)
    network.load_state_dict(CompressibleSubspace.decode(sections, trial.context.plain))
    assert torch.equal(network(inputs), outputs[-1]), "the point that is measured is the least compressed"
    assert (outputs[0] - outputs[-1]).square().mean().sqrt() > 0.02 * outputs[-1].std()


def stored_subspace(kind: str, architecture: str = "mlp", **fields: Any) -> tuple[Sections, Context]:
    subspace, chosen, context = apart(kind, architecture, **fields)
    return dict(chosen.points(subspace, context))["subspace"], context


@pytest.mark.parametrize(
    ("kind", "architecture", "level", "message"),
    [
        ("unstructured", "mlp", 0.01, "level is 0.01: wanted 0.025 to 1, as the file has them"),
        ("unstructured", "normed", 0.3, r"level is 0.3: wanted one of those of the file, \[0.025, 0.05, 0.1, 0.2, 0.5"),
        ("quantised", "mlp", 2, r"level is 2: wanted one of those of the file, \[3.0, 4.0, 5.0, 6.0, 7.0, 8.0\]"),
        ("structured", "mlp", 0.5, "level is 0.5: wanted the groups of hidden units as well, to narrow the network"),
    ],
)
def test_a_level_that_a_file_does_not_know_is_refused(kind: str, architecture: str, level: float, message: str) -> None:
    sections, context = stored_subspace(kind, architecture)
    with pytest.raises(ValueError, match=f"^{message}"):
        decode_subspace(sections, context.plain, level=level)


def test_without_batch_norms_levels_between_are_known_as_well() -> None:
    sections, context = stored_subspace("unstructured")
    decoded = decode_subspace(sections, context.plain, level=0.3)
    assert decoded["1.weight"].count_nonzero() == round(0.3 * decoded["1.weight"].numel())


PLAIN = build_on_meta("x", lambda: nn.Linear(2, 1), {})
WEIGHT, BIAS = Integers(values=np.array([[1, -2], [3, 4]], np.int32)), Integers(values=np.array([[5]], np.int32))
STEPS, LEVELS = np.array([0.5], np.float16), np.array([0, 0.25, 1], np.float16)
HONEST = Sections(tensors={}, vectors=(STEPS, LEVELS), factors=(WEIGHT, BIAS))
NORMED = build_on_meta("x", lambda: nn.BatchNorm1d(2), {})


def test_a_line_by_hand_decodes() -> None:
    """Half way between (1, -2) / 2 and (3, 4) / 2 is (1, 0.5)."""
    decoded = CompressibleSubspace.decode(HONEST, PLAIN)
    assert (decoded["weight"].tolist(), decoded["bias"].tolist()) == ([[1.5, 2.0]], [2.5])
    decoded = decode_subspace(HONEST, PLAIN, level=0.5)
    assert decoded["weight"].tolist() == [[1.0, 0.0]], "and half of the weights go"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"factors": (WEIGHT,)}, r"1 factors: wanted one for each of \['weight', 'bias'\]"),
        ({"factors": (WEIGHT, WEIGHT)}, r"a factor of shape \(2, 2\) for 'bias': wanted one or two copies of \(1, 1\)"),
        ({"factors": (Integers(values=np.ones((3, 2), np.int32)), BIAS)}, r"a factor of shape \(3, 2\) for 'weight'"),
        ({"vectors": ()}, "a subspace without levels"),
        ({"vectors": (STEPS, LEVELS[:1])}, "a subspace without levels"),
        ({"vectors": (STEPS[:0], LEVELS)}, "table 0 has no step among 0"),
        ({"vectors": (STEPS, np.array([3, 0.5], np.float16))}, "compression 3: wanted 0 to 2"),
        ({"vectors": (STEPS, np.array([0.5, 0.5], np.float16))}, "compression 0.5: wanted 0 to 2"),
        ({"vectors": (STEPS, np.array([1, 3.5], np.float16))}, r"levels\[0\] is 3.5: wanted a whole number"),
        ({"vectors": (STEPS, np.array([0, 1, 0.5], np.float16))}, r"levels is \[1.0, 0.5\]: wanted each once"),
        ({"vectors": (STEPS, LEVELS, STEPS)}, r"statistics of \[1\] values: wanted 0 for each of 2 levels"),
        ({"tensors": {"bias": Raw(values=np.zeros(1, np.float32))}},
         r"\['weight'\] are made of factors: wanted \['weight', 'bias'\]"),
    ],
)  # fmt: skip
def test_what_is_no_subspace_of_the_network_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RfzError, match=f"^the file is malformed: {message}"):
        CompressibleSubspace.decode(dataclasses.replace(HONEST, **changes), PLAIN)


@pytest.mark.parametrize("statistics", [[], [4], [4, 3], [4, 4, 4]])
def test_statistics_are_wanted_for_each_level(statistics: Sequence[int]) -> None:
    vectors = (STEPS, LEVELS, *(np.zeros(length, np.float16) for length in statistics))
    with pytest.raises(RfzError, match="wanted 4 for each of 2 levels"):
        CompressibleSubspace.decode(dataclasses.replace(HONEST, vectors=vectors), NORMED)


@pytest.mark.parametrize("kind", range(3))
def test_the_largest_numbers_of_a_file_stay_finite(kind: int) -> None:
    most = np.full((2, 2), np.iinfo(np.int32).max, np.int32)
    vectors = (np.array([-65504], np.float16), np.array([kind, *([2, 3] if kind == 1 else [0.5, 1])], np.float16))
    factors = (Integers(values=most), BIAS)
    decoded = CompressibleSubspace.decode(Sections(tensors={}, vectors=vectors, factors=factors), PLAIN)
    assert all(tensor.isfinite().all() for tensor in decoded.values())


# refusals, and what it is good for


def test_networks_without_hidden_units_or_weights_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^compression is 'structured', but no hidden units were found that could go"):
        attach(configuration("lcs", "odd", method=method("structured")))
    _, chosen, context = apart("quantised")
    with pytest.raises(ValueError, match=r"^the network has no weights to compress"):
        chosen.attach(nn.BatchNorm1d(3), context)


def test_sparse_levels_are_better_than_a_dense_network_pruned_afterwards(tmp_path: Path) -> None:
    def trained(levels: list[float]) -> Any:
        chosen = method(subspace="point", levels=levels, steps=[0.1])
        network = {"name": "mlp", "hidden": [64]}
        config = configuration("lcs", task="digits", architecture=network, steps=400, batch_size=64, method=chosen)
        return config, train(config, lambda progress: None, tmp_path / str(len(levels)))

    _, (sparse, dense, subspace) = trained([0.05, 1.0])
    config, (plain, _) = trained([1.0])
    assert sparse.size_bytes < 0.2 * dense.size_bytes
    assert min(dense.quality_val, plain.quality_val) > 0.93
    assert math.isclose(subspace.size_bytes, dense.size_bytes, rel_tol=0.1), "of a point they are the same network"
    assert math.isclose(subspace.quality_val, dense.quality_val, abs_tol=0.02)
    network = open_compressed(plain.path).network()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("weight"):
                parameter.copy_(prune(parameter, 0.05))
    assert sparse.quality_val > attach(config).context.validate(network) + 0.1
