"""Codecs are measured on a task's image, and read beside sweeps."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from analysis.comparison.compare import compare
from analysis.configurations.summary import summarise
from analysis.points.exported import read_points
from orchestrator.reports.codecs import measure_codecs
from tests.console import call
from tests.pictures import write_picture
from trainers.codecs import OPTIONS, coded
from trainers.config import Spec
from trainers.tasks.image import psnr_db


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    rows, columns = np.mgrid[0:48, 0:64]
    waves = [np.sin(rows / 5) + np.cos(columns / 7), np.sin(rows * columns / 300), np.cos(rows / 3)]
    path = tmp_path / "photograph.png"
    Image.fromarray((np.stack(waves, axis=-1) * 60 + 128).clip(0, 255).astype(np.uint8)).save(path)
    return path


def test_a_point_is_a_file_and_the_quality_of_what_it_decodes_to(photograph: Path, tmp_path: Path) -> None:
    task = Spec(name="image", arguments={"file": str(photograph)})
    found = measure_codecs(task, list(OPTIONS), tmp_path / "codecs")
    points = read_points(tmp_path / "codecs")
    assert len(points) == len(found) > 20
    given = np.asarray(Image.open(photograph)).astype(float)
    for point in points.to_dict("records"):
        file = tmp_path / "codecs" / point["path"]
        assert file.stat().st_size == point["size_bytes"]
        drawn = np.asarray(Image.open(file).convert("RGB"))
        assert point["quality"] == pytest.approx(psnr_db(float(np.square(drawn - given).mean())), abs=1e-6)
    assert set(points["method"]) == {"jpeg", "webp", "avif"}
    assert set(points["task"]) == {str(task)}


def test_grey_images_stay_grey() -> None:
    pixels = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64, 1).astype(np.uint8)
    for one in coded(pixels, "jpeg"):
        assert one.pixels.shape == pixels.shape
        assert Image.open(io.BytesIO(one.data)).mode == "L"


def test_a_task_without_an_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^task 'digits' is no image: codecs code images"):
        measure_codecs(Spec(name="digits"), ["jpeg"], tmp_path)


def test_the_command_says_what_it_wrote_and_refuses_other_codecs(photograph: Path, tmp_path: Path) -> None:
    task = f"{{name: image, file: {photograph}}}"
    said = call(tmp_path, "codecs", "--task", task, "--codec", "jpeg", "--out", "some")
    assert said.stdout.startswith("jpeg: 23 files, from "), said.stderr
    assert (tmp_path / "some/points.csv").is_file()
    refused = call(tmp_path, "codecs", "--task", task, "--codec", "jpeg,gif")
    assert (refused.returncode, refused.stderr) == (2, "ratefront: --codec is 'gif': wanted jpeg or webp or avif\n")


def test_several_images_are_files_of_one_configuration(tmp_path: Path) -> None:
    images = [str(write_picture(tmp_path / f"{name}.png", number)) for number, name in enumerate("abc")]
    task = f"{{name: image, file: {{each: [{', '.join(images)}]}}}}"
    said = call(tmp_path, "codecs", "--task", task, "--codec", "jpeg,webp", "--out", "some")
    assert said.returncode == 0, said.stderr
    assert ", means over 3 images\n" in said.stdout
    points = read_points(tmp_path / "some")
    assert {name.partition("#")[0] for name in points["task_file"]} == {"a.png", "b.png", "c.png"}
    assert (points.groupby("config_hash")["task_file"].nunique() == 3).all()
    for point in points.to_dict("records"):
        assert (tmp_path / "some" / point["path"]).stat().st_size == point["size_bytes"]
    rows = summarise(points)
    assert (rows["num_failed"] == 0).all()
    [one, *_] = rows[rows["method"] == "jpeg"].to_dict("records")
    own = points[points["config_hash"] == one["config_hash"]]
    assert one["size_bytes_mean"] == own["size_bytes"].mean().round()
    assert one["quality_val_mean"] == pytest.approx(own["quality_val"].mean())
    (found,) = compare({name: points[points["method"] == name] for name in ("jpeg", "webp")}, num_resamples=20).against
    assert found.rate_interval is not None
