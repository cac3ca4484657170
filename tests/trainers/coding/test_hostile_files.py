"""Files that are damaged, foreign or hostile give one clear error each: no other exception, no memory, no code."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.golden.regenerate import TINY as TINY_FILE
from tests.golden.regenerate import TINY_SCALED
from tests.trainers.coding import forgery
from tests.trainers.coding.forgery import error_of, sealed, varints
from tests.trainers.networks import NORMED, normed
from tests.trainers.trials import architecture_of, attach, configuration, run
from trainers.coding import container, plaindata
from trainers.coding.bytestream import Reader, RfzError, put_bytes, put_varint
from trainers.coding.sections import Raw
from trainers.compressed import load_compressed, open_compressed
from trainers.methods import METHODS

ROOT = Path(__file__).parents[3]
DECODED = ", ".join(f"{name} {method.version}" for name, method in sorted(METHODS.items()))


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A trained epr file of mlp(hidden=[8])."""
    return run(configuration("epr"), tmp_path_factory.mktemp("good"))[0]["point"]


def forged(
    good: bytes, *, method: str = "epr", architecture: str = "mlp", arguments: dict[str, Any] | bytes | None = None
) -> bytes:
    """``good`` with another header, and a checksum that fits."""
    reader = Reader(good)
    reader.take(5)
    reader.prefixed_bytes(at_most=4096)
    version = reader.take(1)
    reader.prefixed_bytes(at_most=4096)
    old_arguments = reader.prefixed_bytes(at_most=4096)
    out = bytearray(good[:5])
    put_bytes(out, method.encode())
    out += version
    put_bytes(out, architecture.encode())
    if isinstance(arguments, dict):
        arguments = plaindata.encode(arguments)
    put_bytes(out, old_arguments if arguments is None else arguments)
    return sealed(bytes(out) + good[reader.position :])


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
        (lambda good: sealed(good[:3] + b"\x03" + good[4:]),
         "the file has format version 3, this ratefront reads 1 and 2: use a newer ratefront"),
        (lambda good: sealed(good[:3] + b"\x00" + good[4:]),
         "the file has format version 0, this ratefront reads 1 and 2"),
        (lambda good: sealed(good[:4] + b"\x02" + good[5:]),
         "the file was written by a newer ratefront: it has flags that this one does not know"),
        (lambda good: forged(good, method="later"),
         f"the file was written by method 'later' 1, this ratefront decodes {DECODED}: use a newer ratefront"),
        (lambda good: sealed(good[:9] + b"\x07" + good[10:]),
         f"the file was written by method 'epr' 7, this ratefront decodes {DECODED}: use a newer ratefront"),
        (lambda good: sealed(good[:9] + b"\x00" + good[10:]),
         f"the file was written by method 'epr' 0, this ratefront decodes {DECODED}"),
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


HIDDEN = varints(2 + 6) + b"hidden"
ONE_ITEM = varints(4 + 8 * 1)
REST = plaindata.encode({"input_shape": [1, 4, 4], "num_outputs": 3})


def number(text: str) -> bytes:
    """The encoding of a float, given as its decimal."""
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
    for position in (5, 10, 14):  # method, architecture, arguments
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
    trial = attach(config)
    ((_, sections),) = trial.method.points(trial.model, trial.context)
    mask = np.logical_not(
        sections.tensors["mask"].values
    )  # another than the architecture builds, which would not be in the file
    other = replace(sections, tensors={**sections.tensors, "mask": Raw(values=mask)})
    data = bytearray(container.write(trial.header, trial.layout, other))
    data[data.index(mask.tobytes()) + 3] = 2
    message = error_of(tmp_path, sealed(bytes(data)), architecture=architecture_of(config))
    assert message == "the file is malformed: tensor 'mask' holds a truth value that is not 0 or 1"


def with_deflated(arguments: bytes) -> bytes:
    """A file of tensors without a network that says this where its deflated arguments are."""
    reader = Reader(forgery.checkpoint())
    head = reader.take(4 + 1)
    for _ in range(2):
        text = reader.prefixed_bytes(at_most=4096)
        head += bytes([len(text)]) + text + (reader.take(1) if text == b"ecq" else b"")
    reader.prefixed_bytes(at_most=4096)
    out = bytearray(head)
    put_bytes(out, arguments)
    return sealed(bytes(out) + reader.take(reader.remaining))


def deflated(data: bytes) -> bytes:
    deflating = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflating.compress(data) + deflating.flush()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (b"", "the header is malformed: its arguments are no whole deflated text, or a longer one than may be"),
        (deflated(b"a" * 100)[:-1], "the header is malformed: its arguments are no whole deflated text"),
        (deflated(b"") + b"more", "the header is malformed: its arguments are no whole deflated text"),
        (deflated(bytes((1 << 20) + 1)), "the header is malformed: its arguments are no whole deflated text"),
        (deflated(bytes(10**9)), "the header is malformed: its arguments are no whole deflated text"),
        (b"\xff" * 20, "the header is malformed: its arguments cannot be inflated"),
        (bytes((1 << 20) + 1), "the file is malformed: a text of 1048577 bytes where at most 1048576 may be"),
        (deflated(b""), "the tree of tensors has None"),
        (deflated(plaindata.encode({"tree": {"a": [1 << 20, 1 << 20]}})), "the file has tensors of 1099511627776"),
        (deflated(plaindata.encode({"tree": {"..": [1]}})), "a tensor is called '..': wanted"),
        (deflated(plaindata.encode({"tree": {"a": [1]}, "more": 1})), "architecture 'tensors' has no argument 'more'"),
        (deflated(plaindata.encode({"tree": {"a": [1]}})), "the file was written for another version of architecture"),
    ],
)
def test_deflated_arguments_take_no_memory_and_name_no_paths(arguments: bytes, message: str, tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert error_of(tmp_path, with_deflated(arguments)).startswith(message)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 50_000


def test_thousands_of_mutants_are_refused_or_decoded(tmp_path: Path) -> None:
    """In a process with limits there is nothing but ``RfzError``: no crash, no hang, no memory beyond torch's."""
    files: list[str] = []
    for golden in (TINY_FILE, TINY_SCALED):  # together they have sections of all kinds but those made of factors
        path = tmp_path / golden.name
        path.write_bytes(golden.read_bytes())
        files.append(str(path))
    for method in ("epr", "lcs-line", "low_rank", "multi_hashing", "ptq", "qat-channel", "uncompressed"):
        for architecture in ("mlp", "cnn"):
            path = tmp_path / f"{method}-{architecture}.rfz"
            *_, data = run(configuration(method, architecture), tmp_path / path.stem)[0].values()  # lcs: the subspace
            path.write_bytes(data)
            files.append(str(path))
    for is_deflated in (False, True):  # the tree of a checkpoint's names, where damage reaches it, and deflated
        path = tmp_path / f"tensors-{is_deflated}.rfz"
        path.write_bytes(forgery.checkpoint(is_deflated=is_deflated))
        files.append(str(path))
    done = subprocess.run(
        [sys.executable, "-m", "tests.trainers.coding.fuzz", "0", "5000", *files],
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
    assert result["refused"] + result["decoded"] == 5000
    assert result["refused"] > 3000
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
