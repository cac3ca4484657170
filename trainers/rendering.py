"""A network that represents an image, drawn."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import nn

from trainers.data.examples import InMemory
from trainers.networks.coordinates import grid
from trainers.networks.modes import evaluating
from trainers.tasks.task import Task
from trainers.trees import first

DRAWN = ("siren", "grids")
"""The architectures whose networks map places to colours, and whose ``size`` is the image's height and width."""
WHOLE = ("grids",)
"""Those that compute all pixels together: places (1, height, width, 2); the others take some (n, 2)."""
SUFFIXES = (".png",)
MAX_PIXELS = 1 << 26
_AT_ONCE = 1 << 16


def picture_of(
    network: nn.Module, architecture: str, arguments: Mapping[str, Any], *, max_pixels: int = MAX_PIXELS
) -> npt.NDArray[np.uint8]:
    """Draw the image (height, width, channels) that a network represents, some pixels at a time where it can.

    Args:
        network: as a file decodes to.
        architecture: its name.
        arguments: of the architecture, from the file.
        max_pixels: what is larger is refused: a file of a few bytes may claim any size.

    Raises:
        ValueError: the architecture represents no image, or the image is too large.
    """
    if architecture not in DRAWN:
        raise ValueError(f"architecture {architecture!r} represents no image: wanted {' or '.join(DRAWN)}")
    height, width = arguments["size"]
    if height * width > max_pixels:
        raise ValueError(
            f"the file says that its image has {height} x {width} pixels: wanted {max_pixels:,} at most; "
            "--max-pixels allows more"
        )
    places = grid(height, width).to(next(iter(network.state_dict().values())).device)
    inputs = [places[None]] if architecture in WHOLE else torch.split(places.reshape(-1, 2), _AT_ONCE)
    with evaluating(network), torch.inference_mode():
        parts = [network(part).clamp(0, 1).mul(255).round().to(torch.uint8) for part in inputs]
    drawn: npt.NDArray[np.uint8] = torch.cat(parts).reshape(height, width, -1).cpu().numpy()
    return drawn


def original(task: Task) -> npt.NDArray[np.uint8] | None:
    """The image (height, width, channels) that a task is fitted to; None where it is fitted to none."""
    size = task.offers.get("size")
    if task.signal is None or task.signal.unit != "pixel" or size is None or not isinstance(task.test, InMemory):
        return None
    colours = first(task.test.targets).cpu().numpy()
    picture: npt.NDArray[np.uint8] = np.rint(colours.reshape(*size, -1) * 255).astype(np.uint8)
    return picture


def png_bytes(picture: npt.NDArray[np.uint8]) -> bytes:
    """The content of a PNG file of an image (height, width, 1 or 3)."""
    buffer = io.BytesIO()
    Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
