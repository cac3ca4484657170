"""Tensors without a network: a tree says what they are, and nothing that a stranger writes there takes memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainers.architectures import tensors
from trainers.architectures.base import STORABLE, build_on_meta, layout_of
from trainers.coding import plaindata
from trainers.coding.header import Header, write_header
from trainers.coding.sections import Entry
from trainers.networks.tensors import each_once, first_names

parts = st.sampled_from(["a", "b", "0", "10", "weight", "training", "forward", "modules", "input_shape", "ä b"])
names = st.lists(parts, min_size=1, max_size=9).map(".".join)
shapes = st.lists(st.integers(0, 9), max_size=5).map(tuple)


@given(st.dictionaries(names, st.tuples(shapes, st.sampled_from(STORABLE)), min_size=1, max_size=12), st.data())
@settings(max_examples=100, deadline=None)
def test_any_names_shapes_and_dtypes_come_back_from_the_tree_in_a_file(
    wanted: dict[str, tuple[tuple[int, ...], str]], data: st.DataObject
) -> None:
    entries = {name: Entry(name=name, shape=shape, dtype=dtype) for name, (shape, dtype) in wanted.items()}
    tied = data.draw(st.dictionaries(names, st.sampled_from(sorted(entries)), max_size=3))
    aliases = {name: one for name, one in tied.items() if name not in entries}
    stored = plaindata.decode(plaindata.encode({"tree": tensors.tree_of(entries, aliases)}))
    found, found_aliases = tensors.entries_of(stored["tree"])
    assert {entry.name: entry for entry in found} == entries
    assert found_aliases == aliases
    network = build_on_meta(tensors.NAME, tensors.tensors, stored)
    assert {entry.name for entry in layout_of(network)} == {*entries, *aliases}
    first = first_names(network)
    assert all(first[name] == first[one] for name, one in aliases.items())
    assert len(layout_of(each_once(network))) == len(entries)


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "a..b", ".a", "a.", "/etc/passwd", "../a", "a/b", "a\\b", "a\0b", "a\nb", "\x1b[31m"),
        *("\u202ea", "a" * 513, "__metadata__", "\ud800"),
    ],
)
def test_names_are_no_paths_and_can_be_shown(name: str) -> None:
    for make in (
        lambda: tensors.entries_of({name: [2]}),
        lambda: tensors.tree_of({name: Entry(name=name, shape=(), dtype="float32")}, {}),
    ):
        with pytest.raises(ValueError, match=r"a tensor is called .*: wanted 1 to 512 printable characters") as caught:
            make()
        assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (None, "the tree of tensors has None"),
        ([1], r"the tree of tensors has \[1\]"),
        ({"a": 1}, "tensor 'a' is 1: wanted its shape"),
        ({"a": [-1]}, "the shape of tensor 'a'.* is -1: wanted a whole number of at least 0"),
        ({"a": [True]}, "the shape of tensor 'a'.* is True: wanted a whole number"),
        ({"a": [2.0]}, "the shape of tensor 'a'.* is 2.0: wanted a whole number"),
        ({"a": [1 << 62]}, "the shape of tensor 'a'.*: wanted a whole number of at least 0 and at most"),
        ({"a": [1 << 40, 1 << 40, 0]}, r"tensor 'a' has shape \[.*\]: wanted at most"),
        ({"a": [1 << 30, 1 << 18], "b": [1]}, "the tensors have 281474976710657 values or more"),
        ({"a": [1] * 17}, "wanted a list of at most 16 whole numbers"),
        ({"a": ["complex64", 2]}, "the dtype of tensor 'a' is 'complex64': wanted bool or uint8"),
        ({"a": ["Tensor", 2]}, "the dtype of tensor 'a' is 'Tensor': wanted bool or uint8"),
        ({"a": "b"}, "tensor 'a' is said to be 'b': wanted the name of a tensor"),
        ({"a": "b", "b": "a"}, "tensor 'a' is said to be 'b'"),
        ({"a.b": [1], "a": {"b": [1]}}, "two tensors are called 'a.b': wanted each name once"),
        ({"a": {"": {"b": [1]}}}, "the tree of tensors is .*: wanted the one form that it has"),
        ({"a": ["float32", 2]}, "wanted the one form"),
        ({"a.b": [1]}, "wanted the one form"),
        ({"a": [1], "b": {}}, "wanted the one form"),
        ({str(index): [] for index in range(tensors.MOST_TENSORS + 1)}, "there are more than 32768 tensors"),
    ],
)
def test_a_tree_that_no_checkpoint_has_is_refused(tree: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        build_on_meta(tensors.NAME, tensors.tensors, {"tree": tree})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("tree", "is_refused"),
    [
        ({"a": [10, 10]}, False),
        ({"a": [10, 10], "b": [1]}, True),
        ({"a": ["float64", 51]}, True),
        ({"a": ["int64", 50], "b": {"c": [0, 1 << 40]}}, False),
        ({"a": ["float16", 101]}, True),
        ({"a": [50], "b": "a"}, False),
        ({"a": [50], "b": "a", "c": "a"}, True),
    ],
)
def test_values_and_bytes_have_a_limit(tree: Mapping[str, Any], is_refused: bool) -> None:
    if is_refused:
        with pytest.raises(ValueError, match="wanted at most 100 values, and 4 bytes for each"):
            tensors.check_size(tree, 100)
    else:
        tensors.check_size(tree, 100)


leaves = st.none() | st.integers(-2, 1 << 60) | st.sampled_from(["a", "a.b", "float16", "Tensor"])
anything = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(parts | st.text(max_size=3), inner, max_size=4)
)


@given(st.dictionaries(parts | st.text(max_size=3), anything, max_size=5))
@settings(max_examples=100, deadline=None)
def test_any_tree_is_refused_or_is_the_one_of_its_tensors(tree: dict[str, Any]) -> None:
    try:
        tensors.check_size(tree, 1 << 30)
    except ValueError:
        return
    network = build_on_meta(tensors.NAME, tensors.tensors, {"tree": tree}, max_parameters=1 << 30)
    assert all("/" not in name and name.isprintable() for name in network.state_dict())


def test_the_names_of_thousands_of_tensors_take_less_than_a_byte_each() -> None:
    names = [
        f"model.layers.{layer}.mlp.{which}.weight" for layer in range(500) for which in ("up", "down", "gate", "n")
    ]
    tree = tensors.tree_of({name: Entry(name=name, shape=(64, 64), dtype="bfloat16") for name in names}, {})
    header = Header(
        method="ecq", method_version=1, architecture=tensors.NAME, arguments={"tree": tree}, is_deflated=True
    )
    assert len(write_header(header)) < len(names)


def test_a_holder_has_parameters_of_floats_and_buffers_of_the_rest() -> None:
    network = build_on_meta(tensors.NAME, tensors.tensors, {"tree": {"a": {"b": [2], "c": ["int64", 2]}, "d": "a.b"}})
    assert [name for name, _ in network.named_parameters()] == ["a.b"]
    assert [name for name, _ in network.named_buffers()] == ["a.c"]
    assert network.state_dict()["a.c"].dtype == torch.int64
