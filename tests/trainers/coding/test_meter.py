"""Writing and reading say how far they are."""

from __future__ import annotations

import numpy as np
import pytest

from trainers.coding import container
from trainers.coding.container import Header
from trainers.coding.meter import Meter
from trainers.coding.sections import Entry, Integers, Raw, Sections

LAYOUT = [
    Entry(name="a", shape=(10, 30), dtype="float32"),
    Entry(name="b", shape=(100,), dtype="float32"),
    Entry(name="c", shape=(600,), dtype="float32"),
]
HEADER = Header(method="m", method_version=1, architecture="x", arguments={})


def test_the_shares_of_a_file_rise_to_one() -> None:
    values = np.random.default_rng(0).integers(-3, 4, (10, 30)).astype(np.int32)
    sections = Sections(
        tensors={
            "a": Integers(values=values),
            "b": Raw(values=np.arange(100, dtype=np.float32)),
            "c": Integers(values=np.ones(600, np.int32), table=1),
        }
    )
    written: list[float] = []
    data = container.write(HEADER, LAYOUT, sections, show=written.append)
    assert written == pytest.approx([0.0, 0.15, 0.45, 0.5, 0.65, 0.7, 1.0]), "planned, then written"
    read: list[float] = []
    container.take_apart(data, LAYOUT, show=read.append)
    assert read == pytest.approx([0.3, 0.4, 1.0])


def test_a_network_without_values_is_done_at_once() -> None:
    shares: list[float] = []
    Meter(shares.append, [], passes=2).add([])
    assert shares == [1.0]
