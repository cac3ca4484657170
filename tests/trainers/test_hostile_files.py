"""Files that are damaged, foreign or made to hurt: one clear error each, no other exception, no memory, no code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.golden.regenerate import TINY as TINY_FILE
from tests.trainers.networks import NORMED, normed
from tests.trainers.trials import architecture_of, configuration, run
from trainers.architectures.base import build_on_meta, layout_of
from trainers.architectures.mlp import mlp
from trainers.coding import coder, container, plaindata
from trainers.coding.bytestream import Reader, RfzError, put_bytes, put_varint
from trainers.coding.container import Header
from trainers.coding.sections import Integers, Sections
from trainers.compressed import load_compressed, open_compressed

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A trained epr file of mlp(hidden=[8])."""
    return run(configuration("epr"), tmp_path_factory.mktemp("good"))[0]["point"]


def sealed(data: bytes) -> bytes:
    return data[:-4] + zlib.crc32(data[:-4]).to_bytes(4, "little")


def forged(
    good: bytes, *, method: str = "epr", architecture: str = "mlp", arguments: dict[str, Any] | bytes | None = None
) -> bytes:
    """``good`` with another header, and a checksum that fits."""
    reader = Reader(good)
    reader.take(4)
    reader.prefixed_bytes(at_most=4096)
    version = reader.take(1)
    reader.prefixed_bytes(at_most=4096)
    old_arguments = reader.prefixed_bytes(at_most=4096)
    out = bytearray(good[:4])
    put_bytes(out, method.encode())
    out += version
    put_bytes(out, architecture.encode())
    if isinstance(arguments, dict):
        arguments = plaindata.encode(arguments)
    put_bytes(out, old_arguments if arguments is None else arguments)
    return sealed(bytes(out) + good[reader.position :])


def error_of(path: Path, data: bytes, **options: Any) -> str:
    """The message without the file's name, which comes first."""
    path = path / "x.rfz"
    path.write_bytes(data)
    started = time.perf_counter()
    with pytest.raises(RfzError) as caught:
        load_compressed(path, **options)
    assert time.perf_counter() - started < 2
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.isprintable(), "one line"
    return message.removeprefix(f"{path}: ")


def test_a_forged_header_that_changes_nothing_still_decodes(good: bytes, tmp_path: Path) -> None:
    assert forged(good) == good


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda good: b"", "not a .rfz file: it is empty"),
        (lambda good: b"PK\x03\x04" + good[4:], "not a .rfz file: it starts with b'PK\\x03\\x04', wanted b'RFZ'"),
        (lambda good: b"RFZ", "the file is truncated: it has 3 bytes"),
        (lambda good: good[:8], "the file is truncated: it has 8 bytes"),
        (lambda good: good[:-1], "the file is damaged or truncated: its checksum does not match"),
        (lambda good: good[: len(good) // 2], "the file is damaged or truncated: its checksum does not match"),
        (lambda good: good + b"\0", "the file is damaged or truncated: its checksum does not match"),
        (lambda good: good[:40] + bytes([good[40] ^ 16]) + good[41:],
         "the file is damaged or truncated: its checksum does not match"),
        (lambda good: sealed(good[:3] + b"\x02" + good[4:]),
         "the file has format version 2, this ratefront reads 1: use a newer ratefront"),
        (lambda good: sealed(good[:3] + b"\x00" + good[4:]), "the file has format version 0, this ratefront reads 1"),
        (lambda good: forged(good, method="later"),
         "the file was written by method 'later' 1, this ratefront decodes epr 1, ptq 1, uncompressed 1: "
         "use a newer ratefront"),
        (lambda good: sealed(good[:8] + b"\x07" + good[9:]),
         "the file was written by method 'epr' 7, this ratefront decodes epr 1, ptq 1, uncompressed 1: "
         "use a newer ratefront"),
        (lambda good: sealed(good[:8] + b"\x00" + good[9:]),
         "the file was written by method 'epr' 0, this ratefront decodes epr 1, ptq 1, uncompressed 1"),
        (lambda good: forged(good, architecture="mpl"), "unknown architecture 'mpl'; did you mean 'mlp'?"),
        (lambda good: forged(good, arguments=arguments_with(hidden=[9])),
         "the file was written for another version of architecture 'mlp': names, shapes or dtypes of its tensors "
         "differ from what this program builds"),
        (lambda good: forged(good, arguments=arguments_with(hiden=[8])),
         "architecture 'mlp' has no argument 'hiden'; did you mean 'hidden'?"),
        (lambda good: forged(good, arguments=plaindata.encode(arguments_with()) + b"\1\x18"),
         "the header is malformed: architecture arguments are not in the one encoding that they have"),
        (lambda good: sealed(good[:-4] + b"\1\2\3\4" * 4 + good[-4:]), None),
    ],
)  # fmt: skip
def test_each_damage_has_its_message(good: bytes, damage: Any, message: str | None, tmp_path: Path) -> None:
    found = error_of(tmp_path, damage(good))
    if message is None:
        assert found.startswith("the coded stream is damaged")
    else:
        assert found == message


@pytest.mark.parametrize(
    ("name", "reason"),
    [("missing.rfz", "cannot be read (No such file or directory)"), ("", "cannot be read (Is a directory)")],
)
def test_a_path_that_is_no_file_is_named(name: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(RfzError) as caught:
        open_compressed(tmp_path / name)
    assert str(caught.value) == f"{tmp_path / name}: {reason}"


def arguments_with(**changes: Any) -> dict[str, Any]:
    return {"hidden": [8], "input_shape": [1, 4, 4], "num_outputs": 3, **changes}


def varints(*values: int) -> bytes:
    out = bytearray()
    for value in values:
        put_varint(out, value)
    return bytes(out)


HIDDEN = varints(2 + 6) + b"hidden"
ONE_ITEM = varints(4 + 8 * 1)
REST = plaindata.encode({"input_shape": [1, 4, 4], "num_outputs": 3})


def number(text: str) -> bytes:
    """A float by its decimal."""
    return varints(3 + 8 * len(text.encode())) + text.encode()


@pytest.mark.parametrize(
    "arguments",
    [
        arguments_with(hidden=[1 << 20] * 64),
        arguments_with(hidden=[1 << 20, 1 << 20]),
        arguments_with(hidden=[-8]),
        arguments_with(hidden=[8.0]),
        arguments_with(hidden=[True]),
        arguments_with(hidden="8" * 100),
        arguments_with(hidden={"8": 8}),
        arguments_with(hidden=[8] * 1000),
        arguments_with(hidden=10**300),
        arguments_with(hidden=10**4080),
        arguments_with(hidden=[-(10**2000), 10**2000]),
        arguments_with(hidden=None),
        arguments_with(input_shape=[1 << 20] * 4),
        arguments_with(input_shape=[-1, -1]),
        arguments_with(num_outputs=10**9),
        arguments_with(num_outputs=0),
        arguments_with(num_outputs=10**4000),
        {"hidden": {"hidden": {"hidden": {"hidden": {}}}}},
        {"a\nb": 1},
        {"": 1},
        HIDDEN + ONE_ITEM + b"\xff" * 4000 + b"\x7f" + REST,
        HIDDEN + ONE_ITEM + b"\xff" * 1999 + b"\x7f" + REST,
        HIDDEN + varints(4 + 8 * 2**55) + REST,
        HIDDEN + varints(2 + 8 * 2**55) + REST,
        HIDDEN + varints(5 + 8 * 2**55) + REST,
        HIDDEN + varints(4 + 8 * 3000) + REST,
        HIDDEN + ONE_ITEM * 4000,
        HIDDEN + varints(5 + 8) * 1000,
        (varints(5 + 8) + HIDDEN) * 500,
        HIDDEN * 500,
        HIDDEN,
        HIDDEN[:-1],
        varints(2**62),
        b"\xff" * 4096,
    ],
)
def test_hostile_arguments_are_refused_before_memory_is_taken(
    good: bytes, arguments: dict[str, Any] | bytes, tmp_path: Path
) -> None:
    assert error_of(tmp_path, forged(good, arguments=arguments))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        *(
            (HIDDEN + ONE_ITEM + number(text) + REST, "architecture arguments: " + message)
            for text, message in [
                ("nan", "nan is not finite"),
                ("-inf", "-inf is not finite"),
                ("1e999", "inf is not finite"),
                ("", "could not convert string to float: ''"),
                ("8,0", "could not convert string to float: '8,0'"),
                ("8.0\n8", "could not convert string to float: '8.0\\n8'"),
            ]
        ),
        *(
            (HIDDEN + ONE_ITEM + wrong + REST, "architecture arguments are not in the one encoding that they have")
            for wrong in [
                *map(number, ["8", "8.00", " 8.0", "8_0.0", "\u0668.0", "8e0", "+8.0", "0.80e1"]),
                b"\xc0\x00",  # eight, in more bytes than it needs
            ]
        ),
        (HIDDEN + ONE_ITEM + varints(7) + REST, "architecture arguments: a value is none of kind 7 that there are"),
        (HIDDEN + varints(6 + 8 * 3) + REST, "architecture arguments: a value is none of kind 6 that there are"),
        (
            HIDDEN + varints(4 + 8 * 9) + REST,
            "architecture arguments: a value is longer than the 7 bytes that are left",
        ),
        (HIDDEN + ONE_ITEM * 9 + varints(8) + REST, "architecture arguments: they nest deeper than 8"),
        (REST + HIDDEN + varints(4), "architecture arguments are not in the one encoding that they have"),
        (REST + REST, "architecture arguments are not in the one encoding that they have"),
        (varints(2 + 11) + b"input_shape" + REST[1:], "architecture arguments are not in the one encoding that they"),
        (varints(2 + 2) + b"\xff\xfe" + varints(0), "architecture arguments: 'utf-8' codec can't decode"),
        (varints(2 + 3) + b"\xed\xa0\x80" + varints(0), "architecture arguments: 'utf-8' codec can't decode"),
        (HIDDEN + varints(2 + 8) + b"\xff" + REST, "architecture arguments: 'utf-8' codec can't decode"),
    ],
)
def test_arguments_that_no_writer_wrote_are_refused(
    good: bytes, arguments: bytes, message: str, tmp_path: Path
) -> None:
    assert error_of(tmp_path, forged(good, arguments=arguments)).startswith(f"the header is malformed: {message}")


@pytest.mark.parametrize("field", ["method", "architecture"])
def test_a_name_that_is_no_text_is_refused(good: bytes, field: str, tmp_path: Path) -> None:
    name = {"method": b"epr", "architecture": b"mlp"}[field]
    damaged = sealed(good.replace(name, b"\xff\xfe\xfd", 1))
    assert error_of(tmp_path, damaged).startswith("the header is malformed: 'utf-8' codec can't decode")


def test_a_length_of_a_billion_is_refused(good: bytes, tmp_path: Path) -> None:
    for position in (4, 9, 13):  # method, architecture, arguments
        out = bytearray(good[:position])
        put_varint(out, 10**9)
        message = error_of(tmp_path, sealed(bytes(out) + good[position:]))
        assert message == "the file is malformed: a text of 1000000000 bytes where at most 4096 may be"


def test_a_large_network_needs_permission(good: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.rfz"
    path.write_bytes(good)
    assert load_compressed(path, max_parameters=163)
    message = error_of(tmp_path, good, max_parameters=162)
    assert message.endswith("has 163 values: wanted at most 162")


@pytest.mark.parametrize("architecture", ["os:system", "sentinel:build", "sentinel", "trainers.train:train", ":", "a:"])
def test_a_name_in_a_file_is_never_imported(
    good: bytes, architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sentinel.py").write_text("import pathlib\npathlib.Path(__file__).with_suffix('.ran').touch()\n"
                                          "def build(**arguments): ...\n")  # fmt: skip
    monkeypatch.syspath_prepend(tmp_path)
    message = error_of(tmp_path, forged(good, architecture=architecture))
    assert "not imported because a file names it" in message or message.startswith("unknown architecture")
    assert not (tmp_path / "sentinel.ran").exists()
    assert "sentinel" not in sys.modules
    if architecture == "sentinel:build":  # the trap works
        with pytest.raises(RfzError):
            load_compressed(tmp_path / "x.rfz", allow_import=True)
        assert (tmp_path / "sentinel.ran").exists()
        del sys.modules["sentinel"]


TINY = Header(
    method="epr",
    method_version=1,
    architecture="mlp",
    arguments={"hidden": [], "input_shape": [2], "num_outputs": 1},
)


def tiny(tail: bytes) -> bytes:
    """A file of a network of three parameters that continues with ``tail`` after the fingerprint."""
    plain = build_on_meta("mlp", mlp, TINY.arguments)
    return sealed(bytes(container.write_header(TINY)) + container.fingerprint(layout_of(plain)) + tail + b"\0\0\0\0")


STEP = varints(1, 1) + np.array([0.5], "<f2").tobytes()  # one vector of one value
KINDS = varints(2, 2)  # both tensors in table 0


@pytest.mark.parametrize(
    ("tail", "message"),
    [
        (b"", "the file is malformed: 1 bytes wanted where 0 are left"),
        (varints(10**12), "the file is malformed: 1000000000000 vectors in 0 bytes"),
        (varints(1, 2**62), "the file is malformed: 9223372036854775808 bytes wanted where 0 are left"),
        (varints(1, 1) + np.array([np.nan], "<f2").tobytes() + KINDS + varints(0, 3),
         "the file is malformed: a vector must be one-dimensional, float16 and finite"),
        (STEP + varints(2**60, 0),
         f"the file is malformed: tensor '1.weight' has argument {2**57} of kind 0, at most 0 may be"),
        (STEP + varints(2 + 2**60, 2),
         f"the file is malformed: tables are numbered [0, {2**57}]: wanted 0 to 1 without a gap"),
        (STEP + varints(10, 10, 0, 3), "the file is malformed: tables are numbered [1]: wanted 0 to 0 without a gap"),
        (STEP + varints(5, 5),
         "the file is malformed: tensor '1.weight' is of kind 5, this ratefront knows [0, 1, 2, 3, 4]: "
         "use a newer ratefront"),
        (varints(0, 3 + 8 * 4, 3), "the file is malformed: tensor '1.weight' has argument 4 of kind 3, at most 3 may "
         "be"),
        (varints(0, 3 + 8, 3) + b"\0\0\xc0\x7f",
         "the file is malformed: section '1.weight' holds NaN or infinity: refused"),
        (varints(0, 3 + 8, 3) + b"\0", "the file is malformed: 4 bytes wanted where 1 are left"),
        (varints(0, 3, 3) + b"\0" * 4, "the coded stream is damaged: data is left over after the last symbol"),
        (STEP + KINDS + varints(0, 10**13),
         "a frequency table is malformed: 3 values cannot have count 10000000000000 of symbol 0"),
        (STEP + KINDS + varints(0, 1, 0, 2**61, 2),
         f"a frequency table is malformed: 3 values cannot have count 2 of symbol {2**61 + 1}"),
        (STEP + KINDS + varints(0, 1, 2), "the coded stream is empty where symbols should be"),
        (STEP + KINDS + varints(0, 1, 2) + b"\0" * 3,
         "the coded stream is malformed: 3 bytes are no whole number of 32-bit words"),
        (STEP + KINDS + varints(0, 1, 2) + b"\0" * 4,
         "the coded stream is damaged: its symbols do not match their frequency table"),
        (STEP + KINDS + varints(0, 3) + b"\0" * 4, "the coded stream is damaged: data is left over after the last "
         "symbol"),
        (varints(0) + KINDS + varints(0, 3), "the file is malformed: table 0 has no step among 0"),
        (varints(0, 0, 0) + b"\0" * 11, "the file is malformed: 4 bytes wanted where 3 are left"),
        (varints(0, 0, 0) + b"\0" * 10 + b"\xc0\x7f",
         "the file is malformed: section '1.bias' holds NaN or infinity: refused"),
        (varints(0, 1, 0) + b"\0\x7c" * 2 + b"\0" * 4,
         "the file is malformed: section '1.weight' holds NaN or infinity: refused"),
    ],
)  # fmt: skip
def test_a_forged_body_is_refused(tail: bytes, message: str, tmp_path: Path) -> None:
    assert error_of(tmp_path, tiny(tail)) == message


def test_an_honest_body_of_the_forgers_decodes(tmp_path: Path) -> None:
    (tmp_path / "x.rfz").write_bytes(tiny(STEP + KINDS + varints(6, 3)))
    network = load_compressed(tmp_path / "x.rfz")
    assert network.state_dict()["1.weight"].tolist() == [[1.5, 1.5]]


def test_honest_constants_of_the_forgers_decode(tmp_path: Path) -> None:
    (tmp_path / "x.rfz").write_bytes(tiny(varints(0, 3 + 8 * 3, 3) + np.array([0.5], "<f2").tobytes()))
    state = load_compressed(tmp_path / "x.rfz").state_dict()
    assert state["1.weight"].tolist() == [[0.5, 0.5]]
    assert state["1.bias"].tolist() == [0]


def test_integers_times_a_step_stay_finite(tmp_path: Path) -> None:
    """The largest integer times the largest step fits float32."""
    plain = build_on_meta("mlp", mlp, TINY.arguments)
    most = np.iinfo(np.int32).max
    sections = Sections(
        tensors={
            "1.weight": Integers(values=np.array([[most, -most - 1]], np.int32)),
            "1.bias": Integers(values=np.zeros(1, np.int32)),
        },
        vectors=(np.array([65504], np.float16),),
    )
    (tmp_path / "x.rfz").write_bytes(container.write(TINY, layout_of(plain), sections))
    assert load_compressed(tmp_path / "x.rfz").state_dict()["1.weight"].isfinite().all()


def test_a_few_bytes_cannot_keep_a_decoder_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream of four bytes says to hold hundreds of thousands of values, each of which costs some information."""
    header = Header(
        method="epr", method_version=1, architecture="mlp", arguments={**TINY.arguments, "hidden": [512, 512]}
    )
    layout = layout_of(build_on_meta("mlp", mlp, header.arguments))
    matrices = [(entry.shape[0], entry.num_values // entry.shape[0]) for entry in layout]
    body = STEP + varints(*[4 for _ in layout])  # adaptive, all with the first step
    body += b"".join(varints(*(shape if shape[1] > 1 else (1, shape[0])), 0) for shape in matrices)
    data = sealed(bytes(container.write_header(header)) + container.fingerprint(layout) + body + bytes(4) + bytes(4))
    assert len(data) < 80
    monkeypatch.setattr(coder, "_SLACK_BITS", -24)  # else the network would have to be larger, and the test slow
    assert error_of(tmp_path, data) == "the coded stream is damaged: it is shorter than its symbols"


def test_renamed_tensors_are_refused_not_decoded_to_garbage(tmp_path: Path) -> None:
    config = configuration("epr", "normed")
    data = run(config, tmp_path)[0]["point"]

    def renamed(**arguments: Any) -> nn.Module:
        return nn.ModuleDict({"inner": normed(**arguments)})

    message = error_of(tmp_path, data, architecture=renamed)
    assert message.startswith(f"the file was written for another version of architecture {NORMED!r}")
    (tmp_path / "x.rfz").write_bytes(data)
    assert load_compressed(tmp_path / "x.rfz", architecture=architecture_of(config))


def test_a_truth_value_is_zero_or_one(tmp_path: Path) -> None:
    config = configuration("uncompressed", "odd")
    data = bytearray(run(config, tmp_path)[0]["point"])
    mask = bytes(int(index % 5 != 0) for index in range(16))
    position = data.index(mask)
    data[position + 3] = 2
    message = error_of(tmp_path, sealed(bytes(data)), architecture=architecture_of(config))
    assert message == "the file is malformed: tensor 'mask' holds a truth value that is not 0 or 1"


def test_thousands_of_mutants_are_refused_or_decoded(tmp_path: Path) -> None:
    """In a process with limits: nothing but an RfzError, no crash, no hang, no memory beyond what torch has."""
    tiny = tmp_path / "tiny.rfz"  # of all kinds
    tiny.write_bytes(TINY_FILE.read_bytes())
    files = [str(tiny)]
    for method in ("epr", "ptq", "uncompressed"):
        for architecture in ("mlp", "cnn"):
            path = tmp_path / f"{method}-{architecture}.rfz"
            path.write_bytes(run(configuration(method, architecture), tmp_path / path.stem)[0]["point"])
            files.append(str(path))
    done = subprocess.run(
        [sys.executable, "-m", "tests.trainers.fuzz", "0", "1500", *files],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout)
    assert result["wrong"] == []
    assert result["refused"] + result["decoded"] == 1500
    assert result["refused"] > 1000
    assert result["decoded"] > 10, "some damage is harmless, or the mutants are all of one kind"
    assert result["num_messages"] > 20, "the mutants reach deep"
    assert result["slowest_s"] < 5
    assert result["grown_mb"] < 100


def test_decoding_leaves_the_users_random_numbers_and_default_device_alone(good: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.rfz").write_bytes(good)
    torch.manual_seed(0)
    wanted = torch.rand(3)
    torch.manual_seed(0)
    load_compressed(tmp_path / "x.rfz")
    assert torch.equal(torch.rand(3), wanted)
    assert torch.zeros(1).device.type == "cpu"
