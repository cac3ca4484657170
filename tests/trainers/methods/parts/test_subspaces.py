"""Files that hold a whole subspace are decoded at any of its levels, and refused if they are forged."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.trainers.methods.subspaces import apart, method
from tests.trainers.trials import attach, configuration, run
from trainers.architectures.base import build_on_meta, layout_of
from trainers.coding import container
from trainers.coding.bytestream import RfzError
from trainers.coding.sections import Integers, Raw, Sections
from trainers.compressed import open_compressed
from trainers.methods.base import Context
from trainers.methods.lcs import CompressibleSubspace
from trainers.methods.parts.subspaces import decode_subspace


@pytest.mark.parametrize(
    ("kind", "architecture", "subspace"),
    [("unstructured", "mlp", "line"), ("unstructured", "normed", "point"), ("quantised", "normed", "line"),
     ("structured", "mlp", "point"), ("structured", "normed", "line")],
)  # fmt: skip
def test_any_level_can_be_decoded_from_the_file_of_the_subspace(
    kind: str, architecture: str, subspace: str, tmp_path: Path
) -> None:
    """Networks are compared by their outputs, since the points' files have their units in another order."""
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
        ({"vectors": (STEPS, np.array([4, 0.5], np.float16))}, "compression 4: wanted 0 to 3"),
        ({"vectors": (STEPS, np.array([0.5, 0.5], np.float16))}, "compression 0.5: wanted 0 to 3"),
        ({"vectors": (STEPS, np.array([1, 3.5], np.float16))}, r"levels\[0\] is 3.5: wanted a whole number"),
        ({"vectors": (STEPS, np.array([0, 1, 0.5], np.float16))}, r"levels is \[1.0, 0.5\]: wanted each once"),
        ({"vectors": (STEPS, LEVELS, STEPS)}, r"statistics of \[1\] values: wanted 0 for each of 2 levels"),
        ({"tensors": {"bias": Raw(values=np.zeros(1, np.float32))}},
         r"2 factors: wanted one for each of \['weight'\]"),
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
