"""Latent grids: any size, gradients from the start, latents of their own, and a picture from the file."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.trainers.trials import attach
from trainers.architectures.grids import grids
from trainers.compressed import open_compressed
from trainers.config import TrialConfig
from trainers.datasets.still import pixels_of
from trainers.methods.parts.latents import Reparameterized
from trainers.networks.coordinates import grid
from trainers.networks.grid import LEARNING_RATE, STEP
from trainers.rendering import picture_of
from trainers.train import train


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A disc on a gradient, 37 x 50 pixels."""
    rows, columns = np.mgrid[0:37, 0:50]
    disc = (rows - 18) ** 2 + (columns - 25) ** 2 < 100
    pixels = np.stack([rows * 5, columns * 4, np.where(disc, 250, 60)], axis=-1).astype(np.uint8)
    path = tmp_path / "disc.png"
    Image.fromarray(pixels).save(path)
    return path


def config_of(picture: Path, **changes: object) -> TrialConfig:
    return TrialConfig.from_dict(
        {
            "task": {"name": "image", "file": str(picture), "whole": True},
            "architecture": {"name": "grids", "levels": 4},
            "method": {"name": "epr", "lam": 1e-4},
            "steps": 300,
            **changes,
        }
    )


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (64, 48), (1, 200)])
def test_any_size_of_image_has_a_colour_at_each_pixel(size: tuple[int, int]) -> None:
    network = grids(size=size, levels=7)
    assert network(grid(*size)[None]).shape == (1, *size, 3)


def test_gradients_reach_every_value_of_every_grid_and_every_weight_at_the_start() -> None:
    torch.manual_seed(3)
    network = grids(size=(24, 20), levels=4)
    network(grid(24, 20)[None]).square().sum().backward()
    gradients = {name: one.grad for name, one in network.named_parameters()}
    shut = [name for name, one in gradients.items() if one is None or not one.all()]
    assert shut == ["layers.0.weight"]  # its inputs are zero, and only at the start


def test_a_part_of_the_pixels_at_a_time_has_the_colours_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = grids(size=(24, 20), levels=3)
    for one in network.parameters():
        torch.nn.init.normal_(one)
    together = network(grid(24, 20)[None])
    monkeypatch.setattr(sys.modules["trainers.architectures.grids"], "_AT_ONCE", 7)
    with torch.no_grad():
        torch.testing.assert_close(network(grid(24, 20)[None]), together)


def test_pixels_one_by_one_are_refused_with_what_to_say(picture: Path) -> None:
    with pytest.raises(ValueError, match=r"^grids is asked for places of shape \(9, 2\): .*'whole: true'$"):
        grids(size=(3, 3))(torch.zeros(9, 2))


def test_each_grid_has_a_step_and_a_density_of_its_own(picture: Path) -> None:
    trial = attach(config_of(picture))
    model = trial.model
    assert isinstance(model, Reparameterized)
    of_grids = [group for group in model.latent_groups() if group.names[0].startswith("grids.")]
    assert [group.names for group in of_grids] == [(f"grids.{level}.values",) for level in range(4)]
    assert {group.step().item() for group in of_grids} == {STEP}
    (phase,) = trial.method.phases(trial.context)
    (optimiser,) = phase.optimisers(model, 300)
    rates = {id(group["params"][0]): group["initial_lr"] for group in optimiser.optimiser.param_groups}
    assert {rates[id(group.phi)] for group in of_grids} == {LEARNING_RATE / STEP}


def test_the_file_is_drawn_as_it_was_measured(picture: Path, tmp_path: Path) -> None:
    (point,) = train(config_of(picture), lambda progress: None, tmp_path / "trial")
    opened = open_compressed(Path(point.path))
    drawn = picture_of(opened.network(), opened.header.architecture, opened.header.arguments)
    error = float(np.square(drawn.astype(float) - pixels_of(picture.read_bytes(), "it")).mean())
    assert point.quality == pytest.approx(10 * np.log10(255**2 / error), abs=0.01)
    assert point.quality > 28
    assert point.size_bytes < 750


def test_noise_stands_for_rounding_while_it_is_asked_for(picture: Path) -> None:
    trial = attach(config_of(picture, method={"name": "epr", "lam": 1e-4, "noise": 0.5}))
    model = trial.model
    assert isinstance(model, Reparameterized)
    rounded, noisy = (model.decoded(noisy=noisy)[0]["grids.0.values"] / STEP for noisy in (False, True))
    assert torch.equal(rounded, torch.zeros_like(rounded))
    assert 0.4 < float(noisy.detach().abs().max()) <= 0.5
    assert float(noisy.detach().mean().abs()) < 0.05
