"""Arrays and tokens that stay on the disk."""

import pickle

import numpy as np
import pytest
import torch

from trainers.data.mapped import ArrayFile, Mapped, Tokens


@pytest.fixture
def folder(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(12, dtype=np.float32).reshape(6, 2))
    np.save(tmp_path / "y.npy", np.arange(6))
    np.arange(100, dtype=np.uint16).tofile(tmp_path / "tokens.bin")
    return tmp_path


def test_arrays_are_mapped_and_their_parts_copied(folder, monkeypatch):
    monkeypatch.chdir(folder)
    examples = Mapped(inputs="x.npy", targets="y.npy")
    monkeypatch.chdir(folder.parent)  # as a worker elsewhere
    inputs, targets = pickle.loads(pickle.dumps(examples)).take(torch.tensor([5, 0, 5]))
    assert inputs.tolist() == [[10.0, 11.0], [0.0, 1.0], [10.0, 11.0]]
    assert targets.tolist() == [5, 0, 5]
    inputs.zero_()
    assert examples.take(torch.tensor([5])).inputs.tolist() == [[10.0, 11.0]]
    assert len(pickle.dumps(examples)) < 2000


def test_arrays_may_be_trees_and_raw_and_of_other_types(folder):
    np.arange(6, dtype=">i4").tofile(folder / "big")
    raw = ArrayFile(folder / "big", dtype=">i4", shape=(2, 2), offset=8)
    wide = ArrayFile(folder / "tokens.bin", dtype="uint16", shape=(2, 3))
    inputs, targets = Mapped(inputs=(raw, {"wide": wide}), targets=raw).take(torch.tensor([1]))
    assert inputs[0].tolist() == [[4, 5]]
    assert inputs[1]["wide"].dtype == torch.int32
    assert targets.dtype == torch.int32


def test_tokens_are_windows(folder):
    file = ArrayFile(folder / "tokens.bin", dtype="uint16")
    everywhere = Tokens(tokens=file, length=4)
    assert len(everywhere) == 96
    inputs, targets = everywhere.take(torch.tensor([0, 95]))
    assert inputs.tolist() == [[0, 1, 2, 3], [95, 96, 97, 98]]
    assert targets.tolist() == [[1, 2, 3, 4], [96, 97, 98, 99]]
    assert inputs.dtype == torch.int64
    side_by_side = Tokens(tokens=file, length=4, stride=4, start=10, stop=19)
    assert len(side_by_side) == 2
    assert side_by_side.take(torch.tensor([1])).targets.tolist() == [[15, 16, 17, 18]]
    assert len(Tokens(tokens=file, length=4, stride=4, stop=8)) == 1


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda at: Mapped(inputs=at / "none.npy", targets=at / "y.npy"), "none.npy cannot be mapped: No such file"),
        (lambda at: Mapped(inputs=at / "tokens.bin", targets=at / "y.npy"), "tokens.bin has no dtype"),
        (lambda at: ArrayFile(at / "x.npy", shape=(3,)), "x.npy has no dtype"),
        (lambda at: ArrayFile(at / "x.npy", dtype="float32"), "x.npy says its dtype and shape itself"),
        (lambda at: ArrayFile(at / "none", dtype="int8"), "none cannot be mapped: No such file"),
        (
            lambda at: ArrayFile(at / "tokens.bin", dtype="int32", shape=(60,)),
            "has 200 bytes after the first 0: wanted 240",
        ),
        (lambda at: ArrayFile(at / "tokens.bin", dtype="int64", offset=4), "wanted one or more int64, all whole"),
        (
            lambda at: ArrayFile(at / "tokens.bin", dtype="int8", shape=10),
            "shape is 10: wanted the lengths of all axes",
        ),
        (lambda at: ArrayFile(at / "tokens.bin", dtype="int8", shape=(-1, 2)), "shape is .-1, 2.: wanted the lengths"),
        (lambda at: ArrayFile(at / "tokens.bin", dtype="int8", shape=(2.5,)), "shape is .2.5,.: wanted the lengths"),
        (lambda at: ArrayFile(at / "tokens.bin", dtype="int8", offset=-4), "offset is -4: wanted a whole number"),
        (lambda at: ArrayFile(at / "tokens.bin", dtype="byte5"), "dtype is 'byte5': wanted a type of numbers"),
        (lambda at: ArrayFile(at / "tokens.bin", dtype="complex64"), "holds complex64"),
        (lambda at: Mapped(inputs=at / "x.npy", targets=(at / "y.npy", at / "z.npy")), "have 3 and 6 examples"),
        (lambda at: Tokens(tokens=at / "x.npy", length=2), r"holds float32 of the shape \(6, 2\): wanted one axis"),
        (lambda at: Tokens(tokens=at / "y.npy", length=6), "has 6 tokens from 0 to 6: wanted at least length . 1 = 7"),
        (lambda at: Tokens(tokens=at / "y.npy", length=1, stop=7), "stop is 7"),
    ],
)
def test_what_is_not_there_or_does_not_fit_is_refused(folder, make, said):
    np.save(folder / "z.npy", np.arange(3))
    with pytest.raises(ValueError, match=said):
        make(folder)


def test_a_file_that_is_no_array_or_goes_is_named(folder):
    (folder / "bad.npy").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"bad.npy cannot be mapped"):
        ArrayFile(folder / "bad.npy")
    travelled = pickle.dumps(Mapped(inputs=folder / "x.npy", targets=folder / "y.npy"))
    (folder / "x.npy").unlink()
    with pytest.raises(ValueError, match=r"x.npy cannot be mapped: No such file"):
        pickle.loads(travelled).take(torch.tensor([0]))
