"""MS-SSIM is what its equation says, and the task measures it of the whole picture however it is asked."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image
from torch import Tensor, nn

from orchestrator.reports.codecs import measure_codecs
from trainers.codecs import coded
from trainers.config import Spec
from trainers.data.examples import Batch
from trainers.evaluate import measure
from trainers.instantiate import make_task
from trainers.record import others_of
from trainers.tasks.similarity import LEAST_SIDE, ms_ssim

SIDES = (163, 170)


def photograph(sides: tuple[int, int] = SIDES) -> np.ndarray:
    rows, columns = np.mgrid[0 : sides[0], 0 : sides[1]]
    waves = [np.sin(rows / 5) + np.cos(columns / 7), np.sin(rows * columns / 900), np.cos(rows / 3)]
    return (np.stack(waves, axis=-1) * 60 + 128).clip(0, 255).astype(np.uint8)


def by_the_equation(first: np.ndarray, second: np.ndarray) -> float:
    """The same of one channel, by sums over each window."""
    places = np.exp(-((np.arange(11) - 5) ** 2) / 4.5)
    window = np.outer(places, places) / places.sum() ** 2

    def mean(values: np.ndarray) -> np.ndarray:
        return np.einsum("hwij,ij->hw", sliding_window_view(values, (11, 11)), window)

    found, a, b = 1.0, first.astype(float), second.astype(float)
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        x, y = mean(a), mean(b)
        covariance, both = mean(a * b) - x * y, mean(a * a) - x * x + mean(b * b) - y * y
        structure = (2 * covariance + 7.65**2) / (both + 7.65**2)
        luminance = (2 * x * y + 2.55**2) / (x * x + y * y + 2.55**2)
        found *= float((structure * luminance if scale == 4 else structure).mean()) ** weight
        a, b = (
            np.pad(one, [(0, side % 2) for side in one.shape], mode="edge")
            .reshape(-(-one.shape[0] // 2), 2, -(-one.shape[1] // 2), 2)
            .mean(axis=(1, 3))
            for one in (a, b)
        )
    return found


def test_it_is_what_the_equation_says() -> None:
    given = photograph()
    for one in [*coded(given, "jpeg")][::8]:
        wanted = np.mean([by_the_equation(given[:, :, channel], one.pixels[:, :, channel]) for channel in range(3)])
        assert ms_ssim(torch.tensor(one.pixels), torch.from_numpy(given)) == pytest.approx(wanted, rel=1e-9)


def test_it_is_one_of_the_same_and_nothing_of_the_opposite() -> None:
    given = torch.from_numpy(photograph())
    assert ms_ssim(given, given) == pytest.approx(1.0, abs=1e-12)
    assert ms_ssim(255 - given, given) == 0.0
    small = given[: LEAST_SIDE - 1]
    with pytest.raises(ValueError, match=r"^a picture has sides \[160, 170\]: wanted 161 at least for MS-SSIM$"):
        ms_ssim(small, small)


class Blurred(nn.Module):
    """A network whose colours are near those of no picture, the same for each place whatever is asked with it."""

    def forward(self, places: Tensor) -> Tensor:
        return torch.stack([places[..., 0].sin(), places[..., 1], places.prod(dim=-1)], dim=-1) / 3 + 0.5


def test_pixels_and_whole_pictures_have_the_same_qualities(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    Image.fromarray(photograph((250, 300))).save(path)  # more pixels than are asked for at once
    found = [
        measure(Blurred(), task.test, task)
        for task in (
            make_task(Spec(name="image", arguments={"file": str(path), "whole": whole})) for whole in (False, True)
        )
    ]
    assert list(found[0].others) == ["ms_ssim"]
    assert 0 < found[0].others["ms_ssim"] < 1
    assert found[0].others["ms_ssim"] == pytest.approx(found[1].others["ms_ssim"], abs=1e-6)
    assert found[0].quality == pytest.approx(found[1].quality, abs=1e-4)


def test_some_pixels_have_no_similarity_and_small_pictures_neither(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    Image.fromarray(photograph()).save(path)
    task = make_task(Spec(name="image", arguments={"file": str(path)}))
    total, num = task.score(Blurred(), task.test.take(torch.arange(50)))
    assert math.isnan(total[1])
    assert math.isfinite(task.quality([float(one) for one in total], num)[0])
    assert make_task(Spec(name="image", arguments={"file": str(path), "shrink": 2})).others == ()


def test_codecs_have_it_by_the_same_function(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    Image.fromarray(photograph()).save(path)
    spec = Spec(name="image", arguments={"file": str(path)})
    measure_codecs(spec, ["webp"], tmp_path / "codecs")
    from analysis.points.exported import read_points

    points = read_points(tmp_path / "codecs")
    task = make_task(spec)
    for row in [points.iloc[0], points.iloc[-1]]:
        drawn = np.asarray(Image.open(tmp_path / "codecs" / row["path"]).convert("RGB"))
        wanted = ms_ssim(torch.tensor(drawn), torch.from_numpy(photograph()))
        assert others_of(row["others"])["ms_ssim"].quality == pytest.approx(wanted, abs=1e-6)
    same = Batch(*[task.test.take(torch.arange(len(task.test))).targets] * 2)
    total, num = task.score(lambda colours: colours, same)
    assert task.quality([float(one) for one in total], num) == (100.0, {"ms_ssim": pytest.approx(1.0)})
