"""Lines between two copies of a network: which parts a step trains, and which points are stored."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn

from tests.trainers.methods.subspaces import KINDS, apart, method
from tests.trainers.trials import FIRST, attach, configuration
from trainers.arrange import arrange
from trainers.compressed import open_compressed
from trainers.methods.base import Moment
from trainers.methods.lcs import CompressibleSubspace, Subspace
from trainers.methods.parts.compression_levels import prune, quantise
from trainers.methods.parts.subspaces import decode_subspace
from trainers.train import train


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
    torch.testing.assert_close(subspace.at(0.25, 0.25)(x), x @ pruned.T @ pruned.T)


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
    subspace = cast(Subspace, trial.model)
    losses = {round(phase.loss(subspace, trial.batch, trial.context, FIRST).item(), 5) for _ in range(30)}
    wanted = {round(trial.context.loss(subspace.at(bits, bits), trial.batch).item() + 0.5, 5) for bits in (2, 8)}
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
    for kind in ("structured", "blocks"):
        assert CompressibleSubspace(compression=kind, subspace="point", levels=[0.5])._drawn() == [0.5]


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
    subspace.train().at(low, low)(inputs)
    assert all(torch.equal(buffer, before[name]) for name, buffer in norm.named_buffers())
    subspace.at(high, high)(inputs)
    assert not any(torch.equal(buffer, before[name]) for name, buffer in norm.named_buffers())


# points


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
            assert torch.equal(decoded[name], quantise({name: subspace.line(bits)[name]}, bits)[name])


def test_a_level_of_blocks_has_the_first_branches_and_the_first_units_of_each(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("the cat sat on the mat, and the dog sat on the log. " * 8)
    config = configuration(
        "lcs",
        task={"name": "text", "file": str(tmp_path / "text.txt"), "context": 8},
        architecture={"name": "gpt", "layers": 2, "width": 8, "heads": 4, "norm": "rms"},
        method=method("blocks", subspace="point", levels=[0.5, 1.0], steps=[0.001]),
    )
    trial = attach(config, noise=0.1)
    points = dict(trial.method.points(trial.model, trial.context))
    half = arrange(points["level0.5-step0.001"], trial.context.unfrozen_groups).tensors
    values = {name: section.values for name, section in half.items()}
    assert {name for name, one in values.items() if not one.any()} == {name for name in values if "blocks.1" in name}
    assert values["blocks.0.attention.out.weight"].any(0).tolist() == [True] * 4 + [False] * 4
    rows = values["blocks.0.attention.query_key_value.weight"].any(1).tolist()
    assert rows == ([True] * 4 + [False] * 4) * 3
    assert np.count_nonzero(values["blocks.0.mlp.up.weight"].any(1)) == 16
    assert all(section.values.any() for section in points["level1-step0.001"].tensors.values())
    decoded = decode_subspace(points["subspace"], trial.context.plain, level=0.5, groups=trial.context.groups)
    wanted = trial.method.decode(points["level0.5-step0.001"], trial.context.plain)
    for name, tensor in decoded.items():
        assert torch.equal(tensor == 0, wanted[name] == 0) or "norm" in name
        torch.testing.assert_close(tensor, wanted[name], rtol=0, atol=0.03)


# refusals, and what it is good for


def test_networks_without_branches_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^compression is 'blocks', but no branches were found"):
        attach(configuration("lcs", method=method("blocks")))


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


def test_a_weight_that_shall_not_be_rounded_is_refused_with_what_to_do() -> None:
    said = (
        r"^tensors: 'a.\*': skip is True: the file of all levels rounds every weight: give this one a fine step instead"
    )
    with pytest.raises(ValueError, match=said):
        CompressibleSubspace(tensors={"a.*": {"skip": True}})
