"""Rows of Parquet files, read by row group."""

import io
import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from trainers.data.parquet import ParquetExamples


def write(path, *, first=0, num=10, group=3, **more):
    numbers = np.arange(first, first + num)
    columns = {
        "a": numbers.astype(np.float64),
        "b": numbers.astype(np.float32) / 2,
        "label": numbers,
        "pair": pa.FixedSizeListArray.from_arrays(pa.array(np.arange(2.0 * num)), 2),
        "text": [str(number) for number in numbers],
        **more,
    }
    pq.write_table(pa.table(columns), path, row_group_size=group)
    return path


def contents(grey, size=(4, 3)):
    file = io.BytesIO()
    Image.new("L", size, grey).save(file, "PNG")
    return file.getvalue()


def test_rows_of_several_files_are_numbered_one_after_the_other(tmp_path):
    write(tmp_path / "1.parquet")
    write(tmp_path / "2.parquet", first=10, num=5, group=2)
    examples = ParquetExamples(tmp_path, inputs=["a", "b"], targets="label", groups_kept=1)
    assert len(examples) == 15
    inputs, targets = examples.take(torch.tensor([14, 0, 9, 10, 0]))
    assert targets.tolist() == [14, 0, 9, 10, 0]
    assert inputs.tolist() == [[14, 7], [0, 0], [9, 4.5], [10, 5], [0, 0]]
    assert (inputs.dtype, targets.dtype) == (torch.float32, torch.int64)


def test_groups_that_were_used_last_are_kept(tmp_path, monkeypatch):
    examples = ParquetExamples(write(tmp_path / "1.parquet"), inputs="a", targets="label", groups_kept=2)
    read = []
    inner = examples._read_group
    monkeypatch.setattr(examples, "_read_group", lambda group: read.append(group) or inner(group))
    for number in (0, 3, 1, 6, 2, 4):
        examples.take(torch.tensor([number]))
    assert read == [0, 1, 2, 1]


def test_lists_of_numbers(tmp_path):
    nested = pa.array([[[n, n + 1], [n, n]] for n in range(10)], pa.list_(pa.list_(pa.uint16())))
    path = write(tmp_path / "1.parquet", nested=nested)
    assert ParquetExamples(path, inputs="pair", targets="a").take(torch.tensor([9, 1])).inputs.tolist() == [
        [18, 19],
        [2, 3],
    ]
    found = ParquetExamples(path, inputs="nested", targets=["label"]).take(torch.tensor([4]))
    assert (found.inputs.tolist(), found.inputs.dtype) == ([[[4, 5], [4, 4]]], torch.int64)
    assert found.targets.shape == (1, 1)


def test_images_as_bytes_and_as_hugging_face_writes_them(tmp_path):
    bare = [contents(number) for number in range(10)]
    dressed = [{"bytes": one, "path": f"{number}.png"} for number, one in enumerate(bare)]
    path = write(tmp_path / "1.parquet", bare=pa.array(bare, pa.binary()), dressed=dressed)
    for column in ("bare", "dressed"):
        examples = ParquetExamples(path, inputs=column, targets="label", grey=True, as_bytes=True)
        inputs, targets = pickle.loads(pickle.dumps(examples)).take(torch.tensor([7, 2, 8]))
        assert inputs.shape == (3, 1, 3, 4)
        assert inputs[:, 0, 0, 0].tolist() == targets.tolist() == [7, 2, 8]


def test_an_image_that_is_none_is_named_by_its_row(tmp_path):
    images = [contents(1)] * 4 + [b"none"] * 4 + [contents(1, (5, 3))] * 2
    path = write(tmp_path / "1.parquet", image=pa.array(images, pa.binary()))
    examples = ParquetExamples(path, inputs="image", targets="label")
    with pytest.raises(ValueError, match=r"^row 1 of row group 1 of .*1.parquet cannot be decoded: no image"):
        examples.take(torch.tensor([3, 4]))
    with pytest.raises(ValueError, match=r"row 2 of row group 2 of .* has 5x3 pixels where others have 4x3"):
        examples.take(torch.tensor([8]))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"inputs": "aa"}, "1.parquet has no column 'aa'.* 'a'"),
        ({"targets": "text"}, "column 'text' of .*1.parquet holds (large_)?string: wanted numbers"),
        ({"targets": "image"}, "column 'image' of .*1.parquet holds binary"),
        ({"inputs": ["a", "image"]}, "column 'image' of .*1.parquet holds binary"),
        ({"inputs": ["a", "pair"]}, "columns a, pair have lists of different lengths"),
        ({"inputs": "holes"}, "column 'holes' of .*1.parquet has rows without a value"),
        ({"inputs": "uneven"}, "column 'uneven' of .*1.parquet has lists of different lengths"),
        ({"inputs": "longer"}, r"column 'longer' has lists of \(1,\) and of \(2,\): wanted equally many"),
        ({"inputs": "gone"}, "column 'gone' of .*1.parquet has rows without a value"),
        ({"inputs": "a", "size": 4}, "size: no column of .*1.parquet that is asked for holds images"),
        ({"inputs": []}, "name no column"),
    ],
)
def test_columns_that_do_not_fit_are_refused(tmp_path, columns, said):
    path = write(
        tmp_path / "1.parquet",
        image=pa.array([contents(0)] * 10, pa.binary()),
        holes=[None, *range(9)],
        uneven=[[0]] + [[1, 2]] * 9,
        longer=[[0]] * 3 + [[1, 2]] * 7,
        gone=pa.array([None] + [contents(0)] * 9, pa.binary()),
    )
    with pytest.raises(ValueError, match=said):
        ParquetExamples(path, **{"inputs": "a", "targets": "label", **columns}).take(torch.tensor([0, 9]))


def test_files_that_are_missing_or_no_parquet_are_named(tmp_path):
    (tmp_path / "bad.parquet").write_bytes(b"nothing at all")
    for path, said in (
        (tmp_path / "none.parquet", "none.parquet is not there"),
        (tmp_path / "bad.parquet", "bad.parquet cannot be read as Parquet: "),
        ([], "no path: wanted one Parquet file"),
        (write(tmp_path / "0.parquet", num=0), "0.parquet has no rows"),
    ):
        with pytest.raises(ValueError, match=said):
            ParquetExamples(path, inputs="a", targets="label")
    path = write(tmp_path / "1.parquet")
    examples = ParquetExamples(path, inputs="a", targets="label")
    path.unlink()
    with pytest.raises(ValueError, match=r"1.parquet is not there"):
        pickle.loads(pickle.dumps(examples)).take(torch.tensor([0]))
