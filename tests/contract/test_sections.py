"""What every registered compression method promises about sections: its own, arranged or not, and forged ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.trainers.trials import VARIANTS, architecture_of, attach, configuration
from trainers.arrange import arrange
from trainers.coding import container
from trainers.coding.bytestream import RfzError
from trainers.coding.sections import MOST_EXPONENT, Integers, Raw, Section, Sections
from trainers.compressed import open_bytes
from trainers.hidden_units import Role, UnitGroup

pytestmark = pytest.mark.parametrize("name", VARIANTS)


def test_every_section_is_one_of_the_known_kinds(name: str) -> None:
    trial = attach(configuration(name, "odd"))
    for _, sections in trial.method.points(trial.model, trial.context):
        assert all(isinstance(section, Integers | Raw) for section in sections.tensors.values())


@pytest.mark.parametrize("architecture", ["mlp", "cnn", "normed"])
def test_hidden_units_may_be_emptied_and_sorted_before_they_are_stored(name: str, architecture: str) -> None:
    """An integer 0 decodes to 0, and what belongs to a row moves with it; else a file would hold another network."""
    config = configuration(name, architecture)
    trial = attach(config, noise=0.5)
    for _, sections in trial.method.points(trial.model, trial.context):
        given = with_dead_units(sections, trial.context.groups)
        outputs: list[torch.Tensor] = []
        for stored in (given, arrange(given, trial.context.groups)):
            network = architecture_of(config)(**trial.header.arguments)
            network.load_state_dict(trial.method.decode(stored, trial.context.plain))
            with torch.no_grad():
                outputs.append(network.double().eval()(trial.task.test.inputs.double()))
        torch.testing.assert_close(outputs[1], outputs[0], rtol=1e-9, atol=1e-9)


def with_dead_units(sections: Sections, groups: Sequence[UnitGroup]) -> Sections:
    """Change each group so that nothing reads its first unit, and its second is computed from nothing."""
    tensors = dict(sections.tensors)
    for group in groups:
        for axis in group.axes:
            section, unit = tensors.get(axis.tensor), {Role.READER: 0, Role.WEIGHT: 1}.get(axis.role)
            if isinstance(section, Integers) and unit is not None:
                values = section.values.copy()
                first = axis.start + unit * axis.block
                np.moveaxis(values, axis.dim, 0)[first : first + axis.block] = 0
                tensors[axis.tensor] = replace(section, values=values)
    return replace(sections, tensors=tensors)


@pytest.mark.parametrize("architecture", ["mlp", "odd"])
def test_a_file_that_no_points_wrote_is_refused_or_decodes_to_the_shapes(name: str, architecture: str) -> None:
    """There is never another exception: a stranger may write anything into a file."""
    config = configuration(name, architecture)
    trial = attach(config, noise=0.5)
    wanted = {key: (like.shape, like.dtype) for key, like in trial.context.plain.state_dict().items()}
    refused = 0
    _, sections = next(iter(trial.method.points(trial.model, trial.context)))
    for forged in _forged(sections):
        try:
            data = container.write(trial.header, trial.layout, forged)
        except ValueError:
            continue
        try:
            decoded = open_bytes(data, architecture=architecture_of(config)).state_dict()
        except RfzError:
            refused += 1
            continue
        assert {key: (tensor.shape, tensor.dtype) for key, tensor in decoded.items()} == wanted
    assert refused


def _forged(sections: Sections) -> Iterator[Sections]:
    yield replace(sections, vectors=())
    yield replace(sections, vectors=tuple(vector[:-1] for vector in sections.vectors))
    yield replace(sections, vectors=tuple(np.append(vector, np.float16(1)) for vector in sections.vectors))
    largest = np.iinfo(np.int32).max
    changes: tuple[Callable[[Integers], Integers], ...] = (
        lambda given: replace(given, table=given.table + 9),
        lambda given: replace(given, values=np.full_like(given.values, largest)),
        lambda given: replace(given, values=np.full_like(given.values, -largest)),
        lambda given: replace(given, exponent=MOST_EXPONENT),
        lambda given: replace(given, exponent=-MOST_EXPONENT),
    )
    for change in changes:
        changed = {
            key: change(section) if isinstance(section, Integers) else section
            for key, section in sections.tensors.items()
        }
        yield replace(sections, tensors=changed, factors=tuple(change(factor) for factor in sections.factors))
    other_kinds: dict[str, Section] = {
        key: Raw(values=section.values.astype(np.float16))
        if isinstance(section, Integers)
        else Integers(values=np.ones(section.values.shape, np.int32))
        for key, section in sections.tensors.items()
    }
    yield replace(sections, tensors=other_kinds)
    for absent in sections.tensors:
        rest = {key: section for key, section in sections.tensors.items() if key != absent}
        factor = Integers(values=np.ones((1, 1), np.int32))
        yield replace(sections, tensors=rest, factors=(*sections.factors, factor))
