"""Writes the golden files anew: ``python -m tests.golden.regenerate``, from the repository's root.

Use it only for a change that is meant to change them: a new format version, a new architecture or task. Then the
difference is part of the review. Data sets that are not present keep their old entries.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from trainers.architectures import ARCHITECTURES, tensors
from trainers.architectures.base import build, build_on_meta, complete, layout_of
from trainers.coding import container
from trainers.coding.sections import Integers, Layout, Raw, Sections, digest
from trainers.downloads import DataUnavailableError
from trainers.networks.grid import Grid
from trainers.networks.tensors import each_once
from trainers.tasks import TASKS
from trainers.tasks.base import Task

FOLDER = Path(__file__).parent
VERSION_1 = FOLDER / "version_1"
"""Files of the first version of the format. They are read for ever, and never written anew."""
TINY = FOLDER / "tiny.rfz"
TINY_FACTORS = FOLDER / "tiny_factors.rfz"
TINY_SCALED = FOLDER / "tiny_scaled.rfz"
TINY_BFLOAT16 = FOLDER / "tiny_bfloat16.rfz"
TINY_TABLES = FOLDER / "tiny_tables.rfz"
TINY_GRIDS = FOLDER / "tiny_grids.rfz"
TINY_BUILT = FOLDER / "tiny_built.rfz"
TINY_TENSORS = FOLDER / "tiny_tensors.rfz"
ARCHITECTURE_FINGERPRINTS = FOLDER / "architectures.json"
SPLIT_FINGERPRINTS = FOLDER / "splits.json"

TINY_HEADER = container.Header(
    method="epr",
    method_version=1,
    architecture="mlp",
    arguments={"hidden": [3, 2], "input_shape": [1, 2, 2], "num_outputs": 2},
)


def tiny_sections() -> Sections:
    """Hand-made sections of every kind: two tables (one with gaps and negatives), raw, float16, constants, a vector."""
    return Sections(
        tensors={
            "1.weight": Integers(values=np.array([[0, 1, 0, -1], [2, 0, 0, 0], [-70_000, 0, 5, 1]], np.int32), table=1),
            "1.bias": Integers(values=np.array([4, 4, 4], np.int32), table=0),
            "3.weight": Raw(values=np.array([[0.5, -1.25, 3e-5], [1e-8, 0.1, 2.0]], np.float32)),
            "3.bias": Raw(values=np.array([0.1, -65504.0], np.float16)),
            "5.weight": Raw(values=np.full((2, 2), -0.75, np.float16)),
            "5.bias": Raw(values=np.zeros(2, np.float32)),
        },
        vectors=(np.array([0.25, 2.0**-14], np.float16),),
    )


def tiny_layout() -> container.Layout:
    return layout_of(
        build_on_meta(TINY_HEADER.architecture, ARCHITECTURES[TINY_HEADER.architecture], TINY_HEADER.arguments)
    )


FACTORS_HEADER = container.Header(
    method="multi_hashing",
    method_version=1,
    architecture="mlp",
    arguments={"hidden": [], "input_shape": [2], "num_outputs": 2},
)


def factors_sections() -> Sections:
    """Sections whose tensors are all made from one factor: six values of a product of two matrices."""
    pool = np.array([[1, 0], [2, -1], [3, 1], [4, 2], [0, 1], [-1, 3]], np.int32)
    return Sections(
        tensors={},
        vectors=(np.array([0.5], np.float16), np.array([1, -2], np.float16)),
        factors=(Integers(values=pool),),
    )


def factors_layout() -> container.Layout:
    return layout_of(
        build_on_meta(FACTORS_HEADER.architecture, ARCHITECTURES[FACTORS_HEADER.architecture], FACTORS_HEADER.arguments)
    )


SCALED_HEADER = container.Header(
    method="epr",
    method_version=1,
    architecture="mlp",
    arguments={"hidden": [3], "input_shape": [4], "num_outputs": 2},
)


def scaled_sections() -> Sections:
    """Sections of integers, with exponents and without, that share a frequency table or have none."""
    return Sections(
        tensors={
            "1.weight": Integers(
                values=np.array([[0, 1, 0, -1], [2, 0, 0, 0], [-70_000, 0, 5, 1]], np.int32), table=1, exponent=-90
            ),
            "1.bias": Integers(values=np.array([4, 4, 4], np.int32), table=0, exponent=30),
            "3.weight": Integers(values=np.zeros((2, 3), np.int32), table=1),
            "3.bias": Integers(values=np.array([4, 4], np.int32), table=0),
        },
        vectors=(np.array([0.25, 1.5], np.float16),),
    )


def scaled_layout() -> container.Layout:
    return layout_of(
        build_on_meta(SCALED_HEADER.architecture, ARCHITECTURES[SCALED_HEADER.architecture], SCALED_HEADER.arguments)
    )


def coarse(*, num_outputs: int) -> nn.Module:
    """A network in bfloat16."""
    return nn.Linear(2, num_outputs, dtype=torch.bfloat16)


BFLOAT16_HEADER = container.Header(
    method="uncompressed",
    method_version=1,
    architecture="tests.golden.regenerate:coarse",
    arguments={"num_outputs": 3},
)


def bfloat16_sections() -> Sections:
    """The bits of 1, -1, 2, 3e38, 1e-38 and -0, and three times those of 0.5."""
    bits = np.array([[0x3F80, 0xBF80], [0x4000, 0x7F62], [0x006D, 0x8000]], np.uint16)
    return Sections(tensors={"weight": Raw(values=bits), "bias": Raw(values=np.full(3, 0x3F00, np.uint16))})


def latents(*, height: int) -> nn.Module:
    """A plane, two channels of another size, and a layer of their own."""
    return nn.Sequential(Grid(height, 20), Grid(2, 7, 9), nn.Linear(2, 1))


GRIDS_HEADER = container.Header(
    method="epr",
    method_version=1,
    architecture="tests.golden.regenerate:latents",
    arguments={"height": 18},
)


def grids_sections() -> Sections:
    """A ring and two slopes, some of whose values are large, and a matrix that shares their step."""
    y, x = np.mgrid[:18, :20]
    ring = np.rint(6 * np.exp(-(((np.hypot(y - 9, x - 9) - 6) / 1.5) ** 2))) * np.where(x > y, 1, -1)
    slopes = np.stack((np.arange(63).reshape(7, 9) // 4, -(np.arange(63).reshape(7, 9) ** 3))).astype(np.int32)
    return Sections(
        tensors={
            "0.values": Integers(values=ring.astype(np.int32), table=0),
            "1.values": Integers(values=slopes, table=1),
            "2.weight": Integers(values=np.array([[3, -1]], np.int32), table=0),
            "2.bias": Raw(values=np.array([0.5], np.float32)),
        },
        vectors=(np.array([0.25, 2.0**-10], np.float16),),
    )


def grids_layout() -> Layout:
    return layout_of(latents(**GRIDS_HEADER.arguments))


class Masked(nn.Module):
    """A weight, a mask and a table of distances that every build has, and one that is counted up."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))
        places = torch.arange(length)
        self.register_buffer("mask", places[:, None] >= places)
        self.register_buffer("distances", (places[:, None] - places).short())
        self.register_buffer("counts", places.clone())


def masked(*, length: int) -> nn.Module:
    return Masked(length)


BUILT_HEADER = container.Header(
    method="uncompressed",
    method_version=1,
    architecture="tests.golden.regenerate:masked",
    arguments={"length": 3},
)


def built_sections() -> Sections:
    """The values of a build, but for those that are counted."""
    state = {name: tensor.detach().numpy() for name, tensor in masked(length=3).state_dict().items()}
    state |= {"weight": np.array([0.5, -2.0], np.float32), "counts": np.array([4, 5, 6])}
    return Sections(tensors={name: Raw(values=values) for name, values in state.items()})


def built_layout() -> Layout:
    network = masked(length=3)
    numbers = {name: digest(tensor.numpy()) for name, tensor in network.named_buffers()}
    return [replace(entry, built=numbers.get(entry.name, b"")) for entry in layout_of(network)]


TABLES_HEADER = container.Header(
    method="epr",
    method_version=1,
    architecture="mlp",
    arguments={"hidden": [], "input_shape": [63], "num_outputs": 1},
)


def tables_sections() -> Sections:
    """Symbols without order, of which a table has three: 2^24 is no multiple of their probabilities."""
    values = np.random.default_rng(1).choice([-1, 0, 3], 63, p=[0.3, 0.3, 0.4])
    return Sections(
        tensors={
            "1.weight": Integers(values=values.astype(np.int32).reshape(1, 63), table=0),
            "1.bias": Raw(values=np.array([1.5], np.float32)),
        },
        vectors=(np.array([0.25], np.float16),),
    )


def tables_layout() -> container.Layout:
    return layout_of(
        build_on_meta(TABLES_HEADER.architecture, ARCHITECTURES[TABLES_HEADER.architecture], TABLES_HEADER.arguments)
    )


def bfloat16_layout() -> container.Layout:
    return layout_of(coarse(num_outputs=3))


def input_shape_of(name: str) -> tuple[int, ...]:
    """The default input shape of an architecture; 1x28x28 if it has none, a place for one of images, some tokens."""
    parameters = inspect.signature(ARCHITECTURES[name]).parameters
    if computes_whole_images(name):
        return (8, 6, 2)
    if "size" in parameters:
        return (2,)
    if reads_tokens(name):
        return (8,)
    parameter = parameters.get("input_shape")
    return (1, 28, 28) if parameter is None or parameter.default is parameter.empty else tuple(parameter.default)


def computes_whole_images(name: str) -> bool:
    """Whether an input of an architecture is all places of an image, and outputs are (batch, 8, 6, num_outputs)."""
    return "levels" in inspect.signature(ARCHITECTURES[name]).parameters


def reads_tokens(name: str) -> bool:
    """Whether inputs of an architecture are tokens, of which there are ten or more."""
    return "context" in inspect.signature(ARCHITECTURES[name]).parameters


def architecture_fingerprint(name: str) -> dict[str, object]:
    """The fingerprint of a registered architecture with default arguments, for ten classes."""
    shape = input_shape_of(name)
    arguments = complete(ARCHITECTURES[name], {}, input_shape=shape, num_outputs=10, size=[8, 6])
    model = build(name, ARCHITECTURES[name], arguments)
    fingerprint = container.fingerprint(layout_of(model)).hex()
    model.double().eval()
    with torch.no_grad():  # values come from a formula, so that the outputs show what the network computes
        for parameter in model.parameters():
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 1
            parameter.copy_(
                torch.arange(parameter.numel(), dtype=torch.float64).sin().view(parameter.shape) * (2 / fan_in) ** 0.5
            )
        numbers = torch.arange(2 * math.prod(shape))
        inputs = numbers * 7 % 10 if reads_tokens(name) else numbers.double().mul(0.7).sin()
        outputs = model(inputs.view(2, *shape))
        outputs = outputs.flatten(1, -2)[:, -1] if outputs.ndim > 2 else outputs
    signature = inspect.signature(ARCHITECTURES[name])
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "fingerprint": fingerprint,
        "outputs": [[round(value, 4) for value in row] for row in outputs.tolist()],
        "defaults": {
            key: value.default for key, value in signature.parameters.items() if value.default is not value.empty
        },
    }


def split_fingerprints(task: Task) -> dict[str, list[object]]:
    """The number of examples and the SHA-256 of the bytes of each split."""
    return {
        name: [len(split), hashlib.sha256(split.inputs.numpy().tobytes() + split.targets.numpy().tobytes()).hexdigest()]
        for name, split in (("train", task.train), ("validation", task.validation), ("test", task.test))
    }


def plain(value: object) -> object:
    """The value as JSON gives it back."""
    return json.loads(json.dumps(value))


TENSORS_HEADER = container.Header(
    method="ecq",
    method_version=1,
    architecture=tensors.NAME,
    arguments={
        "tree": {
            "conv": {"": [3], "bias": ["bfloat16", 2], "weight": [2, 3]},
            "last": {"weight": "conv.weight"},
            "mask": ["bool", 2],
        }
    },
    is_deflated=True,
)


def tensors_sections() -> Sections:
    """Integers, raw values and a constant of tensors whose names and shapes are the file's."""
    return Sections(
        tensors={
            "conv": Raw(values=np.array([0.5, 2.0, -1.0], np.float16)),
            "conv.bias": Raw(values=np.array([0x3F80, 0xBF80], np.uint16)),
            "conv.weight": Integers(values=np.array([[0, 1, -2], [3, 0, 0]], np.int32), table=0),
            "mask": Raw(values=np.array([True, True])),
        },
        vectors=(np.array([0.25], np.float16),),
    )


def tensors_layout() -> Layout:
    return layout_of(each_once(build_on_meta(tensors.NAME, tensors.tensors, TENSORS_HEADER.arguments)))


DATA_SETS = [name for name, task in TASKS.items() if not hasattr(task, "file_field")]
"""The tasks that have data of their own; others are given a file."""


def main() -> None:
    TINY.write_bytes(container.write(TINY_HEADER, tiny_layout(), tiny_sections()))
    TINY_FACTORS.write_bytes(container.write(FACTORS_HEADER, factors_layout(), factors_sections()))
    TINY_SCALED.write_bytes(container.write(SCALED_HEADER, scaled_layout(), scaled_sections()))
    TINY_BFLOAT16.write_bytes(container.write(BFLOAT16_HEADER, bfloat16_layout(), bfloat16_sections()))
    TINY_TABLES.write_bytes(container.write(TABLES_HEADER, tables_layout(), tables_sections()))
    TINY_GRIDS.write_bytes(container.write(GRIDS_HEADER, grids_layout(), grids_sections()))
    TINY_BUILT.write_bytes(container.write(BUILT_HEADER, built_layout(), built_sections()))
    TINY_TENSORS.write_bytes(container.write(TENSORS_HEADER, tensors_layout(), tensors_sections()))
    fingerprints = {name: architecture_fingerprint(name) for name in sorted(ARCHITECTURES)}
    ARCHITECTURE_FINGERPRINTS.write_text(json.dumps(fingerprints, indent=1) + "\n")
    splits = json.loads(SPLIT_FINGERPRINTS.read_text()) if SPLIT_FINGERPRINTS.exists() else {}
    for name in DATA_SETS:
        try:
            splits[name] = split_fingerprints(TASKS[name]())
        except DataUnavailableError as error:
            print(f"{name} keeps its old entry: {error}")
    SPLIT_FINGERPRINTS.write_text(json.dumps(dict(sorted(splits.items())), indent=1) + "\n")


if __name__ == "__main__":
    main()
