"""Sweep files have limits, and each is one line."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from orchestrator.errors import SweepError
from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.file import load_document
from orchestrator.sweep.yaml_limits import MOST_VALUES
from orchestrator.sweep.yaml_text import parse_yaml

BOMB = "\n".join(
    ["a0: &a0 {x: 1}"] + [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}], y{n}: 1}}" for n in range(1, 40)]
)
LAUGHS = "\n".join(["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 5000 + "]" * 5000, "x:1: lists and mappings nest deeper than 32"),
        ("a: " + "{a: " * 5000, "x:1: lists and mappings nest deeper than 32"),
        ("&a [1, *a]", "x:1: alias *a stands inside what it names"),
        ("a: &a\n  b:\n    c: *a", "x:3: alias *a stands inside what it names"),
        ("a: &a\n  <<: *a", "x:2: alias *a stands inside what it names"),
        (BOMB, "x:5: more than 20000 keys and values: wanted fewer, such as a range"),
        (LAUGHS, "x:6: more than 20000 keys and values: wanted fewer, such as a range"),
        ("steps:" + "\n- 1" * 200_000,
         f"x:{MOST_VALUES - 2}: more than 20000 keys and values: wanted fewer, such as a range"),
        ("a: " + "9" * 5000, "x:1: a number has 5000 digits: wanted 400 at most"),
        ("a: " + "x" * (1 << 20), "x: 1048579 characters: wanted 1048576 at most"),
        ("? " + "\x1b[31m" * 100, "x: unacceptable character #x001b: special characters are not allowed"),
        ("? " + "k" * 5000 + "\n: 1\n? " + "k" * 5000 + "\n: 2", f"x:3: '{'k' * 198}… is given twice"),
    ],
)  # fmt: skip
def test_a_text_that_is_too_large_is_refused_in_one_line(text: str, message: str) -> None:
    started = time.process_time()
    with pytest.raises(ValueError) as caught:
        parse_yaml(text, source="x")
    assert time.process_time() - started < 10
    assert str(caught.value) == message


def test_what_people_write_is_far_below_the_limits() -> None:
    text = "base: &base {a: 1, b: 2}\nmethods:\n- {<<: *base, b: 3}\n- *base\nsizes: [" + "1, " * 5000 + "1]"
    found = parse_yaml(text, source="x")
    assert found["methods"] == [{"a": 1, "b": 3}, {"a": 1, "b": 2}]
    assert len(found["sizes"]) == 5001


def test_a_file_that_is_refused_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: " + "[" * 100)
    with pytest.raises(SweepError, match=f"{path}:1: lists and mappings nest deeper than 32"):
        load_document(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": 10**9}, "seeds is 1000000000: wanted less than or equal to 1000"),
        ({"name": "a" * 101}, "name has 101 characters: wanted 100 at most"),
        ({"search": {"name": "random", "num_trials": 10**9}},
         "search 'random': num_trials is 1000000000: wanted a whole number of at least 1 and at most 20000"),
        ({"search": {"name": "tpe", "num_trials": 10**9}},
         "search 'tpe': num_trials is 1000000000: wanted a whole number of at least 1 and at most 20000"),
        ({"search": {"name": "grid", "num_values": 10**9}},
         "search 'grid': num_values is 1000000000: wanted a whole number of at least 1 and at most 20000"),
        ({"steps": {"\x1b[31m" * 100: 1}}, "steps is {'\\x1b[31m\\x1b[31m"),
    ],
)  # fmt: skip
def test_a_sweep_that_is_too_large_is_refused_in_one_line(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SweepError) as caught:
        Sweep.from_dict({"task": "digits", "architecture": "mlp", "method": "ptq", **changes})
    assert str(caught.value).startswith(message)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 700
