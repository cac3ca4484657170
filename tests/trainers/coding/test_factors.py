"""Factors, the method's own matrices in a file, may have any honest shape, and are bounded by the network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.trainers.coding.forgery import error_of, sealed, varints
from tests.trainers.tracing import unit_groups
from trainers.architectures.base import build_on_meta, layout_of
from trainers.architectures.mlp import mlp
from trainers.arrange import arrange
from trainers.coding import container
from trainers.coding.container import Header
from trainers.coding.sections import Entry, Integers, Raw, Sections, check_sections
from trainers.methods.parts.backend import dequantise_factors

HEADER = Header(
    method="multi_hashing",
    method_version=1,
    architecture="mlp",
    arguments={"hidden": [], "input_shape": [2], "num_outputs": 1},
)
PLAIN = build_on_meta("mlp", mlp, HEADER.arguments)
LAYOUT = layout_of(PLAIN)  # three values: n is 2
VECTORS = varints(2, 1) + np.array([0.5], "<f2").tobytes() + varints(2) + np.array([1, -2], "<f2").tobytes()


def forged(tail: bytes) -> bytes:
    """A file that continues with ``tail`` after its vectors."""
    return sealed(bytes(container.write_header(HEADER)) + container.fingerprint(LAYOUT) + VECTORS + tail + bytes(4))


def matrix(rows: int, columns: int, table: int = 0) -> Integers:
    return Integers(values=np.arange(rows * columns, dtype=np.int32).reshape(rows, columns) - 3, table=table)


@pytest.mark.parametrize("shapes", [[(1, 1)], [(3, 2)], [(1, 5), (1, 1)], [(2, 1), (1, 2), (2, 1)]])
def test_factors_of_any_shape_come_back_beside_tensors(shapes: list[tuple[int, int]]) -> None:
    bias = Integers(values=np.array([7], np.int32), table=len(shapes))
    factors = tuple(matrix(*shape, table=table) for table, shape in enumerate(shapes))
    given = Sections(tensors={"1.bias": bias}, factors=factors)
    contents = container.take_apart(container.write(HEADER, LAYOUT, given), LAYOUT)
    assert list(contents.sections.tensors) == ["1.bias"]
    for found, wanted in zip(contents.sections.factors, factors, strict=True):
        np.testing.assert_array_equal(found.values, wanted.values, strict=True)
        assert found.table == wanted.table
    shares = [(share.part, share.name) for share in contents.account() if share.part in ("tensor", "factor")]
    named = [("factor", f"factor {index}") for index in range(len(shapes))]
    assert shares == [("tensor", "1.weight"), ("tensor", "1.bias"), *named]


@pytest.mark.parametrize("shape", [(3, 2), (1, 6)])
def test_factors_may_have_exponents(shape: tuple[int, int]) -> None:
    factor = Integers(values=matrix(*shape).values, exponent=-40)
    given = Sections(tensors={}, vectors=(np.ones(1, np.float16),), factors=(factor,))
    found = container.read(container.write(HEADER, LAYOUT, given), LAYOUT)
    assert found.factors[0].exponent == -40
    (made,) = dequantise_factors(found)
    np.testing.assert_array_equal(made.numpy(), factor.values * 2.0**-40)


def test_a_tensor_and_a_factor_may_share_a_table() -> None:
    given = Sections(tensors={"1.bias": Integers(values=np.array([7], np.int32))}, factors=(matrix(2, 2),))
    found = container.read(container.write(HEADER, LAYOUT, given), LAYOUT)
    np.testing.assert_array_equal(found.factors[0].values, given.factors[0].values, strict=True)


@pytest.mark.parametrize(
    ("tensors", "factors", "message"),
    [
        (["1.weight", "1.bias"], [(1, 1)], "there are factors of which no tensor is made"),
        (["1.bias"], [], "wanted one for each tensor"),
        ([], [], "wanted one for each tensor"),
        ([], [(2, 3), (1, 1)], "factors have 7 values: wanted 2 times 3 at most"),
        ([], [(0, 2)], r"factor 0 has shape \(0, 2\): wanted a matrix"),
        ([], [(1, 1), (1, 1, 1)], r"factor 1 has shape \(1, 1, 1\): wanted a matrix"),
        ([], [(6,)], r"factor 0 has shape \(6,\): wanted a matrix"),
        (["1.bias", "later"], [(1, 1)], "wanted one for each tensor"),
    ],
)
def test_sections_are_checked(tensors: list[str], factors: list[tuple[int, ...]], message: str) -> None:
    shapes = {"1.weight": (1, 2), "1.bias": (1,), "later": (1,)}
    sections = Sections(
        tensors={name: Raw(values=np.ones(shapes[name], np.float32)) for name in tensors},
        factors=tuple(Integers(values=np.zeros(shape, np.int32)) for shape in factors),
    )
    with pytest.raises(ValueError, match=message):
        check_sections(LAYOUT, sections)


def test_a_tensor_is_not_called_like_a_factor() -> None:
    layout = [Entry(name="factor 0", shape=(4,), dtype="float32"), *LAYOUT]
    sections = Sections(tensors={"factor 0": Raw(values=np.zeros(4, np.float32))}, factors=(matrix(1, 1),))
    with pytest.raises(ValueError, match="a tensor of the architecture is called 'factor 0'"):
        check_sections(layout, sections)


@pytest.mark.parametrize(
    ("tail", "message"),
    [
        (varints(5 + 16, 5, 1, 4, 1, 2), "tensor '1.weight' has argument 1 of kind 5, at most 0 may be"),
        (varints(5, 5), "1 bytes wanted where 0 are left"),
        (varints(5, 5, 0), "a tensor is made of factors, of which there are none"),
        (varints(5, 5, 10**12), "1000000000000 factors in 0 bytes"),
        (varints(5, 5, 1, 4), "1 bytes wanted where 0 are left"),
        (varints(5, 5, 1, 4, 1, 0), "factor 0 is of kind 0: wanted integers"),
        (varints(5, 5, 1, 4, 1, 3), "factor 0 is of kind 3: wanted integers"),
        (varints(5, 5, 1, 4, 1, 5), "factor 0 is of kind 5: wanted integers"),
        (varints(5, 5, 1, 4, 1, 7), "factor 0 is of kind 7: wanted integers"),
        (varints(5, 5, 1, 4, 1, 6, 0, 0, 4), "tensor 'factor 0' has exponent 0: wanted one that is not 0, of 1100 at "
         "most"),
        (varints(5, 5, 1, 4, 1, 6, 2 * 90, 2, 4), "'1.weight' holds a value beyond torch.float32"),
        (varints(5, 5, 1, 0, 2**60, 2), f"factor 0 has shape (0, {2**60}): wanted a matrix with a row and a column at "
         "least"),
        (varints(5, 5, 1, 2**60, 2**60, 2), f"factors have {2**120} values: wanted 2 times 3 at most"),
        (varints(5, 5, 1, 2**60, 2**60, 4), f"factors have {2**120} values: wanted 2 times 3 at most"),
        (varints(5, 5, 2, 4, 1, 2, 3, 1, 2), "factors have 7 values: wanted 2 times 3 at most"),
        (varints(5, 5, 1, 4, 1, 2 + 16), "tables are numbered [1]: wanted 0 to 0 without a gap"),
        (varints(5, 5, 1, 5, 1, 2, 0, 5), "a pool of 5 rows: wanted 4"),
        (varints(5, 5, 1, 1, 4, 2, 0, 4), "a pool of 1 rows: wanted 4"),
        (varints(5, 5, 2, 2, 1, 2, 2, 1, 2, 0, 4), "2 pools and vectors of [1, 2]: wanted one, steps and 2 scales"),
        (varints(5, 2, 1, 4, 1, 2, 0, 5), "1 pools and vectors of [1, 2]: wanted one, steps and 1 scales"),
        (varints(2, 2, 0, 3), "0 pools and vectors of [1, 2]: wanted one, steps and 0 scales"),
    ],
)  # fmt: skip
def test_forged_factors_are_refused_before_memory_is_taken(tail: bytes, message: str, tmp_path: Path) -> None:
    assert error_of(tmp_path, forged(tail)) == f"the file is malformed: {message}"


def test_a_method_without_factors_refuses_them(tmp_path: Path) -> None:
    header = Header(method="ptq", method_version=1, architecture="mlp", arguments=HEADER.arguments)
    data = container.write(header, LAYOUT, Sections(tensors={}, factors=(matrix(2, 2),)))
    message = error_of(tmp_path, data)
    assert message == "the file is malformed: ['1.weight', '1.bias'] are made of factors: wanted []"


def test_units_of_which_something_is_made_of_factors_stay_in_place() -> None:
    arguments = {"hidden": [2], "input_shape": [1], "num_outputs": 1}
    groups = unit_groups(build_on_meta("mlp", mlp, arguments), (1,))
    whole = {
        "1.weight": Integers(values=np.array([[0], [5]], np.int32)),
        "1.bias": Integers(values=np.array([0, 1], np.int32)),
        "3.weight": Integers(values=np.array([[1, 1]], np.int32)),
        "3.bias": Integers(values=np.array([0], np.int32)),
    }
    assert arrange(Sections(tensors=dict(whole)), groups).tensors["1.weight"].values.tolist() == [[5], [0]]
    for lacking in ("1.weight", "1.bias", "3.weight"):
        given = Sections(tensors={name: s for name, s in whole.items() if name != lacking}, factors=(matrix(1, 1),))
        arranged = arrange(given, groups)
        assert arranged.factors == given.factors
        assert all(arranged.tensors[name].values is given.tensors[name].values for name in given.tensors)
