"""Small files that are well formed and would cost much: what they may cost is bounded, and the user may bound it more.

``crafted.py`` measures the worst of them; here they are small, or refused early.
"""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from torch import nn

from tests.trainers.coding import crafted
from tests.trainers.coding.forgery import error_of, sealed
from trainers.architectures.base import build_on_meta, layout_of
from trainers.architectures.mlp import mlp
from trainers.coding import adaptive, container
from trainers.coding.bytestream import Reader, RfzError, put_bytes
from trainers.coding.coder import Decoder
from trainers.coding.deadline import deadline_in
from trainers.coding.header import Header, take_header, unseal, write_header
from trainers.coding.stream import StreamReader
from trainers.compressed import load_compressed, open_compressed
from trainers.echo import MOST_CHARACTERS
from trainers.methods.parts import products


@pytest.mark.parametrize("number", [9, 32])
def test_matrices_of_more_steps_than_the_writer_makes_are_refused_before_the_first(number: int, tmp_path: Path) -> None:
    data = crafted.adaptive_file("mlp", crafted.lines(number), 1, is_coded=False)
    message = error_of(tmp_path, data)
    assert message.startswith("the file is malformed: its matrices take ")
    assert message.endswith(f"steps or more: at most {adaptive.MOST_STEPS} may be")


def test_as_many_steps_as_the_writer_makes_are_read(tmp_path: Path) -> None:
    data = crafted.adaptive_file("mlp", crafted.lines(7), 1, is_coded=False)
    assert error_of(tmp_path, data) == "the coded stream is empty where symbols should be"
    coarsest = crafted.adaptive_file("resnet_cifar", {"depth": 20}, 1, coarseness=9)
    (tmp_path / "x.rfz").write_bytes(coarsest)
    with pytest.raises(RfzError, match="has no step"):  # every step was read; it is no file that the method writes
        load_compressed(tmp_path / "x.rfz")


def test_a_grid_is_no_wider_than_its_matrix(tmp_path: Path) -> None:
    data = crafted.adaptive_file("mlp", {"hidden": [2], "input_shape": [1], "num_outputs": 1}, 1, is_coded=False)
    position = data.index(bytes([1, 2, 0]))
    message = error_of(tmp_path, sealed(data[: position + 2] + b"\3" + data[position + 3 :]))
    assert message == "the file is malformed: a grid of width 3 where 2 columns are stored"


def test_products_of_factors_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.rfz"
    path.write_bytes(crafted.low_rank(40, 19))
    network = load_compressed(path)
    assert isinstance(network, nn.Sequential)
    assert all((parameter == wanted).all() for parameter, wanted in zip(network.parameters(), (19, 0), strict=True))
    monkeypatch.setattr(products, "MOST_MULTIPLICATIONS", 40 * 40 * 19 - 1)
    message = error_of(tmp_path, path.read_bytes())
    assert message == "the products of its factors take 3.0e+04 multiplications: wanted 3.0e+04 at most"


def test_constants_take_no_memory_before_the_network_is_made() -> None:
    arguments = {"hidden": [], "input_shape": [100], "num_outputs": 100}
    layout = layout_of(build_on_meta("mlp", mlp, arguments))
    for section in container.read(crafted.constants(100), layout).tensors.values():
        assert set(section.values.strides) == {0}


def test_a_table_is_read_in_pieces_of_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[int] = []
    decode = StreamReader.decode

    def counted(self: StreamReader, counts: npt.NDArray[np.int64], number: int) -> npt.NDArray[np.int32]:
        lengths.append(number)
        return decode(self, counts, number)

    monkeypatch.setattr(StreamReader, "decode", counted)
    arguments = {"hidden": [], "input_shape": [1100], "num_outputs": 1100}
    layout = layout_of(build_on_meta("mlp", mlp, arguments))
    found = container.read(crafted.low_rank(1100, 549), layout)
    assert lengths == [1 << 20, 2200 * 549 - (1 << 20)]
    assert (found.factors[0].values == 1).all()


def test_the_time_may_be_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.rfz"
    path.write_bytes(crafted.low_rank(40, 19))
    assert load_compressed(path, max_seconds=1000)
    seconds = itertools.count()
    monkeypatch.setattr(time, "monotonic", lambda: next(seconds))
    message = error_of(tmp_path, path.read_bytes(), max_seconds=1)
    assert message == "the file takes more than 1 s: give a larger max_seconds if you trust it"


def test_the_time_of_an_opened_file_is_limited_from_its_opening_to_its_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, clock = tmp_path / "x.rfz", [0.0]
    path.write_bytes(crafted.low_rank(40, 19))
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    opened = open_compressed(path, max_seconds=5)
    assert opened.account()
    clock[0] = 6.0
    for again in (open_compressed, load_compressed):
        assert again(path, max_seconds=5), "each has a time of its own"
    late = open_compressed(path, max_seconds=5)
    clock[0] = 12.0
    for wanted in (late.account, late.state_dict, late.network):
        with pytest.raises(RfzError, match="the file takes more than 5 s: give a larger max_seconds"):
            wanted()


def test_each_piece_of_a_stream_looks_at_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = itertools.count()
    monkeypatch.setattr(time, "monotonic", lambda: next(seconds))
    decoder = Decoder(bytes(400), deadline_in(3).check)
    for _ in range(3):
        decoder.decode_bits(np.full(10, 1 << 15))
    with pytest.raises(RfzError, match="takes more than 3 s"):
        decoder.decode_bits(np.full(10, 1 << 15))


@pytest.mark.parametrize("max_seconds", [0, -1, float("nan"), "3"])
def test_a_limit_of_time_is_a_number_of_seconds(max_seconds: float, tmp_path: Path) -> None:
    for opening in (load_compressed, open_compressed):
        with pytest.raises(ValueError, match="max_seconds is"):
            opening(tmp_path / "x.rfz", max_seconds=max_seconds)


LONG = "\x1b[31m\x9b<img src=x onerror=alert(1)>" + "y" * 3900


@pytest.mark.parametrize(
    ("method", "architecture", "arguments"),
    [
        (LONG, "mlp", {"hidden": [], "input_shape": [1], "num_outputs": 1}),
        ("ptq", LONG, {}),
        ("ptq", "timm:" + LONG, {}),
        ("ptq", "a:" + LONG, {}),
        ("ptq", "mlp", {LONG: 1}),
        ("ptq", "mlp", {"hidden": LONG, "input_shape": [1], "num_outputs": 1}),
        ("ptq", "mlp", {"hidden": [10**3000], "input_shape": [1], "num_outputs": 1}),
        ("ptq", "cnn", {"input_shape": [LONG], "num_outputs": 1}),
        ("ptq", "mlp", {"hidden": [1 << 20] * 60, "input_shape": [1 << 20], "num_outputs": 1}),
    ],
)
def test_messages_repeat_little_of_what_a_file_says(
    method: str, architecture: str, arguments: dict[str, object], tmp_path: Path
) -> None:
    header = write_header(Header(method=method, method_version=1, architecture=architecture, arguments=arguments))
    message = error_of(tmp_path, sealed(bytes(header) + bytes(8)))
    assert message.isprintable()
    assert message.count("y") <= 2 * MOST_CHARACTERS
    assert len(message) < 1000


def test_a_file_that_calls_itself_by_a_long_name_is_refused_in_a_short_line(tmp_path: Path) -> None:
    """The method is looked up last, when everything else fits."""
    data = crafted.constants(2)
    reader = unseal(data)
    header = take_header(reader)
    out = bytearray(data[:5])
    put_bytes(out, LONG.encode())
    rest = Reader(data)
    rest.take(5)
    rest.prefixed_bytes(at_most=4096)
    assert header.method == "uncompressed"
    message = error_of(tmp_path, sealed(bytes(out) + data[rest.position :]))
    assert message.startswith("the file was written by method '\\x1b[31m\\x9b<img src=x")
    assert message.count("y") <= MOST_CHARACTERS + 10
