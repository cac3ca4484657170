"""Whatever follows a file's header, under a checksum that fits, it decodes within bounds or is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.trainers.coding.forgery import as_version_1, error_of, sealed, varints
from trainers.architectures.base import build_on_meta, layout_of
from trainers.architectures.mlp import mlp
from trainers.coding import coder, container
from trainers.coding.container import Header
from trainers.coding.sections import Integers, Sections
from trainers.compressed import load_compressed

TINY = Header(
    method="epr",
    method_version=1,
    architecture="mlp",
    arguments={"hidden": [], "input_shape": [2], "num_outputs": 1},
)


def tiny(tail: bytes, head: Callable[[bytes], bytes] = bytes) -> bytes:
    """A file of a network of three parameters that continues with ``tail`` after the fingerprint."""
    plain = build_on_meta("mlp", mlp, TINY.arguments)
    return sealed(
        head(bytes(container.write_header(TINY))) + container.fingerprint(layout_of(plain)) + tail + b"\0\0\0\0"
    )


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
         f"the file is malformed: tensor '1.weight' has argument {2**56} of kind 0, at most 0 may be"),
        (STEP + varints(2 + 2**60, 2),
         f"the file is malformed: tables are numbered [0, {2**56}]: wanted 0 to 1 without a gap"),
        (STEP + varints(18, 18, 0, 3), "the file is malformed: tables are numbered [1]: wanted 0 to 0 without a gap"),
        (STEP + varints(7, 7),
         "the file is malformed: tensor '1.bias' of shape (1,) is a grid: wanted two axes or more"),
        (STEP + varints(7, 2) + varints(0, 1), "the coded stream is empty where symbols should be"),
        (STEP + varints(7, 2) + varints(0, 1) + b"\xff" * 8,
         "the coded stream is damaged: no symbol is coded as it says"),
        (STEP + varints(8, 3) + b"\0" * 4,
         "the file is malformed: tensor '1.weight' of float32 is left to the architecture: wanted whole numbers or "
         "truth values"),
        (STEP + varints(9, 9),
         "the file is malformed: tensor '1.weight' is of kind 9, this ratefront knows [0, 1, 2, 3, 4, 5, 6, 7, 8]: "
         "use a newer ratefront"),
        (STEP + varints(6, 2), "the file is malformed: 1 bytes wanted where 0 are left"),
        (STEP + varints(6, 2) + varints(0, 6, 3),
         "the file is malformed: tensor '1.weight' has exponent 0: wanted one that is not 0, of 1100 at most"),
        (STEP + varints(6, 2) + varints(2 * 1101, 6, 3),
         "the file is malformed: tensor '1.weight' has exponent 1101: wanted one that is not 0, of 1100 at most"),
        (STEP + varints(6, 2) + varints(2**62 + 1, 6, 3),
         f"the file is malformed: tensor '1.weight' has exponent {-(2**61) - 1}: wanted one that is not 0, of 1100 at "
         "most"),
        (STEP + varints(6, 2) + varints(2 * 200, 6, 3),
         "the file is malformed: '1.weight' holds a value beyond torch.float32"),
        (STEP + varints(6 + 16 * 4, 2) + varints(2, 6, 3),
         "the file is malformed: tables are numbered [0, 2]: wanted 0 to 1 without a gap"),
        (varints(0, 3 + 16 * 4, 3), "the file is malformed: tensor '1.weight' has argument 4 of kind 3, at most 3 may "
         "be"),
        (varints(0, 3 + 16, 3) + b"\0\0\xc0\x7f",
         "the file is malformed: section '1.weight' holds NaN or infinity: refused"),
        (varints(0, 3 + 16, 3) + b"\0", "the file is malformed: 4 bytes wanted where 1 are left"),
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


@pytest.mark.parametrize(
    ("tail", "message"),
    [
        (STEP + varints(6 + 8, 2) + varints(2 * 4, 1, 2, 65 * 10), "the file is malformed: coarseness 10, at most 9 "
         "may be"),
        (STEP + varints(4, 2) + varints(2, 1, 0), "the file is malformed: tensor '1.weight' has 1 rows of 2 columns, "
         "2 of 1 are said to be stored"),
        (STEP + varints(4, 2) + varints(1, 0, 0), "the file is malformed: tensor '1.weight' has 1 rows of 2 columns, "
         "1 of 0 are said to be stored"),
        (STEP + varints(4, 2) + varints(1, 2, 65 * 10), "the file is malformed: coarseness 10, at most 9 may be"),
    ],
)  # fmt: skip
def test_a_forged_matrix_of_version_1_is_refused(tail: bytes, message: str, tmp_path: Path) -> None:
    assert error_of(tmp_path, tiny(tail, head=as_version_1)) == message


def test_an_honest_body_of_the_forgers_decodes(tmp_path: Path) -> None:
    (tmp_path / "x.rfz").write_bytes(tiny(STEP + KINDS + varints(6, 3)))
    network = load_compressed(tmp_path / "x.rfz")
    assert network.state_dict()["1.weight"].tolist() == [[1.5, 1.5]]


def test_an_honest_exponent_of_the_forgers_decodes(tmp_path: Path) -> None:
    (tmp_path / "x.rfz").write_bytes(tiny(STEP + varints(6, 2) + varints(2 * 4, 6, 3)))
    state = load_compressed(tmp_path / "x.rfz").state_dict()
    assert state["1.weight"].tolist() == [[24.0, 24.0]]
    assert state["1.bias"].tolist() == [1.5]


def test_honest_constants_of_the_forgers_decode(tmp_path: Path) -> None:
    (tmp_path / "x.rfz").write_bytes(tiny(varints(0, 3 + 16 * 3, 3) + np.array([0.5], "<f2").tobytes()))
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
    """A stream of four bytes claims to hold hundreds of thousands of values, each of which costs some information."""
    header = Header(
        method="epr", method_version=1, architecture="mlp", arguments={**TINY.arguments, "hidden": [512, 512]}
    )
    layout = layout_of(build_on_meta("mlp", mlp, header.arguments))
    matrices = [(entry.shape[0], entry.num_values // entry.shape[0]) for entry in layout]
    body = STEP + varints(*[4 for _ in layout])  # adaptive, all with the first step
    body += b"".join(varints(*(shape if shape[1] > 1 else (1, shape[0])), 0) for shape in matrices)
    head = as_version_1(bytes(container.write_header(header)))
    data = sealed(head + container.fingerprint(layout) + body + bytes(4) + bytes(4))
    assert len(data) < 80
    monkeypatch.setattr(coder, "_SLACK_BITS", -24)  # else the network would have to be larger, and the test slow
    assert error_of(tmp_path, data) == "the coded stream is damaged: it is shorter than its symbols"
