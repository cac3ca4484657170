"""What epr makes of four networks at several first steps, against each network uncompressed.

    RATEFRONT_DATA=data python -m benchmarks.first_step                 # a quarter of an hour
    RATEFRONT_DATA=data python -m benchmarks.first_step --seeds 2 --networks gru siren

RATEFRONT_DATA is a folder with ``text/tinyshakespeare.txt`` and ``kodak/kodim03.png``.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.report import print_machine, print_table
from trainers.config import TrialConfig
from trainers.record import OperatingPoint
from trainers.tasks.base import InMemory, Task, supervised
from trainers.train import train

_HERE = "benchmarks.first_step"
_WINDOW = 64
_STARTS = ("auto", 2.0, 0.5, 0.05)
_DATA = Path(os.environ.get("RATEFRONT_DATA", "data"))


def characters() -> Task:
    """The next character of tinyshakespeare in windows of 64, in bits per character."""
    text = (_DATA / "text" / "tinyshakespeare.txt").read_text()
    index = {character: number for number, character in enumerate(sorted(set(text)))}
    numbers = torch.tensor([index[character] for character in text])

    def split(part: Tensor, most: int) -> InMemory:
        windows = part[: len(part) // (_WINDOW + 1) * (_WINDOW + 1)].view(-1, _WINDOW + 1)[:most]
        return InMemory(inputs=windows[:, :-1].contiguous(), targets=windows[:, 1:].contiguous())

    first, last = int(0.9 * len(numbers)), int(0.95 * len(numbers))
    return supervised(
        train=split(numbers[:first], len(numbers)),
        validation=split(numbers[first:last], 400),
        test=split(numbers[last:], 400),
        num_outputs=len(index),
        loss=lambda outputs, targets: F.cross_entropy(outputs.flatten(0, 1), targets.flatten()),
        score=lambda outputs, targets: F.cross_entropy(outputs.mT, targets, reduction="none").mean(1),
        quality_name="bits_per_character",
        maximise=False,
        quality_of=lambda nats: nats / math.log(2),
    )


def image() -> Task:
    """The pixels of a photograph at 192x128, each an example, in dB: all splits are the image itself."""
    from PIL import Image

    pixels = np.asarray(Image.open(_DATA / "kodak" / "kodim03.png")).astype(np.float32) / 255
    height, width = (side // 4 for side in pixels.shape[:2])
    pixels = pixels.reshape(height, 4, width, 4, 3).mean((1, 3))
    places = np.stack(np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij"), -1)
    whole = InMemory(inputs=torch.tensor(places.reshape(-1, 2)).float(), targets=torch.tensor(pixels.reshape(-1, 3)))
    return supervised(
        train=whole,
        validation=whole,
        test=whole,
        num_outputs=3,
        loss=F.mse_loss,
        score=lambda outputs, targets: (outputs - targets).square().mean(1),
        quality_name="psnr_db",
        maximise=True,
        quality_of=lambda error: -10 * math.log10(error),
    )


class Characters(nn.Module):
    """An embedding, a recurrent network or a small transformer, and a layer that tells the next character."""

    def __init__(self, num_outputs: int, width: int, *, is_recurrent: bool) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(num_outputs, width), nn.Linear(width, num_outputs)
        self.place = None if is_recurrent else nn.Embedding(_WINDOW, width)
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, 0.0, batch_first=True, norm_first=True)
        self.body = nn.GRU(width, width, batch_first=True) if is_recurrent else nn.ModuleList([layer])

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.embed(x)
        if self.place is None:
            hidden = self.body(hidden)[0]
        else:
            mask = nn.Transformer.generate_square_subsequent_mask(_WINDOW, device=x.device)
            hidden = self.body[0](hidden + self.place.weight, src_mask=mask, is_causal=True)
        outputs: Tensor = self.head(hidden)
        return outputs


class Sine(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(30 * x)


def gru(*, num_outputs: int) -> nn.Module:
    return Characters(num_outputs, 64, is_recurrent=True)


def transformer(*, num_outputs: int) -> nn.Module:
    return Characters(num_outputs, 64, is_recurrent=False)


def siren(*, num_outputs: int, widths: Sequence[int] = (2, 20, 20, 20, 20, 20)) -> nn.Module:
    """Sine layers as of Sitzmann et al. 2020, arXiv 2006.09661."""
    layers: list[nn.Module] = []
    for index, (num_in, num_out) in enumerate(zip(widths, [*widths[1:], num_outputs], strict=True)):
        layers.append(nn.Linear(num_in, num_out))
        bound = math.sqrt(6 / num_in) / 30 if index else 1 / num_in
        nn.init.uniform_(layers[-1].weight, -bound, bound)  # type: ignore[arg-type]
        layers.append(Sine())
    return nn.Sequential(*layers[:-1])


NETWORKS: dict[str, dict[str, Any]] = {
    "mlp": {"task": "digits", "architecture": {"name": "mlp", "hidden": [64]}, "steps": 500, "batch_size": 64},
    "gru": {"task": f"{_HERE}:characters", "architecture": f"{_HERE}:gru", "steps": 300, "batch_size": 32},
    "transformer": {
        "task": f"{_HERE}:characters",
        "architecture": f"{_HERE}:transformer",
        "steps": 500,
        "batch_size": 16,
    },
    "siren": {"task": f"{_HERE}:image", "architecture": f"{_HERE}:siren", "steps": 1500, "batch_size": 2048},
}
_LAMBDAS = {"mlp": 0.6, "gru": 0.01, "transformer": 0.1, "siren": 0.0001}
_SETTINGS: dict[str, dict[str, float]] = {"mlp": {"learning_rate": 5e-3}, "gru": {}, "transformer": {}, "siren": {}}


def measured(network: str, method: dict[str, Any], seed: int) -> OperatingPoint:
    """One training."""
    config = TrialConfig.from_dict({**NETWORKS[network], "method": method, "seed": seed})
    with tempfile.TemporaryDirectory() as folder:
        return train(config, lambda progress: None, Path(folder))[0]


def row(name: str, points: Sequence[OperatingPoint]) -> list[str]:
    """Means over seeds."""
    size_bytes = statistics.mean(point.size_bytes for point in points)
    return [name, f"{size_bytes:,.0f}", f"{statistics.mean(point.quality for point in points):.4g}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(1)
    print_machine(torch.device("cpu"))
    for network in given.networks:
        lam = _LAMBDAS[network]
        methods: dict[str, dict[str, Any]] = {"uncompressed": {"name": "uncompressed"}}
        methods |= {
            f"initial_step {start}": {"name": "epr", "lam": lam, "initial_step": start, **_SETTINGS[network]}
            for start in _STARTS
        }
        methods["uncompressed"] |= _SETTINGS[network]
        rows = []
        for name, method in methods.items():
            points = [measured(network, method, seed) for seed in range(given.seeds)]
            rows.append(row(name, points))
        print_table(f"{network}, lam {lam:g}, n = {given.seeds}", ["", "bytes", points[0].quality_name], rows)


if __name__ == "__main__":
    main()
